"""
Plain storage: a directory that holds one dict, without any catalog.

The seed of archivedb: ``save(data, path, mode)`` and ``load(path, mode)``.
`Archive(path)` indexes what lies there.
"""

from __future__ import annotations

import os
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archivedb.archive.address import user_path
from archivedb.archive.core import now
from archivedb.archive.loading import read_value
from archivedb.archive.taking.history import History
from archivedb.archive.writing import recovering, saving
from archivedb.archive.writing.indexing import read_envelope, read_skeleton
from archivedb.catalog import history as histories
from archivedb.catalog import payloads, reading
from archivedb.catalog.adopted import Past
from archivedb.errors import (
    ArchiveError,
    DecodeError,
    ModeError,
    PayloadError,
    PayloadMissingError,
    RecordError,
)
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft
from archivedb.formats.envelope import Entry
from archivedb.store import naming
from archivedb.store.files import make_directory
from archivedb.store.guests import Guests, taking
from archivedb.store.plain import PlainDirectory
from archivedb.values.encode import encode
from archivedb.values.paths import check_name

if TYPE_CHECKING:
    from pathlib import Path

    from archivedb.archive.core import Core
    from archivedb.formats.envelope import Envelope
    from archivedb.store.files import PayloadFile
    from archivedb.values.skeleton import Skeleton


ABANDONED = 60.0
"""Seconds after which the unfinished file of a dead writer is removed."""

ATTEMPTS = 20
"""How often `load` looks for a payload that others keep replacing."""


def save(data: Any, path: str | os.PathLike[str], mode: str = "hdf5") -> None:
    """
    Save a dict into a directory, in place of the one that lies there.

    When it returns, the dict is on the disk; until then, the old one is.

    Args:
        data: The dict, or any other value.
        path: The directory; made if it does not exist.
        mode: ``"hdf5"``, ``"json"`` or ``"cloudpickle"``.

    Raises:
        EncodeError: Part of the data cannot be stored exactly.
        ModeError: There is no such mode.
        StoreError: The file system refused.

    Example:
        >>> save({"energy": -3.7}, "/tmp/archivedb-doctest")
        >>> load("/tmp/archivedb-doctest")
        {'energy': -3.7}

    """
    form, value = get_format(mode), encode(data)
    directory = PlainDirectory(user_path(path))
    make_directory(directory.root)
    old = list(directory.files())
    entry = _next_entry(directory, old)
    after = uuids.uuid7_milliseconds(old[-1][:36]) if old else 0
    uuid = uuids.uuid7(after)
    pending = directory.begin(uuid, form.suffix)
    try:
        image = form.build(None, uuid, [Draft(entry, value)], str(pending.path))
        pending.write(image)
        value.require_unchanged()
        pending.publish()
    except BaseException:
        pending.discard()
        raise
    pending.settle()
    for file in old:
        directory.remove(file)
    directory.sweep(directory.clock() - ABANDONED)


def _next_entry(directory: PlainDirectory, old: list[str]) -> Entry:
    """Return the entry of the record's next version; plain records have one name."""
    # A folder's name may be any bytes; a record's is text.
    name = os.fsencode(directory.root.name).decode("utf-8", "backslashreplace")
    entry = Entry("save", uuids.uuid7(), name, 1, now(), 1)
    if old:
        try:
            with directory.open(old[-1]) as source:
                before = read_envelope(source).entries[0]
        except ArchiveError:  # damaged: what is saved now begins anew
            return entry
        number = before.position + 1
        return replace(entry, record=before.record, position=number, version=number)
    return entry


def load(
    path: str | os.PathLike[str], mode: str | None = None, *, trust: bool = False
) -> Any:
    """
    Load the dict that `save` put into a directory, every byte checked.

    Args:
        path: The directory.
        mode: The mode that it must have been saved in; any if left out.
        trust: Restore objects although nobody trusted has signed them.

    Raises:
        PayloadMissingError: The directory holds none.
        ModeError: It was saved in another mode.
        PayloadCorruptError: Its bytes are not those that were saved.
        UntrustedPayloadError: It holds objects that a stranger has signed.
        RestoreError: An object's class is gone.

    Example:
        >>> save({"energy": -3.7}, "/tmp/archivedb-doctest/run-1", mode="json")
        >>> load("/tmp/archivedb-doctest/run-1")
        {'energy': -3.7}

    """
    if mode is not None:
        get_format(mode)
    directory = PlainDirectory(user_path(path))
    with _open_newest(directory) as source:
        envelope = read_envelope(source)
        if mode is not None and envelope.mode != mode:
            msg = f"{path} was saved in mode {envelope.mode!r}, not {mode!r}"
            raise ModeError(msg)
        entry = envelope.entries[0]
        content = entry.content
        if content is None:
            msg = f"{path} holds no data"
            raise PayloadMissingError(msg)
        reader = get_format(envelope.mode).reader(source, content)
        return read_value(
            reader,
            content,
            reader.skeleton.root,
            name=str(path),
            trusts=lambda content: trust or content.is_trusted(entry.record),
        )


