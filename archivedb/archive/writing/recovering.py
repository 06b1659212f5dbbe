"""
What crashed writers left, and whole rebuilds.

Whoever opens an archive or writes to it completes what others had begun.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archivedb.archive.writing.indexing import (
    UNREADABLE,
    WHOLE,
    Indexer,
    read_envelope,
)
from archivedb.archive.writing.parting import Parting
from archivedb.catalog import index, payloads, reading, writing
from archivedb.errors import NameConflictError
from archivedb.formats import uuids
from archivedb.store import naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy import Connection

    from archivedb.archive.core import Core
    from archivedb.errors import ArchiveError
    from archivedb.formats.envelope import Entry

ABANDONED = 24 * 3600.0
"""Seconds after which an unpublished file of a dead writer is removed."""


def recover(core: Core) -> None:
    """
    Finish what writers published without telling the catalog, or settling it.

    Called when an archive is opened, and by each writer that holds a name's
    lock, before it looks how long the history is.
    """
    for path, file in core.store.left_over():
        # Damage is for verify to report, not a reason not to go on.
        with suppress(*UNREADABLE):
            _recover(core, file)
        path.unlink(missing_ok=True)


def _recover(core: Core, file: str) -> None:
    index_files(core, [file], whole=True)
    with core.store.open(file) as source:
        entries = read_envelope(source).entries
    with core.reading() as connection:
        superseded = bool(unknown(connection, [file]))
    if superseded:
        # Its save never returned, and what has been committed since leaves no
        # room for it; or its batch is not whole.  So nothing of it is there.
        with core.writing() as connection:
            _remove(core, connection, file)
    else:
        free(core, entries)


def free(core: Core, entries: Iterable[Entry]) -> int:
    """Remove the files that deletes made superfluous; return the bytes freed."""
    files = [file for entry in entries for file in entry.frees]
    if not files:
        return 0
    # Under the lock, since somebody may be about to adopt one of them once more.
    with core.writing() as connection:
        unneeded = unknown(connection, files)
        return sum(_remove(core, connection, file) for file in unneeded)


def _remove(core: Core, connection: Connection, file: str) -> int:
    """Remove a file, unless a batch that the catalog knows is whole only with it."""
    others: list[str] = []
    with suppress(*UNREADABLE), core.store.open(file) as source:
        envelope = read_envelope(source)
        # That of another archive counts by what has adopted it.
        batch = set(envelope.batch) if envelope.archive == core.uuid else set()
        found = map(core.store.find, batch - {envelope.payload})
        others = [other for other in found if other is not None]
        if payloads.payload_uuids(connection, list(batch)):
            return 0
    # It goes last: it is what this will be done again for, if it is cut short.
    return sum(map(core.store.remove, [*others, file]))


def recover_at_opening(core: Core) -> None:
    """
    Index what counts and is not indexed, also after the catalog was restored.

    Directories that changed after the newest payload that the catalog knows
    are listed; all others cannot hold anything new.
    """
    recover(core)
    core.store.sweep(core.store.clock() - ABANDONED)
    with core.reading() as connection:
        newest = payloads.newest_payload(connection)
    seen = uuids.uuid7_milliseconds(newest) / 1000 if newest else 0.0
    if seen > core.store.clock():
        seen = 0.0  # a clock was wrong once, and says nothing of what is new
    changed = [shard for shard, time in core.store.shard_times().items() if time > seen]
    # All at once, since the versions of a record lie in many directories.
    files = [f for shard in changed for f in core.store.shard_files(shard)]
    # A writer that lives tells the catalog itself; of one that is gone,
    # `recover` has done so.
    index_files(core, [file for file in files if not core.store.is_pending(file)])


class _NoRoomError(Exception):
    """A payload has no place beside what was committed since."""


def index_files(core: Core, files: Iterable[str], *, whole: bool = False) -> None:
    """
    Index what of some files the catalog does not know.

    Args:
        core: The open archive.
        files: The files.
        whole: Index all that they hold, or nothing.

    """
    with core.reading() as connection:
        new = unknown(connection, files)
    if not new:
        return
    with suppress(_NoRoomError), core.writing() as connection:
        indexer = Indexer(
            core,
            connection,
            frozenset(),
            core.store.find,
            parting=Parting(connection, core.store),
        )
        for file in new:
            # Damage is for verify to report, not a reason not to open.
            with suppress(*UNREADABLE):
                indexer.add(file)
        for file in unknown(connection, indexer.others.difference(new)):
            with suppress(*UNREADABLE):
                indexer.add(file)
        late = indexer.finish()
        if whole and any(isinstance(why, NameConflictError) for _, why in late):
            raise _NoRoomError


def unknown(connection: Connection, files: Iterable[str]) -> list[str]:
    """Return which payload files the catalog does not know, oldest first."""
    by_uuid = {}
    for file in files:
        parsed = naming.parse(file.rpartition("/")[2])
        if parsed is not None:
            by_uuid[parsed.uuid] = file
    known = payloads.payload_uuids(connection, list(by_uuid))
    return [by_uuid[uuid] for uuid in sorted(by_uuid) if uuid not in known]


Lost = tuple[str, str | None, int | None]


@dataclass(slots=True)
class Rebuilt:
    """
    What a rebuild has done so far.

    Attributes:
        payloads: How many the catalog knows by now.
        damaged: The files that could not be, and why.
        lost: File, name and version of what only the old catalog knew.

    """

    payloads: int = 0
    damaged: list[tuple[str, ArchiveError]] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


def rebuild(core: Core, progress: Callable[[int, int], None] | None = None) -> Rebuilt:
    """
    Empty the catalog and fill it from the payloads, in one transaction.

    Args:
        core: The open archive.
        progress: Called with the payloads done, and how many there are.

    """
    with core.writing() as connection:
        # Under the lock: what is committed before it is in these files, and
        # what is published since is told to the catalog by its own writer.
        files = sorted(core.store.files(), key=lambda file: file.rpartition("/")[2])
        by_uuid = {file.rpartition("/")[2][:36]: file for file in files}
        known = list(_known_alone(connection, by_uuid))
        void = frozenset(_parted(core, connection, files))
        while True:
            writing.clear(connection)
            core.paths = index.PathIds()
            indexer = Indexer(core, connection, void, by_uuid.get)
            done = _fill(connection, indexer, files, progress)
            more = indexer.void()
            if more is None:
                done.lost = [each for each in known if _is_gone(connection, each)]
                return done
            void = more


def _parted(
    core: Core, connection: Connection, files: list[str]
) -> Iterator[tuple[str, int]]:
    """Yield the changes in files that contradict what was committed."""
    parting = Parting(connection, core.store)
    if not parting.settled:
        return
    for file in unknown(connection, files):
        with suppress(*UNREADABLE), core.store.open(file) as source:
            envelope = read_envelope(source)
            if envelope.archive == core.uuid and parting.has(envelope):
                yield envelope.payload, WHOLE


def _known_alone(connection: Connection, there: Mapping[str, str]) -> Iterator[Lost]:
    """Yield what a catalog says of payloads that are not there."""
    files = set(there.values())
    for uuid, file in payloads.named_payloads(connection):
        if uuid not in there and file not in files:
            versions = payloads.versions_in(connection, file)
            yield from ((file, name, version) for name, version, _ in versions)
            if not versions:
                yield file, None, None


def _is_gone(connection: Connection, lost: Lost) -> bool:
    _, name, version = lost
    if name is None or version is None:
        return True
    return reading.one(connection, name, version) is None


def _fill(
    connection: Connection,
    indexer: Indexer,
    files: list[str],
    progress: Callable[[int, int], None] | None,
) -> Rebuilt:
    done = Rebuilt()
    for number, file in enumerate(files, 1):
        try:
            indexer.add(file)
        except UNREADABLE as error:
            done.damaged.append((file, error))
        if progress is not None:
            progress(number, len(files))
    done.damaged += indexer.finish()
    done.payloads = payloads.count(connection)
    return done
