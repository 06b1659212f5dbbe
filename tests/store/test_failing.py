"""A file system that refuses: nothing is half-saved, and the next save works."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive, ArchiveError, load, save
from archivedb.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = ("hdf5", "json", "cloudpickle")


def listing(root: Path) -> set[str]:
    """Return every file of a store but its locks."""
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and "locks" not in path.parts
    }


class Refusing:
    """
    A function of `os` that fails when it is called on a payload store.

    Args:
        name: The function.
        number: The ``errno`` it fails with.
        after: How many calls still go well.
        done: Whether it does its work before it fails.

    """

    def __init__(self, name: str, number: int, after: int = 0, *, done: bool) -> None:
        self.name, self.number, self.after, self.done = name, number, after, done
        self.real: Callable[..., Any] = getattr(os, name)
        self.failed = 0

    def __call__(self, path: Any, *arguments: Any, **options: Any) -> Any:
        """Fail, if this is about a payload on its way."""
        where = os.fspath(path) if not isinstance(path, int) else None
        if where is None:
            where = str(Path(f"/proc/self/fd/{path}").readlink())
        if ".payloads" not in str(where) or "locks" in str(where):
            return self.real(path, *arguments, **options)
        if self.after:
            self.after -= 1
            return self.real(path, *arguments, **options)
        self.failed += 1
        if self.done:
            self.real(path, *arguments, **options)
        raise OSError(self.number, os.strerror(self.number))


POINTS = [
    *(("open", 0, False), ("open", 1, False), ("open", 2, False)),
    # These may have had their effect when they fail.
    *((name, 0, done) for name in ("pwrite", "link", "fstat") for done in (0, 1)),
    *(("fsync", after, done) for after in (0, 1) for done in (0, 1)),
]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize(("name", "after", "done"), POINTS)
def test_a_save_that_is_refused_saves_nothing(  # noqa: PLR0913, PLR0917 - what can fail
    archive: Archive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    after: int,
    number: int,
    *,
    done: bool,
) -> None:
    """Whichever call fails, and whether it had its effect, there is no trace."""
    store = tmp_path / "runs.payloads"
    before, dump = listing(store), archive.inspect().dump()
    refusing = Refusing(name, number, after, done=done)
    with monkeypatch.context() as patch:
        patch.setattr(os, name, refusing)
        for record in ("new", "old/x"):
            refusing.after = after
            try:
                archive.save({"n": 3, "array": np.arange(100)}, record)
            except StoreError as error:
                said = str(error)
                assert "cannot" in said
                if number == errno.ENOSPC and name in ("pwrite", "fsync", "link"):
                    assert "free some space" in said
            else:
                assert not refusing.failed
                pytest.skip("this call is not made")
    assert refusing.failed

    assert listing(store) == before
    assert archive.inspect().dump() == dump
    assert archive.load("old/x") == {"n": 1}
    assert "new" not in archive
    assert archive.save({"n": 3}, "new").version == 1
    assert archive.save({"n": 3}, "old/x").version == 2
    with Archive(tmp_path / "runs.db") as again:
        assert again.load("new") == {"n": 3}
        assert again.verify().ok
        assert [change.position for change in again.history("old/x")] == [1, 2]


@pytest.mark.parametrize("mode", MODES)
def test_a_large_save_that_is_refused_saves_nothing(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A payload that is hashed beside fsync is left as little behind."""
    before = listing(tmp_path / "runs.payloads")
    big = {"array": np.arange(700_000.0)}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", Refusing("fsync", errno.EIO, done=False))
        with pytest.raises(StoreError):
            archive.save(big, "big", mode=mode)

    assert listing(tmp_path / "runs.payloads") == before
    assert archive.save(big, "big", mode=mode).version == 1
    assert archive.load("big")["array"].tobytes() == big["array"].tobytes()


