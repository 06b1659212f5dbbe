"""``archivedb verify``, ``reindex`` and ``migrate``."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archivedb.cli._progress import progress

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]
    Shell = Callable[..., subprocess.CompletedProcess[str]]


def _payload(run: Run, name: str) -> Path:
    record = json.loads(run("show", name, "--json").stdout)
    (path,) = Path("runs.payloads").rglob(Path(record["files"][0]).name)
    path.chmod(0o644)
    return path


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("level", ["quick", "full"])
def test_verify_what_is_sound(run: Run, level: str) -> None:
    """What is sound is said to be, with exit code 0."""
    assert run("verify", "--level", level).stdout.startswith("sound: 4 payloads")
    report = json.loads(run("verify", "--level", level, "--json").stdout)
    assert report["ok"] is True
    assert report["level"] == level
    assert report["findings"] == []


@pytest.mark.usefixtures("archive")
def test_verify_what_is_damaged(run: Run) -> None:
    """Each finding names the record and says what to do; the code is 1."""
    _flip(_payload(run, "cu"))
    result = run("verify", "--jobs", "2", code=1)
    assert "corrupt: " in result.stdout
    assert "cu version 1" in result.stdout
    assert "1 finding:" in result.stdout
    assert len(result.stdout.splitlines()) == 3
    report = json.loads(run("verify", "--json", code=1).stdout)
    assert report["ok"] is False
    assert report["findings"][0]["record"] == "cu"
    assert report["findings"][0]["advice"]


@pytest.mark.usefixtures("archive")
def test_verify_what_is_missing(run: Run) -> None:
    """A payload that is gone is found without reading any."""
    _payload(run, "cu").unlink()
    assert "missing: cu" in run("verify", "--level", "quick", code=1).stdout


@pytest.mark.usefixtures("archive")
def test_verify_in_a_process(shell: Shell) -> None:
    """No progress is shown where nobody sees it."""
    done = shell("verify")
    assert done.returncode == 0
    assert done.stderr == ""


def test_reindex(run: Run, archive: str) -> None:
    """The catalog is rebuilt from the payloads alone."""
    before = run("find", "--json").stdout
    for path in Path().glob("runs.db*"):
        path.unlink()
    text = run("reindex", "--db", archive).stdout
    assert text == "indexed 4 payloads: 3 records, 4 versions\n"
    assert json.loads(run("find", "--json").stdout) == json.loads(before)
    done = json.loads(run("reindex", "--json").stdout)
    assert (done["payloads"], done["records"], done["versions"]) == (4, 3, 4)


@pytest.mark.usefixtures("archive")
def test_reindex_with_a_payload_that_cannot_be_read(run: Run) -> None:
    """The others are indexed, and the finding is printed."""
    path = _payload(run, "cu")
    path.write_bytes(path.read_bytes()[:50])
    result = run("reindex", code=1)
    assert path.name in result.stdout
    assert "2 records" in result.stdout


@pytest.mark.usefixtures("archive")
def test_migrate_what_is_up_to_date(run: Run) -> None:
    """Where nothing is needed, that is said."""
    assert run("migrate").stdout.startswith("nothing to do")
    done = json.loads(run("migrate", "--json").stdout)
    assert done["before"] == done["after"]
    assert done["backup"] is None


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar appears on stderr once the work takes a while."""
    monkeypatch.setattr("archivedb.cli._progress.PATIENCE", 0.0)
    monkeypatch.setattr("archivedb.cli._progress.INTERVAL", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    for unit in ("bytes", "payloads"):
        terminal = _Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        with progress("working", unit) as report:
            for done in range(5):
                report(done, 4)
        assert "working" in terminal.getvalue()
        report(4, 4)


def test_progress_without_a_terminal() -> None:
    """Who would count need not, where nobody looks."""
    with progress("working", "bytes") as report:
        assert report is None
