"""``readonly=True`` writes nothing, whatever it is asked, wherever it is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import fresh

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(__file__).parent / "programs"
LOGS = ("none", "empty", "with-shm", "without-shm")


def run(name: str, *arguments: object) -> str:
    """Run a program, every warning an error, and return what it printed."""
    done = fresh.run(
        *("-W", "error", str(PROGRAMS / name), *map(str, arguments)),
        environment=dict(os.environ),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def everything(root: Path) -> dict[str, tuple[object, ...]]:
    """Return all that can be said of a directory but when it was read."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [root, *root.rglob("*")]:
        status = path.lstat()
        found[str(path)] = (
            *(status.st_ino, status.st_mode, status.st_nlink, status.st_uid),
            *(status.st_size, status.st_mtime_ns, status.st_ctime_ns),
            path.read_bytes() if path.is_file() else b"",
        )
    return found


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a directory that other users may enter; pytest's own they may not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in [Path(name), *Path(name).rglob("*")]:
            path.chmod(0o755)


@pytest.mark.long
@pytest.mark.parametrize("who", ["owner", "nobody"])
@pytest.mark.parametrize("log", LOGS)
def test_reading_leaves_everything_as_it_is(public: Path, log: str, who: str) -> None:
    """Every call and command that reads works; no byte, name or time changes."""
    place, beside = public / "place", public / "beside"
    place.mkdir()
    beside.mkdir()
    beside.chmod(0o777)
    run("leaving.py", place / "runs.db", log)
    assert (place / "runs.db-wal").exists() == (log != "none")
    if who == "nobody":
        for path in [place, *place.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
    before = everything(place)

    assert run("looking.py", place / "runs.db", who, beside) == "looked\n"

    assert everything(place) == before
    assert not list(beside.glob("archivedb-*"))
