"""The spool: saves without locks and without a catalog, from anywhere, none lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.errors import SpoolError
from archivedb.store import locks, mounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program  # type: ignore[import-not-found]

TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /home rw shared:2 - nfs4 server:/home rw
31 30 8:2 / /home/local rw - xfs /dev/sdb1 rw
32 22 0:26 / /lustre/my\\040project rw - lustre mds@tcp:/fs rw
33 22 0:27 / /sshfs rw - fuse.sshfs me@host: rw
34 22 0:28 / /usb rw - fuse.exfat /dev/sdc rw
35 22 0:29 / /over rw - nfs server:/over rw
36 22 0:30 / /over rw - tmpfs tmpfs rw
broken line
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what writes the kernel's table of mounts."""

    def write(text: str) -> None:
        path = tmp_path / "mountinfo"
        path.write_text(text)
        monkeypatch.setattr(mounts, "TABLE", str(path))

    return write


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", None),
        ("/data/runs.db", None),
        ("/home/me/runs.db", "nfs4"),
        ("/home", "nfs4"),
        ("/homes/runs.db", None),
        ("/home/local/runs.db", None),
        ("/lustre/my project/runs.db", "lustre"),
        ("/sshfs/a", "fuse.sshfs"),
        ("/usb/a", None),
        ("/over/a", None),
    ],
)
def test_network_file_systems_are_told_by_their_mounts(
    table: Callable[[str], None], path: str, kind: str | None
) -> None:
    """The deepest mount decides, and of two at one place the later."""
    table(TABLE)
    assert mounts.network_type(Path(path)) == kind


def test_without_a_table_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems than Linux have none."""
    monkeypatch.setattr(mounts, "TABLE", "/nowhere/mountinfo")
    assert mounts.network_type(Path("/home")) is None


def test_on_a_network_file_system_it_spools(
    table: Callable[[str], None], tmp_path: Path
) -> None:
    """Found out by itself; unless the catalog is elsewhere, or the user insists."""
    place = tmp_path / "net"
    place.mkdir()
    table(f"1 0 8:1 / / rw - ext4 a rw\n2 1 0:9 / {place} rw - nfs4 b rw\n")
    with Archive(place / "runs.db") as node:
        assert node.spools
        assert node.save({"n": 1}, "x").version == 0
        with pytest.raises(SpoolError, match="lies on nfs4"):
            node.load("x")
    assert not (place / "runs.db").exists()
    with Archive(tmp_path / "local.db", payloads=place / "runs.payloads") as host:
        assert not host.spools
        assert host.load("x") == {"n": 1}
    with Archive(place / "forced.db", spool=False) as forced:
        assert not forced.spools
        assert forced.save({"n": 1}, "x").version == 1
    with Archive(place / "forced.db", readonly=True) as reader:
        assert reader.load("x") == {"n": 1}


def test_a_spooled_save_touches_no_catalog_and_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one file in ``incoming/``, and nothing else."""

    def refuse(*_: object) -> None:
        raise AssertionError

    for name in ("lock", "try_lock"):
        monkeypatch.setattr(locks, name, refuse)
    with Archive(tmp_path / "runs.db", spool=True) as node:
        record = node.save({"n": 1}, "x", tags=["a"], metadata={"m": 1})
        assert (record.version, record.tags, record.metadata) == (0, ("a",), {"m": 1})
        assert "spooled" in repr(record)
        (file,) = record.files
        assert node.save({"n": 2}, record).name == "x"
    files = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) == 2
    assert f"runs.payloads/{file}" in files
    monkeypatch.undo()
    with Archive(tmp_path / "runs.db") as archive:
        assert [r.version for r in archive.versions("x")] == [1, 2]
        first = archive.record("x", version=1)
        assert (first.uuid, first.digest) == (record.uuid, record.digest)
        assert first.saved_at == record.saved_at
        assert (first.tags, first.metadata) == (("a",), {"m": 1})
        assert first.provenance == record.provenance
        require_sound(archive)
    assert not list((tmp_path / "runs.payloads" / "incoming").iterdir())


def require_sound(archive: Archive) -> None:
    """Require that nothing is found, and that a rebuilt catalog is the same."""
    report = archive.verify()
    assert report.ok, report.findings
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before


