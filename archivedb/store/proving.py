"""
Whether files are what their names promise, as fast as their bytes are hashed.

`PayloadFile` serves readers of single extents, and its calls for each file take
longer than the hash of a small one.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from archivedb.store import naming
from archivedb.values import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.store.directory import PayloadStore

_PIECE = 1 << 20
"""Bytes read at a time: as much as stays in a core's cache until it is hashed."""


class Prover:
    """
    Proves payload files one by one; each thread has one of its own.

    Args:
        store: Where they lie.

    """

    def __init__(self, store: PayloadStore) -> None:
        self._store = store
        self._piece = memoryview(bytearray(_PIECE))
        self._directories: set[str] = set()

    def proves(self, file: str, size: int) -> bool:
        """
        Return whether a file has this size, and the bytes that its name promises.

        Of one that does not, or that cannot be read, others say what is wrong.
        """
        directory, _, name = file.partition("/")
        parsed = naming.parse(name)
        if parsed is None:
            return False
        try:
            if directory not in self._directories:
                self._store.resolve(file)
                self._directories.add(directory)
            descriptor = os.open(
                f"{self._store.root}/{file}",
                os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK,
            )
        except (OSError, ValueError):
            return False
        try:
            status = os.fstat(descriptor)
            if status.st_size != size or not stat.S_ISREG(status.st_mode):
                return False
            return digest.name_digits(self._pieces(descriptor)) == parsed.digits
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def _pieces(self, descriptor: int) -> Iterator[memoryview]:
        while count := os.readv(descriptor, [self._piece]):
            yield self._piece[:count]
