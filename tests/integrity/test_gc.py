"""What nothing can need again is removed, and nothing else, whoever writes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archivedb import Archive
from archivedb.errors import CatalogError, ReadOnlyError
from archivedb.store import quarantine
from archivedb.store.directory import PayloadStore
from tests.support.beside import writing

if TYPE_CHECKING:
    from pathlib import Path

NOW = timedelta(0)


@pytest.fixture
def mode() -> str:
    """Return the mode of the archive: none of this depends on it."""
    return "hdf5"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return the payload store of the archive."""
    return tmp_path / "runs.payloads"


def payloads(store: Path) -> dict[Path, bytes]:
    """Return every payload in a store."""
    return {path: path.read_bytes() for path in store.glob("??/*-*")}


def put_back(before: dict[Path, bytes]) -> None:
    """Bring removed payloads back, as somebody would who copies directories."""
    for path, raw in before.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)


def test_what_was_deleted_is_removed(archive: Archive, store: Path) -> None:
    """A deleted record's payload that lies there again goes, and frees its bytes."""
    size = (store / archive.record("hurt").files[0]).stat().st_size
    before = payloads(store)
    archive.delete("hurt")
    put_back(before)

    done = archive.gc(grace=NOW)
    assert [each.why for each in done.removed] == ["its record was deleted"]
    assert done.freed == size
    assert archive.verify().ok
    assert "hurt" not in archive
    assert archive.gc(grace=NOW).removed == ()


def test_what_was_pruned_is_removed(archive: Archive, store: Path) -> None:
    """So does the payload of a version that was pruned, and of what changed it."""
    archive.tag("hurt", "seen")
    archive.save({"n": 2}, "hurt")
    before = payloads(store)
    archive.prune("hurt")
    put_back(before)

    done = archive.gc(grace=NOW)
    assert {each.why for each in done.removed} == {"its version was pruned"}
    assert len(done.removed) == 2
    dump = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == dump
    assert archive.verify().ok


