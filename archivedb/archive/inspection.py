"""What `archivedb.integrity` may see of an archive: enough to judge it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archivedb.archive.loading import reader_of
from archivedb.archive.writing.current import refuse_in_batch
from archivedb.archive.writing.editing import held
from archivedb.archive.writing.indexing import others_of, read_envelope
from archivedb.archive.writing.recovering import rebuild, unknown
from archivedb.catalog import dump, reading
from archivedb.errors import ArchiveError, ModeError, PayloadError
from archivedb.store import naming
from archivedb.values.leaves import array_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archivedb.archive.core import Core
    from archivedb.archive.writing.recovering import Rebuilt


PATIENCE = 40
"""How often unsettled writers are waited for, for a twentieth of a second."""


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A payload file that the catalog knows."""

    file: str
    size: int


class Inspection:
    """
    An archive seen from both sides: its catalog's and its store's.

    Args:
        core: The open archive.

    """

    def __init__(self, core: Core) -> None:
        core.require_existing()
        self._core = core

    def indexed(self) -> list[IndexedFile]:
        """Return every payload file that the catalog knows."""
        with self._core.reading() as connection:
            rows = reading.payload_files(connection)
        return [IndexedFile(file, size) for _, file, size in rows]

    def still_indexed(self, file: str) -> bool:
        """Return whether the catalog still knows a file: it may be deleted."""
        parsed = naming.parse(file.rpartition("/")[2])
        if parsed is None:
            return False
        with self._core.reading() as connection:
            return bool(reading.payload_uuids(connection, [parsed.uuid]))

    def stored_size(self, file: str) -> int | None:
        """
        Return the bytes that a payload file has, or None if it is missing.

        Raises:
            CatalogError: It is no payload's name, and may lead anywhere.

        """
        return self._core.store.size(file)

    def is_intact(self, file: str) -> bool:
        """Return whether the bytes of a file are those that its name promises."""
        parsed = naming.parse(file.rpartition("/")[2])
        with self._core.store.open(file) as source:
            return parsed is not None and source.digits() == parsed.digits

    def versions_in(self, file: str) -> list[tuple[str, int, bool]]:
        """
        Return name and version of everything that needs a file, by the catalog.

        Each comes with whether the file is its own, or holds some arrays only.
        """
        with self._core.reading() as connection:
            return reading.versions_in(connection, file)

    def damaged_paths(self, file: str, name: str, version: int) -> list[str]:
        """Return which arrays of a version in a file differ from their digests."""
        with self._core.reading() as connection:
            row = reading.one(connection, name, version)
        found: list[str] = []
        if row is None:
            return found
        try:
            with reader_of(self._core, row) as reader:
                places = held(reader, row)
                for path, node in array_paths(reader.skeleton):
                    if places[node["$array"]].file != file:
                        continue
                    try:
                        reader.fetch(node["$array"], node)
                    except PayloadError:
                        found.append(path)
        except ArchiveError:
            return found
        return found

    def unindexed(self) -> Iterator[tuple[str, str, str]]:
        """
        Yield the payload files that the catalog does not know.

        Each comes with a kind, ``"unindexed"`` or ``"orphaned"``, and why.
        """
        store = self._core.store
        with self._core.reading() as connection:
            files = unknown(connection, store.files())
        # A writer may be about to tell the catalog, or to remove what it has
        # just deleted.
        for _ in range(PATIENCE):
            if not files or store.is_settled():
                break
            time.sleep(0.05)
        for file in files:
            if store.is_pending(file) or self.still_indexed(file):
                continue
            if self.stored_size(file) is not None:
                judged = self._judge(file)
                if judged is not None:
                    yield file, *judged
        for file in self._core.store.strangers():
            yield file, "orphaned", "it is no payload of archivedb"

    def _judge(self, file: str) -> tuple[str, str] | None:
        try:
            with self._core.store.open(file) as source:
                envelope = read_envelope(source)
        except ModeError as error:
            return "unindexed", f"the catalog does not know it, and {error}"
        except ArchiveError as error:
            return "orphaned", f"the catalog does not know it, and {error}"
        if envelope.archive != self._core.uuid:
            return "orphaned", "it belongs to another archive"
        if others_of(envelope, self._core.store.find) is None:
            number = envelope.batch.index(envelope.payload) + 1
            part = f"part {number} of {len(envelope.batch)}"
            return "orphaned", f"it is {part} of a batch that was cut short"
        with self._core.reading() as connection:
            if reading.payload_uuids(connection, list(envelope.batch)):
                # What it holds is gone, but others count only together with it.
                return None
            superseded = all(
                reading.positions(connection, entry.record) >= entry.position
                for entry in envelope.entries
            )
        if superseded:
            return "orphaned", "what it holds was deleted, or superseded"
        return "unindexed", "the catalog does not know it"

    def catalog_faults(self) -> list[str]:
        """Return what SQLite itself finds wrong with the catalog."""
        return self._core.database.quick_check()

    def rebuild(self, progress: Callable[[int, int], None] | None) -> Rebuilt:
        """Rebuild the catalog from the payloads, in one transaction."""
        refuse_in_batch(self._core, "rebuild the catalog")
        return rebuild(self._core, progress)

    def totals(self) -> tuple[int, int]:
        """Return how many living records and versions there are."""
        with self._core.reading() as connection:
            return reading.count(connection), reading.total_versions(connection)

    def dump(self) -> list[Any]:
        """Return the catalog in a form that does not depend on how it grew."""
        with self._core.reading() as connection:
            return dump.dump(connection)
