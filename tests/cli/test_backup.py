"""``archivedb backup``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.mark.usefixtures("archive")
def test_backup(run: Run) -> None:
    """Only what is new is copied, and the copy is an archive."""
    assert "4 payloads, 4 copied" in run("backup", "copy").stdout
    assert "4 payloads, 0 copied" in run("backup", "copy").stdout
    run("rm", "cu")
    assert "1 set aside" in run("backup", "copy").stdout
    assert run("verify", "--db", "copy").stdout.startswith("sound")
    assert run("ls", "--db", "copy").stdout == run("ls").stdout
    done = json.loads(run("backup", "--verify", "--json", "copy").stdout)
    assert (done["ok"], done["copied"]) == (True, 0)


@pytest.mark.usefixtures("archive")
def test_backup_of_what_is_damaged(run: Run) -> None:
    """The finding is printed, and the code is 1."""
    record = json.loads(run("show", "cu", "--json").stdout)
    Path("runs.payloads", record["files"][0]).unlink()
    result = run("backup", "copy", code=1)
    assert "missing: cu version 1" in result.stdout


@pytest.mark.usefixtures("archive")
def test_backup_into_another_archive(run: Run) -> None:
    """It is refused in one sentence."""
    run("init", "other/archive.db")
    assert "no backup of this one" in run("backup", "other", code=1).stderr
