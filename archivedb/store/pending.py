"""A payload on its way into the store: temporary, durable, published, settled."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from archivedb.store import locks, naming
from archivedb.store.files import require_own, sync_directory, typed
from archivedb.values import digest

if TYPE_CHECKING:
    from archivedb.formats.base import Image
    from archivedb.store.directory import PayloadStore

_OVERLAP_ABOVE = 4 << 20
"""Above so many bytes, the file's digest is made while fsync waits."""


class Pending:
    """
    A payload on its way into the store.

    Until `settle`, a second name in ``tmp/`` says that the catalog may not
    know it yet; a lock on it says that its writer lives.
    """

    def __init__(self, store: PayloadStore, uuid: str, suffix: str) -> None:
        self._store = store
        self._uuid, self._suffix = uuid, suffix
        self.path = store.temporary(uuid, suffix)
        self.name: naming.FileName | None = None
        self._digits = ""
        with typed("write", self.path):
            self._descriptor = self._create()

    def _create(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        require_own(self.path.parent)
        try:
            descriptor = locks.open_lockable(self.path, flags)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = locks.open_lockable(self.path, flags)
        # Whoever looks for left-overs holds it for a moment at most.
        locks.lock(descriptor)
        return descriptor

    def write(self, image: Image) -> None:
        """
        Write the image and make it durable.

        Raises:
            StoreError: The file system refused.

        """
        with typed("write", self.path):
            if os.fstat(self._descriptor).st_size > image.size:
                os.ftruncate(self._descriptor, image.size)
            for offset, data in image.segments:
                _write_all(self._descriptor, memoryview(data).cast("B"), offset)
            pieces = [data for _, data in image.segments]
            if image.size <= _OVERLAP_ABOVE or not self._store.durable:
                self._digits = digest.name_digits(pieces)
                self._sync()
            else:
                self._hash_and_sync(pieces)
        self.name = naming.FileName(self._uuid, self._digits, self._suffix)

    def _sync(self) -> None:
        if self._store.durable:
            os.fsync(self._descriptor)

    def _hash_and_sync(self, pieces: list[Any]) -> None:
        def work() -> None:
            self._digits = digest.name_digits(pieces)

        # Hashing needs a core, fsync a disk.
        thread = threading.Thread(target=work)
        thread.start()
        try:
            self._sync()
        finally:
            thread.join()

    def publish(self) -> str:
        """
        Give the file its name for good; from here on it counts.

        Returns:
            The path below the store.

        """
        assert self.name is not None  # noqa: S101 - write comes first
        relative = self._store.place(self.name)
        target = self._store.root / relative
        with typed("write", target):
            require_own(target.parent)
            try:
                os.link(self.path, target)
            except FileNotFoundError:
                target.parent.mkdir(exist_ok=True)
                if self._store.durable:
                    sync_directory(self._store.root)
                os.link(self.path, target)
            if self._store.durable:
                sync_directory(target.parent)
        return relative

    def settle(self) -> None:
        """Say that the catalog knows the file."""
        with typed("remove", self.path), suppress(FileNotFoundError):
            self.path.unlink()
        self.close()

    def discard(self) -> None:
        """Remove the file: nothing refers to it."""
        with suppress(OSError):
            if self.name is not None:
                place = self._store.place(self.name)
                (self._store.root / place).unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file as it is."""
        if self._descriptor >= 0:
            locks.close_lockable(self._descriptor)
            self._descriptor = -1


def _write_all(descriptor: int, view: memoryview, offset: int) -> None:
    at = 0
    while at < len(view):
        at += os.pwrite(descriptor, view[at:], offset + at)
