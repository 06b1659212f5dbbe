"""What is acknowledged survives; what is not is there as a whole, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Program  # type: ignore[import-not-found]


@pytest.mark.long
def test_a_killed_writer_loses_nothing(tmp_path: Path, program: Program) -> None:
    """A writer is killed 15 times, at any moment; the archive is always whole."""
    assert program("killed.py", tmp_path / "runs.db", 0, 15) == "sound\n"


ABSENT = ("begun", "unwritten", "unsynced", "unlinked")
THERE = ("linked", "published", "uncommitted", "unsettled", "settled")


def test_a_save_that_crashed_is_there_or_not(tmp_path: Path, program: Program) -> None:
    """A save counts once its file has its name; the next version knows of it."""
    points = json.loads(program("crash_at.py", tmp_path, "save", *ABSENT, *THERE))

    for point, (unseen, seen) in points.items():
        saved = [{"n": 1}, {"n": 2}, *([{"n": 3}] if point in THERE else [])]
        assert seen.pop("reopened") == {"x": saved, "y": [{"n": 1}]}, point
        for told in (unseen, seen):
            assert told == {
                "version": len(saved) + 1,
                "positions": list(range(1, len(saved) + 2)),
                "state": {"x": [*saved, {"n": 4}], "y": [{"n": 1}]},
                "found": [len(saved) + 1],
                "findings": [],
                "after": [],
            }, point


GONE = (*THERE, "unremoved", "removed")


@pytest.fixture(scope="module")
def deletes(
    program: Program, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """Return what was told of deletes that crashed, by the point."""
    place = tmp_path_factory.mktemp("deletes")
    told: dict[str, Any] = json.loads(
        program("crash_at.py", place, "delete", *ABSENT, *GONE)
    )
    return told


def test_a_delete_that_crashed_is_whole_or_not(
    deletes: dict[str, list[dict[str, Any]]],
) -> None:
    """A delete counts once its file has its name; nothing of it rises again."""
    for point, (unseen, seen) in deletes.items():
        saved = [] if point in GONE else [{"n": 1}, {"n": 2}]
        left = {"x": saved} if saved else {}
        assert seen["reopened"] == {"y": [{"n": 1}]} | left, point
        for told in (unseen, seen):
            assert told["version"] == len(saved) + 1, point
            assert told["state"] == {"x": [*saved, {"n": 4}], "y": [{"n": 1}]}, point
            assert set(told["findings"]) <= {"orphaned"}, point


def test_a_delete_that_crashed_frees_its_files(
    deletes: dict[str, list[dict[str, Any]]],
) -> None:
    """Whoever finishes a delete that was cut short removes its files, too."""
    findings = {
        point: told["findings"] + told["after"]
        for point, both in deletes.items()
        for told in both
    }
    assert not any(findings.values()), findings


def test_a_creation_that_crashed_is_finished(tmp_path: Path, program: Program) -> None:
    """An archive whose creator was killed opens, and is created by the next save."""
    places = ("identified", "unmade", "made", "linked")
    points = json.loads(program("crash_at.py", tmp_path, "creation", *places))

    for point, (unseen, seen) in points.items():
        first = [{"n": 3}] if point == "linked" else []
        assert seen["reopened"] == ({"x": first} if first else {}), point
        for told in (unseen, seen):
            assert told["version"] == len(first) + 1, point
            assert told["state"] == {"x": [*first, {"n": 4}]}, point
            assert told["findings"] == [], point


def test_a_crashed_record_does_not_become_a_folder(
    tmp_path: Path, program: Program
) -> None:
    """What a crash left is not indexed against a name that was given since."""
    program("crashed_folder.py", tmp_path / "runs.db")

    with Archive(tmp_path / "runs.db") as archive:
        assert list(archive) in (["a"], ["a/b"])
        assert archive.verify().ok
        archive.reindex()
        assert list(archive) in (["a"], ["a/b"])
