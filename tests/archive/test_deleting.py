"""`Archive.delete`: what is gone stays gone, and its bytes are free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive, save
from archivedb.errors import ArchiveNotFoundError, RecordError, RecordNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_delete_says_what_it_freed(
    archive: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """All versions go, and the freed bytes are those of the files that went."""
    archive.save({"n": 0}, "keep")
    kept = set(payloads())
    for number in range(3):
        archive.save({"n": np.arange(number * 1000)}, "x")
    sizes = {path: path.stat().st_size for path in payloads() if path not in kept}

    deletion = archive.delete("x")

    assert deletion.names == ("x",)
    assert deletion.freed == sum(sizes.values())
    assert not set(payloads()) & set(sizes)
    assert list(archive) == ["keep"]
    assert "x" not in archive
    for ask in (archive.load, archive.versions, archive.history, archive.delete):
        with pytest.raises(RecordNotFoundError):
            ask("x")
    assert archive.verify().ok


def test_a_folder_needs_recursive(archive: Archive) -> None:
    """Deleting a folder by accident is an error that says how to do it."""
    for name in ("al/1", "al/fcc/2", "al-2", "alu/3"):
        archive.save({}, name)

    with pytest.raises(RecordError, match=r"delete\('al', recursive=True\)"):
        archive.delete("al")
    assert len(archive) == 4

    assert sorted(archive.delete("al", recursive=True).names) == ["al/1", "al/fcc/2"]
    assert list(archive) == ["al-2", "alu/3"]


def test_recursive_takes_a_record_too(archive: Archive) -> None:
    """``recursive=True`` allows a folder, and does not insist on one."""
    archive.save({}, "a")
    archive.save({}, "b")

    assert archive.delete("a", recursive=True).names == ("a",)
    with pytest.raises(RecordNotFoundError):
        archive.delete("a", recursive=True)


def test_no_name_is_not_every_name(archive: Archive) -> None:
    """An empty name, of a variable that was never set, does not delete everything."""
    archive.save({}, "a")
    archive.save({}, "b")

    with pytest.raises(RecordError):
        archive.delete("", recursive=True)
    assert len(archive) == 2


def test_the_name_is_free_again(archive: Archive) -> None:
    """After a delete the name, or one below or above it, begins anew."""
    old = archive.save({"n": 1}, "a/b")
    archive.delete("a/b")
    new = archive.save({"n": 1}, "a/b")
    assert (new.version, len(archive.history("a/b"))) == (1, 1)
    assert new.uuid != old.uuid
    archive.delete(new)
    archive.save({"n": 2}, "a")
    archive.delete("a", recursive=True)
    archive.save({"n": 3}, "a/b/c")
    assert list(archive) == ["a/b/c"]


@pytest.mark.parametrize("lost", [False, True])
def test_nothing_rises_again(tmp_path: Path, *, lost: bool) -> None:
    """Reopening, reindexing or losing the catalog brings nothing deleted back."""
    with Archive(tmp_path / "runs.db") as archive:
        for number in range(12):
            archive.save({"n": number}, "x")
            archive.save({"n": number}, f"folder/{number}")
            archive.delete("x")
        archive.delete("folder", recursive=True)
        archive.save({"n": "new"}, "x")
        archive.save({"n": "gone"}, "y")
        archive.delete("y")
        before = archive.inspect().dump()
    if lost:
        for path in tmp_path.glob("runs.db*"):
            path.unlink()

    with Archive(tmp_path / "runs.db") as archive:
        assert list(archive) == ["x"]
        assert archive.load("x") == {"n": "new"}
        assert archive.inspect().dump() == before
        archive.reindex()
        assert list(archive) == ["x"]
        assert archive.inspect().dump() == before
        assert archive.verify().ok


def test_a_restored_file_does_not_rise(
    archive: Archive, payloads: Callable[[], list[Path]], tmp_path: Path
) -> None:
    """A deleted record's file, copied back from a backup, stays deleted."""
    archive.save({"n": 1}, "x")
    (path,) = payloads()
    raw = path.read_bytes()
    archive.delete("x")
    archive.close()
    path.write_bytes(raw)

    with Archive(tmp_path / "runs.db") as again:
        assert list(again) == []
        again.reindex()
        assert list(again) == []
        kinds = {finding.kind for finding in again.verify().findings}
    assert kinds == {"orphaned"}


def test_what_was_saved_anew_into_a_plain_directory_is_seen(tmp_path: Path) -> None:
    """Deleting an indexed plain record does not hide what is saved there later."""
    place = tmp_path / "run"
    save({"n": 1}, place)
    with Archive(place) as archive:
        archive.delete("run")
    with Archive(place) as archive:
        assert list(archive) == []
    save({"n": 2}, place)

    with Archive(place) as archive:
        assert archive.load("run") == {"n": 2}


def test_what_began_anew_stays_deleted(tmp_path: Path) -> None:
    """A plain directory's record may be deleted again and again, and renamed."""
    place = tmp_path / "run"
    for number in range(6):
        save({"n": number}, place)
        if number % 2:
            save({"n": -number}, place)
        with Archive(place) as archive:
            assert archive.load("run") == {"n": -number if number % 2 else number}
            if number > 3:
                archive.rename("run", f"run-{number}")
                archive.delete(f"run-{number}")
            else:
                archive.delete("run")
        for _ in range(2):
            with Archive(place) as archive:
                assert list(archive) == []
                assert archive.verify().ok


def test_deleting_in_an_empty_place_creates_nothing(tmp_path: Path) -> None:
    """There is nothing to delete where there is no archive."""
    with pytest.raises(ArchiveNotFoundError):
        Archive(tmp_path / "runs.db").delete("x")
    assert list(tmp_path.iterdir()) == []
