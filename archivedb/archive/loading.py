"""
Finding a version through the catalog, and reading what it holds.

No byte is interpreted before a digest covering it was checked, and nothing is
unpickled unless someone trusted has signed it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archivedb.catalog import reading
from archivedb.errors import (
    InvalidNameError,
    PayloadCorruptError,
    PayloadMissingError,
    RecordNotFoundError,
    StorageError,
    UntrustedPayloadError,
)
from archivedb.formats import get_format
from archivedb.formats.inline import array_nodes
from archivedb.records import Record
from archivedb.values import pickled, skeleton
from archivedb.values.decode import decode, stub
from archivedb.values.paths import is_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archivedb.archive.core import Core
    from archivedb.formats.base import Reader
    from archivedb.formats.envelope import Content
    from archivedb.store.files import PayloadFile
    from archivedb.values.skeleton import Skeleton, Tree

OBJECTS = ("restore", "stub")


def find_row(core: Core, name: str | Record, version: int | None) -> reading.VersionRow:
    """
    Return the row of a record's version, the newest if none is named.

    Raises:
        RecordNotFoundError: There is no such record, or no such version.

    """
    if not isinstance(name, (str, Record)):
        msg = f"a record's name is text, not {type(name).__name__}"
        raise InvalidNameError(msg)
    if not isinstance(name, Record) and not is_utf8(name):
        msg = f"no record is named {name!r}: it is not valid UTF-8"
        raise RecordNotFoundError(msg)
    if version is not None and type(version) is not int:
        msg = f"a version is a number, not {version!r}"
        raise RecordNotFoundError(msg)
    if version is not None and not 0 < version < 1 << 63:
        msg = f"versions are counted from 1: there is no {version}"
        raise RecordNotFoundError(msg)
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
        wanted = "not this one" if version is None else f"no version {version}"
        msg = f"{name!r} has {wanted}; its newest is version {known.version}"
    elif below:
        msg = f"{name!r} is a folder, not a record; list it with `archivedb ls {name}`"
    else:
        msg = f"no record named {name!r}; list them with `archivedb ls`"
    raise RecordNotFoundError(msg)


@contextmanager
def reader_of(core: Core, row: reading.VersionRow) -> Iterator[Reader]:
    """Open the content of a version; its skeleton is checked."""
    content = row.content
    with _open(core, row) as source:
        try:
            yield get_format(content.mode).reader(source, content)
        except PayloadCorruptError as error:
            msg = f"{row.name!r} version {row.version}: {error}"
            raise PayloadCorruptError(msg) from error


def _open(core: Core, row: reading.VersionRow) -> PayloadFile:
    try:
        return core.store.open(row.file)
    except PayloadMissingError:
        with core.reading() as connection:
            there = reading.by_record(connection, row.uuid, row.version)
        if there is None:
            msg = f"{row.name!r} was deleted while it was looked up"
            raise RecordNotFoundError(msg) from None
        raise


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
        return read_value(
            reader,
            row.content,
            reader.skeleton.root,
            name=row.name,
            trusts=core.trusts,
            objects=objects,
        )


def read_value(  # noqa: PLR0913 - what a reading consists of
    reader: Reader,
    content: Content,
    node: Tree,
    *,
    name: str,
    trusts: Callable[[Content], bool],
    objects: str = "restore",
) -> Any:
    """
    Return the value of a node and all below it.

    Args:
        reader: The open content.
        content: Where it lies, and who vouches for it.
        node: A node of the reader's skeleton.
        name: What to call it in messages.
        trusts: Says whether what it would run may run; asked only then.
        objects: As for `load`.

    """
    source = reader.skeleton

    def require_trusted() -> None:
        if not trusts(content):
            raise untrusted(content, source, name)

    if objects == "restore" and content.pickle is not None:
        if node is not source.root and _stands_alone(content, source, node):
            return decode(source, node, reader.fetch, no_object)
        require_trusted()
        return _from_pickle(reader, node)

    def restore(number: int, part: Tree) -> Any:
        if objects == "stub":
            return stub(part)
        require_trusted()
        return pickled.loads(reader.fetch(number, part).data)

    return decode(source, node, reader.fetch, restore)


def _from_pickle(reader: Reader, node: Tree) -> Any:
    """Return a value of mode cloudpickle, which is trusted."""
    source, found = reader.skeleton, reader.pickle()
    assert found is not None  # noqa: S101 - its content has a pickle
    data, buffers = found
    value = pickled.loads(data.data, buffers)
    return value if node is source.root else _follow(source, node, value)


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
