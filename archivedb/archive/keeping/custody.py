"""What `archivedb.integrity` may do to an archive: put back, index, remove."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archivedb.archive.keeping import superseding
from archivedb.archive.keeping.copying import Copying
from archivedb.archive.writing import recovering
from archivedb.archive.writing.current import refuse_in_batch
from archivedb.archive.writing.indexing import read_envelope
from archivedb.catalog import payloads
from archivedb.errors import CatalogError
from archivedb.store import naming, quarantine

if TYPE_CHECKING:
    import os

    from archivedb.archive.core import Core
    from archivedb.archive.keeping.sources import Source
    from archivedb.archive.keeping.superseding import Judgement
    from archivedb.records import Finding
    from archivedb.store.directory import PayloadStore

YOUNGEST = 60.0
"""Seconds that a writer may take from making a file to locking it, at the most."""


class Custody:
    """
    An open archive, to be mended, cleaned or copied.

    Args:
        core: The open archive.
        what: What shall be done, for the error where it cannot be.

    Raises:
        ArchiveNotFoundError: There is none.
        BatchError: A batch is open.

    """

    def __init__(self, core: Core, what: str) -> None:
        core.require_existing()
        refuse_in_batch(core, what)
        self._core = core

    # Repair -------------------------------------------------------------

    def require_writable(self) -> None:
        """Raise `ReadOnlyError` if the archive must not be written."""
        self._core.require_writable()

    def is_payload(self, file: str) -> bool:
        """Return whether a file's name is one of a payload, at its place."""
        try:
            self._core.store.resolve(file)
        except CatalogError:
            return False
        return True

    def restore(
        self, file: str, source: Source, finding: Finding
    ) -> tuple[bool, str | None]:
        """
        Put a sound copy in a damaged payload's place; keep the damaged one.

        Args:
            file: The payload.
            source: Where copies may lie.
            finding: What is wrong with it, for the reason file.

        Returns:
            Whether there was a copy, and where the damaged file lies now.

        Raises:
            StoreError: The file system refused; the archive is as it was.

        """
        store = self._core.store
        with store.receive(file) as arrival:
            if not source.fill(arrival, file):
                return False, None
            # Whoever deletes commits under this lock before removing files: so
            # nothing is put back that was deleted meanwhile.
            with store.writers_lock():
                if finding.record is not None and not self._is_known(file):
                    return False, None
                kept = quarantine.keep(store, file, _reason(finding))
                arrival.place()
        return True, kept

    def _is_known(self, file: str) -> bool:
        parsed = naming.parse(file.rpartition("/")[2])
        assert parsed is not None  # noqa: S101 - it has been received
        with self._core.reading() as connection:
            return bool(payloads.payload_uuids(connection, [parsed.uuid]))

    def take_back(self, source: Source) -> list[str]:
        """
        Put back payloads that the archive lost without anybody deleting them.

        What a copy has removed since, or written where something else is here,
        is not ours: a pull brings the latter.

        Returns:
            Those of the source's, where that is a copy of this archive, that
            the catalog does not know and that count.

        """
        found = []
        for store in source.stores():
            if store.identity() != self._core.uuid:
                continue
            for each in superseding.judge(self._core, None, store):
                if each.verdict != "counts" or self._core.store.size(each.file):
                    continue
                if _removes(store, each.file):
                    continue
                if self._bring(source, each.file):
                    found.append(each.file)
        return found

    def _bring(self, source: Source, file: str) -> bool:
        """Give a file that is not there its place, if the source has a sound copy."""
        with self._core.store.receive(file) as arrival:
            if not source.fill(arrival, file):
                return False
            arrival.place()
        return True

    def take_adopted(self, source: Source) -> list[str]:
        """
        Put back what other archives wrote, this one has adopted, and lost.

        Once the catalog was rebuilt without it, only the payload that says so
        remembers it.
        """
        lost = sorted(superseding.adopted_and_lost(self._core))
        return [file for file in lost if self._bring(source, file)]

    def index(self, files: list[str]) -> int:
        """Index what counts of some files, and return of how many it does now."""
        recovering.index_files(self._core, files)
        with self._core.reading() as connection:
            return len(files) - len(recovering.unknown(connection, files))

    # Garbage ------------------------------------------------------------

    def leftovers(self) -> list[Judgement]:
        """Return the payloads that the catalog does not know, each judged."""
        return superseding.judge(self._core)

    def age(self, file: str) -> float:
        """Return for how many seconds a file has lain there as it is."""
        store = self._core.store
        try:
            status = (store.root / file).lstat()
        except FileNotFoundError:
            return 0.0
        # A copy may have the times of what it was copied from; but not this one.
        return store.clock() - max(status.st_mtime, status.st_ctime)

    def remove(self, files: list[str]) -> int:
        """Remove payloads that nothing needs, if that is still so; return bytes."""
        with self._core.store.writers_lock():
            still = {
                each.file
                for each in superseding.judge(self._core, files)
                if each.verdict == "superseded"
            }
            return sum(self._core.store.remove(file) for file in files if file in still)

    def temporaries(self, grace: float, *, dry_run: bool) -> list[tuple[str, int]]:
        """Remove what dead writers have left unfinished; return files and bytes."""
        store = self._core.store
        age = max(min(grace, recovering.ABANDONED), YOUNGEST)
        return store.sweep(store.clock() - age, dry_run=dry_run)

    # Copies -------------------------------------------------------------

    def copying(self, directory: str | os.PathLike[str]) -> Copying:
        """Return what copies the archive into a directory."""
        return Copying(self._core, directory)


def _removes(store: PayloadStore, file: str) -> bool:
    """Return whether a payload would remove something from where it is indexed."""
    with store.open(file) as source:
        entries = read_envelope(source).entries
    return any(entry.kind in {"delete", "prune"} for entry in entries)


def _reason(finding: Finding) -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "finding": {
            "kind": finding.kind,
            "record": finding.record,
            "version": finding.version,
            "path": finding.path,
            "file": finding.file,
            "detail": finding.detail,
        },
        "done": "a sound copy was put in its place",
    }
