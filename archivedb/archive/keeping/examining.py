"""What can be said of an archive's places without opening it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archivedb.archive.address import locate, require_only_catalog
from archivedb.archive.writing.recovering import ABANDONED
from archivedb.catalog import checks, figures, schema
from archivedb.catalog.database import Database
from archivedb.errors import StoreError
from archivedb.formats import uuids
from archivedb.store import locks, mounts, quarantine
from archivedb.store.directory import LOCKS, PayloadStore
from archivedb.store.spool import SpoolDirectory
from archivedb.values import signing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archivedb.archive.address import Address

PATIENCE = 5.0
"""Seconds for which others may write before it is not waited any longer."""
SQLITE = sqlite3.sqlite_version
HEAD = schema.HEAD


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a catalog says of itself: its journal mode, and the newest payload."""

    journal: str
    newest: float | None
    faults: tuple[str, ...]


class Examination:
    """
    The two places of an archive, to be looked at.

    Args:
        db: As for `Archive`.
        payloads: As for `Archive`.

    """

    def __init__(
        self,
        db: str | os.PathLike[str],
        payloads: str | os.PathLike[str] | None,
    ) -> None:
        self.address: Address = locate(db, payloads)
        self.store = PayloadStore(self.address.payloads)

    @property
    def catalog(self) -> Path:
        """The catalog's file."""
        return self.address.catalog

    @property
    def payloads(self) -> Path:
        """The payload store's directory."""
        return self.address.payloads

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Hold the writers' lock, but do not wait for it as long as it takes."""
        until = time.monotonic() + PATIENCE
        while True:
            with self.store.quiet_lock(wait=False) as free:
                if free:
                    yield
                    return
            if time.monotonic() >= until:
                msg = f"somebody has been writing to {self.catalog} all the time"
                raise StoreError(msg)
            time.sleep(0.02)

    def read_catalog(self) -> Catalog:
        """
        Open the catalog, never writing.

        Raises:
            CatalogError: It cannot be used, and why.
            StoreError: Somebody is writing all the time.

        """
        database = Database(self.catalog, readonly=True, lock=self._quiet)
        try:
            database.require_current()
            with database.reading() as connection:
                _, newest = figures.facts(connection)
                seen = newest and uuids.uuid7_milliseconds(newest) / 1000
                faults = tuple(checks.faults(connection, whole=False))
        finally:
            database.close()
        return Catalog(_journal(self.catalog), seen or None, faults)

    def file_system(self, path: Path) -> tuple[str | None, bool]:
        """Return the type of a path's file system, and whether it is a network's."""
        return mounts.file_system(path), mounts.network_type(path) is not None

    def free(self, path: Path) -> tuple[int, int, int | None]:
        """Return free and all bytes of a path's file system, and its free inodes."""
        there = next(each for each in (path, *path.parents) if each.exists())
        usage = shutil.disk_usage(there)
        found = os.statvfs(there)
        return usage.free, usage.total, found.f_favail if found.f_files else None

    def identity(self) -> str | None:
        """Return the uuid of the archive that owns the payloads."""
        return self.store.identity()

    def require_only_catalog(self) -> None:
        """
        Raise if the payloads are those of another catalog, too.

        Raises:
            CatalogError: They are.

        """
        require_only_catalog(self.store, self.address)

    def clock(self) -> float:
        """Return the time by which the store's files are measured."""
        return self.store.clock()

    def locks(self) -> tuple[int, list[str]]:
        """Return how many locks are held, and those that this user cannot take."""
        held, closed = 0, []
        folder = self.payloads / LOCKS
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if not os.access(path, os.R_OK | os.W_OK) or path.is_symlink():
                closed.append(path.name)
                continue
            with locks.existing_lock(path, wait=False) as free:
                held += not free
        return held, closed

    def impostors(self) -> list[Path]:
        """Return links and files in the place of the store's own directories."""
        return self.store.impostors() if self.payloads.is_dir() else []

    def waiting(self) -> int:
        """Return how many payloads wait in the spool; see `impostors` for links."""
        with suppress(StoreError):
            return sum(1 for _ in SpoolDirectory(self.store).files())
        return 0

    def left_behind(self) -> tuple[int, int]:
        """Return how many files dead writers left, and the bytes of those."""
        old = self.store.sweep(self.store.clock() - ABANDONED, dry_run=True)
        return len(old), sum(size for _, size in old)

    def unsettled(self) -> int:
        """Return how many payloads were published by writers who are gone."""
        return sum(1 for _ in self.store.left_over())

    def quarantined(self) -> int:
        """Return how many files lie in the quarantine."""
        return sum(1 for _ in quarantine.reasons(self.store))

    @staticmethod
    def key() -> tuple[Path, int | None]:
        """Return this user's signing key, and its permissions if it is there."""
        path = signing.key_file()
        try:
            return path, stat.S_IMODE(path.stat().st_mode)
        except OSError:
            return path, None


def _journal(catalog: Path) -> str:
    # Bytes 18 and 19 of a database: 2 is WAL. https://www.sqlite.org/fileformat.html
    with catalog.open("rb") as file:
        return "wal" if file.read(20)[18:] == b"\2\2" else "rollback"
