"""``archivedb export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import archivedb
from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def _runs() -> None:
    with Archive("runs.db") as made:
        for number in range(3):
            made.save({"n": number}, f"md/run-{number}")


@pytest.mark.usefixtures("_runs")
def test_export(run: Run) -> None:
    """Names, or those on standard input, become directories; all or nothing."""
    lines = run("export", "md/run-0", "md/run-1", "out").stdout.splitlines()
    assert sorted(Path(line).name for line in lines) == ["run-0", "run-1"]
    assert archivedb.load("out/md/run-1") == {"n": 1}

    found = run("find", "n > 1").stdout
    (only,) = json.loads(run("export", "-", "more", "--json", stdin=found).stdout)
    assert archivedb.load(only) == {"n": 2}

    assert "exists" in run("export", "md/run-0", "out", code=1).stderr
    assert "none" in run("export", "md/run-0", "none", "new", code=1).stderr
    assert not Path("new").exists()
    run("export", "out", code=2)
