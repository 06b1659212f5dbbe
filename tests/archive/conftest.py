"""What the tests of the archive share: an archive, and programs to run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAMS = Path(__file__).parent / "programs"


class Program(Protocol):
    """Run a file of ``programs/`` in a process of its own."""

    def __call__(self, name: str, *arguments: object, **environment: str) -> str:
        """Run it, require that it succeeds, and return what it printed."""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive that is not created yet."""
    with Archive(tmp_path / "runs.db") as opened:
        yield opened


@pytest.fixture
def payloads(tmp_path: Path) -> Callable[[], list[Path]]:
    """Return what lists the payload files of ``archive``, without its help."""

    def files() -> list[Path]:
        return sorted((tmp_path / "runs.payloads").glob("??/*"))

    return files


@pytest.fixture(scope="session")
def program() -> Program:
    """Return what runs a program, every warning an error."""

    def run(name: str, *arguments: object, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(PROGRAMS / name), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            # One thread: a process that has more should not be forked.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    return run
