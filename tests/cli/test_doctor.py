"""``archivedb doctor``, ``du`` and ``stats``."""

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
def test_doctor(run: Run) -> None:
    """Each line is ok, a warning or a problem; a problem gives the code 1."""
    lines = run("doctor").stdout.splitlines()
    assert all(line.startswith(("ok ", "warning ", "  ")) for line in lines)
    assert json.loads(run("doctor", "--json").stdout)["ok"] is True
    Path("runs.db").unlink()
    result = run("doctor", code=1)
    assert "problem  catalog" in result.stdout
    assert "archivedb reindex" in result.stdout


@pytest.mark.usefixtures("archive")
def test_du(run: Run) -> None:
    """Bytes by folder and record, in columns for programs."""
    rows = [line.split("\t") for line in run("du").stdout.splitlines()]
    assert [row[0] for row in rows] == ["al/", "cu"]
    assert rows[0][1] == "2"
    used = json.loads(run("du", "al/fcc", "--json").stdout)
    assert used["bytes"] == sum(share["own"] for share in used["shares"])
    assert int(rows[0][2]) == used["bytes"]
    assert "no record or folder 'zz'" in run("du", "zz", code=1).stderr


@pytest.mark.usefixtures("archive")
def test_stats(run: Run) -> None:
    """The archive in numbers."""
    text = run("stats").stdout
    assert "records" in text
    assert "largest: al/fcc/run-1" in text
    found = json.loads(run("stats", "--json", "--largest", "1").stdout)
    assert (found["records"], found["versions"], found["payloads"]) == (3, 4, 4)
    assert found["modes"] == {"hdf5": 3, "json": 1}
    assert len(found["largest"]) == 1
    assert found["first"] < found["last"]
