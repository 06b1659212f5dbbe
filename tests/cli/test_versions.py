"""``archivedb prune`` and ``compact``, and ``load`` in part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.mark.usefixtures("archive")
def test_prune(run: Run) -> None:
    """What was removed is named, and what was freed is counted."""
    result = run("prune", "al/fcc/run-1")
    assert result.stdout == "removed al/fcc/run-1 version 1\n"
    assert result.stderr.startswith("freed ")
    run("load", "al/fcc/run-1", "--version", "1", code=1)
    assert json.loads(run("load", "al/fcc/run-1", "--json").stdout)["more"] == 1
    again = json.loads(run("prune", "--keep", "2", "al/fcc/run-1", "--json").stdout)
    assert again == {"names": [], "freed": 0}
    run("prune", "--keep", "0", "al/fcc/run-1", code=2)
    run("prune", "al/fcc/none", code=1)
    run("verify")


def test_compact(run: Run, archive: str) -> None:
    """An appended array becomes one piece, and the rest is copied to it."""
    with Archive(archive) as opened:
        group = opened.open("cu")
        for _ in range(3):
            group.append("positions", np.ones((2, 3)))
    assert (
        "float64 6\N{MULTIPLICATION SIGN}3 144 B in 3 parts" in run("tree", "cu").stdout
    )
    assert run("compact", "cu").stdout == "cu version 3\n"
    assert (
        run("tree", "cu").stdout.splitlines()[-1]
        == "positions  float64 6\N{MULTIPLICATION SIGN}3 144 B"
    )
    run("prune", "cu")
    with Archive(archive) as opened:
        assert opened["cu/positions"].shape == (6, 3)
        assert len(opened.record("cu").files) == 1
    run("verify")
    run("compact", "none", code=1)


@pytest.mark.usefixtures("archive")
def test_load_in_part(run: Run) -> None:
    """Only what was asked for is printed, nested as it is in the record."""
    wanted = ("--only", "inputs/cutoff", "--only", "outputs/energy", "--json")
    found = json.loads(run("load", "al/fcc/run-1", *wanted).stdout)
    assert found == {"inputs": {"cutoff": 350}, "outputs": {"energy": -3.7}}
    result = run("load", "al/fcc/run-1", "--only", "outputs/none", code=1)
    assert "'none'" in result.stderr


def test_load_without_objects(run: Run, archive: str) -> None:
    """A stub says what an object was stored as, and nothing of it is run."""
    with Archive(archive) as opened:
        opened.save({"e": ValueError("x"), "f": lambda: 1}, "objects")
    printed = run("load", "objects", "--stub", "--json").stdout
    assert "builtins:ValueError" in printed
    assert "builtins:function" in printed
