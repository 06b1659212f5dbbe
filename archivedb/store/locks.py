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
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from archivedb.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Reentrant: the garbage collector may close an archive in between.
_opening = threading.RLock()
_open: set[int] = set()


def open_lockable(path: Path, flags: int) -> int:
    """
    Open a file that will be locked; to be closed with `close_lockable`.

    A child that is forked while a thread holds a lock inherits the file, and
    with it the lock, for as long as it lives: so it closes them all at once.
    """
    with _opening:
        # Neither through a link, nor waiting at a pipe.
        always = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags | always, 0o666)
        _open.add(descriptor)
    return descriptor


def close_lockable(descriptor: int) -> None:
    """Close a file, and so release its lock."""
    with _opening:
        _open.discard(descriptor)
        os.close(descriptor)


def _close_in_child() -> None:
    for descriptor in _open:
        os.close(descriptor)
    _open.clear()
    _opening.release()


os.register_at_fork(
    # Nobody is between opening a file and remembering it.
    before=_opening.acquire,
    after_in_parent=_opening.release,
    after_in_child=_close_in_child,
)


@contextmanager
def existing_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """
    Hold an exclusive lock without making or writing anything.

    Where its file does not exist, nobody has ever held it, and nobody does.

    Args:
        path: The lock's file.
        wait: Wait for it; or else yield False if somebody holds it.

    """
    try:
        descriptor = open_lockable(path, os.O_RDONLY)
    except OSError:
        yield True
        return
    try:
        free = True
        # A network file system may want a file open for writing; then a
        # reader goes without.
        with suppress(OSError):
            if wait:
                lock(descriptor)
            else:
                free = try_lock(descriptor)
        yield free
    finally:
        close_lockable(descriptor)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """
    Hold an exclusive lock, waiting for it as long as it takes.

    Raises:
        StoreError: The file cannot be made, or the file system has no locks.

    """
    try:
        try:
            descriptor = open_lockable(path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = open_lockable(path, os.O_RDWR | os.O_CREAT)
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
        close_lockable(descriptor)


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold an exclusive lock, making its file; yield False if somebody else does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_lockable(path, os.O_RDWR | os.O_CREAT)
    try:
        yield try_lock(descriptor)
    finally:
        close_lockable(descriptor)


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