def test_a_short_write_goes_on(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that writes and reads a few bytes at a time is no error."""
    pwrite, preadv = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:777], at))
    monkeypatch.setattr(
        os, "preadv", lambda fd, views, at: preadv(fd, [views[0][:333]], at)
    )
    archive.save({"a": np.arange(2000)}, "x")

    assert archive.load("x")["a"].tolist() == list(range(2000))
    assert archive.verify().ok


def test_a_read_that_fails_is_a_typed_error(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable disk gives a `StoreError`, and a finding of `verify`."""
    with monkeypatch.context() as patch:
        # `load` reads at places, `verify` from the first byte to the last.
        for call in ("preadv", "readv"):
            patch.setattr(os, call, Refusing(call, errno.EIO, done=False))
        with pytest.raises(StoreError, match="cannot read"):
            archive.load("old/x")
        kinds = [finding.kind for finding in archive.verify().findings]
        assert kinds == ["corrupt", "corrupt"]
    assert archive.load("old/x") == {"n": 1}


def test_a_file_that_cannot_be_opened_is_a_finding(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify` reports what it cannot even open, and goes on."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", Refusing("open", errno.EACCES, done=False))
        with pytest.raises(StoreError, match="cannot open"):
            archive.load("old/x")
        kinds = [finding.kind for finding in archive.verify().findings]
    assert kinds == ["corrupt", "corrupt"]


def test_a_file_that_vanishes_while_it_is_listed_is_no_error(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer may finish while this one looks for what crashed ones left."""
    gone = tmp_path / "runs.payloads" / "tmp" / "0190.h5"
    scandir = os.scandir

    def vanishing(path: Any) -> Any:
        entries = list(scandir(path))
        gone.unlink(missing_ok=True)
        return iter(entries)

    gone.write_bytes(b"")
    monkeypatch.setattr(os, "scandir", vanishing)

    assert archive.save({"n": 3}, "new").version == 1


def test_a_delete_that_cannot_remove_is_a_delete(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that resists is a `StoreError`; the record is gone all the same."""

    def refuse(self: Path, *, missing_ok: bool = False) -> None:
        if self.parent.name == "tmp":
            unlink(self, missing_ok=missing_ok)
        else:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    unlink = Path.unlink
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(StoreError, match="cannot remove"):
            archive.delete("old/x")

    assert list(archive) == ["old/y"]
    assert archive.save({"n": 9}, "old/x").version == 1
    with Archive(tmp_path / "runs.db") as again:
        assert again.load("old/x") == {"n": 9}
        again.reindex()
        assert again.load("old/x") == {"n": 9}


def test_plain_storage_is_as_careful(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain save that is refused leaves the old payload, and no other file."""
    place = tmp_path / "run.payloads"
    save({"n": 1}, place)
    before = listing(place)
    for name in ("pwrite", "fsync", "link"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, Refusing(name, errno.ENOSPC, done=False))
            with pytest.raises(StoreError):
                save({"n": 2}, place)
        assert listing(place) == before
        assert load(place) == {"n": 1}
    save({"n": 2}, place)
    assert load(place) == {"n": 2}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 3 MiB of its own."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"mounting is not permitted: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607 - the system's


@pytest.mark.parametrize("mode", MODES)
def test_a_full_disk_harms_nothing(full: Path, mode: str) -> None:
    """On a disk that really is full, saves fail by name and all else stays."""
    with Archive(full / "runs.db", mode=mode) as archive:
        archive.save({"n": 1}, "first")
        saved = 0
        chance = np.random.default_rng(1)
        for size in (2_000_000, 400_000, 100_000, 20_000, 2_000):
            for number in range(40):
                data = {"a": chance.bytes(size), "v": chance.random(size // 80)}
                try:
                    archive.save(data, f"{size}/{number}")
                except ArchiveError:
                    break
                saved += 1
        assert saved
        assert archive.load("first") == {"n": 1}
        assert len(archive) >= 1
        assert not list((full / "runs.payloads" / "tmp").iterdir())
    with Archive(full / "runs.db") as archive:
        for name in archive:
            archive.load(name)
        findings = [f for f in archive.verify().findings if f.kind != "orphaned"]
        assert not findings
