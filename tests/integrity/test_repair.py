"""Damaged payloads are replaced by proven copies, and never deleted."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive
from archivedb.errors import ArchiveNotFoundError, ReadOnlyError, StoreError
from tests.support import fresh
from tests.support.beside import writing

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS = Path(__file__).parent / "programs"


def flip(file: Path, place: int = -1) -> bytes:
    """Flip a bit of a file and return what it is now."""
    raw = bytearray(file.read_bytes())
    raw[place if place >= 0 else len(raw) // 2] ^= 1
    file.write_bytes(raw)
    return bytes(raw)


@pytest.fixture
def copy(archive: Archive, tmp_path: Path) -> Path:
    """Return a backup of the archive, made while it was sound."""
    archive.backup(tmp_path / "copy")
    return tmp_path / "copy"


def hurt_as(how: str, file: Path) -> None:
    """Damage a file in one of the ways that happen."""
    if how == "missing":
        file.unlink()
    elif how == "truncated":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "grown":
        file.write_bytes(file.read_bytes() + b"x")
    elif how == "link":
        aside = file.with_name("aside")
        file.rename(aside.parents[2] / "aside")
        file.symlink_to(aside.parents[2] / "aside")
    elif how == "directory":
        file.unlink()
        file.mkdir()
    else:
        flip(file)


@pytest.mark.parametrize(
    "how", ["missing", "truncated", "grown", "flipped", "link", "directory"]
)
def test_each_damage_is_mended(  # noqa: PLR0913, PLR0917 - fixtures
    archive: Archive,
    file: Path,
    copy: Path,
    how: str,
    data: dict[str, Any],
    same: Callable[..., bool],
) -> None:
    """The record loads again, the archive verifies, the damaged file is kept."""
    hurt_as(how, file)
    done = archive.repair(copy)

    assert done.ok
    assert done.restored == (f"{file.parent.name}/{file.name}",)
    assert same(archive.load("hurt"), data)
    assert archive.verify().ok
    kept = file.parents[1] / "quarantine" / file.name
    assert os.path.lexists(kept) == (how != "missing") == bool(done.quarantined)
    if how != "missing":
        reason = json.loads(kept.with_name(f"{file.name}.reason.json").read_text())
        assert reason["finding"]["record"] == "hurt"
        assert reason["host"]
        assert reason["when"]
    assert archive.repair(copy).restored == ()


def sources(copy: Path, file: Path, tmp_path: Path) -> dict[str, Any]:
    """Return every kind of place in which a copy may lie."""
    store = copy / "archive.payloads"
    (good,) = store.rglob(file.name)
    loose = tmp_path / "loose" / "deep"
    loose.mkdir(parents=True)
    shutil.copy(good, loose)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as made:
        made.write(good, f"data/{file.name}")
    return {
        "backup": copy,
        "catalog": copy / "archive.db",
        "url": f"sqlite:///{copy}/archive.db",
        "store": store,
        "files": tmp_path / "loose",
        "zip": tmp_path / "export.zip",
    }


@pytest.mark.parametrize("mode", ["hdf5"], indirect=True)
@pytest.mark.parametrize("kind", ["backup", "catalog", "url", "store", "files", "zip"])
def test_each_source(
    archive: Archive, file: Path, copy: Path, tmp_path: Path, kind: str
) -> None:
    """An archive, a backup, files and zips are searched by the payload's name."""
    place = sources(copy, file, tmp_path)[kind]
    flip(file)
    assert archive.repair(place).ok
    assert archive.verify().ok


@pytest.mark.parametrize("mode", ["json"], indirect=True)
def test_an_open_archive_is_a_source(archive: Archive, file: Path, copy: Path) -> None:
    """Another `Archive` may be given as it is."""
    flip(file)
    with Archive(copy, readonly=True) as other:
        assert archive.repair(other).ok


def test_a_damaged_copy_is_not_taken(archive: Archive, file: Path, copy: Path) -> None:
    """What is not proven changes nothing; the finding says where to look."""
    (good,) = copy.rglob(file.name)
    damaged, size = flip(file), file.stat().st_size
    flip(good, size - 1)
    done = archive.repair(copy)

    assert (done.restored, done.quarantined) == ((), ())
    (finding,) = done.findings
    assert (finding.record, finding.kind) == ("hurt", "corrupt")
    assert "no sound copy" in finding.advice
    assert file.read_bytes() == damaged
    assert not list((file.parents[1] / "tmp").iterdir())


