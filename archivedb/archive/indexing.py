"""
From payloads to the catalog: what crashed writers left, and whole rebuilds.

A payload counts once its rename is durable, whether its writer lived to tell
the catalog or not.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archivedb.catalog import reading, writing
from archivedb.errors import (
    CatalogEntryError,
    DecodeError,
    NameConflictError,
    PayloadError,
    StoreError,
)
from archivedb.formats import get_format, suffix_mode, uuids
from archivedb.formats.base import checked
from archivedb.formats.envelope import Envelope, read_head
from archivedb.store import naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from archivedb.archive.core import Core
    from archivedb.errors import ArchiveError
    from archivedb.formats.base import Source
    from archivedb.formats.envelope import Content, Entry
    from archivedb.store.directory import PayloadStore
    from archivedb.store.files import PayloadFile
    from archivedb.values.skeleton import Skeleton

UNREADABLE = (PayloadError, DecodeError, StoreError, CatalogEntryError)
"""What one payload may do without keeping the others from being indexed."""

UNDONE_BY_REBUILDING = frozenset({"append", "delete", "prune"})
"""Changes that leave behind less, or more, than a version to be taken back."""

ABANDONED = 24 * 3600.0
"""Seconds after which an unpublished file of a dead writer is removed."""


def read_envelope(source: Source) -> Envelope:
    """
    Return what a payload says about itself, checked against its head.

    Raises:
        PayloadCorruptError: The envelope differs from its digest.
        DecodeError: The file is no payload of archivedb.

    """
    name = source.name.rpartition("/")[2]
    parsed = naming.parse(name)
    mode = None if parsed is None else suffix_mode(parsed.suffix)
    if parsed is None or mode is None:
        msg = f"{source.name} has not the name of a payload"
        raise DecodeError(msg)
    extent = read_head(get_format(mode).head(source), source.name)
    text = checked(source, extent, "the envelope")
    envelope = Envelope.parse(text.data, source.name)
    if envelope.payload != parsed.uuid or envelope.mode != mode:
        msg = f"{source.name} says that it is {envelope.payload}: it was renamed"
        raise DecodeError(msg)
    return envelope


def read_skeleton(source: Source, content: Content) -> Skeleton:
    """Return the checked skeleton of some content."""
    return get_format(content.mode).reader(source, content).skeleton


def owner(store: PayloadStore) -> str | None:
    """Return which archive a store belongs to, from its payloads if need be."""
    found = store.identity()
    if found is not None:
        return found
    for file in store.files():
        with suppress(*UNREADABLE), store.open(file) as source:
            archive = read_envelope(source).archive
            if archive is not None:
                return archive
    return None


class Indexer:
    """
    Applies payloads to the catalog, in the order of each record's history.

    A change that comes before its predecessor, or while its name still
    belongs to another record, waits, and is tried again at the end.  Where two
    payloads claim one position, the later counts: the writer of the first was
    cut off before it told the catalog, and so before `save` returned.

    Args:
        core: The open archive.
        connection: An open write transaction.
        void: Deletes, as (payload uuid, slot), that a later change supersedes.

    """

    def __init__(
        self, core: Core, connection: Connection, void: frozenset[tuple[str, int]]
    ) -> None:
        self._core = core
        self._connection = connection
        self._void = void
        self._waiting: list[tuple[int, str, int]] = []
        self._pruned: set[tuple[str, int]] = set()
        self.voided: set[tuple[str, int]] = set()

    def add(self, file: str) -> bool:
        """
        Apply what a payload file holds.

        Returns:
            False if it is not of this archive.

        Raises:
            ArchiveError: The file is damaged.

        """
        # All of a payload, or nothing: what one holds must not spoil the rest.
        with self._core.store.open(file) as source, self._connection.begin_nested():
            envelope = read_envelope(source)
            if envelope.archive != self._core.uuid:
                return False
            for slot, entry in enumerate(envelope.entries):
                self._pruned.update((entry.record, number) for number in entry.drops)
                if self._obstacle(entry) is not None:
                    self._waiting.append((entry.position, file, slot))
                elif (envelope.payload, slot) not in self._void:
                    self._apply(source, envelope, slot)
        return True

    def _obstacle(self, entry: Entry) -> str | None:
        """Return why a change cannot be applied yet, or None if it can."""
        if entry.kind == "delete":  # supersedes whatever comes before it
            return None
        known = reading.positions(self._connection, entry.record)
        if entry.position > known + 1:
            return f"the change before position {entry.position} is missing"
        if known:
            return None
        return reading.conflict(self._connection, entry.name)

    def finish(self) -> list[tuple[str, ArchiveError]]:
        """
        Apply what has waited, also where predecessors are lost.

        Returns:
            The files of which something could not be applied, and why.

        """
        damaged: list[tuple[str, ArchiveError]] = []
        for _, file, slot in sorted(self._waiting):
            try:
                with (
                    self._core.store.open(file) as source,
                    self._connection.begin_nested(),
                ):
                    envelope = read_envelope(source)
                    entry = envelope.entries[slot]
                    version = entry.record, entry.version
                    if entry.kind == "append" and version in self._pruned:
                        continue  # what it was appended to may be gone
                    self._require_free(entry)
                    self._apply(source, envelope, slot)
            except (*UNREADABLE, NameConflictError) as error:
                damaged.append((file, error))
        self._waiting.clear()
        return damaged

    def _require_free(self, entry: Entry) -> None:
        if not reading.positions(self._connection, entry.record):
            why = reading.conflict(self._connection, entry.name)
            if why is not None:
                raise NameConflictError(why)

    def _apply(self, source: PayloadFile, envelope: Envelope, slot: int) -> None:
        entry, own = envelope.entries[slot], None
        if reading.positions(self._connection, entry.record) == entry.position:
            self._make_room(envelope, entry)
        if entry.content is not None and entry.adopted is None:
            own = read_skeleton(source, entry.content)
        payload = register(self._connection, source.name, source.size)
        if not apply_entry(self._core, self._connection, entry, (payload, slot), own):
            writing.drop_unneeded(self._connection, payload, entry.record)

    def _make_room(self, envelope: Envelope, entry: Entry) -> None:
        claim = writing.claim_at(self._connection, entry.record, entry.position)
        if claim is None or claim[2] >= envelope.payload:
            return
        change_id, kind, payload, slot = claim
        if kind in UNDONE_BY_REBUILDING:
            # What it removed, or extended, must be read again.
            self.voided.add((payload, slot))
        else:
            writing.retract(self._connection, change_id)


def apply_entry(
    core: Core,
    connection: Connection,
    entry: Entry,
    address: tuple[int, int],
    own: Skeleton | None,
) -> bool:
    """
    Apply one change, reading the payload that it adopts if it does.

    Args:
        core: The open archive.
        connection: An open write transaction.
        entry: The change.
        address: The id of its payload, and its slot there.
        own: The skeleton of its content, if that is in the same payload.

    Returns:
        What `writing.apply` returns.

    """
    content_payload, skeleton = address[0], own
    if entry.adopted is not None and entry.content is not None:
        with core.store.open(entry.adopted) as adopted:
            skeleton = read_skeleton(adopted, entry.content)
            content_payload = register(connection, entry.adopted, adopted.size)
    shared = {}
    for file in entry.content.files if entry.content else ():
        shared[file] = register(connection, file, core.store.size(file) or 0)
    place = writing.Place(*address, content_payload, skeleton, shared)
    return writing.apply(connection, core.paths, entry, place)


def register(connection: Connection, file: str, size: int) -> int:
    """Return the id of a payload file, known or new."""
    parsed = naming.parse(file.rpartition("/")[2])
    assert parsed is not None  # noqa: S101 - the store has looked
    mode = suffix_mode(parsed.suffix) or ""
    return writing.add_payload(
        connection, writing.PayloadRow(parsed.uuid, file, mode, size)
    )


def recover(core: Core) -> None:
    """
    Finish what writers published without telling the catalog, or settling it.

    Called when an archive is opened, and by each writer that holds a name's
    lock, before it looks how long the history is.
    """
    for path, file in core.store.left_over():
        _index(core, [file])
        with core.reading() as connection:
            superseded = bool(unknown(connection, [file]))
        with suppress(*UNREADABLE), core.store.open(file) as source:
            entries = read_envelope(source).entries
            if superseded:
                # Its save never returned, and what has been committed since
                # leaves no room for it: so nothing of it is there.
                core.store.remove(file)
            else:
                free(core, entries)
        path.unlink(missing_ok=True)


def free(core: Core, entries: Iterable[Entry]) -> int:
    """Remove the files that deletes made superfluous; return the bytes freed."""
    files = [file for entry in entries for file in entry.frees]
    if not files:
        return 0
    with core.reading() as connection:
        unneeded = unknown(connection, files)
    return sum(core.store.remove(file) for file in unneeded)


def recover_at_opening(core: Core) -> None:
    """
    Index what counts and is not indexed, also after the catalog was restored.

    Directories that changed after the newest payload that the catalog knows
    are listed; all others cannot hold anything new.
    """
    recover(core)
    core.store.sweep(core.store.clock() - ABANDONED)
    with core.reading() as connection:
        newest = reading.newest_payload(connection)
    seen = uuids.uuid7_milliseconds(newest) / 1000 if newest else 0.0
    if seen > core.store.clock():
        seen = 0.0  # a clock was wrong once, and says nothing of what is new
    changed = [shard for shard, time in core.store.shard_times().items() if time > seen]
    # All at once, since the versions of a record lie in many directories.
    files = [f for shard in changed for f in core.store.shard_files(shard)]
    # A writer that lives tells the catalog itself; of one that is gone,
    # `recover` has done so.
    _index(core, [file for file in files if not core.store.is_pending(file)])


def _index(core: Core, files: Iterable[str]) -> None:
    with core.reading() as connection:
        new = unknown(connection, files)
    if not new:
        return
    with core.writing() as connection:
        indexer = Indexer(core, connection, frozenset())
        for file in new:
            # Damage is for verify to report, not a reason not to open.
            with suppress(*UNREADABLE):
                indexer.add(file)
        indexer.finish()


def unknown(connection: Connection, files: Iterable[str]) -> list[str]:
    """Return which payload files the catalog does not know, oldest first."""
    by_uuid = {}
    for file in files:
        parsed = naming.parse(file.rpartition("/")[2])
        if parsed is not None:
            by_uuid[parsed.uuid] = file
    known = reading.payload_uuids(connection, list(by_uuid))
    return [by_uuid[uuid] for uuid in sorted(by_uuid) if uuid not in known]


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild has done so far."""

    payloads: int = 0
    damaged: list[tuple[str, ArchiveError]] = field(default_factory=list)


def rebuild(core: Core, progress: Callable[[int, int], None] | None = None) -> Rebuilt:
    """
    Empty the catalog and fill it from the payloads, in one transaction.

    Args:
        core: The open archive.
        progress: Called with the payloads done, and how many there are.

    """
    void: frozenset[tuple[str, int]] = frozenset()
    with core.writing() as connection:
        # Under the lock: what is committed before it is in these files, and
        # what is published since is told to the catalog by its own writer.
        files = sorted(core.store.files(), key=lambda file: file.rpartition("/")[2])
        while True:
            writing.clear(connection)
            core.paths = writing.PathIds()
            indexer = Indexer(core, connection, void)
            done = _fill(indexer, files, progress)
            if indexer.voided <= void:
                return done
            void |= indexer.voided


def _fill(
    indexer: Indexer, files: list[str], progress: Callable[[int, int], None] | None
) -> Rebuilt:
    done = Rebuilt()
    for number, file in enumerate(files, 1):
        try:
            if indexer.add(file):
                done.payloads += 1
        except UNREADABLE as error:
            done.damaged.append((file, error))
        if progress is not None:
            progress(number, len(files))
    late = indexer.finish()
    done.payloads -= len(late)
    done.damaged += late
    return done
