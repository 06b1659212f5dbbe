"""A backup is an archive of its own, whole at any moment, and proven."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive
from archivedb.archive.keeping import copying
from archivedb.errors import ArchiveExistsError, StoreError
from archivedb.store import locks
from tests.support import fresh
from tests.support.beside import writing

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = Path(__file__).parent / "programs" / "backing_up.py"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return where the backup will lie."""
    return tmp_path / "elsewhere" / "copy"


def flip(file: Path) -> None:
    """Flip a bit of a file."""
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


def copied(target: Path, file: Path) -> Path:
    """Return where a payload lies in a backup."""
    return target / "archive.payloads" / file.parent.name / file.name


def test_it_is_an_archive_of_its_own(
    archive: Archive, target: Path, data: dict[str, Any], same: Callable[..., bool]
) -> None:
    """It opens, loads, verifies, and says that it is the same archive."""
    done = archive.backup(target)
    assert (done.ok, done.payloads, done.copied) == (True, 3, 3)
    for readonly in (True, False):
        with Archive(target, readonly=readonly) as opened:
            assert same(opened.load("hurt"), data)
            assert opened.verify().ok
            assert opened.inspect().dump() == archive.inspect().dump()
            assert opened._core.uuid == archive._core.uuid


def test_only_what_is_new_is_copied(archive: Archive, target: Path) -> None:
    """A second run copies nothing; a third what was saved since."""
    archive.backup(target)
    before = {path: path.stat().st_ino for path in target.rglob("??/*-*")}
    assert archive.backup(target).copied == 0
    archive.save({"n": 3}, "more")
    archive.tag("hurt", "seen")
    assert archive.backup(target).copied == 2
    assert {path: path.stat().st_ino for path in before} == before
    with Archive(target) as opened:
        assert opened.record("hurt").tags == ("seen",)
        assert opened.verify().ok


def test_what_was_deleted_is_set_aside(archive: Archive, target: Path) -> None:
    """It is no longer in the backup, and for two weeks it is not gone either."""
    archive.backup(target)
    archive.delete("hurt")
    archive.save({"n": 9}, "sibling/before")
    archive.prune("sibling/before")
    done = archive.backup(target)

    assert done.retired == 2
    with Archive(target) as opened:
        assert opened.verify().ok
        assert "hurt" not in opened
    aside = target / "archive.payloads" / "quarantine"
    reasons = sorted(aside.glob("*.reason.json"))
    assert len(reasons) == 2
    assert archive.backup(target).retired == 0
    assert sorted(aside.glob("*.reason.json")) == reasons
    old = datetime.now(UTC) - copying.KEPT_RETIRED - timedelta(hours=1)
    said = json.loads(reasons[0].read_text())
    reasons[0].write_text(json.dumps(said | {"when": old.isoformat()}))
    archive.backup(target)
    assert sorted(aside.glob("*.reason.json")) == reasons[1:]
    assert len(list(aside.iterdir())) == 2


@pytest.mark.parametrize("how", ["missing", "flipped"])
def test_what_is_damaged_is_said(
    archive: Archive, file: Path, target: Path, how: str
) -> None:
    """Everything else is in the backup, and the finding names the record."""
    if how == "missing":
        file.unlink()
    else:
        flip(file)
    done = archive.backup(target)
    (finding,) = done.findings
    assert (finding.record, finding.file) == ("hurt", f"{file.parent.name}/{file.name}")
    assert "archivedb verify" in finding.advice
    assert not copied(target, file).exists()
    with Archive(target) as opened:
        assert opened.load("sibling/after") == {"n": 2}
    assert not list((target / "archive.payloads" / "tmp").iterdir())


def test_damage_does_not_reach_a_good_copy(
    archive: Archive, file: Path, target: Path
) -> None:
    """What was sound when it was copied stays so, and mends the archive."""
    archive.backup(target)
    flip(file)
    assert archive.backup(target).ok
    with Archive(target) as opened:
        assert opened.verify().ok
    assert archive.repair(target).ok


def test_what_the_archive_lost_stays(
    archive: Archive, file: Path, target: Path
) -> None:
    """A payload that nobody deleted is not set aside with what was."""
    archive.backup(target)
    file.unlink()
    archive.reindex()
    done = archive.backup(target)

    assert done.retired == 0
    assert "nobody deleted it" in done.findings[0].detail
    assert copied(target, file).exists()
    assert archive.repair(target).ok
    assert "hurt" in archive


def test_reading_it_all(archive: Archive, file: Path, target: Path) -> None:
    """With `verify`, a copy that has rotted is found and made anew."""
    archive.backup(target)
    flip(copied(target, file))
    assert archive.backup(target).copied == 0
    done = archive.backup(target, verify=True)
    assert (done.ok, done.copied) == (True, 1)
    with Archive(target) as opened:
        assert opened.verify().ok


def test_another_archives_backup_is_refused(
    archive: Archive, tmp_path: Path, target: Path
) -> None:
    """Nothing of it is touched, nor of an archive that is no backup."""
    with Archive(tmp_path / "other.db") as other:
        other.save({"n": 1}, "theirs")
        other.backup(target)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    with pytest.raises(ArchiveExistsError, match="another archive"):
        archive.backup(target)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before
    (target / "backup.json").unlink()
    with pytest.raises(ArchiveExistsError, match="no backup"):
        archive.backup(target)
    (target / "backup.json").write_text("{")
    with pytest.raises(ArchiveExistsError, match="another archive"):
        archive.backup(target)


