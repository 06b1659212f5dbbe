"""
The commit protocol: from a value to a change that survives power loss.

Under a lock on the name: temporary file, fsync, its name for good, fsync of
the directory; then one catalog transaction under the writers' lock.  File
before row: a crash in between leaves a payload that counts and that the next
opener indexes, never a row that points at nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from archivedb.archive.provenance import provenance
from archivedb.archive.rows import new_record
from archivedb.archive.writing import indexing, recovering
from archivedb.archive.writing.current import current
from archivedb.archive.writing.planning import Known, saved
from archivedb.catalog import adopted, hierarchy, payloads, reading, writing
from archivedb.catalog.claims import Claims
from archivedb.errors import (
    ArchiveError,
    BatchError,
    EncodeError,
    NameConflictError,
    RecordExistsError,
    RecordNotFoundError,
)
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft
from archivedb.records import Deletion, Record
from archivedb.store import locks
from archivedb.values.encode import encode, encode_inline
from archivedb.values.paths import is_utf8
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy import Connection

    from archivedb.archive.core import Core
    from archivedb.formats.base import Format, Image
    from archivedb.formats.envelope import Entry
    from archivedb.store.pending import Pending

ON_EXISTS = ("version", "error", "skip")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a save says of a value, ready for the envelope."""

    metadata: Any
    tags: tuple[str, ...]
    provenance: Any


def facts(
    metadata: Mapping[str, Any] | None, tags: Iterable[str], *, gather: bool
) -> Facts:
    """
    Check and encode metadata and tags.

    Raises:
        EncodeError: They hold what JSON cannot, or a tag is no text.

    """
    words = checked_tags([tags] if isinstance(tags, str) else tags)
    tree = encode_inline(dict(metadata or {}), "metadata")
    found = provenance() if gather else {}
    return Facts(tree, tuple(sorted(set(words))), found)


def checked_tags(words: Iterable[Any]) -> list[str]:
    """
    Return words that can be tags.

    Raises:
        EncodeError: One is no text, or empty, or not valid UTF-8.

    """
    found = list(words)
    for word in found:
        if not isinstance(word, str) or not word or not is_utf8(word):
            msg = f"a tag is a word, not {word!r}"
            raise EncodeError(msg)
    return found


def save(  # noqa: PLR0913 - what a save consists of
    core: Core, value: Any, name: str, *, mode: str, said: Facts, on_exists: str
) -> Record:
    """Save a value as the next version of a record; see `Archive.save`."""
    if on_exists not in ON_EXISTS:
        msg = f"on_exists is one of {', '.join(ON_EXISTS)}, not {on_exists!r}"
        raise ValueError(msg)
    get_format(mode)
    core.require_writable()
    # Whatever cannot be stored says so here, before anything is written.
    encoded = encode(value)
    if core.spools:
        from archivedb.archive.writing import spooling

        return spooling.save(core, encoded, name, mode, said, on_exists)
    batch = current(core)
    if batch is not None:
        return batch.save(encoded, name, mode, said, on_exists)
    core.create()
    with core.store.name_lock(name):
        recovering.recover(core)
        with core.reading() as connection:
            newest = reading.newest(connection, name)
            if newest is None:
                require_free(connection, name)
                known = None
            else:
                known = Known.of(connection, newest)
        if known is not None:
            require_wanted(name, on_exists)
            if on_exists == "skip" or known.equals(encoded, said):
                return known.record
        entry = saved(known, name, said)
        done = commit(core, mode, [Draft(entry, encoded)])
    return new_record(done.entries[0], done.file)


def require_wanted(name: str, on_exists: str) -> None:
    """
    Raise if a record that exists is an error.

    Raises:
        RecordExistsError: It is.

    """
    if on_exists == "error":
        msg = (
            f"a record named {name!r} exists; save with "
            'on_exists="version" to keep both'
        )
        raise RecordExistsError(msg)


def require_free(connection: Connection, name: str) -> None:
    """
    Raise unless a record of this name would not also be a folder.

    Raises:
        NameConflictError: A record is named like one of its folders, or it is
            itself the folder of others.

    """
    why = hierarchy.conflict(connection, name)
    if why is not None:
        raise NameConflictError(why)


@dataclass(frozen=True, slots=True)
class Part:
    """The changes of a commit that go into one payload, and its mode."""

    mode: str
    drafts: list[Draft]


@dataclass(frozen=True, slots=True)
class Committed:
    """
    What a commit made.

    Attributes:
        files: The payloads, one a part.
        entries: The changes, with their contents, part by part.
        freed: The bytes of the files that it made superfluous.

    """

    files: tuple[str, ...]
    entries: tuple[Entry, ...]
    freed: int

    @property
    def file(self) -> str:
        """The payload, or the first of them."""
        return self.files[0]


def commit(core: Core, mode: str, drafts: list[Draft]) -> Committed:
    """
    Write changes as one payload and make the catalog know them.

    The caller holds the locks of all names.

    Args:
        core: The open archive.
        mode: How the payload is encoded.
        drafts: The changes.

    Raises:
        NameConflictError: A name would be a record and a folder at once.

    """
    return publish(core, write(core, [Part(mode, drafts)]))


@dataclass(frozen=True, slots=True)
class Written:
    """A payload that is on the disk and does not count yet."""

    pending: Pending
    image: Image
    drafts: list[Draft]


def write(core: Core, parts: Sequence[Part]) -> list[Written]:
    """Write payloads, durably, and without a name for good."""
    names = [uuids.uuid7() for _ in parts]
    written: list[Written] = []
    try:
        for uuid, part in zip(names, parts, strict=True):
            written.append(_write(core, uuid, part, names))
    except BaseException:
        discard(written)
        raise
    return written


