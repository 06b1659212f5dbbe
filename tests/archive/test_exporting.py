"""`RecordSet.export`: directories that need no archive, all of them or nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive, load
from archivedb.archive.packing import directory
from archivedb.errors import ArchiveError, PayloadError, QueryError, StoreError
from archivedb.store.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

MODES = ("hdf5", "json", "cloudpickle")


def everything(place: Path) -> list[str]:
    """Return what lies somewhere, hidden files included."""
    return sorted(str(each.relative_to(place)) for each in place.rglob("*"))


@pytest.fixture
def filled(fast: Archive) -> Archive:
    """Return an archive of a record in each mode, one of which shares a payload."""
    for number, mode in enumerate(MODES):
        fast.save(
            {"n": number, "x": np.arange(30.0)},
            f"a/{mode}",
            mode=mode,
            metadata={"m": mode},
            tags=["t"],
        )
    fast.open("a/hdf5")["more"] = True
    with fast.batch():
        fast.save({"n": 3}, "b/1")
        fast.save({"n": 4}, "b/2")
    return fast


def test_records_become_directories(filled: Archive, tmp_path: Path) -> None:
    """Each stands alone, and an archive of it says what the first has said."""
    place = tmp_path / "new" / "chosen"

    written = filled.find().order_by("name").export(place)

    names = [*(f"a/{mode}" for mode in sorted(MODES)), "b/1", "b/2"]
    assert written == [str(place / name) for name in names]
    assert everything(tmp_path / "new")[0] == "chosen"
    assert list((tmp_path / "new").iterdir()) == [place]
    assert sorted(place.iterdir()) == [place / "a", place / "b"]
    for name, path in zip(names, written, strict=True):
        wanted, found = filled.load(name), load(path)
        assert list(found) == list(wanted)
        assert found["n"] == wanted["n"]
        with Archive(path) as alone:
            (record,) = alone.find()
            before = filled.record(name)
            assert (record.metadata, record.tags) == (before.metadata, before.tags)
            assert alone.verify().findings == ()
    assert load(place / "a/hdf5")["more"] is True


def test_nothing_is_an_empty_directory(archive: Archive, tmp_path: Path) -> None:
    """Whether nothing matches, or there is no archive; none is made."""
    assert archive.find().export(tmp_path / "none") == []
    assert not archive.exists
    archive.save({"x": 1}, "it")
    assert archive.find("x > 1").export(tmp_path / "empty") == []
    assert everything(tmp_path / "none") == everything(tmp_path / "empty") == []


def _no_space(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("target", ["chosen", "not/yet/there"])
@pytest.mark.parametrize("fails", ["disk", "payload", "question", "interrupt", "name"])
def test_a_failure_leaves_nothing(
    filled: Archive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails: str,
    target: str,
) -> None:
    """Neither a part of it, nor the directories above, nor a hidden one."""
    found, error = filled.find().order_by("name"), ArchiveError
    # The first records are written by then.
    if fails == "payload":
        (file,) = filled.record("b/2").files
        (tmp_path / "runs.payloads" / file).unlink()
        error = PayloadError
    elif fails == "question":
        found, error = filled.find("nowhere > 1"), QueryError
    elif fails == "disk":
        made, real = [], Pending.publish

        def publish(pending: Pending) -> str:
            made.append(pending)
            if len(made) == 3:
                _no_space()
            return real(pending)

        monkeypatch.setattr(Pending, "publish", publish)
        error = StoreError
    elif fails == "interrupt":
        written, write = [], directory._write

        def interrupted(*given: Any) -> str:
            written.append(write(*given))
            if len(written) == 2:
                raise KeyboardInterrupt
            return written[-1]

        monkeypatch.setattr(directory, "_write", interrupted)
        error = KeyboardInterrupt  # type: ignore[assignment]
    else:
        monkeypatch.setattr(Path, "rename", _no_space)
        error = StoreError
    before = everything(tmp_path)

    with pytest.raises(error):
        found.export(tmp_path / target)

    assert everything(tmp_path) == before
    if fails != "payload":
        monkeypatch.undo()
        assert len(filled.find().export(tmp_path / target)) == 5


def test_places_that_are_taken(filled: Archive, tmp_path: Path) -> None:
    """What is there stays as it is: directories, files, links, what lies above."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    before = everything(tmp_path)

    for taken in ("empty", "file", "link", "file/below", "."):
        with pytest.raises(StoreError, match=r"exists|cannot write|no path"):
            filled.find().export(tmp_path / taken)
    with pytest.raises(StoreError, match="no path of a file"):
        filled.find().export("a\0b")

    assert everything(tmp_path) == before


@pytest.mark.parametrize("spelt", [Path, Path.resolve, os.path.relpath])
def test_the_store_is_no_place(
    filled: Archive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spelt: Callable[[Path], str],
) -> None:
    """However it is spelt: payloads there would be taken for the archive's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "runs.payloads")
    before = everything(tmp_path)

    for inside in ("runs.payloads/chosen", "link/tmp/x", "x/../runs.payloads/3f/a"):
        with pytest.raises(StoreError, match="the archive's own payloads"):
            filled.find().export(spelt(tmp_path / inside))

    assert everything(tmp_path) == before
    # What only begins alike lies beside it.
    assert len(filled.find().export(spelt(tmp_path / "runs.payloads-chosen"))) == 5
    assert filled.verify().findings == ()


def test_versions_are_no_records(filled: Archive, tmp_path: Path) -> None:
    """Several of a name cannot lie in one directory; the error says what can."""
    before = everything(tmp_path)

    for found in (filled.find().all_versions(), filled.find("n < 3").all_versions()):
        with pytest.raises(QueryError, match="without it"):
            found.export(tmp_path / "chosen")

    assert everything(tmp_path) == before