def test_no_directory_for_a_backup(archive: Archive, tmp_path: Path) -> None:
    """Neither a file, nor the archive's own places."""
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "runs.payloads" / "copy"):
        with pytest.raises(ArchiveExistsError):
            archive.backup(place)
    (tmp_path / "own").mkdir()
    with Archive(tmp_path / "own") as own:
        own.save({"n": 1}, "x")
        with pytest.raises(ArchiveExistsError, match="itself"):
            own.backup(tmp_path / "own")


def test_one_at_a_time(archive: Archive, target: Path) -> None:
    """Two backups into one directory do not mix."""
    archive.backup(target)
    lock = target / "archive.payloads" / "locks" / copying.LOCK
    with locks.only_one(lock), pytest.raises(StoreError, match="another backup"):
        archive.backup(target)
    assert archive.backup(target).ok


def test_of_a_readonly_archive(archive: Archive, target: Path) -> None:
    """It is not written to, with or without a log beside its catalog."""
    with Archive(archive.address, readonly=True) as reader:
        assert reader.backup(target).copied == 3
    archive.close()
    with Archive(archive.address, readonly=True) as reader:
        assert reader.backup(target).copied == 0
    with Archive(target) as opened:
        assert opened.verify().ok


def test_the_catalog_of_a_backup_that_is_open(archive: Archive, target: Path) -> None:
    """Whoever reads the backup meanwhile sees the new one, and no log of the old."""
    archive.backup(target)
    with Archive(target) as opened:
        opened.verify()  # writes its ledger, and so a log
        archive.save({"n": 5}, "more")
        archive.backup(target)
        assert opened.load("more") == {"n": 5}
    with Archive(target) as opened:
        assert opened.verify("deep").ok


@pytest.mark.long
@pytest.mark.parametrize("mode", ["hdf5"], indirect=True)
def test_killed_at_any_moment(archive: Archive, target: Path) -> None:
    """The last good catalog stays, and the next run goes on."""
    archive.backup(target)
    for number in range(40):
        archive.save({"blob": os.urandom(200_000)}, f"more/{number}")
    archive.close()
    killed, sizes = 0, set()
    for turn in range(8):
        worker = subprocess.Popen(
            [fresh.executable(), str(PROGRAM), archive.address, str(target)],
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        time.sleep(0.005 + turn * 0.01)
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        killed += worker.returncode == -signal.SIGKILL
        sizes.add(len(list(target.rglob("??/*-*"))))
        with Archive(target, readonly=True) as opened:
            findings = opened.verify().findings
            # What was copied, and is not in the catalog yet, counts already.
            assert {finding.kind for finding in findings} <= {"unindexed"}
            assert opened.load("sibling/after") == {"n": 2}
        if turn == 4:
            shutil.rmtree(target)
            archive.backup(target)
            archive.close()
            for number in range(40):
                archive.save({"blob": os.urandom(200_000)}, f"turn/{number}")
            archive.close()
    assert killed >= 4
    assert len(sizes) >= 3, "it was never killed while it copied"
    archive.backup(target)
    with Archive(target) as opened:
        assert opened.verify().ok
        assert opened.inspect().dump() == archive.inspect().dump()
    assert not list((target / "archive.payloads" / "tmp").iterdir())


@pytest.mark.long
@pytest.mark.parametrize("mode", ["hdf5"], indirect=True)
def test_beside_writers(archive: Archive, target: Path, tmp_path: Path) -> None:
    """Each backup of a live archive is one state of it, with nothing missing."""
    with writing(archive.address, tmp_path, 2):
        for _ in range(5):
            done = archive.backup(target)
            assert done.ok, done.findings
            with Archive(target, readonly=True) as opened:
                assert opened.verify().ok
    archive.backup(target)
    with Archive(target) as opened:
        assert opened.inspect().dump() == archive.inspect().dump()
        opened.reindex()
        assert opened.inspect().dump() == archive.inspect().dump()


def test_a_damaged_catalog_replaces_no_sound_one(
    archive: Archive, target: Path, tmp_path: Path
) -> None:
    """The payloads are copied; the catalog waits until it was rebuilt."""
    archive.backup(target)
    archive.save({"n": 3}, "new")
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("DELETE FROM record WHERE name = 'hurt'")
        connection.commit()
    before = (target / "archive.db").read_bytes()
    done = archive.backup(target)
    assert {each.kind for each in done.findings} == {"misindexed"}
    assert "keeps the catalog" in done.findings[0].detail
    assert (done.copied, done.retired) == (1, 0)
    assert (target / "archive.db").read_bytes() == before
    archive.reindex()
    assert archive.backup(target).ok
    with Archive(target, readonly=True) as opened:
        assert list(opened) == list(archive)
        assert opened.verify("deep").ok


def test_what_waits_for_a_catalog_is_told(
    archive: Archive, target: Path, tmp_path: Path
) -> None:
    """Who may not take it in cannot copy it as a version, and says so."""
    archive.close()
    with Archive(tmp_path / "runs.db", spool=True) as node:
        node.save({"n": 3}, "spooled")
    with Archive(tmp_path / "runs.db", readonly=True) as opened:
        (found,) = opened.backup(target).findings
        assert (found.kind, str(found.file).partition("/")[0]) == (
            "unindexed",
            "incoming",
        )
        (said,) = [each for each in opened.doctor().symptoms if each.subject == "spool"]
        assert "1 payload" in said.detail
    with Archive(tmp_path / "runs.db") as opened:
        assert opened.backup(target).ok
    with Archive(target) as copy:
        assert copy.load("spooled") == {"n": 3}
