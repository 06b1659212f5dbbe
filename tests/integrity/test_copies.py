"""Copies of an archive that are written to, too: both sides keep what they have."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.errors import ArchiveExistsError, CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive with a record of one version."""
    with Archive(tmp_path / "home.db") as archive:
        archive.save({"x": 0}, "run")
        archive.save({"x": 0, "rows": np.zeros((1, 2), int)}, "kept")
        yield archive


@pytest.fixture(params=["backup", "copy"])
def laptop(
    home: Archive, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Archive]:
    """Return a copy of it."""
    there = tmp_path / "there"
    if request.param == "backup":
        home.backup(there)
        place = there
    else:
        home.close()
        place = there / "home.db"
        there.mkdir()
        shutil.copy(tmp_path / "home.db", place)
        shutil.copytree(tmp_path / "home.payloads", there / "home.payloads")
    with Archive(place) as archive:
        yield archive


def _values(archive: Archive, name: str = "run") -> list[Any]:
    return [
        archive.load(name, version=each.version)["x"] for each in archive.versions(name)
    ]


def _write(archive: Archive, who: str) -> None:
    """Save on, under a name that both have, and under a new one that both choose."""
    archive.save({"x": who}, "run")
    archive.save({"x": f"{who} again"}, "run")
    archive.save({"x": who}, "new")


def _require_stable(archive: Archive) -> None:
    """Nothing is found, nothing changes when the catalog is rebuilt or swept."""
    before = archive.inspect().dump()
    assert archive.verify("deep").findings == ()
    assert archive.reindex().findings == ()
    assert archive.gc(grace=timedelta(0)).removed == ()
    assert archive.inspect().dump() == before
    assert archive.verify("deep").findings == ()


@pytest.mark.parametrize("first", ["home", "laptop"])
def test_pulled_in_both_directions(home: Archive, laptop: Archive, first: str) -> None:
    """Whoever saved last: each side has its own versions first, then the other's."""
    both = [(home, "home"), (laptop, "laptop")]
    for archive, who in both if first == "home" else both[::-1]:
        _write(archive, who)

    home.pull(laptop)
    assert _values(home) == [0, "home", "home again", "laptop", "laptop again"]
    assert _values(home, "new") == ["home", "laptop"]
    _require_stable(home)
    assert home.pull(laptop).versions == 0

    laptop.pull(home)
    assert _values(laptop) == [0, "laptop", "laptop again", "home", "home again"]
    _require_stable(laptop)
    assert home.pull(laptop).versions == 0


def test_pulled_by_way_of_a_third(
    home: Archive, laptop: Archive, tmp_path: Path
) -> None:
    """An archive between them that has taken in both gives each what it lacks."""
    _write(home, "home")
    _write(laptop, "laptop")
    with Archive(tmp_path / "third.db") as third:
        third.pull(home)
        third.pull(laptop)
        home.pull(third)
        assert sorted(map(str, _values(home))) == sorted(map(str, _values(third)))
    assert _values(home)[:3] == [0, "home", "home again"]
    _require_stable(home)


def test_appended_on_one_side(home: Archive, laptop: Archive) -> None:
    """Rows that the other appended come with the version that they belong to."""
    for archive, value in ((home, 1), (laptop, 2)):
        group = archive.open("kept")
        group.append("rows", np.array([[value, value]]))
        group.append("rows", np.array([[value, 0]]))
    home.pull(laptop)
    kept = [home.load("kept", version=number)["rows"].tolist() for number in (1, 2)]
    assert kept == [[[0, 0], [1, 1], [1, 0]], [[0, 0], [2, 2], [2, 0]]]
    _require_stable(home)


