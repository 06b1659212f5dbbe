"""Which payloads are verified, and what is remembered of it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.integrity import asked
from archivedb.store.proving import Prover

if TYPE_CHECKING:
    from pathlib import Path


def rows(place: Path) -> list[tuple[Any, ...]]:
    """Return the ledger."""
    with closing(sqlite3.connect(place / "runs.db")) as connection:
        return connection.execute(
            'SELECT p.file, c.level, c.checked_at, c.verdict FROM "check" c '
            "JOIN payload p ON p.id = c.payload_id ORDER BY 1"
        ).fetchall()


@pytest.fixture
def ten(tmp_path: Path) -> Archive:
    """Return an archive of ten payloads."""
    archive = Archive(tmp_path / "runs.db")
    for number in range(10):
        archive.save({"n": number}, f"r{number}")
    return archive


def test_samples_come_round(ten: Archive, tmp_path: Path) -> None:
    """Five samples of a fifth check each payload once, then the first again."""
    seen = []
    for _ in range(5):
        report = ten.verify(sample="20%")
        assert (report.payloads, report.known, report.finished) == (2, 10, True)
        seen.append(len(rows(tmp_path)))
    assert seen == [2, 4, 6, 8, 10]
    assert report.oldest is not None
    before = {row[0]: row[2] for row in rows(tmp_path)}
    ten.verify(sample=0.2)
    after = {row[0]: row[2] for row in rows(tmp_path)}
    again = {file for file in before if after[file] != before[file]}
    assert again == set(sorted(before, key=lambda file: before[file])[:2])


def test_what_was_checked_is_left_out(ten: Archive) -> None:
    """By its age, and at this level or a higher one."""
    assert ten.verify(max_age="1h").payloads == 10
    assert ten.verify(max_age="1h").payloads == 0
    assert ten.verify("quick", max_age="1h").payloads == 0
    assert ten.verify("deep", max_age="1h").payloads == 10
    assert ten.verify(max_age="1h").payloads == 0
    # Daily full checks take nothing back from a weekly deep one.
    ten.verify()
    assert ten.verify("deep", max_age="1h").payloads == 0


def test_an_old_deep_check_hides_no_young_one(ten: Archive, tmp_path: Path) -> None:
    """What was interrupted goes on where it was, though all was proven long ago."""
    ten.verify("deep")
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute('UPDATE "check" SET checked_at = checked_at - 8640000000000')
        connection.commit()
    assert ten.verify(sample="30%").payloads == 3
    assert ten.verify(max_age="1h").payloads == 7
    assert ten.verify(max_age="1h").payloads == 0
    assert ten.verify("deep", max_age="1h").payloads == 10


def test_a_finding_takes_back_what_was_found_before(
    ten: Archive, tmp_path: Path
) -> None:
    """What is damaged now is due at every level, whatever was proven yesterday."""
    ten.verify("deep")
    file = tmp_path / "runs.payloads" / ten.record("r3").files[0]
    raw = file.read_bytes()
    file.write_bytes(raw[:-1] + b"x")
    assert not ten.verify("full").ok
    file.write_bytes(raw)
    assert ten.verify("deep", max_age="1h").payloads == 1


def test_what_is_damaged_is_due_until_it_is_sound(ten: Archive, tmp_path: Path) -> None:
    """A finding is checked again, however young it is."""
    file = tmp_path / "runs.payloads" / ten.record("r3").files[0]
    raw = file.read_bytes()
    file.write_bytes(raw[:-1] + b"x")
    assert len(ten.verify(max_age="1d").findings) == 1
    assert len(ten.verify(max_age="1d").findings) == 1
    assert "corrupt" in {row[3] for row in rows(tmp_path)}
    file.write_bytes(raw)
    assert ten.verify(max_age="1d").ok
    assert ten.verify(max_age="1d").payloads == 0


def test_the_next_run_goes_on(
    ten: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ran out of time leaves the rest to the next."""
    proves = Prover.proves

    def slowly(self: Prover, file: str, size: int) -> bool:
        time.sleep(0.05)
        return proves(self, file, size)

    monkeypatch.setattr(Prover, "proves", slowly)
    total, runs = 0, 0
    while total < 10:
        report = ten.verify(max_duration=0.12, jobs=1)
        assert report.payloads > 0
        assert report.finished == (report.payloads == 10)
        total += report.payloads
        runs += 1
        assert len(rows(tmp_path)) == min(total, 10)
    assert runs > 1
    assert not ten.verify(max_duration=0, jobs=1).finished


def test_an_interrupt_keeps_what_was_checked(ten: Archive, tmp_path: Path) -> None:
    """And says how to go on."""

    def interrupt(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="--level full --max-age 1d"):
        ten.verify(progress=interrupt)
    kept = len(rows(tmp_path))
    assert 5 <= kept < 10
    assert ten.verify(max_age="1d").payloads == 10 - kept


