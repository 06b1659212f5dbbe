"""What the tests of the command line share: an archive, and a way to run it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from archivedb import Archive
from archivedb.cli._app import app
from tests.support import fresh

if TYPE_CHECKING:
    import subprocess

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a directory of its own, with a key of its own."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "keys" / "signing.key"))
    monkeypatch.delenv("ARCHIVEDB", raising=False)
    monkeypatch.delenv("ARCHIVEDB_DEBUG", raising=False)


@pytest.fixture
def run() -> Run:
    """Run a command in this process, and check how it ends."""

    def invoke(*arguments: str, code: int = 0, stdin: bytes | str = b"") -> Result:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def shell() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a process of its own, or in a new interpreter."""

    def call(
        *arguments: str, stdin: str = "", cold: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return (fresh.run_cold if cold else fresh.run)(
            *("-m", "archivedb", *arguments),
            stdin=stdin,
            environment=os.environ | environment,
        )

    return call


RUN: dict[str, Any] = {
    "inputs": {"structure": "fcc", "cutoff": 350},
    "outputs": {"energy": -3.7, "forces": np.arange(6.0).reshape(2, 3)},
}


@pytest.fixture
def archive() -> str:
    """Return the address of an archive with three records in two folders."""
    with Archive("runs.db") as made:
        made.save(RUN, "al/fcc/run-1", metadata={"project": "al", "n": 1})
        made.save(RUN | {"more": 1}, "al/fcc/run-1", metadata={"project": "al", "n": 1})
        made.save(RUN, "al/fcc/run-2", metadata={"project": "al"}, tags=["good"])
        made.save({"x": 1}, "cu", metadata={"project": "cu"}, mode="json")
    return str(Path("runs.db").absolute())
