"""
Locks between threads and processes: ``flock`` on empty files.

The kernel drops them when their holder dies, and they wait in turn; each
``open`` is a holder of its own, so threads of one process exclude each other
too.  SQLite's own busy-waiting let a writer starve for 630 ms among eight.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archivedb.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STRIPES = 256


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """
    Hold an exclusive lock, waiting for it as long as it takes.

    Raises:
        StoreError: The file cannot be made, or the file system has no locks.

    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        msg = f"cannot open the lock {path}: {error.strerror}"
        raise StoreError(msg) from error
    try:
        try:
            lock(descriptor)
        except OSError as error:
            msg = f"cannot lock {path}: {error.strerror}"
            raise StoreError(msg) from error
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> None:
    """Take an exclusive lock on an open file, waiting for it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def try_lock(descriptor: int) -> bool:
    """Take an exclusive lock on an open file if nobody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def stripe(name: str) -> str:
    """Return which of the name locks' files stands for a name."""
    # Two names may share one: they wait for each other, and nothing else.
    return hashlib.blake2b(name.encode(), digest_size=1).hexdigest()