def test_without_a_source(archive: Archive, file: Path) -> None:
    """Nothing is touched, and what is needed is said."""
    damaged = flip(file)
    done = archive.repair()

    assert not done.ok
    assert "archivedb repair --from" in done.findings[0].advice
    assert file.read_bytes() == damaged
    assert not (file.parents[1] / "quarantine").exists()


def test_a_source_that_is_not_there(archive: Archive, tmp_path: Path) -> None:
    """A mistyped source is an error that says what one is."""
    with pytest.raises(ArchiveNotFoundError, match="exported zip"):
        archive.repair(tmp_path / "nothing")
    with (
        Archive(archive.address, readonly=True) as reader,
        pytest.raises(ReadOnlyError),
    ):
        reader.repair()


def test_what_a_rebuild_forgot_is_brought_back(
    archive: Archive,
    file: Path,
    copy: Path,
    data: dict[str, Any],
    same: Callable[..., bool],
) -> None:
    """A payload that nobody deleted counts, also after `reindex` has missed it."""
    before = archive.inspect().dump()
    file.unlink()
    archive.reindex()
    assert "hurt" not in archive

    assert archive.repair(copy).indexed == 1
    assert same(archive.load("hurt"), data)
    assert archive.inspect().dump() == before


@pytest.mark.parametrize("mode", ["hdf5"], indirect=True)
def test_a_gap_in_a_history_is_closed(
    archive: Archive, file: Path, tmp_path: Path
) -> None:
    """A version that a rebuild left out comes back under its number."""
    archive.save({"n": 2}, "hurt")
    archive.backup(tmp_path / "copy")
    before = archive.inspect().dump()
    file.unlink()
    archive.reindex()
    assert [each.version for each in archive.versions("hurt")] == [2]

    assert archive.repair(tmp_path / "copy").ok
    assert archive.inspect().dump() == before


def test_what_was_deleted_does_not_rise_again(archive: Archive, copy: Path) -> None:
    """Deleted and pruned payloads of the source stay where they are."""
    archive.save({"n": 2}, "sibling/before")
    archive.prune("sibling/before")
    archive.delete("hurt")
    before = archive.inspect().dump()

    assert archive.repair(copy).restored == ()
    assert archive.inspect().dump() == before
    assert archive.verify().ok


def test_a_damaged_payload_that_the_catalog_does_not_know(
    archive: Archive, file: Path, copy: Path
) -> None:
    """Its name proves that it is damaged; it is mended and indexed."""
    file.write_bytes(file.read_bytes()[:200])
    archive.reindex()
    assert "hurt" not in archive

    assert archive.repair(copy).ok
    assert archive.load("hurt")["inputs"]["structure"] == "fcc"


@pytest.mark.parametrize("mode", ["hdf5"], indirect=True)
def test_a_catalog_from_yesterday_is_mended(archive: Archive, tmp_path: Path) -> None:
    """What the catalog does not know is indexed, without any source."""
    archive.close()
    raw = (tmp_path / "runs.db").read_bytes()
    with Archive(tmp_path / "runs.db") as other:
        other.save({"n": 3}, "later")
    (tmp_path / "runs.db").write_bytes(raw)
    # An old catalog in which the newest payload seems to be known already.
    archive = Archive(tmp_path / "runs.db")
    archive.repair()
    assert archive.load("later") == {"n": 3}
    assert archive.verify().ok


