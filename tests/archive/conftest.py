"""What the tests of the archive share: an archive, and programs to run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from archivedb import Archive
from archivedb.store.files import PayloadFile
from tests.support import fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAMS = Path(__file__).parent / "programs"


class Program(Protocol):
    """Run a file of ``programs/`` in a process of its own."""

    def __call__(
        self, name: str, *arguments: object, cold: bool = False, **environment: str
    ) -> str:
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
    """
    Return what runs a program, every warning an error.

    It may ask for a new interpreter, where it matters what is imported and when.
    """

    def run(
        name: str, *arguments: object, cold: bool = False, **environment: str
    ) -> str:
        done = (fresh.run_cold if cold else fresh.run)(
            *("-W", "error", PROGRAMS / name, *map(str, arguments)),
            environment=os.environ | environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Archive]:
    """Return an empty archive that waits neither for the disk nor for git."""
    with Archive(
        tmp_path / "runs.db", durability="relaxed", provenance=False
    ) as opened:
        opened.create()
        yield opened


class Reads:
    """What was read of payload files since it was cleared."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.bytes = 0

    def clear(self) -> None:
        """Forget it."""
        self.files.clear()
        self.bytes = 0


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Return what counts the bytes that are read of payload files."""
    counted = Reads()
    real = PayloadFile.read

    def read(file: PayloadFile, offset: int, length: int) -> Any:
        counted.files.add(file.name)
        counted.bytes += length
        return real(file, offset, length)

    monkeypatch.setattr(PayloadFile, "read", read)
    return counted
