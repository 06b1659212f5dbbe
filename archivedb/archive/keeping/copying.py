"""A copy of an archive in a directory: payloads first, then the catalog."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from archivedb.archive.address import CATALOG_NAME, Address, locate, user_path
from archivedb.archive.keeping import superseding
from archivedb.archive.keeping.sources import pieces_of
from archivedb.archive.writing import indexing
from archivedb.catalog import checks
from archivedb.catalog import copying as catalogs
from archivedb.errors import (
    ArchiveExistsError,
    PayloadMissingError,
    StoreError,
)
from archivedb.store import locks, quarantine
from archivedb.store.directory import INCOMING, PayloadStore
from archivedb.store.files import sync_directory, typed
from archivedb.store.spool import SpoolDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archivedb.archive.core import Core

LOCK = "backup"
RETIRED = "deleted in the archive since the last backup"
KEPT_RETIRED = timedelta(days=14)
"""How long a backup keeps what was deleted from its archive."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A payload that a catalog needs, and its bytes."""

    file: str
    size: int


class Copying:
    """
    A backup under way.

    Args:
        core: The open archive.
        directory: Where the copy lies, or will.

    Raises:
        ArchiveExistsError: Something else is there.

    """

    def __init__(self, core: Core, directory: str | os.PathLike[str]) -> None:
        self._core = core
        self.root = user_path(directory)
        self.address: Address = locate(self.root / CATALOG_NAME, None)
        self.store = PayloadStore(self.address.payloads, durable=core.durable)
        self._snapshot = self.root / f".{CATALOG_NAME}.unfinished"
        self.faults: list[str] = []
        self._require_own()

    def _require_own(self) -> None:
        """Raise unless the directory is empty, or a backup of this archive."""
        mine = self._core.address
        if self.address.catalog == mine.catalog or self.root.is_relative_to(
            mine.payloads
        ):
            msg = f"{self.root} is the archive itself; back up into another directory"
            raise ArchiveExistsError(msg)
        if self.root.exists() and not self.root.is_dir():
            msg = f"{self.root} is a file; a backup is a directory"
            raise ArchiveExistsError(msg)
        said = self._marker()
        there = self.address.catalog.exists() or self.address.payloads.exists()
        if said is None and there:
            msg = (
                f"{self.root} holds an archive that is no backup of this one, or one "
                "that was written to since: pull what it has, if need be, and back up "
                "into another directory"
            )
            raise ArchiveExistsError(msg)
        owner = indexing.owner(self.store)
        if {said or self._core.uuid, owner or self._core.uuid} != {self._core.uuid}:
            msg = (
                f"{self.root} is the backup of another archive; back up into another "
                "directory"
            )
            raise ArchiveExistsError(msg)

    def _require_same(self) -> None:
        """Raise if what is backed up there has gone another way since."""
        judged = superseding.judge(self._core, None, self.store)
        if any(each.verdict == "parted" for each in judged):
            msg = (
                f"{self.root} has the backup of a copy of this archive, and both were "
                "written to; pull what it has, and back up into another directory"
            )
            raise ArchiveExistsError(msg)

    def _marker(self) -> str | None:
        try:
            said = json.loads(self.address.backup_marker.read_text())
            return str(said["archive"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    @contextmanager
    def begun(self) -> Iterator[None]:
        """
        Make the directory what it is, and keep other backups out of it.

        Raises:
            StoreError: Another one is at work there.

        """
        with typed("write", self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            if self._marker() is None:
                self._mark()
            if self.store.identity() is None:
                self.store.create(self._core.uuid, self.address.catalog)
        with locks.only_one(self.store.root / "locks" / LOCK) as free:
            if not free:
                msg = f"another backup into {self.root} is at work"
                raise StoreError(msg)
            # Nobody else writes here but a backup that was killed.
            self.store.sweep(self.store.clock())
            self._require_same()
            try:
                yield
            finally:
                with suppress(OSError):
                    self._snapshot.unlink(missing_ok=True)

    def _mark(self) -> None:
        path = self.address.backup_marker
        unfinished = path.with_name(f".{path.name}.unfinished")
        said = {"archive": self._core.uuid, "of": str(self._core.address), "format": 1}
        unfinished.write_text(json.dumps(said, indent=2) + "\n")
        _sync_file(unfinished)
        unfinished.replace(path)
        sync_directory(self.root)
        sync_directory(self.root.parent)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Keep writers waiting: nobody deletes what a snapshot needs."""
        # Opened before the lock is taken, which opening may take itself.
        self._core.require_existing()
        with self._core.store.quiet_lock():
            yield

    def snapshot(self) -> list[Wanted]:
        """
        Copy the catalog aside, as it is at one moment; return what it needs.

        What SQLite finds wrong with it is in `faults`.
        """
        with typed("write", self._snapshot), self._core.reading() as connection:
            rows = catalogs.copy(connection, self._snapshot)
            self.faults = checks.faults(connection, whole=False)
        return [Wanted(file, size) for file, size in rows]

    def waiting(self) -> list[str]:
        """Return what waits in the spool, and stays there: nobody may take it in."""
        if not self._core.readonly:
            return []
        return [
            f"{INCOMING}/{name}" for name in SpoolDirectory(self._core.store).files()
        ]

    def has(self, wanted: Wanted) -> bool:
        """Return whether a payload was copied already."""
        # It has got its name only once its bytes were proven.
        return self.store.size(wanted.file) == wanted.size

    def copy(self, wanted: Wanted) -> str | None:
        """
        Copy a payload, durably but for its name.

        Returns:
            None, or what is wrong: ``"missing"`` or ``"corrupt"``.

        Raises:
            StoreError: The file system refused.

        """
        with self.store.receive(wanted.file) as arrival:
            # Read once more before it is called damaged: cables fail, too.
            for _ in range(2):
                try:
                    with self._core.store.open(wanted.file) as source:
                        if arrival.fill(pieces_of(source)):
                            arrival.place(sync=False)
                            return None
                except PayloadMissingError:
                    return "missing"
        return "corrupt"

    def is_sound(self, wanted: Wanted) -> bool:
        """Return whether the copy of a payload is what its name promises."""
        try:
            with self.store.open(wanted.file) as copy:
                return copy.digits() == wanted.file.rpartition("-")[2].partition(".")[0]
        except (PayloadMissingError, StoreError):
            return False

    def finish(self) -> None:
        """
        Make all names durable, then put the new catalog in the old one's place.

        One that SQLite finds damaged does not take the place of a sound one.
        """
        with typed("write", self.root):
            if self.store.durable:
                for shard in self.store.shards():
                    sync_directory(self.store.root / shard)
                sync_directory(self.store.root)
            if self.faults:
                return
            with self.store.writers_lock():
                catalogs.replace(self._snapshot, self.address.catalog)
            if self.store.durable:
                sync_directory(self.root)

    def retire(self, wanted: list[Wanted]) -> tuple[int, list[str]]:
        """
        Set aside what was deleted from the archive; forget what was long ago.

        Returns:
            How many payloads were set aside, and those that the archive has
            lost without anybody deleting them: the backup keeps them.

        """
        needed = {each.file for each in wanted}
        files = [file for file in self.store.files() if file not in needed]
        now = datetime.now(UTC)
        reason = {"when": now.isoformat(timespec="seconds"), "done": RETIRED}
        judged = superseding.judge(self._core, files, self.store)
        lost = [
            each.file
            for each in judged
            if each.verdict == "counts" and self._core.store.size(each.file) is None
        ]
        # What another archive wrote is here because a record had adopted it;
        # while some are lost, that may be one of them.
        over = {"superseded"} if lost else {"superseded", "foreign"}
        retired = [each.file for each in judged if each.verdict in over]
        for file in retired:
            quarantine.retire(self.store, file, reason)
        for kept, said in list(quarantine.reasons(self.store)):
            if said.get("done") == RETIRED and _is_over(said, now):
                quarantine.forget(self.store, kept)
        return len(retired), lost


def _is_over(said: dict[str, Any], now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(said["when"]) > KEPT_RETIRED
    except (KeyError, TypeError, ValueError):
        return False


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
