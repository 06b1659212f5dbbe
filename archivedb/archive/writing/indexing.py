"""
From payloads to the catalog, in whatever order they are found.

A payload counts once its rename is durable, whether its writer lived to tell
the catalog or not; one of a batch counts once all of them do.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from archivedb.archive.writing.measuring import measured
from archivedb.catalog import hierarchy, history, payloads, writing
from archivedb.catalog.claims import Claims
from archivedb.errors import (
    CatalogEntryError,
    DecodeError,
    ModeError,
    NameConflictError,
    PayloadError,
    PayloadMissingError,
    StoreError,
)
from archivedb.formats import get_format, suffix_mode
from archivedb.formats.base import checked
from archivedb.formats.envelope import (
    MAKES_VERSION,
    OF_NEWEST,
    Envelope,
    read_head,
)
from archivedb.store import naming
from archivedb.values.skeleton import well_formed

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from sqlalchemy import Connection

    from archivedb.archive.writing.parting import Parting
    from archivedb.catalog.index import PathIds
    from archivedb.errors import ArchiveError
    from archivedb.formats.base import Source
    from archivedb.formats.envelope import Content, Entry
    from archivedb.store.directory import PayloadStore
    from archivedb.store.files import PayloadFile
    from archivedb.values.skeleton import Skeleton

UNREADABLE = (PayloadError, DecodeError, ModeError, StoreError, CatalogEntryError)
"""What one payload may do without keeping the others from being indexed."""

UNDONE_BY_REBUILDING = frozenset(
    {"append", "annotate", "delete", "prune", "rename", "tag"}
)
"""Changes that leave behind less, or more, than a version to be taken back."""

WHOLE = -1
"""In place of a slot: all that a payload tells."""

Find = Callable[[str], str | None]
"""Returns the file of a payload, by its uuid, or None if there is none."""


class Target(Protocol):
    """What payloads are indexed for: an open archive, or one to compare it with."""

    store: PayloadStore
    paths: PathIds

    @property
    def uuid(self) -> str:
        """Which archive it is: payloads of others do not count."""


def read_envelope(source: Source) -> Envelope:
    """
    Return what a payload says about itself, checked against its head.

    Raises:
        PayloadCorruptError: The envelope differs from its digest.
        DecodeError: The file is no payload of archivedb.
        ModeError: Its mode is of another package, which is not installed.

    """
    name = source.name.rpartition("/")[2]
    parsed = naming.parse(name)
    if parsed is None:
        msg = f"{source.name} has not the name of a payload"
        raise DecodeError(msg)
    mode = suffix_mode(parsed.suffix)
    if mode is None:
        msg = (
            f"{source.name} is of a mode that is not installed: install the package "
            f"that adds {parsed.suffix!r}"
        )
        raise ModeError(msg)
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


def others_of(envelope: Envelope, find: Find) -> list[str] | None:
    """
    Return the files of the other payloads of a batch; none if there is no batch.

    Args:
        envelope: What one of them says.
        find: Returns the file of a payload, by its uuid.

    Returns:
        None if one is missing: the writer was cut off before all had their
        names, and the batch does not count.

    """
    found = [find(uuid) for uuid in envelope.batch if uuid != envelope.payload]
    files = [file for file in found if file is not None]
    return files if len(files) == len(found) else None


class Indexer:
    """
    Applies payloads to the catalog, in the order of each record's history.

    A change that comes before its predecessor waits, and is tried again at the
    end; so does a name that still belongs to another record.  Where two
    payloads claim one position, the later counts: the writer of the first was
    cut off before it told the catalog, and so before `save` returned.

    Args:
        core: The open archive.
        connection: An open write transaction.
        void: Changes, as (payload uuid, slot), that a later one supersedes, or
            that others have made and this archive adopted; see `WHOLE`.
        find: Returns the file of a payload, by its uuid.
        only: The uuids of the records whose changes are applied; all if left out.
        parting: Tells what contradicts that which was committed before; if left
            out, nothing was, and the catalog is filled from nothing.

    """

    def __init__(  # noqa: PLR0913, PLR0917 - what is indexed, where, and how much
        self,
        core: Target,
        connection: Connection,
        void: frozenset[tuple[str, int]],
        find: Find,
        only: Container[str] | None = None,
        parting: Parting | None = None,
    ) -> None:
        self._only = only
        self._parting = parting
        self._guests: set[str] = set()
        self._core = core
        self._connection = connection
        self._void = void
        self._find = find
        self._claims = Claims(connection)
        self._waiting: list[tuple[int, str, int]] = []
        self._pruned: set[tuple[str, int]] = set()
        self._bare: set[str] = set()
        self._read: tuple[str, Envelope] | None = None
        self._voided: set[tuple[str, int]] = set()
        self._passed_over: set[tuple[str, int]] = set()
        self._preferred: set[str] = set()
        self.others: set[str] = set()

    def add(self, file: str) -> bool:
        """
        Apply what a payload file holds.

        Returns:
            False if it is not of this archive, or a copy of this archive has
            written it, or its batch does not count.

        Raises:
            ArchiveError: The file is damaged.

        """
        # All of a payload, or nothing: what one holds must not spoil the rest.
        with self._open(file) as (source, envelope):
            if envelope.archive != self._core.uuid:
                return False
            others = others_of(envelope, self._find)
            if others is None:
                return False
            self.others.update(others)
            if self._is_guest(envelope) or self._has_parted(envelope):
                return False
            for slot, entry in enumerate(envelope.entries):
                if self._only is not None and entry.record not in self._only:
                    continue
                self._pruned.update((entry.record, number) for number in entry.drops)
                if (envelope.payload, slot) in self._void:
                    continue
                if self._comes_too_early(entry) or self._lacks(entry):
                    self._waiting.append((entry.position, file, slot))
                else:
                    self._apply_sound(source, envelope, slot)
        return True

    def void(self) -> frozenset[tuple[str, int]] | None:
        """
        Return the changes to leave out when all is indexed once more.

        Returns:
            None if that is not needed.

        """
        # What somebody else's change seemed to supersede may well count.
        found = self._passed_over - self._void or self._voided - self._void
        return self._void | found if found else None

    @contextmanager
    def _open(self, file: str) -> Iterator[tuple[PayloadFile, Envelope]]:
        try:
            with self._core.store.open(file) as source, self._connection.begin_nested():
                if self._read is None or self._read[0] != file:
                    self._read = file, read_envelope(source)
                yield source, self._read[1]
        except BaseException:
            # Their rows were taken back.
            self._core.paths.forget()
            raise

    def _is_guest(self, envelope: Envelope) -> bool:
        return (
            envelope.payload in self._guests or (envelope.payload, WHOLE) in self._void
        )

    def _has_parted(self, envelope: Envelope) -> bool:
        return self._parting is not None and self._parting.has(envelope)

    def _comes_too_early(self, entry: Entry) -> bool:
        if entry.kind == "delete":  # supersedes whatever comes before it
            return False
        return entry.position > history.positions(self._connection, entry.record) + 1

    def _lacks(self, entry: Entry) -> bool:
        """Return whether the payload that a change adopts is gone."""
        file = entry.adopted
        return file is not None and self._core.store.size(file) is None

    def _is_past(self, entry: Entry) -> bool:
        return entry.position <= history.positions(self._connection, entry.record)

    def finish(self) -> list[tuple[str, ArchiveError]]:
        """
        Apply what has waited, also where predecessors are lost.

        Returns:
            The files of which something could not be applied, and why.

        """
        damaged: list[tuple[str, ArchiveError]] = []
        for _, file, slot in sorted(self._waiting):
            blamed = file
            try:
                with self._open(file) as (source, envelope):
                    entry = envelope.entries[slot]
                    if self._parting is not None and self._parting.follows(entry):
                        continue
                    version = entry.record, entry.version
                    lacks = self._lacks(entry)
                    if version in self._pruned and (lacks or entry.kind in OF_NEWEST):
                        continue  # what it changed may be gone
                    if lacks and self._is_past(entry):
                        continue  # it was deleted, and what it adopted, too
                    blamed = entry.adopted if lacks and entry.adopted else file
                    self._apply_sound(source, envelope, slot)
            except UNREADABLE as error:
                damaged.append((blamed, error))
        self._waiting.clear()
        return damaged + self._settle()

    def _settle(self) -> list[tuple[str, ArchiveError]]:
        """Give records their names, and forget those that cannot have theirs."""
        left: dict[str, ArchiveError] = {
            uuid: NameConflictError(why) for uuid, why in self._claims.settle().items()
        }
        for uuid in self._bare:
            name = hierarchy.bare_name(self._connection, uuid)
            if name is not None and uuid not in left:
                left[uuid] = CatalogEntryError(f"the versions of {name!r} are lost")
        damaged = []
        for uuid, error in left.items():
            files = payloads.files_of(self._connection, uuid)
            writing.forget(self._connection, uuid)
            damaged += [(file, error) for file in files]
        return damaged

    def _apply_sound(self, source: PayloadFile, envelope: Envelope, slot: int) -> None:
        # Digests prove who is asked, not that what was said makes sense: where it
        # does not, this payload is left out, and not the whole rebuild.
        with well_formed(f"content of {source.name}"):
            self._apply(source, envelope, slot)

    def _apply(self, source: PayloadFile, envelope: Envelope, slot: int) -> None:
        entry, own = envelope.entries[slot], None
        self._pass_over_guests(envelope, entry)
        if history.positions(self._connection, entry.record) == entry.position:
            self._make_room(envelope, entry)
        if entry.content is not None and entry.adopted is None:
            own = read_skeleton(source, entry.content)
        if entry.kind not in MAKES_VERSION:
            self._bare.add(entry.record)
        payload = register(self._connection, source.name, source.size)
        address = payload, slot
        if not apply_entry(
            self._core,
            self._connection,
            entry,
            address,
            own,
            self._claims,
            source=source,
        ):
            writing.drop_unneeded(self._connection, payload, entry.record)

    def _pass_over_guests(self, envelope: Envelope, entry: Entry) -> None:
        """See to it that what was adopted does not count by itself, too."""
        if entry.adopted is None or entry.content is None:
            return
        for file in (entry.adopted, *entry.content.files):
            uuid = naming.uuid_of(file)
            if uuid in entry.own:
                continue
            if uuid > envelope.payload:  # it comes later, as the other's clock is fast
                self._guests.add(uuid)
            told = payloads.slots_told(self._connection, uuid)
            if told or uuid in self._preferred:
                self._passed_over.add((uuid, WHOLE))

    def _make_room(self, envelope: Envelope, entry: Entry) -> None:
        claim = writing.claim_at(self._connection, entry.record, entry.position)
        if claim is None or claim[2] >= envelope.payload:
            return
        if self._parting is not None and claim[0] <= self._parting.settled:
            return  # what was committed stays
        self._preferred.add(envelope.payload)
        change_id, kind, payload, slot = claim
        if kind in UNDONE_BY_REBUILDING or entry.kind not in MAKES_VERSION:
            # What it removed, changed or extended must be read again.
            self._voided.add((payload, slot))
        else:
            writing.retract(self._connection, change_id)


def apply_entry(  # noqa: PLR0913, PLR0917 - a change, and where it was found
    core: Target,
    connection: Connection,
    entry: Entry,
    address: tuple[int, int],
    own: Skeleton | None,
    claims: Claims,
    *,
    source: PayloadFile | None = None,
) -> bool:
    """
    Apply one change, reading the payload that it adopts if it does.

    Args:
        core: The open archive.
        connection: An open write transaction.
        entry: The change.
        address: The id of its payload, and its slot there.
        own: The skeleton of its content, if that is in the same payload.
        claims: Gives records their names.
        source: That payload, if it is one that was found.

    Returns:
        What `writing.apply` returns.

    """
    content_payload, skeleton = address[0], own
    known = entry.content.facts if entry.content else ()
    if source is not None and entry.content is not None and entry.adopted is None:
        known = measured(core.store, source, entry.content)
    if entry.adopted is not None and entry.content is not None:
        with core.store.open(entry.adopted) as adopted:
            skeleton = read_skeleton(adopted, entry.content)
            known = measured(core.store, adopted, entry.content)
            content_payload = register(connection, entry.adopted, adopted.size)
    shared = {}
    for file in entry.content.files if entry.content else ():
        size = core.store.size(file)
        if size is None and entry.adopted is not None and source is None:
            msg = f"the payload file {file} is gone, which {entry.name!r} needs"
            raise PayloadMissingError(msg)
        shared[file] = register(connection, file, size or 0)
    place = writing.Place(*address, content_payload, skeleton, shared, known)
    return writing.apply(connection, core.paths, entry, place, claims)


def register(connection: Connection, file: str, size: int) -> int:
    """Return the id of a payload file, known or new."""
    parsed = naming.parse(file.rpartition("/")[2])
    assert parsed is not None  # noqa: S101 - the store has looked
    mode = suffix_mode(parsed.suffix) or ""
    return writing.add_payload(
        connection, writing.PayloadRow(parsed.uuid, file, mode, size)
    )
