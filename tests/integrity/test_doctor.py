"""`doctor` says what is well and what is not, and changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import pytest

from archivedb import Archive, Symptom
from archivedb.archive.keeping import examining
from archivedb.integrity import doctor as doctors
from archivedb.store import mounts
from archivedb.store.directory import PayloadStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mode() -> str:
    """Return the mode of the archive: none of this depends on it."""
    return "json"


def said(place: str | Path, subject: str) -> Symptom:
    """Return what is said of one thing."""
    found = Archive.doctor_catalog(place).symptoms
    return next(each for each in found if each.subject == subject)


def test_a_sound_archive(archive: Archive, tmp_path: Path) -> None:
    """Nothing is a problem, and nothing is touched."""
    archive.close()
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    found = archive.doctor()
    assert found.ok
    assert {each.state for each in found.symptoms} == {"ok"}
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_bug_of_sqlite(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named for the versions that have it."""
    for version, named in (("3.51.2", True), ("3.40.1", True), ("3.51.3", False)):
        monkeypatch.setattr(doctors, "SQLITE", version)
        symptom = said(archive.address, "SQLite")
        assert ("WAL-reset" in symptom.detail) == named
        assert version in symptom.detail


def test_catalogs_that_cannot_be_opened(archive: Archive, tmp_path: Path) -> None:
    """Damaged, outdated, gone: each is a problem with a command to run."""
    archive.close()
    catalog = tmp_path / "runs.db"
    raw = catalog.read_bytes()
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()
    assert "archivedb migrate" in said(catalog, "catalog").advice
    catalog.write_bytes(raw[:100] + os.urandom(len(raw) - 100))
    assert "archivedb reindex" in said(catalog, "catalog").advice
    catalog.unlink()
    symptom = said(catalog, "catalog")
    assert (symptom.state, symptom.advice) == ("problem", "run `archivedb reindex`")
    nothing = tmp_path / "nothing" / "here.db"
    assert "archivedb init" in said(nothing, "catalog").advice
    assert not nothing.parent.exists()


def test_payloads_that_are_elsewhere(archive: Archive, tmp_path: Path) -> None:
    """A catalog without its payloads is a problem."""
    archive.close()
    shutil.move(tmp_path / "runs.payloads", tmp_path / "moved")
    assert said(tmp_path / "runs.db", "payloads").state == "problem"


def test_a_network_file_system(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known by the table of mounts, and the advice is to divide the two."""
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 0 0:1 / / rw - ext4 /dev/sda rw\n"
        f"2 1 0:2 / {tmp_path} rw - nfs4 host:/home rw\n"
    )
    monkeypatch.setattr(mounts, "TABLE", str(table))
    symptom = said(archive.address, "file system of the catalog")
    assert symptom.state == "warning"
    assert "nfs4" in symptom.detail
    assert "payloads=" in symptom.advice


def test_permissions(archive: Archive, tmp_path: Path) -> None:
    """A catalog that everybody may write is a warning."""
    (tmp_path / "runs.db").chmod(0o666)
    symptom = said(archive.address, "permissions of the catalog")
    assert symptom.state == "warning"
    assert "chmod o-w" in symptom.advice


def test_the_key(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that others may read is a problem; none yet is not."""
    key = tmp_path / "own.key"
    monkeypatch.setenv("ARCHIVEDB_KEY", str(key))
    assert said(archive.address, "signing key").state == "ok"
    key.write_text("secret")
    key.chmod(0o644)
    symptom = said(archive.address, "signing key")
    assert symptom.state == "problem"
    assert f"chmod 600 {key}" in symptom.advice


def test_free_space(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is a warning, and next to nothing a problem."""
    for free, state in ((1 << 40, "ok"), (500 << 20, "warning"), (1 << 20, "problem")):
        monkeypatch.setattr(
            "shutil.disk_usage", lambda _, free=free: _Usage(1 << 41, 0, free)
        )
        assert said(archive.address, "free space").state == state


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_locks_and_what_writers_left(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes is seen; what dead writers left is to be collected."""
    store = PayloadStore(tmp_path / "runs.payloads")
    assert said(archive.address, "locks").detail == "free"
    monkeypatch.setattr(examining, "PATIENCE", 0.0)
    with store.writers_lock():
        assert "1 lock held" in said(archive.address, "locks").detail
        assert said(archive.address, "catalog").state == "warning"
    dead = store.root / "tmp" / f"{archive.record('hurt').uuid}.h5"
    dead.write_bytes(b"x")
    os.utime(dead, (0, 0))
    symptom = said(archive.address, "temporary files")
    assert symptom.state == "warning"
    assert "archivedb gc" in symptom.advice
    assert dead.exists()


def test_a_clock_that_was_wrong(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payload from the future is a warning."""
    monkeypatch.setattr(PayloadStore, "clock", lambda _: 1e9)
    assert said(archive.address, "clock").state == "warning"


def test_usage_counts_shared_payloads_once(archive: Archive) -> None:
    """What a batch shares is in both, and once in the sum."""
    with archive.batch():
        archive.save({"n": 1}, "batch/a")
        archive.save({"n": 2}, "batch/b")
    archive.save({"n": 3}, "batch/a")
    used = archive.usage("batch")
    one, two = sorted(used.shares, key=lambda share: share.name)
    assert (one.name, two.name, used.records) == ("batch/a", "batch/b", 2)
    assert used.bytes == one.bytes
    assert two.own == 0
    assert one.own == one.bytes - two.bytes
    everything = archive.usage()
    names = {share.name: share.folder for share in everything.shares}
    assert names == {"batch": True, "sibling": True, "hurt": False}
    assert everything.bytes == archive.statistics().bytes
    batch = next(share for share in everything.shares if share.name == "batch")
    assert batch.own == batch.bytes == used.bytes
    before = archive.statistics().bytes
    assert archive.delete("batch", recursive=True).freed == batch.own
    # The delete itself is a payload.
    assert archive.statistics().bytes > before - batch.own
