"""``archivedb gc``."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from archivedb.cli.gc import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.mark.usefixtures("archive")
def test_gc_removes_only_when_told(run: Run) -> None:
    """Without --yes it says what it would remove."""
    assert run("gc").stdout == "would remove 0 files, 0 B\n"
    record = json.loads(run("show", "cu", "--json").stdout)
    path = Path("runs.payloads", record["files"][0])
    raw = path.read_bytes()
    run("rm", "cu")
    path.write_bytes(raw)

    assert "14 days" in run("gc", "--yes").stdout
    result = run("gc", "--grace", "0s")
    assert result.stdout.startswith(f"would remove {record['files'][0]}")
    assert "archivedb gc --yes" in result.stderr
    assert path.exists()
    done = json.loads(run("gc", "--yes", "--grace", "0s", "--json").stdout)
    assert done["freed"] == len(raw)
    assert not path.exists()


def test_durations() -> None:
    """A number and a unit; all else is wrong usage."""
    assert duration("14d") == timedelta(days=14)
    assert duration("1.5 h") == timedelta(minutes=90)
    for text in ("", "14", "d", "-1d", "14 days", "9" * 400 + "d", "9" * 12 + "w"):
        with pytest.raises(typer.BadParameter):
            duration(text)


@pytest.mark.usefixtures("archive")
def test_gc_with_a_wrong_time(run: Run) -> None:
    """The message says how times are written."""
    assert "14d" in run("gc", "--grace", "soon", code=2).stderr
