"""Ingesting: what was copied into a store by hand, and plain directories."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive, save
from archivedb.errors import SpoolError, StoreError

if TYPE_CHECKING:
    from pathlib import Path


def require_sound(archive: Archive) -> None:
    """Require that nothing is found, and that a rebuilt catalog is the same."""
    report = archive.verify()
    assert report.ok, report.findings
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before


def test_nothing_makes_nothing(tmp_path: Path) -> None:
    """Where nothing lies, nothing is made."""
    with Archive(tmp_path / "runs.db") as archive:
        assert archive.ingest().versions == 0
        assert not archive.exists
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["shard", "root", "incoming"])
@pytest.mark.parametrize("whose", ["own", "other"])
def test_payloads_copied_by_hand(
    archive: Archive, tmp_path: Path, where: str, whose: str
) -> None:
    """Own ones are indexed as they are, others adopted; twice adds nothing."""
    store = tmp_path / "runs.payloads"
    archive.save({"n": 0}, "first")
    if whose == "own":
        archive.close()
        shutil.copytree(store, tmp_path / "copy" / "runs.payloads")
        shutil.copy(tmp_path / "runs.db", tmp_path / "copy")
        assert len(archive) == 1  # open again, before anything comes
        maker = Archive(tmp_path / "copy" / "runs.db")
    else:
        maker = Archive(tmp_path / "other.db")
    with maker:
        record = maker.save({"x": np.arange(3)}, "by/hand", tags=["t"])
        file = maker._core.store.resolve(record.files[0])
    target = store / record.files[0]
    if where != "shard":
        target = store / ("" if where == "root" else "incoming") / target.name
    target.parent.mkdir(exist_ok=True)
    shutil.copy(file, target)

    done = archive.ingest()

    assert (done.versions, done.left) == (1, ())
    assert archive.load("by/hand")["x"].tolist() == [0, 1, 2]
    assert archive.record("by/hand").tags == ("t",)
    kind = "save" if whose == "own" else "adopt"
    assert [change.kind for change in archive.history("by/hand")] == [kind]
    assert archive.ingest().versions == 0
    assert (store / record.files[0]).exists()
    require_sound(archive)


def test_what_others_share_must_come_along(archive: Archive, tmp_path: Path) -> None:
    """An edit needs the payload that it shares; it says which is missing."""
    with Archive(tmp_path / "other.db") as other:
        first = other.save({"x": np.arange(3), "n": 1}, "r")
        other["r/n"] = 2
        second = other.record("r")
        files = [other._core.store.resolve(f) for f in second.files]
    archive.create()
    incoming = tmp_path / "runs.payloads" / "incoming"
    incoming.mkdir()
    edit = next(f for f in files if f.name not in first.files[0])
    shutil.copy(edit, incoming)

    (left,) = archive.ingest().left
    assert first.files[0] in left.why

    shutil.copy(next(f for f in files if f != edit), incoming)
    assert archive.ingest().versions == 2
    assert archive.load("r")["x"].tolist() == [0, 1, 2]
    require_sound(archive)


def test_directories_are_gathered(archive: Archive, tmp_path: Path) -> None:
    """Each comes under its path; the directories stay, and twice adds nothing."""
    for name in ("al/1", "al/2", "cu"):
        save({"name": name}, tmp_path / "results" / name)
    save({"alone": 1}, tmp_path / "alone", "json")

    done = archive.ingest(tmp_path / "results", tmp_path / "alone", under="old")

    assert (done.records, done.versions, done.ok) == (4, 4, True)
    assert list(archive) == ["old/al/1", "old/al/2", "old/alone", "old/cu"]
    assert archive.load("old/al/2") == {"name": "al/2"}
    assert archive.ingest(tmp_path / "results", under="old").versions == 0
    save({"name": "new"}, tmp_path / "results" / "cu")
    assert archive.ingest(tmp_path / "results", under="old").versions == 1
    assert archive.load("old/cu") == {"name": "new"}
    require_sound(archive)


def test_what_cannot_be_taken_is_said(archive: Archive, tmp_path: Path) -> None:
    """A damaged directory, or a record inside a record, keeps no other out."""
    for name in ("a", "a/b", "c", "d"):
        save({"name": name}, tmp_path / "results" / name)
    (path,) = (tmp_path / "results" / "c").iterdir()
    path.write_bytes(b"garbage")

    done = archive.ingest(tmp_path / "results")

    assert list(archive) == ["a", "d"]
    assert len(done.left) == 2
    with pytest.raises(StoreError, match="not a directory"):
        archive.ingest(tmp_path / "nothing")
    with pytest.raises(SpoolError):
        Archive(tmp_path / "runs.db", spool=True).ingest()
    require_sound(archive)
