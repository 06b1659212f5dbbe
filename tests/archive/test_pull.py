"""Pulling another archive: everything comes once, nothing is undone, nothing signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivedb import Archive
from archivedb.errors import (
    ArchiveNotFoundError,
    CatalogError,
    QueryError,
    UntrustedPayloadError,
)
from archivedb.values import signing
from tests.support.exact import difference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Program  # type: ignore[import-not-found]

MODES = ("hdf5", "json", "cloudpickle")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive with versions that share, that grew, and batches."""
    with Archive(tmp_path / "other.db", mode="hdf5") as opened:
        first = {"x": np.arange(5.0), "n": 1}
        opened.save(first, "al/1", tags=["new"], metadata={"metal": "Al"})
        run = opened.open("al/1")
        run.append("x", np.ones(3))
        opened.tag("al/1", "checked")
        run["n"] = 2
        run.append("x", np.zeros(2))
        opened.annotate("al/1", quality="good")
        with opened.batch():
            for number, mode in enumerate(MODES):
                data = {"number": number, "z": np.full(3, number)}
                opened.save(data, f"b/{mode}", mode=mode)
        opened.save({"object": {1, 2}}, "objects", mode="cloudpickle")
        yield opened


def facts(archive: Archive, name: str) -> list[Any]:
    """Return all that is known of a record's versions, but for their numbers."""
    return [
        (r.digest, r.mode, r.size, r.tags, r.metadata, r.provenance, r.saved_at)
        for r in archive.versions(name)
    ]


def require_sound(archive: Archive) -> None:
    """Require that nothing is found, and that a rebuilt catalog is the same."""
    report = archive.verify()
    assert report.ok, report.findings
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before


def test_everything_comes_along(archive: Archive, other: Archive) -> None:
    """Versions, tags, metadata, provenance and times are what they are there."""
    done = archive.pull(other)

    assert (done.records, done.versions, done.ok) == (5, 6, True)
    assert done.bytes > 0
    assert list(archive) == list(other)
    for name in other:
        assert facts(archive, name) == facts(other, name)
        for record in other.versions(name):
            mine = archive.load(name, version=record.version)
            assert difference(mine, other.load(record)) is None
    assert archive.find("n > 1 and metal == 'Al'").one().name == "al/1"
    kinds = [change.kind for change in archive.history("al/1")]
    assert kinds == ["adopt", "append", "tag", "adopt", "append", "annotate"]
    require_sound(archive)


def test_payloads_are_copied_unchanged(
    archive: Archive, other: Archive, tmp_path: Path
) -> None:
    """What came is the same file, of the same name, and nothing is left in tmp."""
    archive.pull(other)

    there = {p.name: p.read_bytes() for p in (tmp_path / "other.payloads").glob("??/*")}
    here = {p.name: p.read_bytes() for p in (tmp_path / "runs.payloads").glob("??/*")}
    shared = set(there) & set(here)
    assert len(shared) == len(here) - 1  # what adopts them
    assert all(there[name] == here[name] for name in shared)
    assert not list((tmp_path / "runs.payloads" / "tmp").iterdir())


@pytest.mark.parametrize("reindexed", [False, True])
def test_twice_adds_nothing(
    archive: Archive, other: Archive, *, reindexed: bool
) -> None:
    """What was pulled is known by what the payloads say, also to a new catalog."""
    archive.pull(other)
    if reindexed:
        archive.reindex()
    before = archive.inspect().dump()

    assert archive.pull(other).versions == 0
    assert archive.pull(other.address).changes == 0
    assert archive.inspect().dump() == before


def test_only_what_is_new_comes(archive: Archive, other: Archive) -> None:
    """A later pull brings what was changed there since."""
    archive.pull(other)
    other.open("al/1").append("x", np.ones(1))
    other.tag("al/1", "later")
    other.save({"n": 9}, "b/json")
    other.save({"new": 1}, "new")

    done = archive.pull(other)

    assert (done.records, done.versions, done.changes) == (3, 2, 2)
    for name in other:
        assert facts(archive, name) == facts(other, name)
    require_sound(archive)


