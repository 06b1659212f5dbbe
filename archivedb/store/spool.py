"""
The spool: where payloads wait for a catalog, written without any lock.

``incoming/`` lies in the store.  A payload in it is whole and durable, since a
rename is what brings it there; until then its name begins with a dot.  Any
number of hosts may write at once: no two ever mean one name.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from archivedb.store import locks, naming
from archivedb.store.directory import INCOMING, PayloadStore
from archivedb.store.files import make_directory, require_own, sync_directory, typed
from archivedb.store.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class SpoolDirectory(PayloadStore):
    """
    The payloads that wait in a store.

    Args:
        store: The store.

    """

    def __init__(self, store: PayloadStore) -> None:
        super().__init__(store.root / INCOMING, durable=store.durable)

    def prepare(self) -> None:
        """
        Make the directory, durably, if it is not there.

        Raises:
            StoreError: A link or a file is in its place.

        """
        require_own(self.root)
        make_directory(self.root, durable=self.durable)

    def temporary(self, uuid: str, suffix: str) -> Path:
        """Return where a payload is written."""
        return self.root / f".{uuid}{suffix}"

    def place(self, name: naming.FileName) -> str:
        """Return where a payload waits, below the root."""
        return str(name)

    def resolve(self, file: str) -> Path:
        """Return where a payload waits."""
        return self.root / file

    def begin(self, uuid: str, suffix: str) -> Spooled:
        """Begin a payload."""
        return Spooled(self, uuid, suffix)

    def files(self) -> Iterator[str]:
        """
        Yield the payloads that wait, oldest first.

        Raises:
            StoreError: They cannot be listed, or a link is in the directory's place.

        """
        require_own(self.root)
        with typed("list", self.root):
            try:
                names = sorted(os.listdir(self.root))
            except FileNotFoundError:
                return
        for name in names:
            if naming.parse(name) is not None:
                yield name

    def sweep_unfinished(self, older_than: float) -> None:
        """Remove what was begun before a time, and is not written any more."""
        require_own(self.root)
        # Whether a writer on another host lives, nobody can ask here.
        with suppress(FileNotFoundError):
            for name in os.listdir(self.root):
                if not name.startswith("."):
                    continue
                uuid, suffix = os.path.splitext(name[1:])
                if naming.parse(f"{uuid}-{'0' * naming.DIGITS}{suffix}") is None:
                    continue
                path = self.root / name
                with suppress(FileNotFoundError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode) and status.st_mtime < older_than:
                        path.unlink()


class Spooled(Pending):
    """A payload on its way into the spool."""

    def _create(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        return locks.open_lockable(self.path, flags)

    def publish(self) -> str:
        """
        Rename the file to its name for good; `SpoolDirectory.sync` makes it last.

        Returns:
            The name.

        """
        assert self.name is not None  # noqa: S101 - write comes first
        target = self._store.root / self._store.place(self.name)
        with typed("write", target):
            try:
                os.rename(self.path, target)
            except FileNotFoundError:
                # NFS may ask twice, when the first answer got lost.
                if not target.exists():
                    raise
        return str(self.name)

    def settle(self) -> None:
        """Make the name durable, and let go of the file."""
        with typed("write", self._store.root):
            if self._store.durable:
                sync_directory(self._store.root)
        self.close()