def test_ctrl_c_ends_the_command(tmp_path: Path) -> None:
    """A real signal, a real process: exit code 130, and a sentence."""
    with Archive(tmp_path / "runs.db") as archive:
        for number in range(40):
            archive.save({"n": number}, f"r{number}")
    program = (
        "import time\n"
        "from archivedb.store.proving import Prover\n"
        "proves = Prover.proves\n"
        "def slowly(self, *what):\n"
        "    print('.', flush=True); time.sleep(0.1); return proves(self, *what)\n"
        "Prover.proves = slowly\n"
        "from archivedb.integrity import verify\n"
        "verify._FILES = 1\n"
        "from archivedb.cli._app import run\n"
        "run()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "verify", "--db", str(tmp_path / "runs.db")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(8):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "of 40 payloads were checked, and recorded" in said
    assert "Traceback" not in said
    assert 0 < len(rows(tmp_path)) < 40


def test_a_readonly_archive_is_verified_all_the_same(
    ten: Archive, tmp_path: Path
) -> None:
    """Nothing is written, at any level."""
    ten.close()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with Archive(tmp_path / "runs.db", readonly=True) as archive:
        for level in ("quick", "full", "deep"):
            assert archive.verify(level).ok
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
    assert rows(tmp_path) == []


def test_a_block_is_named(tmp_path: Path) -> None:
    """A flipped bit in a large array: its path, its MiB, and its siblings load."""
    data = {"big": np.arange(700_000.0), "small": np.arange(5.0), "n": 3}
    with Archive(tmp_path / "runs.db") as archive:
        file = tmp_path / "runs.payloads" / archive.save(data, "a run").files[0]
        raw = bytearray(file.read_bytes())
        at = raw.index(np.arange(700_000.0)[:64].tobytes())
        raw[at + (3 << 20) + 17] ^= 1
        file.write_bytes(raw)
        for level in ("full", "deep"):
            (finding,) = archive.verify(level).findings
            assert (finding.kind, finding.path) == ("corrupt", "big")
            assert "MiB 3" in finding.detail
            assert "all else of it loads" in finding.detail
            assert "archivedb repair --from" in finding.advice
            assert "archivedb salvage 'a run' DIR" in finding.advice
        group = archive.open("a run")
        assert group["n"] == 3
        assert group["small"].tolist() == [0, 1, 2, 3, 4]


def test_a_read_that_failed_once_is_no_finding(
    ten: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cable, not the disk."""
    proves, failed = Prover.proves, set()

    def once(self: Prover, file: str, size: int) -> bool:
        if file not in failed:
            failed.add(file)
            return False
        return proves(self, file, size)

    monkeypatch.setattr(Prover, "proves", once)
    assert ten.verify().ok
    assert len(failed) == 10


@pytest.mark.parametrize("text", ["", "5", "-1h", "1y", "h", "1h 2m", "nan"])
def test_spans_of_time_are_checked(text: str) -> None:
    """What is none is refused, with examples."""
    with pytest.raises(ValueError, match="30d"):
        asked.seconds(text, "max_age")
    with pytest.raises(ValueError, match="5%"):
        asked.fraction(text)


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    """A row that points outside of the store is a finding."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"n": 1}, "x")
    for target in ("../../etc/passwd", "/etc/passwd", "00/nothing", ""):
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            connection.execute("UPDATE payload SET file = ?", (target,))
            connection.commit()
        with Archive(tmp_path / "runs.db") as archive:
            for level in ("quick", "full", "deep"):
                kinds = {each.kind for each in archive.verify(level).findings}
                assert "misindexed" in kinds, (target, level)
    assert os.path.exists("/etc/passwd")  # noqa: PTH110 - and is nobody's business


@pytest.mark.parametrize("mode", ["hdf5", "cloudpickle"])
def test_one_damage_is_one_finding(tmp_path: Path, mode: str) -> None:
    """The array that holds the bit is named, and nothing contradicts that."""
    with Archive(tmp_path / "runs.db", mode=mode) as archive:
        value = {"text": "x" * 500, "f": np.arange(4000.0)}
        file = tmp_path / "runs.payloads" / archive.save(value, "x").files[0]
        raw = bytearray(file.read_bytes())
        raw[raw.find(np.arange(100.0, 120.0).tobytes())] ^= 1
        file.write_bytes(raw)
        (found,) = archive.verify().findings
        assert (found.kind, found.record, found.path) == ("corrupt", "x", "f")
        assert "all else of it loads" in found.detail
        assert archive.open("x")["text"] == "x" * 500
