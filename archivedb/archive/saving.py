"""
The commit protocol: from a value to a change that survives power loss.

Under a lock on the name: temporary file, fsync, its name for good, fsync of
the directory; then one catalog transaction under the writers' lock.  File
before row: a crash in between leaves a payload that counts and that the next
opener indexes, never a row that points at nothing.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archivedb.archive import indexing
from archivedb.archive.core import Core, now
from archivedb.archive.provenance import provenance
from archivedb.archive.rows import new_record, record_of
from archivedb.catalog import reading, writing
from archivedb.errors import (
    ArchiveError,
    EncodeError,
    NameConflictError,
    RecordExistsError,
    RecordNotFoundError,
)
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft
from archivedb.formats.envelope import Entry
from archivedb.records import Deletion, Record
from archivedb.store import locks
from archivedb.values import json
from archivedb.values.encode import encode, encode_inline
from archivedb.values.paths import is_utf8
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection

    from archivedb.formats.base import Image
    from archivedb.values.encode import Encoded

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
    words: list[Any] = [tags] if isinstance(tags, str) else list(tags)
    for word in words:
        if not isinstance(word, str) or not word or not is_utf8(word):
            msg = f"a tag is a word, not {word!r}"
            raise EncodeError(msg)
    tree = encode_inline(dict(metadata or {}), "metadata")
    found = provenance() if gather else {}
    return Facts(tree, tuple(sorted(set(words))), found)


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
    core.create()
    with core.store.name_lock(name):
        indexing.recover(core)
        with core.reading() as connection:
            newest = reading.newest(connection, name)
            if newest is None:
                require_free(connection, name)
                history = None
            else:
                history = reading.positions(connection, newest.uuid)
        if newest is not None:
            if on_exists == "error":
                msg = (
                    f"a record named {name!r} exists; save with "
                    'on_exists="version" to keep both'
                )
                raise RecordExistsError(msg)
            if on_exists == "skip" or _equal(newest, encoded, said):
                return record_of(newest)
        entry = Entry(
            kind="save",
            record=uuids.uuid7() if newest is None else newest.uuid,
            name=name,
            position=(history or 0) + 1,
            time=now(),
            version=1 if newest is None else newest.version + 1,
            metadata=said.metadata,
            tags=said.tags,
            provenance=said.provenance,
        )
        done = commit(core, mode, [Draft(entry, encoded)], new=newest is None)
    return new_record(done.entries[0], done.file)


def _equal(newest: reading.VersionRow, encoded: Encoded, said: Facts) -> bool:
    return (
        newest.digest == encoded.digest
        and json.dumps_sorted(json.loads(newest.metadata, "catalog's metadata"))
        == json.dumps_sorted(said.metadata)
        and newest.tags == json.dumps(said.tags)
    )


def require_free(connection: Connection, name: str) -> None:
    """
    Raise unless a record of this name would not also be a folder.

    Raises:
        NameConflictError: A record is named like one of its folders, or it is
            itself the folder of others.

    """
    why = reading.conflict(connection, name)
    if why is not None:
        raise NameConflictError(why)


@dataclass(frozen=True, slots=True)
class Committed:
    """
    What a commit made.

    Attributes:
        file: The payload.
        entries: Its changes, with their contents.
        freed: The bytes of the files that it made superfluous.

    """

    file: str
    entries: tuple[Entry, ...]
    freed: int


def commit(core: Core, mode: str, drafts: list[Draft], *, new: bool) -> Committed:
    """
    Write changes as one payload and make the catalog know them.

    The caller holds the locks of all names.

    Args:
        core: The open archive.
        mode: How the payload is encoded.
        drafts: The changes.
        new: Whether names come into being that might clash with folders.

    """
    form = get_format(mode)
    uuid = uuids.uuid7()
    pending = core.store.begin(uuid, form.suffix)
    try:
        image = form.build(core.uuid, uuid, drafts, str(pending.path))
        pending.write(image)
        for draft in drafts:
            if draft.value is not None:
                draft.value.require_unchanged()
        file = pending.publish()
    except BaseException:
        pending.discard()
        raise
    try:
        with core.writing() as connection:
            # A reindex beside this save may have found the payload already.
            if writing.payload_id(connection, uuid) is None:
                if new:
                    for draft in drafts:
                        require_free(connection, draft.entry.name)
                _apply(core, connection, drafts, image, file)
    except BaseException:
        if _committed(core, uuid) is False:
            pending.discard()
        else:
            # Nobody can say whether it was committed; the next opener will.
            pending.close()
        raise
    # Settled last: if this is cut short, the next opener frees what is left.
    freed = indexing.free(core, image.envelope.entries)
    pending.settle()
    return Committed(file, image.envelope.entries, freed)


def _apply(
    core: Core, connection: Connection, drafts: list[Draft], image: Image, file: str
) -> None:
    payload = indexing.register(connection, file, image.size)
    for slot, (entry, draft) in enumerate(
        zip(image.envelope.entries, drafts, strict=True)
    ):
        own = None if draft.value is None else Skeleton(draft.value.skeleton)
        indexing.apply_entry(core, connection, entry, (payload, slot), own)


def _committed(core: Core, uuid: str) -> bool | None:
    """Return whether the catalog knows a payload, or None if it cannot say."""
    try:
        with core.reading() as connection:
            return writing.payload_id(connection, uuid) is not None
    except ArchiveError:
        return None


def delete(core: Core, names: Callable[[Connection], list[str]], what: str) -> Deletion:
    """
    Delete records: a change first, then the catalog, then the files.

    Args:
        core: The open archive.
        names: Returns which, from the catalog.
        what: What the user asked to delete, for the error if it is nothing.

    """
    core.require_writable()
    core.require_existing()
    with core.reading() as connection:
        chosen = names(connection)
    with ExitStack() as held:
        # In one order, so that two deletes never wait for each other.
        for stripe in sorted({locks.stripe(name): name for name in chosen}.items()):
            held.enter_context(core.store.name_lock(stripe[1]))
        indexing.recover(core)
        drafts = []
        with core.reading() as connection:
            for name in chosen:
                found = reading.newest(connection, name)
                if found is not None:  # not deleted meanwhile
                    position = reading.positions(connection, found.uuid) + 1
                    entry = Entry(
                        kind="delete",
                        record=found.uuid,
                        name=name,
                        position=position,
                        time=now(),
                        frees=tuple(reading.files_of(connection, found.uuid)),
                    )
                    drafts.append(Draft(entry, None))
        if not drafts:
            msg = f"no record named {what!r}; list them with `archivedb ls`"
            raise RecordNotFoundError(msg)
        done = commit(core, "json", drafts, new=False)
    return Deletion(tuple(draft.entry.name for draft in drafts), done.freed)
