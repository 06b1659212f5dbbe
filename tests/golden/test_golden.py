"""Archives of every revision, as they were written then, are read today."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive
from archivedb.catalog import schema
from archivedb.errors import RecordNotFoundError, UntrustedPayloadError
from tests.golden import contents
from tests.support.exact import difference

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
MODES, VERSIONS = contents.MODES, contents.VERSIONS


@pytest.fixture(params=schema.KNOWN)
def revision(request: pytest.FixtureRequest) -> str:
    """Return each revision in turn."""
    return str(request.param)


@pytest.fixture
def archive(
    revision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Archive]:
    """Return a copy of a golden archive, with its throw-away key."""
    shutil.copytree(HERE / revision, tmp_path / "golden")
    key = tmp_path / "signing.key"
    shutil.copy(HERE / "key" / "signing.key", key)
    key.chmod(0o600)
    monkeypatch.setenv("ARCHIVEDB_KEY", str(key))
    with Archive(tmp_path / "golden" / "runs.db", migrate=True) as opened:
        yield opened


def test_it_is_small_and_whole(revision: str) -> None:
    """What is committed is a catalog without a log, and less than 200 kB."""
    files = [path for path in (HERE / revision).rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) < 200_000
    assert not [path for path in files if path.name.endswith(("-wal", "-shm"))]


@pytest.mark.parametrize("mode", MODES)
def test_everything_loads_exactly(archive: Archive, mode: str) -> None:
    """Every version of every mode is what was saved, also part by part."""
    for version, data in enumerate(VERSIONS, 1):
        found = archive.load(f"runs/{mode}", version=version)
        assert difference(found, data) is None
    for path in ("forces", "complex", "words", "empty", "odd"):
        found = archive[f"runs/{mode}/outputs/{path}"]
        assert difference(found, VERSIONS[-1]["outputs"][path]) is None
    record = archive.record(f"runs/{mode}")
    assert (record.version, record.mode, record.tags) == (2, mode, (mode, "t"))
    assert difference(record.metadata, contents.METADATA) is None


def test_edits_and_rows_load_exactly(archive: Archive) -> None:
    """Each version is what it was, with the rows that were appended to it."""
    for version, data in enumerate(contents.EDITED, 1):
        found = archive.load("edited", version=version)
        assert difference(found, data) is None
        rows = archive.open("edited", version=version).open("rows")
        assert difference(rows[-2:], data["rows"][-2:]) is None
    kinds = [change.kind for change in archive.history("edited")]
    assert kinds == ["save", "append", "edit", "append"]
    with archive.open("edited") as group:
        group.append("rows", np.array([[10.0, 11.0]]))
        group["outputs/energy"] = -3.8
    wanted = contents.EDITED[-1]
    rows, outputs = np.arange(12.0).reshape(6, 2), wanted["outputs"] | {"energy": -3.8}
    wanted = wanted | {"rows": rows, "outputs": outputs}
    assert difference(archive.load("edited"), wanted) is None
    assert difference(archive.load("edited", version=2), contents.EDITED[-1]) is None
    assert archive.verify().ok


def test_adapted_values_load_without_a_key(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs nothing needs nobody's word, files included."""
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    assert difference(archive.load("adapted"), contents.ADAPTED) is None
    file = archive["adapted/log"]
    assert (file.name, file.read_bytes()) == ("OUTCAR", b"converged\n\0\xff")


def test_instances_load_with_their_key_only(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every route of objects leads back today."""
    found = archive.load("instances")
    for name, wanted in contents.INSTANCES.items():
        assert type(found[name]) is type(wanted)
        if name != "template":
            assert found[name] == wanted
    assert vars(found["template"]) == vars(contents.INSTANCES["template"])
    assert found["cells"][0] is found["cell"]
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    with pytest.raises(UntrustedPayloadError):
        archive.load("instances")
    stubs = archive.load("instances", objects="stub")
    routes = {
        name: each.route for name, each in stubs.items() if hasattr(each, "route")
    }
    assert routes == {
        "cell": "dataclass",
        "money": "reduce",
        "colour": "enum",
        "template": "state",
        "function": "reference",
    }
    assert stubs["plain"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_objects_load_with_their_key_only(
    archive: Archive, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signatures of then are checked today."""
    assert archive.load(f"objects/{mode}") == contents.OBJECTS
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    with pytest.raises(UntrustedPayloadError):
        archive.load(f"objects/{mode}")
    assert archive.load(f"objects/{mode}", objects="stub")["plain"] == 1


def test_it_is_searched_listed_and_verified(archive: Archive) -> None:
    """The catalog of then answers, and every byte is still what was saved."""
    assert sorted(archive) == sorted(
        [f"{folder}/{mode}" for folder in ("objects", "runs") for mode in MODES]
        + ["adapted", "edited", "instances"]
    )
    assert len(archive.find(project="golden")) == 3
    assert len(archive.find(big=2**70)) == 3
    assert len(archive.find(**{"inputs/structure": "fcc"})) == 3
    assert archive.verify("quick").ok
    assert archive.verify("full").ok
    with pytest.raises(RecordNotFoundError):
        archive.load("deleted")


def test_a_rebuilt_catalog_says_the_same(archive: Archive) -> None:
    """Today's code indexes the payloads of then as it was done then."""
    before = archive.inspect().dump()

    archive.reindex()
    assert archive.inspect().dump() == before
    assert archive.verify().ok


def test_it_goes_on(archive: Archive) -> None:
    """What is saved today stands beside what was saved then."""
    assert archive.save({"n": 3}, "runs/hdf5").version == 3
    assert archive.save({"new": 1}, "deleted").version == 1
    archive.reindex()
    assert archive.load("deleted") == {"new": 1}
    found = archive.load("runs/hdf5", version=2)
    assert difference(found, VERSIONS[-1]) is None


def test_equal_data_still_has_an_equal_digest(archive: Archive) -> None:
    """Saving the same again writes nothing: digests do not drift."""
    for mode in MODES:
        record = archive.save(
            VERSIONS[-1],
            f"runs/{mode}",
            metadata=contents.METADATA,
            tags=["t", mode],
        )
        assert record.version == 2
    for name in ("adapted", "instances"):
        again = archive.save(getattr(contents, name.upper()), name, mode="json")
        assert again.version == 1
