"""Payload files that are read, and errors that say what the system refused."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import numpy as np

from archivedb.errors import (
    ArchiveError,
    PayloadCorruptError,
    PayloadMissingError,
    StoreError,
)
from archivedb.values import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archivedb.values.dtypes import Bytes

_PIECE = 8 << 20


@contextmanager
def typed(action: str, path: str | Path) -> Iterator[None]:
    """Turn the system's errors into one that says what was tried, and where."""
    try:
        yield
    except OSError as error:
        if isinstance(error, ArchiveError):
            raise
        hint = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "; nothing was saved: free some space and save again"
        msg = f"cannot {action} {path}: {error.strerror or error}{hint}"
        raise StoreError(msg) from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path, *, durable: bool = True) -> None:
    """
    Make a directory and those above it, so that a power loss leaves none out.

    Raises:
        StoreError: The file system refused.

    """
    with typed("create", path):
        missing = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        if durable:
            for each in missing:
                sync_directory(each.parent)


def require_own(directory: Path) -> None:
    """
    Raise if something else is where a directory of the store is, or will be.

    Raises:
        StoreError: It is a link, which may lead anywhere, or no directory.

    """
    with typed("look at", directory):
        try:
            mode = directory.lstat().st_mode
        except FileNotFoundError:
            return
    if not stat.S_ISDIR(mode):
        what = "a link, which may lead anywhere" if stat.S_ISLNK(mode) else "a file"
        msg = (
            f"{directory} is {what}; move it away, and archivedb makes the "
            "directory that belongs there"
        )
        raise StoreError(msg)


class PayloadFile:
    """A payload file that is open for reading; the `Source` of a format."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.path = path
        try:
            # Never through a link: nothing outside of the store is read.
            # Nor does it wait for somebody to write into a pipe.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            self._descriptor = os.open(path, flags)
        except FileNotFoundError:
            msg = (
                f"the payload file {name} is gone; "
                "run `archivedb verify` to see what else is"
            )
            raise PayloadMissingError(msg) from None
        except OSError as error:
            msg = f"cannot open the payload file {path}: {error.strerror}"
            raise StoreError(msg) from error
        try:
            with typed("look at", path):
                status = os.fstat(self._descriptor)
        except StoreError:
            os.close(self._descriptor)
            raise
        if not stat.S_ISREG(status.st_mode):
            os.close(self._descriptor)
            msg = f"{path} is not a file"
            raise StoreError(msg)
        self.size = status.st_size

    def read(self, offset: int, length: int) -> Bytes:
        """Return bytes, writable and the caller's own."""
        if offset < 0 or length < 0 or offset + length > self.size:
            # Also what keeps a forged length from asking for all the memory.
            msg = (
                f"{self.name} has {self.size} bytes, and is said to hold {length} "
                f"at {offset}: it was truncated; restore it from a backup"
            )
            raise PayloadCorruptError(msg)
        out = np.empty(length, np.uint8)
        view, at = out.data, 0
        while at < length:
            with typed("read", self.path):
                count = os.preadv(self._descriptor, [view[at:]], offset + at)
            if count == 0:
                msg = f"{self.name} ends at {offset + at}: it was truncated"
                raise PayloadCorruptError(msg)
            at += count
        return out

    def digits(self) -> str:
        """Return the digits that the file's name must have, from its bytes."""
        starts = range(0, self.size, _PIECE)
        return digest.name_digits(
            self.read(start, min(_PIECE, self.size - start)) for start in starts
        )

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()
