"""File locks exclude threads and processes, and die with their holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from archivedb.errors import StoreError
from archivedb.store import locks
from archivedb.store.directory import PayloadStore

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from archivedb.store import locks
with locks.file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def free(path: Path) -> bool:
    """Return whether nobody holds a lock."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        return locks.try_lock(descriptor)
    finally:
        os.close(descriptor)


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    """Each holder of the lock is alone, though all are of one process."""
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(50):
            with locks.file_lock(tmp_path / "lock"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1]


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    """A process that is killed holds nothing any more."""
    path = tmp_path / "deep" / "lock"
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", HOLD, str(path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert not free(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert free(path)


def test_a_lock_is_released_on_an_exception(tmp_path: Path) -> None:
    """Whatever goes wrong inside, the next one gets the lock."""
    with pytest.raises(KeyError), locks.file_lock(tmp_path / "lock"):
        raise KeyError
    assert free(tmp_path / "lock")


def test_a_lock_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    """A file in place of the directory is one of archivedb's errors."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="lock"), locks.file_lock(tmp_path / "file/x"):
        pass


def test_any_name_has_a_lock(tmp_path: Path) -> None:
    """No name leads out of the directory of locks."""
    store = PayloadStore(tmp_path)
    for name in ("../../x", "a/b", "é" * 512, "x" * 1024, "."):
        with store.name_lock(name):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]
    assert all(len(path.name) == 2 for path in (tmp_path / "locks").iterdir())
