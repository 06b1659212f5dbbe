"""``archivedb diff``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive
from archivedb.cli import _output as output

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.mark.usefixtures("archive")
def test_two_records(run: Run) -> None:
    """Lines for programs, and the exit code of diff(1)."""
    result = run("diff", "al/fcc/run-2", "al/fcc/run-1", code=1)
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        ["added", "data", "more", "", "1", "", ""],
        ["added", "metadata", "n", "", "1", "", ""],
        ["removed", "tags", "good", "good", "", "", ""],
    ]
    assert run("diff", "cu", "cu").stdout == ""


@pytest.mark.usefixtures("archive")
def test_versions(run: Run) -> None:
    """Of one record, its newest version and the one before, or those named."""
    newest = run("diff", "al/fcc/run-1", code=1).stdout
    assert newest == "added\tdata\tmore\t\t1\t\t\n"
    turned = run("diff", "al/fcc/run-1", "--from", "2", "--to", "1", code=1).stdout
    assert turned == "removed\tdata\tmore\t1\t\t\t\n"
    run("diff", "al/fcc/run-2", "al/fcc/run-1", "--from", "1", "--to", "1", code=1)
    assert "no version before 1" in run("diff", "cu", code=1).stderr
    assert "no version 9" in run("diff", "cu", "--from", "9", code=1).stderr
    run("diff", "cu", "none", code=1)
    run("diff", "cu", "--from", "0", code=2)


def test_json(run: Run, archive: str) -> None:
    """A document for programs, with numbers as numbers."""
    with Archive(archive) as opened:
        opened.save({"x": np.zeros(3)}, "a")
        opened.save({"x": np.array([0, 0.5, np.nan])}, "b")
    found = json.loads(run("diff", "a", "b", "--json", code=1).stdout)
    assert found["before"] == {"name": "a", "version": 1}
    assert found["after"] == {"name": "b", "version": 1}
    assert found["notes"] == []
    (each,) = found["differences"]
    assert each["path"] == "x"
    assert each["elements"] == 2
    assert each["maximum"] == {"$float": "inf"}
    assert json.loads(run("diff", "a", "a", "--json").stdout)["differences"] == []


def test_a_table_on_a_terminal(
    run: Run, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People get a table, or are told that nothing differs."""
    with Archive(archive) as opened:
        opened.save({"x": np.zeros(3), "y": 1, "z": 0.0}, "a")
        opened.save({"x": np.array([0, 0.5, 1]), "z": -0.0, "y": 1}, "b")
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    result = run("diff", "a", "b", code=1)
    assert "2 items differ by up to 1" in result.stdout
    assert "in another order" in result.stderr
    assert run("diff", "a", "a").stdout == (
        "nothing differs: 'a' version 1 -> version 1\n"
    )