def test_clashing_names_get_the_next_versions(archive: Archive, other: Archive) -> None:
    """Two records of one name become one history, with the later versions."""
    archive.save({"mine": 1}, "al/1")

    archive.pull(other)

    assert [r.version for r in archive.versions("al/1")] == [1, 2, 3]
    assert archive.load("al/1", version=1) == {"mine": 1}
    assert facts(archive, "al/1")[1:] == facts(other, "al/1")
    assert archive.pull(other).versions == 0
    require_sound(archive)


def test_rows_come_whole_after_own_changes(archive: Archive, other: Archive) -> None:
    """Rows for a version that is not the newest here bring it once more."""
    archive.pull(other)
    archive.save({"own": 1}, "al/1")
    other.open("al/1").append("x", np.full(4, 7.0))

    archive.pull(other)

    assert difference(archive.load("al/1"), other.load("al/1")) is None
    assert archive.load("al/1", version=3) == {"own": 1}
    assert archive.record("al/1").metadata == other.record("al/1").metadata
    assert archive.pull(other).versions == 0
    require_sound(archive)


def test_what_was_removed_here_stays_so(archive: Archive, other: Archive) -> None:
    """Deletes and prunes here are not undone, and it says so."""
    archive.save({"mine": 1}, "b/json")
    archive.pull(other)
    archive.prune("al/1")
    archive.delete("b/json")  # another record's name
    archive.delete("b/hdf5")
    archive.reindex()

    done = archive.pull(other)

    assert (done.versions, done.changes, done.ok) == (0, 0, True)
    assert {left.what for left in done.left} == {"al/1", "b/json", "b/hdf5"}
    assert len(archive.versions("al/1")) == 1
    assert "b/json" not in archive
    assert "b/hdf5" not in archive
    require_sound(archive)


def test_what_was_removed_there_stays_here(archive: Archive, other: Archive) -> None:
    """Deletes, prunes and renames there change nothing here, and come not back."""
    archive.pull(other)
    before = list(archive)
    other.delete("b/json")
    other.prune("al/1")
    other.rename("b/hdf5", "b/renamed")
    other.save({"n": 3}, "b/renamed")

    archive.pull(other)

    assert list(archive) == before
    assert len(archive.versions("b/hdf5")) == 2
    with Archive(archive.address.replace("runs", "third")) as third:
        third.pull(other)
        assert "b/json" not in third
        assert len(third.versions("al/1")) == 1
        require_sound(third)
    require_sound(archive)


def test_a_selection_and_a_folder(archive: Archive, other: Archive) -> None:
    """A question chooses records; ``under`` is where they come."""
    assert archive.pull(other, "number >= 1", under="from/other").records == 2
    assert list(archive) == ["from/other/b/cloudpickle", "from/other/b/json"]
    assert archive.pull(other.find("number == 0")).records == 1
    assert "b/hdf5" in archive
    with pytest.raises(QueryError, match="narrow it down"):
        archive.pull(other.find("number == 0"), "number == 1")
    require_sound(archive)


def test_an_archive_pulls_through_another(
    archive: Archive, other: Archive, tmp_path: Path
) -> None:
    """What came through a third archive is the same as what comes directly."""
    with Archive(tmp_path / "third.db") as third:
        third.pull(other)
        archive.pull(third)
        assert archive.pull(other).versions == 0
        other.pull(archive)
        assert len(other.versions("al/1")) == 2
    require_sound(archive)


def test_names_that_cannot_be(archive: Archive, other: Archive) -> None:
    """A record that would be a folder here is left, and all else comes."""
    archive.save({}, "al/1/inside")

    done = archive.pull(other)

    assert not done.ok
    assert [left.what for left in done.left] == ["al/1"]
    assert done.records == 4