def test_the_grace_period(
    archive: Archive, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has not lain there for two weeks stays, whatever its times say."""
    before = payloads(store)
    archive.delete("hurt")
    put_back(before)
    for path in payloads(store):
        os.utime(path, (0, 0))  # as a copy that keeps old times

    kept = archive.gc()
    assert (kept.removed, len(kept.kept)) == ((), 1)
    assert "14 days" in kept.kept[0].why
    later = time.time() + timedelta(days=15).total_seconds()
    monkeypatch.setattr(PayloadStore, "clock", lambda _: later)
    assert len(archive.gc().removed) == 1


def test_a_dry_run_touches_nothing(archive: Archive, store: Path) -> None:
    """It says what would be removed, and that is what then is."""
    before = payloads(store)
    archive.delete("hurt")
    put_back(before)
    there = payloads(store)

    would = archive.gc(grace=NOW, dry_run=True)
    assert payloads(store) == there
    assert would.dry_run
    assert archive.gc(grace=NOW).removed == would.removed


def test_what_is_merely_unknown_is_indexed(archive: Archive, tmp_path: Path) -> None:
    """A catalog restored from yesterday loses nothing, however long ago that was."""
    archive.close()
    raw = (tmp_path / "runs.db").read_bytes()
    with Archive(tmp_path / "runs.db") as other:
        other.save({"n": 3}, "later")
        other.save({"n": 4}, "hurt")
        dump = other.inspect().dump()
    (tmp_path / "runs.db").write_bytes(raw)
    with Archive(tmp_path / "runs.db") as again:
        assert again.gc(grace=NOW).removed == ()
        assert again.load("later") == {"n": 3}
        assert again.inspect().dump() == dump


def test_a_gap_is_never_swept(archive: Archive, file: Path, tmp_path: Path) -> None:
    """A version that a rebuild missed, and that is there again, is no garbage."""
    archive.save({"n": 2}, "hurt")
    aside = shutil.move(file, tmp_path / "aside")
    archive.reindex()
    shutil.move(aside, file)

    done = archive.gc(grace=NOW)
    assert done.removed == ()
    assert file.exists()
    assert "reindex" in done.kept[0].why
    archive.reindex()
    assert len(archive.versions("hurt")) == 2


def cut_short(archive: Archive, store: Path, lost: str) -> tuple[Path, Path]:
    """Save a batch of two payloads, and lose one; return what is left, and that."""
    with archive.batch():
        archive.save({"n": 1}, "batch/a", mode="hdf5")
        archive.save({"n": 2}, "batch/b", mode="json")
    left, gone = (store / archive.record(f"batch/{each}").files[0] for each in "ab")
    if lost == "hdf5":
        left, gone = gone, left
    return left, gone


@pytest.mark.parametrize("lost", ["hdf5", "json"])
def test_a_batch_that_was_cut_short(archive: Archive, store: Path, lost: str) -> None:
    """Its parts go after the grace period; before, they stay."""
    left, gone = cut_short(archive, store, lost)
    gone.unlink()
    archive.reindex()
    assert archive.gc().removed == ()
    assert left.exists()

    done = archive.gc(grace=NOW)
    assert "cut short" in done.removed[0].why
    assert not left.exists()
    assert archive.verify().ok


def test_a_batch_of_which_a_part_was_lost(archive: Archive, store: Path) -> None:
    """It was whole once, since histories go on after it: what is left stays."""
    left, gone = cut_short(archive, store, "json")
    archive.save({"n": 3}, "batch/a")
    gone.unlink()
    archive.reindex()

    done = archive.gc(grace=NOW)
    assert done.removed == ()
    assert "archivedb repair" in done.kept[0].why
    assert left.exists()


def test_a_batch_of_which_a_part_is_in_quarantine(
    archive: Archive, store: Path
) -> None:
    """What was put aside was there: the rest waits for it."""
    left, gone = cut_short(archive, store, "json")
    quarantine.retire(PayloadStore(store), f"{gone.parent.name}/{gone.name}", {})
    archive.reindex()

    assert archive.gc(grace=NOW).removed == ()
    assert left.exists()


def test_what_it_cannot_judge_stays(
    archive: Archive, store: Path, tmp_path: Path
) -> None:
    """Unreadable files, another archive's, and strangers are not its business."""
    raw = payloads(store)
    file = store / archive.record("hurt").files[0]
    archive.delete("hurt")
    file.write_bytes(raw[file][:50])
    (store / "notes.txt").write_text("mine")
    with Archive(tmp_path / "other.db") as other:
        theirs = other.save({"n": 1}, "theirs").files[0]
    (store / theirs).parent.mkdir(exist_ok=True)
    shutil.copy(tmp_path / "other.payloads" / theirs, store / theirs)

    done = archive.gc(grace=NOW)
    assert done.removed == ()
    assert {each.file for each in done.kept} == {
        theirs,
        f"{file.parent.name}/{file.name}",
    }
    assert (store / "notes.txt").exists()


def test_temporary_files(archive: Archive, store: Path) -> None:
    """Those of dead writers go; those of living ones do not."""
    dead = store / "tmp" / f"{archive.record('hurt').uuid}.h5"
    dead.write_bytes(b"x" * 1000)
    alive = PayloadStore(store).begin(archive.record("sibling/after").uuid, ".h5")
    fresh = archive.gc(grace=NOW)
    for path in (dead, alive.path):
        os.utime(path, (0, 0))
    would = archive.gc(dry_run=True)
    assert dead.exists()
    done = archive.gc()

    assert fresh.removed == ()
    assert [(each.file, each.size) for each in done.removed] == [
        (f"tmp/{dead.name}", 1000)
    ]
    assert would.removed == done.removed
    assert alive.path.exists()
    alive.discard()


def test_a_damaged_catalog_proves_nothing(archive: Archive, tmp_path: Path) -> None:
    """Where a row refers to nothing, nothing is removed."""
    archive.close()
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("UPDATE version SET payload_id = 999 WHERE id = 1")
        connection.commit()
    with (
        Archive(tmp_path / "runs.db") as again,
        pytest.raises(CatalogError, match="archivedb reindex"),
    ):
        again.gc(grace=NOW)


def test_what_is_refused(archive: Archive) -> None:
    """A read-only archive is judged, not swept; time does not go backwards."""
    with Archive(archive.address, readonly=True) as reader:
        assert reader.gc(dry_run=True).removed == ()
        with pytest.raises(ReadOnlyError):
            reader.gc()
    with pytest.raises(ValueError, match="negative"):
        archive.gc(grace=timedelta(days=-1))


@pytest.mark.long
def test_beside_writers(archive: Archive, tmp_path: Path) -> None:
    """Writers save, prune, delete and batch; all that they were promised loads."""
    with writing(archive.address, tmp_path, 3):
        for _ in range(25):
            assert archive.gc(grace=NOW).indexed == 0
    assert archive.verify().ok
    dump = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == dump


def test_a_row_of_the_catalog_is_no_proof(archive: Archive, store: Path) -> None:
    """One character of a row altered, and the payload that it named stays."""
    file = archive.record("hurt").files[0]
    with closing(sqlite3.connect(store.with_name("runs.db"))) as connection:
        connection.execute(
            "UPDATE payload SET uuid = 'f' || substr(uuid, 2) WHERE file = ?", [file]
        )
        connection.commit()

    done = archive.gc(grace=NOW)
    assert done.removed == ()
    assert [each.file for each in done.kept] == [file]
    assert (store / file).exists()
    archive.reindex()
    assert archive.load("hurt")["inputs"]["cutoff"] == 350


@pytest.mark.parametrize(
    "altered",
    [
        (
            "UPDATE payload SET uuid = 'f' || substr(uuid, 2),"
            " file = substr(file, 1, 3) || 'f' || substr(file, 5)"
        ),
        "UPDATE record SET deleted = 1, positions = 9",
    ],
)
def test_a_damaged_catalog_empties_no_backup(
    archive: Archive, store: Path, altered: str
) -> None:
    """Nor does the backup set aside what only rows call deleted."""
    copy = store.with_name("copy")
    archive.backup(copy)
    there = payloads(next(copy.glob("*.payloads")))
    with closing(sqlite3.connect(store.with_name("runs.db"))) as connection:
        connection.execute(altered)
        connection.commit()

    done = archive.backup(copy)
    assert done.retired == 0
    assert there.items() <= payloads(next(copy.glob("*.payloads"))).items()
