"""What `archivedb.integrity` may see of an archive: enough to judge it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from archivedb.archive import deriving
from archivedb.archive.decoding import Hurt, undecodable
from archivedb.archive.keeping import superseding
from archivedb.archive.loading import reader_of
from archivedb.archive.writing.current import current, refuse_in_batch
from archivedb.archive.writing.editing import held
from archivedb.archive.writing.indexing import read_envelope
from archivedb.archive.writing.recovering import rebuild, unknown
from archivedb.catalog import checks, dump, hierarchy, payloads, reading
from archivedb.errors import ArchiveError
from archivedb.store import naming, proving
from archivedb.values.leaves import array_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from archivedb.archive.core import Core
    from archivedb.archive.writing.recovering import Rebuilt


Checked = checks.Checked
"""A payload file that the catalog knows, and when it was found sound."""

LEVELS, SOUND = checks.LEVELS, checks.SOUND

PATIENCE = 40
"""How often unsettled writers are waited for, for a twentieth of a second."""

STRANGER = "stranger"
"""What is said of a file that is no payload; see `superseding.Judgement` for others."""

_UNKNOWN = "the catalog does not know it"


class Inspection:
    """
    An archive seen from both sides: its catalog's and its store's.

    Args:
        core: The open archive.

    """

    def __init__(self, core: Core) -> None:
        core.require_existing()
        self._core = core

    def ledger(self, level: str) -> list[Checked]:
        """Return every payload file that the catalog knows; see `checks.ledger`."""
        with self._core.reading() as connection:
            return checks.ledger(connection, level)

    def known_as(self, file: str) -> Checked | None:
        """Return a payload that the catalog knows, by its file."""
        with self._core.reading() as connection:
            return checks.known_as(connection, file)

    @property
    def records_results(self) -> bool:
        """Whether what is found can be written into the ledger."""
        return not self._core.readonly and current(self._core) is None

    def record(self, level: str, results: list[tuple[str, int, str]]) -> bool:
        """
        Write results into the ledger: payload uuid, time, and verdict of each.

        Returns:
            Whether they were: what cannot be written is verified all the same.

        """
        if not self.records_results:
            return False
        try:
            with self._core.writing() as connection:
                checks.record(connection, level, results)
        except ArchiveError:
            return False
        return True

    def knows(self, file: str) -> bool:
        """Return whether the catalog still has a file: it may be deleted."""
        with self._core.reading() as connection:
            return checks.knows_file(connection, file)

    def still_indexed(self, file: str) -> bool:
        """Return whether the catalog still knows a payload: it may be deleted."""
        parsed = naming.parse(file.rpartition("/")[2])
        if parsed is None:
            return False
        with self._core.reading() as connection:
            return bool(payloads.payload_uuids(connection, [parsed.uuid]))

    def is_linked(self, file: str) -> bool:
        """Return whether a link is where a payload was."""
        return self._core.store.resolve(file).is_symlink()

    def find(self, uuid: str) -> str | None:
        """Return where in the store the payload of this uuid lies, or None."""
        return self._core.store.find(uuid)

    def prover(self) -> proving.Prover:
        """Return what proves files, one at a time."""
        return proving.Prover(self._core.store)

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
        try:
            with self._core.store.open(file) as source:
                return parsed is not None and source.digits() == parsed.digits
        except ArchiveError:
            return False

    def is_sound(self, file: str) -> bool:
        """Return whether a file is intact, and says itself that it has this name."""
        try:
            with self._core.store.open(file) as source:
                read_envelope(source)
        except ArchiveError:
            return False
        return self.is_intact(file)

    @staticmethod
    def is_named(file: str, uuid: str) -> bool:
        """Return whether a file has the name of the payload of this uuid."""
        parsed = naming.parse(file.rpartition("/")[2])
        return parsed is not None and parsed.uuid == uuid

    def versions_in(self, file: str) -> list[tuple[str, int, bool]]:
        """
        Return name and version of everything that needs a file, by the catalog.

        Each comes with whether the file is its own, or holds some arrays only.
        """
        with self._core.reading() as connection:
            return payloads.versions_in(connection, file)

    def damage(self, file: str, name: str, version: int) -> list[Hurt]:
        """Return what of a version in a file differs from its digests."""
        with self._core.reading() as connection:
            row = reading.one(connection, name, version)
        found: list[Hurt] = []
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
                    except ArchiveError as error:
                        found.append(Hurt(path, str(error)))
                if not found:
                    # Its buffers are these arrays.
                    reader.pickle()
        except ArchiveError as error:
            found.append(Hurt(None, str(error)))
        return found

    def undecodable(self, file: str) -> list[tuple[str, int | None, Hurt]]:
        """
        Decode all that a payload holds, and return what cannot be.

        Nothing in it is run: a stub stands for each object.

        Returns:
            Name and version of each, and what is wrong.

        """
        return undecodable(self._core, file)

    def compare(self, payloads: list[str], known: set[str]) -> deriving.Comparison:
        """Compare all that payloads tell of with the catalog; see `deriving`."""
        return deriving.compare(self._core, payloads, known)

    def compare_rest(self, known: set[str]) -> deriving.Comparison:
        """Compare the records to which no payload leads, whatever was checked."""
        with self._core.reading() as connection:
            rest = checks.records_of_nothing(connection)
        return deriving.compare_records(self._core, rest - known)

    def unindexed(
        self, known: AbstractSet[str] = frozenset()
    ) -> Iterator[tuple[str, str, str]]:
        """
        Yield the payload files that the catalog does not know.

        Each comes with what it is judged to be, and why.

        Args:
            known: Files that it is known to know.

        """
        store = self._core.store
        with self._core.reading() as connection:
            files = unknown(connection, (f for f in store.files() if f not in known))
        # A writer may be about to tell the catalog, or to remove what it has
        # just deleted.
        for _ in range(PATIENCE):
            if not files or store.is_settled():
                break
            time.sleep(0.05)
        for each in superseding.judge(self._core, files):
            if not self.still_indexed(each.file):
                plain = each.verdict not in {"unreadable", "unsupported", "incomplete"}
                yield (
                    each.file,
                    each.verdict,
                    each.why if plain else f"{_UNKNOWN}, and {each.why}",
                )
        for file in store.strangers():
            yield file, STRANGER, "it is no payload of archivedb"

    def catalog_faults(self, *, whole: bool = False) -> list[str]:
        """Return what SQLite itself finds wrong with the catalog."""
        with self._core.reading() as connection:
            return checks.faults(connection, whole=whole)

    def rebuild(self, progress: Callable[[int, int], None] | None) -> Rebuilt:
        """Rebuild the catalog from the payloads, in one transaction."""
        refuse_in_batch(self._core, "rebuild the catalog")
        return rebuild(self._core, progress)

    def totals(self) -> tuple[int, int]:
        """Return how many living records and versions there are."""
        with self._core.reading() as connection:
            return hierarchy.count(connection), reading.total_versions(connection)

    def dump(self) -> list[Any]:
        """Return the catalog in a form that does not depend on how it grew."""
        with self._core.reading() as connection:
            return dump.dump(connection)