@pytest.mark.long
@pytest.mark.parametrize("mode", ["hdf5"], indirect=True)
def test_killed_at_any_moment(archive: Archive, copy: Path, tmp_path: Path) -> None:
    """A repair that is killed can be run again; nothing is ever lost by it."""
    names = [f"more/{number}" for number in range(20)]
    for name in names:
        archive.save({"name": name, "blob": os.urandom(100_000)}, name)
    archive.backup(copy)
    store = tmp_path / "runs.payloads"
    files = [store / archive.record(name).files[0] for name in names]
    sound = {file: file.read_bytes() for file in files}
    archive.close()
    killed = 0
    for turn in range(6):
        damaged = {file: flip(file, turn * 1000 + 5) for file in files}
        worker = subprocess.Popen(
            [fresh.executable(), PROGRAMS / "repairing.py", archive.address, copy],
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        time.sleep(0.02 + turn * 0.01)
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        killed += worker.returncode == -signal.SIGKILL
        for file in files:
            now = file.read_bytes()
            kept = store / "quarantine" / file.name
            # Either as it was, or mended, and then what was damaged is kept.
            assert now == damaged[file] or (now == sound[file] and kept.exists())
        with Archive(tmp_path / "runs.db") as again:
            again.repair(copy)
            assert again.verify().ok
        shutil.rmtree(store / "quarantine")
    assert killed >= 3


@pytest.mark.long
@pytest.mark.parametrize("mode", ["hdf5"], indirect=True)
def test_beside_writers(archive: Archive, copy: Path, tmp_path: Path) -> None:
    """Others save and delete while payloads are mended."""
    for number in range(20):
        archive.save({"n": number}, f"more/{number}")
    archive.backup(copy)
    with writing(archive.address, tmp_path):
        for number in range(20):
            name = archive.record(f"more/{number}").files[0]
            flip(tmp_path / "runs.payloads" / name)
        done = archive.repair(copy)
        assert len(done.restored) == 20
    assert archive.verify().ok
    assert [archive.load(f"more/{n}")["n"] for n in range(20)] == list(range(20))


def _in_heads(raw: bytearray, offset: int, change: Callable[[int], int]) -> None:
    """Change a byte of each member's heads; the central one has it two later."""
    for mark, at in ((b"PK\3\4", offset), (b"PK\1\2", offset + 2)):
        place = raw.find(mark)
        while place >= 0:
            raw[place + at] = change(raw[place + at])
            place = raw.find(mark, place + 4)


def _encrypted(raw: bytearray) -> None:
    """Say of each member that it is encrypted."""
    _in_heads(raw, 6, lambda flags: flags | 1)


def _compressed_strangely(raw: bytearray) -> None:
    """Say of each member that it is compressed in a way that nobody knows."""
    _in_heads(raw, 8, lambda _: 77)


def _deflated(raw: bytearray) -> None:
    """Say of what is stored as it is that it is compressed."""
    _in_heads(raw, 8, lambda _: 8)


@pytest.mark.parametrize("hurt", [_encrypted, _compressed_strangely, _deflated])
def test_a_zip_that_cannot_be_read(
    archive: Archive, file: Path, tmp_path: Path, hurt: Callable[[bytearray], None]
) -> None:
    """It is a source without a sound copy, and no bug."""
    with zipfile.ZipFile(tmp_path / "copy.zip", "w") as made:
        made.write(file, file.name)
    raw = bytearray((tmp_path / "copy.zip").read_bytes())
    hurt(raw)
    (tmp_path / "copy.zip").write_bytes(raw)
    flip(file)
    done = archive.repair(tmp_path / "copy.zip")
    assert done.restored == ()
    assert done.findings


def test_a_full_disk_is_not_blamed_on_the_source(
    archive: Archive, file: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the archive's own file, which is as it was."""
    damaged = flip(file)
    pwrite = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if Path(f"/proc/self/fd/{descriptor}").readlink().parent.name == "tmp":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StoreError, match=r"runs\.payloads.*No space left"):
        archive.repair(copy)
    monkeypatch.undo()
    assert file.read_bytes() == damaged
    assert archive.repair(copy).restored
    assert archive.verify().ok


def test_a_part_of_a_batch_comes_back(tmp_path: Path) -> None:
    """Though a rebuild forgot it, while the other part stayed known."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"n": 1}, "x")
        with archive.batch():
            archive.save({"n": 2}, "x", mode="json")
            archive.save({"n": 1}, "y")
        archive.save({"n": 3}, "x")
        archive.save({"n": 2}, "y")
        archive.backup(tmp_path / "copy")
        before = archive.inspect().dump()
        (tmp_path / "runs.payloads" / archive.versions("x")[1].files[0]).unlink()
        archive.reindex()
        assert archive.inspect().dump() != before
        assert archive.repair(tmp_path / "copy").ok
        assert archive.inspect().dump() == before
        assert archive.verify("deep").ok


def test_what_another_archive_wrote_comes_back(tmp_path: Path) -> None:
    """Only the payload that has adopted it remembers it after a rebuild."""
    with Archive(tmp_path / "other.db") as other:
        for number in range(3):
            other.save({"a": [float(number)] * 9}, "x")
    with Archive(tmp_path / "runs.db") as archive:
        archive.pull(tmp_path / "other.db")
        archive.tag("x", "t")
        archive.backup(tmp_path / "copy")
        before = archive.inspect().dump()
        file = archive.versions("x")[1].files[0]
        (tmp_path / "runs.payloads" / file).unlink()
        assert archive.reindex().findings
        assert archive.repair(tmp_path / "copy").restored == (file,)
        assert archive.inspect().dump() == before
        # What was pruned stays so.
        archive.prune("x")
        assert archive.repair(tmp_path / "copy").restored == ()
        assert archive.verify("deep").ok
