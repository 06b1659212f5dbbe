"""
Edits of a record: new versions that share what they did not change.

An edit writes a new skeleton and new arrays; the others stay in the payloads
where they lie, which the new version names.  Rows that are appended are a
change of their own, as small as the rows, and make no version.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archivedb.archive.core import Core, now
from archivedb.archive.loading import find_row, reader_of, untrusted
from archivedb.archive.provenance import provenance
from archivedb.archive.rows import record_of
from archivedb.archive.writing import recovering
from archivedb.archive.writing.current import refuse_in_batch
from archivedb.archive.writing.measuring import facts_of_array
from archivedb.archive.writing.saving import commit
from archivedb.catalog import adopted, history, payloads, reading
from archivedb.errors import RecordNotFoundError
from archivedb.formats.base import Draft
from archivedb.formats.envelope import Entry, Place
from archivedb.records import Deletion
from archivedb.values import digest, json, paths
from archivedb.values.arrays import KeptArray, joined, stored_again
from archivedb.values.editing import Append, Assign, Edited, apply
from archivedb.values.encode import NO_VALUE, Encoded, encode
from archivedb.values.executable import class_names
from archivedb.values.leaves import array_paths, stored_arrays
from archivedb.values.skeleton import (
    Skeleton,
    extend_array,
    has_parts,
    is_extensible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archivedb.formats.base import Reader
    from archivedb.records import Record
    from archivedb.values.dtypes import Bytes
    from archivedb.values.editing import Op
    from archivedb.values.facts import ArrayFacts
    from archivedb.values.skeleton import Tree


@dataclass(frozen=True, slots=True)
class Held:
    """
    An array of a record, where it lies.

    Attributes:
        number: Its number in the version that was read.
        file: The payload, relative to the store.
        place: Where it lies there; without an offset, inline in the skeleton.
        facts: What the search index holds of it, or None if nobody has looked.

    """

    number: int
    file: str
    place: Place
    facts: ArrayFacts | None = None


def held(reader: Reader, row: reading.VersionRow) -> list[Held]:
    """Return where the arrays of an open version lie, by number."""
    content, found = reader.content, []
    known = content.facts or (None,) * len(content.arrays)
    for number, (place, facts) in enumerate(zip(content.arrays, known, strict=True)):
        file = row.file if place.file is None else content.files[place.file]
        found.append(Held(number, file, place, facts))
    return found


@dataclass(frozen=True, slots=True)
class Appended:
    """
    Rows that have just been appended.

    Attributes:
        row: The version with them.
        file: The payload that holds them.
        place: Where they lie there.
        facts: What the search index holds of them.

    """

    row: reading.VersionRow
    file: str
    place: Place
    facts: ArrayFacts | None


def extend(source: Skeleton, arrays: list[Any], op: Op, added: Appended) -> bool:
    """
    Add to a version that was read what has been appended to it since.

    Returns:
        False if it must be read again, since other threads may be reading it,
        and would see it half changed.

    """
    assert isinstance(op, Append)  # noqa: S101 - nothing else appends
    if not has_parts(source, op.steps):
        return False
    node = Skeleton(op.rows.skeleton).root
    # The rows come before what refers to them.
    number = len(arrays)
    arrays.append(Held(number, added.file, added.place, added.facts))
    extend_array(source, op.steps, {**node, "$array": number})
    return True


def only_extends(source: Skeleton, ops: Sequence[Op]) -> bool:
    """Return whether edits append rows, by which nothing but an array changes."""
    if len(ops) != 1 or not isinstance(ops[0], Append):
        return False
    return is_extensible(source, ops[0].steps)


def edit(
    core: Core,
    row: reading.VersionRow,
    ops: Sequence[Op],
    *,
    extends: bool,
    gather: bool,
) -> Appended | None:
    """
    Apply edits to the newest version of a record, as one change.

    Args:
        core: The open archive.
        row: Any version of the record.
        ops: The edits.
        extends: Whether they are rows for what this version has as an array,
            and nothing else shares; see `only_extends`.
        gather: Whether to record provenance.

    Returns:
        What was appended, if it was; None if there is a new version, or
        nothing has changed.

    Raises:
        RecordNotFoundError: The record was deleted.
        UntrustedPayloadError: It holds objects of a stranger, which an edit
            would sign.

    """
    core.require_writable()
    with _locked(core, row, "edit what is inside records") as newest:
        if isinstance(ops[0], Append) and extends and newest.is_version(row):
            entry = _append_entry(core, newest, ops[0])
            if entry is not None:
                # JSON could be extended only by writing all of it again.
                mode = "hdf5" if newest.mode == "json" else newest.mode
                done = commit(core, mode, [Draft(entry, ops[0].rows)])
                content = done.entries[0].content
                assert content is not None  # noqa: S101 - the rows
                grown = replace(newest, appended=newest.appended + 1)
                return Appended(grown, done.file, content.arrays[0], content.facts[0])
        with reader_of(core, newest) as reader:
            arrays = held(reader, newest)
            edited = apply(reader.skeleton, arrays, ops)
            before = newest.content.digest
            if newest.appended:
                # What has grown since has no digest as a whole.
                before = digest.digest(apply(reader.skeleton, arrays, ()).skeleton)
            if digest.digest(edited.skeleton) == before:
                return None
            _require_own(core, newest, reader.skeleton, edited)
            _commit(core, newest, _encoded(edited, reader), gather=gather)
    return None


@contextmanager
def _locked(
    core: Core, row: reading.VersionRow, what: str
) -> Iterator[reading.VersionRow]:
    """Hold the lock of a record, and yield its newest version."""
    refuse_in_batch(core, what)
    name = row.name
    while True:
        with core.store.name_lock(name):
            recovering.recover(core)
            with core.reading() as connection:
                newest = reading.newest_of(connection, row.uuid)
            if newest is None:
                msg = f"{name!r} was deleted; nothing was changed"
                raise RecordNotFoundError(msg)
            if newest.name == name:
                yield newest
                return
        name = newest.name  # it was renamed meanwhile


def _position(core: Core, row: reading.VersionRow) -> int:
    with core.reading() as connection:
        return history.positions(connection, row.uuid) + 1


def _append_entry(core: Core, row: reading.VersionRow, op: Append) -> Entry | None:
    """Return the change that appends rows, or None if an edit must do it."""
    path = paths.join(op.steps)
    with core.reading() as connection:
        found = reading.array(connection, row.name, path)
    node = Skeleton(op.rows.skeleton).root
    if (
        found is None
        or found.kind not in ("array", "parts")
        or found.dtype != node.get("dtype")
        or not found.shape
        or found.shape[1:] != node["shape"][1:]
        or "as" in node
        or not node["shape"]
    ):
        return None
    return Entry(
        kind="append",
        record=row.uuid,
        name=row.name,
        position=_position(core, row),
        time=now(),
        version=row.version,
        path=path,
    )


def _require_own(
    core: Core, row: reading.VersionRow, before: Skeleton, edited: Edited
) -> None:
    """Raise if an edit would put this user's name under a stranger's objects."""
    if edited.executable and class_names(before) and not core.trusts(row.content):
        raise untrusted(row.content, before, row.name)


def _encoded(edited: Edited, reader: Reader, *, share: bool = True) -> Encoded:
    """
    Return an edited value with its arrays as a format wants them.

    Args:
        edited: The value.
        reader: What has read the version before.
        share: Whether arrays stay where they lie, if they have a place there.

    """
    source = Skeleton(edited.skeleton)
    nodes = {node["$array"]: (path, node) for path, node in array_paths(source)}
    arrays: list[Any] = []
    for number, array in enumerate(edited.arrays):
        if not isinstance(array, Held):
            arrays.append(array)
        elif array.place.offset is None or not share:
            path, node = nodes[number]
            arrays.append(stored_again(path, node, reader.fetch(array.number, node)))
        else:
            place, node = array.place, nodes[number][1]

            def fetch(_: int, node: Tree, number: int = array.number) -> Bytes:
                return reader.fetch(number, node)

            # An earlier archivedb has saved it without looking.
            known = array.facts or facts_of_array(node, fetch)
            arrays.append(
                KeptArray(
                    *(array.file, place.offset or 0, place.length, place.blocks),
                    facts=known,
                )
            )
    text, executable = edited.skeleton, edited.executable
    return Encoded(NO_VALUE, text, digest.digest(text), tuple(arrays), executable)


def _commit(
    core: Core, row: reading.VersionRow, value: Encoded, *, gather: bool
) -> Entry:
    entry = Entry(
        kind="edit",
        record=row.uuid,
        name=row.name,
        position=_position(core, row),
        time=now(),
        version=row.version + 1,
        metadata=json.loads(row.metadata, "catalog's metadata"),
        tags=tuple(json.loads(row.tags, "catalog's tags")),
        provenance=provenance() if gather else {},
    )
    return commit(core, row.mode, [Draft(entry, value)]).entries[0]


def compact(core: Core, name: str | Record, *, gather: bool) -> Record:
    """Make the newest version stand alone in one payload; see `Archive.compact`."""
    core.require_writable()
    row = find_row(core, name, None)
    with (
        _locked(core, row, "compact records") as newest,
        reader_of(core, newest) as reader,
    ):
        if newest.appended or reader.content.files or _has_parts(reader.skeleton):
            _commit(core, newest, standing_alone(core, newest, reader), gather=gather)
    return record_of(find_row(core, newest.name, None))


def _has_parts(source: Skeleton) -> bool:
    return any("$parts" in node for _, node in stored_arrays(source))


def standing_alone(core: Core, row: reading.VersionRow, reader: Reader) -> Encoded:
    """
    Return the value of a version with all its arrays, each in one piece.

    Args:
        core: The open archive.
        row: The version.
        reader: What has opened it.

    Raises:
        UntrustedPayloadError: It holds objects of a stranger, which whoever
            writes them would sign.

    """
    ops = []
    for path, node in stored_arrays(reader.skeleton):
        if "$parts" in node:
            whole = joined(node["$parts"], reader.fetch)
            steps = tuple(paths.parts(path))
            ops.append(Assign(steps, encode(whole, at=steps)))
    edited = apply(reader.skeleton, held(reader, row), ops)
    _require_own(core, row, reader.skeleton, edited)
    return _encoded(edited, reader, share=False)


def prune(core: Core, name: str | Record, keep: int) -> Deletion:
    """Remove all but the newest versions of a record; see `Archive.prune`."""
    if type(keep) is not int or keep < 1:
        msg = f"keep is how many versions stay, at least 1, not {keep!r}"
        raise ValueError(msg)
    core.require_writable()
    row = find_row(core, name, None)
    with _locked(core, row, "prune records") as newest:
        with core.reading() as connection:
            versions = reading.all_versions(connection, newest.name)
            dropped = [each.version for each in versions[:-keep]]
            frees = payloads.files_only_of(connection, newest.uuid, dropped)
            origins = adopted.origins_of(connection, newest.uuid, dropped)
        if not dropped:
            return Deletion((), 0)
        entry = Entry(
            kind="prune",
            record=newest.uuid,
            name=newest.name,
            position=_position(core, newest),
            time=now(),
            drops=tuple(dropped),
            frees=tuple(frees),
            origins=origins,
        )
        done = commit(core, "json", [Draft(entry, None)])
    names = tuple(f"{newest.name} version {number}" for number in dropped)
    return Deletion(names, done.freed)
