"""A copy of a payload that comes into a store: proven before it gets its name."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from archivedb.formats import uuids
from archivedb.store import locks, naming
from archivedb.store.files import require_own, sync_directory, typed
from archivedb.values import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archivedb.store.directory import PayloadStore
    from archivedb.values.digest import Buffer


class Arrival:
    """
    A payload that is copied into a store under the name that it has elsewhere.

    It is written in ``tmp/`` under a name of its own, so that whoever is killed
    leaves what is swept like any other writer's, and two who copy one payload do
    not meet.

    Args:
        store: The store.
        file: The payload's name in it.

    """

    def __init__(self, store: PayloadStore, file: str) -> None:
        self._store = store
        self._target = store.resolve(file)
        parsed = naming.parse(self._target.name)
        assert parsed is not None  # noqa: S101 - resolve has looked
        self._digits = parsed.digits
        self._path = store.temporary(uuids.uuid7(), parsed.suffix)
        with typed("write", self._path):
            require_own(self._path.parent)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            self._descriptor = locks.open_lockable(self._path, flags)
            locks.lock(self._descriptor)

    def fill(self, pieces: Iterable[Buffer]) -> bool:
        """
        Write the bytes durably; return whether they are those of the name.

        Raises:
            StoreError: The file system refused.

        """
        with typed("write", self._path):
            os.ftruncate(self._descriptor, 0)
            digits = digest.name_digits(self._written(pieces))
            if digits != self._digits:
                return False
            if self._store.durable:
                os.fsync(self._descriptor)
        return True

    def _written(self, pieces: Iterable[Buffer]) -> Iterator[Buffer]:
        offset = 0
        for piece in pieces:
            view, at = memoryview(piece), 0
            while at < len(view):
                at += os.pwrite(self._descriptor, view[at:], offset + at)
            offset += len(view)
            yield piece

    def place(self, *, sync: bool = True) -> None:
        """
        Give the file its name, in place of what has it.

        Args:
            sync: Make the name durable; or else whoever asks does it later.

        """
        with typed("write", self._target):
            folder = self._target.parent
            require_own(folder)
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                if self._store.durable:
                    sync_directory(self._store.root)
            self._path.replace(self._target)
            if sync and self._store.durable:
                sync_directory(folder)

    def close(self) -> None:
        """Let go of the file; what has not got its name is removed."""
        if self._descriptor >= 0:
            with suppress(FileNotFoundError):
                self._path.unlink()
            locks.close_lockable(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file."""
        self.close()