def newest_entry(directory: PlainDirectory) -> tuple[Entry, Skeleton]:
    """
    Return what the payload in a directory says of itself, and its skeleton.

    Raises:
        PayloadMissingError: The directory holds none.

    """
    with _open_newest(directory) as source:
        for entry in read_envelope(source).entries:
            if entry.content is not None:
                return entry, read_skeleton(source, entry.content)
        msg = f"{directory.root} holds no data"
        raise PayloadMissingError(msg)


def _open_newest(directory: PlainDirectory) -> PayloadFile:
    """Open the payload that counts, although another may be taking its place."""
    for _ in range(ATTEMPTS):
        # A listing may miss a name that is added and one that is removed
        # while it is made.
        file = directory.newest()
        if file is not None:
            with suppress(PayloadMissingError):
                return directory.open(file)
        time.sleep(0.001)
    msg = f"there is nothing that archivedb saved in {directory.root}"
    raise PayloadMissingError(msg)


def adopt(core: Core) -> None:
    """
    Index the payload that lies beside a catalog, under its directory's name.

    The file stays where it is; the store gets a copy of its own.  What cannot
    be indexed is warned of: it is no reason not to open the archive.
    """
    try:
        _adopt(core)
    except (PayloadError, DecodeError, RecordError) as error:
        msg = f"what was saved in {core.address.plain} is not indexed: {error}"
        warnings.warn(msg, RuntimeWarning, stacklevel=3)


def _adopt(core: Core) -> None:
    plain = core.address.plain
    if plain is None or core.readonly or PlainDirectory(plain).newest() is None:
        return
    adopt_from(core, plain, plain.name)


def adopt_from(core: Core, place: Path, name: str) -> str | None:
    """
    Index the payload in a directory as the next version of a record.

    Args:
        core: The open archive; made if it is not there.
        place: The directory.
        name: The record's name.

    Returns:
        The record's uuid, or None if the payload is here, or was deleted here.

    """
    directory = PlainDirectory(place)
    with _open_newest(directory) as source:
        file, envelope = source.name, read_envelope(source)
    core.create()
    name = check_name(name)
    with taking(core.store), core.store.name_lock(name):
        entry = _adoption(core, envelope, name, file)
        if entry is None:
            return None
        brought = Guests(core.store)
        assert entry.adopted is not None  # noqa: S101 - it was just named
        try:
            brought.take(directory.resolve(file), entry.adopted)
            saving.commit(core, "json", [Draft(entry, None)])
        except ArchiveError:
            with core.writing() as connection:
                known = not recovering.unknown(connection, [entry.adopted])
                brought.settle([entry.adopted] if known else [])
            raise
        brought.settle([entry.adopted])
    return entry.record


def _adoption(core: Core, envelope: Envelope, name: str, file: str) -> Entry | None:
    """Return the change that adopts a plain payload, or None if none is due."""
    original = envelope.entries[0]
    with core.reading() as connection:
        known = payloads.payload_uuids(connection, [envelope.payload])
        # What began anew, below, is known by the payload that it began with.
        if known or histories.positions(connection, envelope.payload):
            return None
        deleted = histories.deleted_at(connection, original.record, name)
        if deleted is not None and original.time <= deleted:
            return None
        newest = reading.newest(connection, name)
        record = original.record if newest is None else newest.uuid
        if newest is None and histories.positions(connection, record):
            # It was deleted or renamed: what was saved since begins anew.
            record = envelope.payload
        length = histories.positions(connection, record)
    parsed = naming.parse(file)
    assert parsed is not None  # noqa: S101 - the directory has looked
    past = Past("save", original.time, original.version, parsed.relative, 0, None)
    history = History(record, name, [past], lambda _: original)
    return replace(
        history.adoption(0),
        record=record,
        name=name,
        position=length + 1,
        version=1 if newest is None else newest.version + 1,
    )