CATALOG: list[Callable[[Archive], Any]] = [
    len,
    list,
    lambda node: node.exists,
    lambda node: node.load("x"),
    lambda node: node["x"],
    lambda node: "x" in node,
    lambda node: node.open("x"),
    lambda node: node.create_group("g"),
    lambda node: node.tag("x", "t"),
    lambda node: node.delete("x"),
    lambda node: node.find("n > 1").count(),
    lambda node: node.create(),
    lambda node: node.ingest(),
    lambda node: node.pull("other.db"),
    lambda node: node.verify(),
    lambda node: node.reindex(),
    lambda node: node.save({}, "x", on_exists="skip"),
    lambda node: node.save({}, "x", on_exists="error"),
]


@pytest.mark.parametrize("number", range(len(CATALOG)))
def test_what_needs_the_catalog_says_what_to_do(tmp_path: Path, number: int) -> None:
    """It is a typed error that names the spool, and writes nothing."""
    node = Archive(tmp_path / "runs.db", spool=True)
    with pytest.raises(SpoolError, match="incoming"):
        CATALOG[number](node)
    assert not list(tmp_path.iterdir())
    assert "spools" in repr(node) + node._repr_html_()


def test_a_batch_is_spooled_whole(tmp_path: Path) -> None:
    """All or nothing, one payload a mode; an exception leaves nothing."""
    with Archive(tmp_path / "runs.db", spool=True) as node:
        with node.batch() as batch:
            node.save({"x": np.arange(3)}, "a")
            node.save({"n": 1}, "b", mode="json")
            node.save({"n": 2}, "b", mode="json")
            assert len(batch) == 3
            assert not (tmp_path / "runs.payloads").exists()
            with pytest.raises(SpoolError):
                node.tag("a", "t")
        with pytest.raises(ZeroDivisionError), node.batch():
            1 / node.save({"n": 1}, "c").version
    incoming = tmp_path / "runs.payloads" / "incoming"
    first, second = sorted(incoming.iterdir())
    kept = second.read_bytes()
    second.unlink()
    with Archive(tmp_path / "runs.db") as archive:
        assert not archive.exists or list(archive) == []
        assert "batch" in archive.ingest().left[0].why
        second.write_bytes(kept)
        assert archive.ingest().versions == 3
        assert list(archive) == ["a", "b"]
        assert [archive.load(r)["n"] for r in archive.versions("b")] == [1, 2]
        require_sound(archive)
    assert not first.exists()


def test_equal_saves_are_one_version(tmp_path: Path) -> None:
    """As without a spool, what equals the newest version makes none."""
    with Archive(tmp_path / "runs.db", spool=True) as node:
        for number in (1, 1, 2, 2, 1):
            node.save({"n": number}, "x")
    with Archive(tmp_path / "runs.db") as archive:
        assert [archive.load(r)["n"] for r in archive.versions("x")] == [1, 2, 1]
        require_sound(archive)
    assert not list((tmp_path / "runs.payloads" / "incoming").iterdir())


def test_what_is_partly_written_is_never_ingested(tmp_path: Path) -> None:
    """A dead writer's file has no name, and a damaged one is left, and said."""
    with Archive(tmp_path / "runs.db", spool=True) as node:
        node.save({"n": 1}, "x")
        (path,) = (tmp_path / "runs.payloads" / "incoming").iterdir()
        node.save({"n": 2}, "y")
    half = path.with_name(f".{path.name[:36]}.h5")
    half.write_bytes(path.read_bytes()[:100])
    path.write_bytes(path.read_bytes()[:-1])

    with Archive(tmp_path / "runs.db") as archive:
        assert list(archive) == ["y"]
        (left,) = archive.ingest().left
        assert left.what in (path.name, "x")
    assert half.exists()
    assert path.exists()


def test_a_deleted_record_does_not_come_back(tmp_path: Path) -> None:
    """Also if a crash has left what was taken in where it waited."""
    with Archive(tmp_path / "runs.db", spool=True) as node:
        node.save({"n": 1}, "x")
    (path,) = (tmp_path / "runs.payloads" / "incoming").iterdir()
    raw = path.read_bytes()
    with Archive(tmp_path / "runs.db") as archive:
        archive.delete("x")
    path.write_bytes(raw)
    with Archive(tmp_path / "runs.db") as archive:
        assert list(archive) == []
        require_sound(archive)
    assert not path.exists()


@pytest.mark.long
def test_many_nodes_spool_beside_those_who_ingest(
    tmp_path: Path, program: Program
) -> None:
    """Eight processes spool, two ingest and are killed: nothing is lost."""
    said = program("spooling.py", tmp_path / "runs.db", 15, 6)
    assert said.endswith("sound\n")