def _write(core: Core, uuid: str, part: Part, names: list[str]) -> Written:
    form = get_format(part.mode)
    pending = core.store.begin(uuid, form.suffix)
    try:
        if len(names) > 1:
            _require_parts(form, part.mode)
        batch = {"batch": tuple(names)} if len(names) > 1 else {}
        image = form.build(core.uuid, uuid, part.drafts, str(pending.path), **batch)
        pending.write(image)
        for draft in part.drafts:
            if draft.value is not None:
                draft.value.require_unchanged()
    except BaseException:
        pending.discard()
        raise
    return Written(pending, image, part.drafts)


def _require_parts(form: Format, mode: str) -> None:
    """
    Raise unless a format can say that payloads count only together.

    Raises:
        BatchError: It is another package's, of a time before there were batches.

    """
    parameters = signature(form.build).parameters
    if "batch" not in parameters:
        msg = (
            f"payloads of mode {mode!r} cannot be written together with those of "
            "another mode; nothing of the batch was written: use a batch for each mode"
        )
        raise BatchError(msg)


def discard(written: Iterable[Written]) -> None:
    """Remove payloads: nothing refers to them."""
    for each in written:
        each.pending.discard()


Order = Sequence[tuple[int, int]]
"""Part and slot of each change, in the order in which they were made."""


def publish(
    core: Core, written: Sequence[Written], order: Order | None = None
) -> Committed:
    """
    Give payloads their names for good and make the catalog know them.

    The caller holds the locks of all names.

    Args:
        core: The open archive.
        written: The payloads; they count only together.
        order: As it says; part by part if left out.

    Raises:
        NameConflictError: A name would be a record and a folder at once.

    """
    try:
        core.end_backup()
        files = [each.pending.publish() for each in written]
    except BaseException:
        discard(written)
        raise
    try:
        with core.writing() as connection:
            _apply(core, connection, written, files, order)
    except BaseException:
        known = {_committed(core, each.image.envelope.payload) for each in written}
        if known == {False}:
            discard(written)
        else:
            # Nobody can say whether it was committed; the next opener will.
            for each in written:
                each.pending.close()
        raise
    entries = tuple(e for each in written for e in each.image.envelope.entries)
    # Settled last: if this is cut short, the next opener frees what is left.
    freed = recovering.free(core, entries)
    for each in written:
        each.pending.settle()
    return Committed(tuple(files), entries, freed)


def _apply(
    core: Core,
    connection: Connection,
    written: Sequence[Written],
    files: list[str],
    order: Order | None,
) -> None:
    payloads = [
        # A reindex beside this commit may have found a payload already.
        None
        if writing.payload_id(connection, each.image.envelope.payload) is not None
        else indexing.register(connection, file, each.image.size)
        for each, file in zip(written, files, strict=True)
    ]
    if order is None:
        order = [
            (p, s) for p, each in enumerate(written) for s in range(len(each.drafts))
        ]
    claims = Claims(connection)
    for part, slot in order:
        payload, each = payloads[part], written[part]
        if payload is not None:
            value = each.drafts[slot].value
            own = None if value is None else Skeleton(value.skeleton)
            entry = each.image.envelope.entries[slot]
            address = payload, slot
            indexing.apply_entry(core, connection, entry, address, own, claims)
    for why in claims.settle().values():
        raise NameConflictError(why)


def _committed(core: Core, uuid: str) -> bool | None:
    """Return whether the catalog knows a payload, or None if it cannot say."""
    try:
        with core.reading() as connection:
            return writing.payload_id(connection, uuid) is not None
    except ArchiveError:
        return None


@contextmanager
def locked(core: Core, names: Iterable[str]) -> Iterator[None]:
    """Hold the locks of several names."""
    stripes = {locks.stripe(name): name for name in names}
    with ExitStack() as held:
        # In one order, so that two who do this never wait for each other.
        for _, name in sorted(stripes.items()):
            held.enter_context(core.store.name_lock(name))
        yield


def delete(
    core: Core,
    names: Callable[[Connection], list[str]],
    what: str,
    *,
    folder: str | None = None,
) -> Deletion:
    """
    Delete records: a change first, then the catalog, then the files.

    Args:
        core: The open archive.
        names: Returns which, from the catalog.
        what: What the user asked to delete, for the error if it is nothing.
        folder: The folder below which all are meant, for what an open batch
            has put there.

    Raises:
        RecordNotFoundError: There is none.

    """
    core.require_writable()
    batch = current(core)
    if batch is not None and not core.exists:
        return batch.delete([what], what, folder)
    core.require_existing()
    with core.reading() as connection:
        chosen = list(dict.fromkeys(names(connection)))
    if batch is not None:
        return batch.delete(chosen, what, folder)
    with locked(core, chosen):
        recovering.recover(core)
        drafts = []
        with core.reading() as connection:
            for name in chosen:
                found = reading.newest(connection, name)
                if found is not None:  # not deleted meanwhile
                    files = payloads.files_of(connection, found.uuid)
                    origins = adopted.adopted_origins(connection, found.uuid)
                    known = Known.of(connection, found)
                    drafts.append(Draft(known.deleted(files, origins), None))
        if not drafts:
            raise not_found(what)
        done = commit(core, "json", drafts)
    return Deletion(tuple(draft.entry.name for draft in drafts), done.freed)


def not_found(what: str) -> RecordNotFoundError:
    """Return the error for a name that is no record's."""
    msg = f"no record named {what!r}; list them with `archivedb ls`"
    return RecordNotFoundError(msg)
