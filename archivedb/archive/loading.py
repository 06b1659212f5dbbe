"""
Resolving names and paths through the catalog, and reading what they mean.

No byte is interpreted before a digest covering it was checked, and nothing is
unpickled unless someone trusted has signed it.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from archivedb.catalog import reading
from archivedb.errors import (
    KeyNotFoundError,
    RecordNotFoundError,
    StorageError,
    UntrustedPayloadError,
)
from archivedb.formats import get_format
from archivedb.formats.base import corrupt, damaged_blocks
from archivedb.formats.inline import array_nodes
from archivedb.records import Change, Record
from archivedb.storage.group import Group
from archivedb.values import digest, json, paths, pickled, skeleton
from archivedb.values.decode import array_of, decode, decode_inline, stub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.archive.core import Core
    from archivedb.formats.base import Reader, Source
    from archivedb.formats.envelope import Content, Entry
    from archivedb.values.skeleton import Skeleton, Tree

OBJECTS = ("restore", "stub")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Return a time of the catalog's as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def record_of(row: reading.VersionRow) -> Record:
    """Return a row of the catalog as the user's value."""
    return Record(
        name=row.name,
        version=row.version,
        mode=row.mode,
        saved_at=moment(row.saved_at),
        size=row.size,
        digest=row.digest,
        metadata=decode_inline(json.loads(row.metadata, "catalog's metadata")),
        tags=tuple(json.loads(row.tags, "catalog's tags")),
        provenance=decode_inline(json.loads(row.provenance, "catalog's provenance")),
        files=(row.file,),
        uuid=row.uuid,
    )


def new_record(entry: Entry, file: str) -> Record:
    """Return a version that was just committed as the user's value."""
    content = entry.content
    assert content is not None  # noqa: S101 - a version has one
    return Record(
        name=entry.name,
        version=entry.version or 0,
        mode=content.mode,
        saved_at=moment(entry.time),
        size=content.size,
        digest=content.digest,
        metadata=decode_inline(entry.metadata),
        tags=entry.tags,
        provenance=decode_inline(entry.provenance),
        files=(file,),
        uuid=entry.record,
    )


def change_of(row: reading.ChangeRow) -> Change:
    """Return a row of a history as the user's value."""
    return Change(
        row.position, row.kind, row.name, row.version, moment(row.time), row.file
    )


def find_row(core: Core, name: str | Record, version: int | None) -> reading.VersionRow:
    """
    Return the row of a record's version, the newest if none is named.

    Raises:
        RecordNotFoundError: There is no such record, or no such version.

    """
    with core.reading() as connection:
        if isinstance(name, Record):
            number = name.version if version is None else version
            row = reading.by_record(connection, name.uuid, number)
            name = name.name
        elif version is None:
            row = reading.newest(connection, name)
        else:
            row = reading.one(connection, name, version)
        if row is not None:
            return row
        known = reading.newest(connection, name)
        below = reading.is_folder(connection, name)
    if known is not None:
        wanted = "this version" if version is None else f"version {version}"
        msg = f"{name!r} has versions up to {known.version}, but no longer {wanted}"
    elif below:
        msg = f"{name!r} is a folder, not a record; list it with `archivedb ls {name}`"
    else:
        msg = f"no record named {name!r}; list them with `archivedb ls`"
    raise RecordNotFoundError(msg)


@contextmanager
def reader_of(core: Core, row: reading.VersionRow) -> Iterator[Reader]:
    """Open the content of a version; its skeleton is checked."""
    content = row.content
    with core.store.open(row.file) as source:
        reader = get_format(content.mode).reader(source, content)
        yield reader


def load(core: Core, row: reading.VersionRow, objects: str) -> Any:
    """
    Return the whole value of a version.

    Args:
        core: The open archive.
        row: The version.
        objects: ``"restore"``, or ``"stub"`` to put a stub in the place of
            every object whose class would have to be imported.

    """
    if objects not in OBJECTS:
        msg = f"objects is one of {', '.join(OBJECTS)}, not {objects!r}"
        raise ValueError(msg)
    with reader_of(core, row) as reader:
        return read_value(core, row, reader, reader.skeleton.root, objects)


def read_value(
    core: Core,
    row: reading.VersionRow,
    reader: Reader,
    node: Tree,
    objects: str = "restore",
) -> Any:
    """Return the value of a node and all below it."""
    source, content = reader.skeleton, row.content
    if objects == "restore" and content.pickle is not None:
        return _from_pickle(core, row, reader, node)

    def restore(number: int, part: Tree) -> Any:
        if objects == "stub":
            return stub(part)
        require_trusted(core, content, source, row.name)
        return pickled.loads(reader.fetch(number, part).data)

    return decode(source, node, reader.fetch, restore)


def _from_pickle(
    core: Core, row: reading.VersionRow, reader: Reader, node: Tree
) -> Any:
    """Return a value of mode cloudpickle."""
    source = reader.skeleton
    if node is not source.root and _stands_alone(row.content, source, node):
        return decode(source, node, reader.fetch, no_object)
    require_trusted(core, row.content, source, row.name)
    found = reader.pickle()
    assert found is not None  # noqa: S101 - its content has a pickle
    data, buffers = found
    value = pickled.loads(data.data, buffers)
    if node is source.root:
        return value
    return _follow(source, node, value)


def no_object(_number: int, _node: Tree) -> Any:
    """Refuse to restore an object where the skeleton has none."""
    msg = "an object stands where none was"
    raise StorageError(msg)