def test_damage_there_is_left_there(
    archive: Archive, other: Archive, tmp_path: Path
) -> None:
    """A flipped bit keeps its record out; mended, it comes."""
    file = other.record("b/json").files[0]
    path = tmp_path / "other.payloads" / file
    raw = path.read_bytes()
    at = raw.index(b'"number"') + 3
    path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])

    done = archive.pull(other)

    assert [left.what for left in done.left] == ["b/json"]
    assert "damaged" in done.left[0].why
    assert "b/json" not in archive
    require_sound(archive)
    path.write_bytes(raw)
    assert archive.pull(other).versions == 1


def test_strangers_stay_strangers(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another has signed is not restored before the user trusts it."""
    with monkeypatch.context() as patch:
        patch.setenv(signing.ENVIRONMENT, str(tmp_path / "stranger.key"))
        with Archive(tmp_path / "other.db") as other:
            other.save({"it": pytest.Mark, "n": 1}, "theirs")
    archive.pull(tmp_path / "other.db")

    with pytest.raises(UntrustedPayloadError):
        archive.load("theirs")
    assert archive["theirs/n"] == 1
    archive.reindex()
    with pytest.raises(UntrustedPayloadError):
        archive.load("theirs")
    archive.accept()
    assert archive.load("theirs")["it"] is pytest.Mark


def test_what_cannot_be_pulled(archive: Archive, tmp_path: Path) -> None:
    """Nothing, and oneself, are errors."""
    with pytest.raises(ArchiveNotFoundError):
        archive.pull(tmp_path / "nothing.db")
    assert not (tmp_path / "nothing.db").exists()
    archive.save({}, "x")
    with pytest.raises(CatalogError, match="itself"):
        archive.pull(archive)


def test_many_small_commits(
    archive: Archive, other: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the changes are cut into commits, the result is the same."""
    monkeypatch.setattr("archivedb.archive.taking.adopting.CHUNK", 1)
    archive.pull(other)

    for name in other:
        assert facts(archive, name) == facts(other, name)
    require_sound(archive)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_a_killed_pull_goes_on(tmp_path: Path, program: Program, seed: int) -> None:
    """A pull is killed at any moment; in the end all is there, once."""
    with Archive(tmp_path / "other.db", durability="relaxed") as other:
        for number in range(20):
            other.save({"n": number, "x": np.arange(number * 1000)}, f"r/{number % 7}")
            other.open(f"r/{number % 7}").append("x", np.arange(3))
    arguments = tmp_path / "other.db", tmp_path / "runs.db", seed, 12
    assert program("killed_pull.py", *arguments) == "sound\n"


ACTIONS = st.sampled_from(
    ["save", "edit", "append", "tag", "delete", "prune", "pull", "own", "rename"]
)


@settings(max_examples=12)
@given(st.lists(st.tuples(ACTIONS, st.sampled_from("abc")), max_size=14))
def test_any_order(  # noqa: C901 - a step for each action
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, str]]
) -> None:
    """Whatever is done on both sides between pulls, the catalog stays true."""
    place = tmp_path_factory.mktemp("any")
    options: Any = {"durability": "relaxed", "provenance": False}
    with (
        Archive(place / "there.db", **options) as there,
        Archive(place / "here.db", **options) as here,
    ):
        there.save({"x": np.arange(2), "n": 0}, "a")
        for number, (action, name) in enumerate([*actions, ("pull", "a")]):
            if action == "save":
                there.save({"x": np.arange(3), "n": number}, name)
            elif action == "own":
                here.save({"own": number}, name)
            elif action == "pull":
                done = here.pull(there)
                assert done.ok, done.left
                assert here.pull(there).versions == 0
            elif action in ("delete", "prune"):
                side = (there, here)[number % 2]
                if name in side:
                    getattr(side, action)(name)
            elif name in there:
                if action == "edit":
                    there[f"{name}/n"] = number
                elif action == "append":
                    there.open(name).append("x", np.arange(2))
                elif action == "tag":
                    there.tag(name, f"t{number}")
                elif action == "rename" and f"{name}{number}" not in there:
                    there.rename(name, f"{name}{number}")
        for name in here:
            here.load(name)
        require_sound(here)