def test_copied_over_by_hand(home: Archive, laptop: Archive, tmp_path: Path) -> None:
    """Opening and rebuilding leave alone what ingesting takes in as new versions."""
    _write(home, "home")
    _write(laptop, "laptop")
    home.close()
    for file in laptop._core.store.files():
        there = tmp_path / "home.payloads" / file
        there.parent.mkdir(exist_ok=True)
        shutil.copy(laptop._core.store.root / file, there)

    assert _values(home) == [0, "home", "home again"]
    home.reindex()
    home.gc(grace=timedelta(0))
    assert _values(home) == [0, "home", "home again"]
    kinds = {each.kind for each in home.verify("full").findings}
    assert kinds == {"orphaned", "unindexed"}

    assert home.ingest().versions == 3
    assert _values(home) == [0, "home", "home again", "laptop", "laptop again"]
    assert _values(home, "new") == ["home", "laptop"]
    _require_stable(home)
    assert home.ingest().versions == 0


def test_repair_takes_nothing_away(home: Archive, laptop: Archive) -> None:
    """A copy that has deleted and changed records restores none of that."""
    home.save({"x": "home"}, "run")
    laptop.save({"x": "laptop"}, "run")
    laptop.delete("kept")
    home.repair(laptop)
    assert _values(home) == [0, "home"]
    assert home.load("kept")["x"] == 0
    _require_stable(home)


def test_a_backup_that_was_written_to_is_none(home: Archive, tmp_path: Path) -> None:
    """Reading and verifying do not end it; the first change does."""
    home.backup(tmp_path / "there")
    with Archive(tmp_path / "there") as copy:
        copy.load("run")
        copy.verify("full")
    home.backup(tmp_path / "there")
    with Archive(tmp_path / "there") as copy:
        copy.tag("run", "mine")
    with pytest.raises(ArchiveExistsError, match="written to since"):
        home.backup(tmp_path / "there")
    with Archive(tmp_path / "there") as copy:
        assert copy.record("run").tags == ("mine",)


def test_two_copies_do_not_take_turns_in_one_backup(
    home: Archive, laptop: Archive, tmp_path: Path
) -> None:
    """The backup of one is not overwritten by another that went its own way."""
    _write(home, "home")
    _write(laptop, "laptop")
    home.backup(tmp_path / "disk")
    with pytest.raises(ArchiveExistsError, match="both were written to"):
        laptop.backup(tmp_path / "disk")
    with Archive(tmp_path / "disk", readonly=True) as copy:
        assert _values(copy) == [0, "home", "home again"]


def test_a_copy_beside_its_original(home: Archive, tmp_path: Path) -> None:
    """A catalog that was copied alone is told what to do; with payloads, it works."""
    home.close()
    shutil.copy(tmp_path / "home.db", tmp_path / "twin.db")
    with pytest.raises(CatalogError, match=r"name the copy with payloads="):
        Archive(tmp_path / "twin.db", payloads=tmp_path / "home.payloads").load("run")
    (problem,) = (
        each
        for each in Archive.doctor_catalog(
            tmp_path / "twin.db", payloads=tmp_path / "home.payloads"
        ).symptoms
        if each.state == "problem"
    )
    assert "two catalogs" in problem.advice
    shutil.copytree(tmp_path / "home.payloads", tmp_path / "twin.payloads")
    with Archive(tmp_path / "twin.db") as twin:
        twin.save({"x": "twin"}, "run")
        assert _values(twin) == [0, "twin"]
    assert _values(home) == [0]
    _require_stable(home)


def test_an_adopted_payload_that_is_lost(home: Archive, tmp_path: Path) -> None:
    """A rebuild blames the file that is gone, and counts what there is."""
    with Archive(tmp_path / "third.db") as third:
        third.pull(home)
        (file,) = third.record("run").files
        (tmp_path / "third.payloads" / file).unlink()
        done = third.reindex()
        assert [(each.kind, each.file) for each in done.findings] == [("missing", file)]
        assert (done.payloads, done.records) == (2, 1)
        third.repair(home)
        assert _values(third) == [0]
        _require_stable(third)