def _stands_alone(content: Content, source: Skeleton, node: Tree) -> bool:
    """Return whether a part can be read without unpickling the whole."""
    if source.shares or source.nodes:
        return False
    return all(
        part.get("as", "array") != "pickle"
        and content.arrays[part["$array"]].offset is not None
        for part in array_nodes(node)
    )


def _follow(source: Skeleton, node: Tree, value: Any) -> Any:
    """Return the part of an unpickled value that a node stands for."""
    todo = [(source.root, value)]
    while todo:
        at, have = todo.pop()
        at = source.resolve(at)
        if at is node:
            return have
        if skeleton.is_group(at):
            children = [child for _, child in skeleton.children(at)]
            todo += zip(children, have.values(), strict=True)
        elif skeleton.is_container(at):
            children = [child for _, child in skeleton.children(at)]
            flat = have.reshape(-1) if hasattr(have, "reshape") else have
            todo += zip(children, flat, strict=True)
    msg = "the pickle does not hold what the skeleton says"
    raise StorageError(msg)


def require_trusted(core: Core, content: Content, source: Skeleton, name: str) -> None:
    """
    Do nothing if someone trusted signed what reading this would run.

    Raises:
        UntrustedPayloadError: Nobody did; says what is inside.

    """
    if not core.trusts(content):
        raise untrusted(content, source, name)


def untrusted(content: Content, source: Skeleton, name: str) -> UntrustedPayloadError:
    """Return the error for content that nobody trusted has signed."""
    classes = sorted(
        {
            str(node["class"])
            for tree in (source.root, source.nodes)
            for node in array_nodes(tree)
            if node.get("as") == "pickle"
        }
    )
    inside = ", ".join(classes[:5]) if classes else "a pickle"
    by = (content.signature or {}).get("key", "")
    signer = f"signed by the unknown key {by[:16]}…" if by else "not signed"
    msg = (
        f"{name!r} holds {inside}, which runs code when it is restored, and is "
        f'{signer}; load it with objects="stub" to see what is in it, or, if you '
        "trust whoever made it, open the archive with trust=True"
    )
    return UntrustedPayloadError(msg)


# Paths ------------------------------------------------------------------


def splits(path: str | tuple[Any, ...]) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the ways to read a path as a record's name and a path inside it."""
    steps = paths.parts(path)
    ways = []
    for count in range(1, len(steps) + 1):
        head = steps[:count]
        if not all(isinstance(step, str) for step in head):
            break
        ways.append(("/".join(head), steps[count:]))
    return ways


def read_array(core: Core, path: str | tuple[Any, ...]) -> Any | None:
    """
    Return the array at a path, or None if no array of its own is there.

    It is found in the catalog, and its bytes alone are read from the file.
    """
    row = None
    with core.reading() as connection:
        # No two of them are records, since none can be a folder, too.
        for name, inside in splits(path):
            if inside and row is None:
                steps = map(skeleton.key_step, inside)
                row = reading.array(connection, name, paths.join(steps))
    if row is None or row.offset is None or row.kind not in ("array", "list"):
        return None
    with core.store.open(row.file) as source:
        raw = _checked_array(source, row)
    node = {"dtype": row.dtype, "shape": row.shape}
    value = array_of(node, raw)
    return value.tolist() if row.kind == "list" else value


def _checked_array(source: Source, row: reading.ArrayRow) -> Any:
    raw = source.read(row.offset or 0, row.length)
    if digest.array_digest(raw.data)[0] != row.digest:
        where = damaged_blocks(source, raw, row.blocks)
        raise corrupt(source, f"{row.name}/{row.path}", where)
    return raw


def find_place(
    core: Core, path: str | tuple[Any, ...]
) -> tuple[reading.VersionRow, tuple[Any, ...]] | None:
    """Return the record that a path leads into, and the path inside it."""
    ways = splits(path)
    with core.reading() as connection:
        found = reading.first_record(connection, [name for name, _ in ways])
        row = None if found is None else reading.newest(connection, found)
    if row is None:
        return None
    return row, dict(ways)[row.name]


def read_path(core: Core, row: reading.VersionRow, inside: tuple[Any, ...]) -> Any:
    """
    Return what stands at a path: a group for a dict, the object for all else.

    Raises:
        KeyNotFoundError: Nothing does.

    """
    with reader_of(core, row) as reader:
        try:
            node = reader.skeleton.resolve(reader.skeleton.at(inside))
        except KeyNotFoundError as error:
            msg = f"{error} of {row.name!r}; see `archivedb tree {row.name}`"
            raise KeyNotFoundError(msg) from None
        if skeleton.is_group(node):
            return group_of(core, row, reader.skeleton, node, inside)
        return read_value(core, row, reader, node)


def group_of(
    core: Core,
    row: reading.VersionRow,
    source: Skeleton,
    node: Tree,
    inside: tuple[Any, ...],
) -> Group:
    """Return a group that reads its parts when they are asked for."""

    def read(part: Tree) -> Any:
        with reader_of(core, row) as reader:
            # Each reader has a skeleton of its own; nodes are found by place.
            return read_value(core, row, _Aligned(reader, source), part)

    return Group(source, node, f"{row.name}", inside, read)


class _Aligned:
    """A reader that answers for the nodes of a skeleton read before."""

    def __init__(self, reader: Reader, source: Skeleton) -> None:
        self.skeleton = source
        self.fetch = reader.fetch
        self.pickle = reader.pickle
