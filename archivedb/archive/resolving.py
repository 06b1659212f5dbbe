"""Paths: which record they lead into, and what stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.archive.document import RecordDocument
from archivedb.archive.loading import read_value, reader_of
from archivedb.catalog import hierarchy, reading
from archivedb.errors import KeyNotFoundError
from archivedb.formats.base import checked_array
from archivedb.formats.envelope import Place
from archivedb.storage.group import Group
from archivedb.values import paths, skeleton
from archivedb.values.arrays import array_of

if TYPE_CHECKING:
    from archivedb.archive.core import Core


def splits(path: str | tuple[Any, ...]) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the ways to read a path as a record's name and a path inside it."""
    # A name is compared as it is written; only inside a record is a text key
    # spelt as a token.
    steps = path if isinstance(path, tuple) else tuple(path.split("/"))
    inside = paths.parts(path)
    ways = []
    for count in range(1, len(steps) + 1):
        head = steps[:count]
        if not all(isinstance(step, str) and paths.is_utf8(step) for step in head):
            break
        ways.append(("/".join(head), inside[count:]))
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
        place = Place(row.offset, row.length, row.blocks)
        name = f"the array at {row.name}/{row.path}"
        raw = checked_array(source, place, row.digest, lambda: name)
    node = {"dtype": row.dtype, "shape": row.shape}
    value = array_of(node, raw)
    return value.tolist() if row.kind == "list" else value


def find_place(
    core: Core, path: str | tuple[Any, ...]
) -> tuple[reading.VersionRow, tuple[Any, ...]] | None:
    """Return the record that a path leads into, and the path inside it."""
    ways = splits(path)
    with core.reading() as connection:
        found = hierarchy.first_record(connection, [name for name, _ in ways])
        row = None if found is None else reading.newest(connection, found)
    if row is None:
        return None
    return row, dict(ways)[row.name]


def read_path(
    core: Core,
    row: reading.VersionRow,
    inside: tuple[Any, ...],
    *,
    pinned: bool = False,
    gather: bool = True,
) -> Any:
    """
    Return what stands at a path: a group for a dict, the object for all else.

    Args:
        core: The open archive.
        row: The version.
        inside: The path in it.
        pinned: Whether a group shows that version, and not the newest.
        gather: Whether edits of a group record provenance.

    Raises:
        KeyNotFoundError: Nothing does.

    """
    with reader_of(core, row) as reader:
        try:
            found, tokens = reader.skeleton.walk(inside)
            node = reader.skeleton.resolve(found)
        except KeyNotFoundError as error:
            msg = f"{error} of {row.name!r}; see `archivedb tree {row.name}`"
            raise KeyNotFoundError(msg) from None
        if skeleton.is_group(node):
            document = RecordDocument(core, row, pinned=pinned, gather=gather)
            return Group(document, tokens)
        return read_value(reader, row.content, node, name=row.name, trusts=core.trusts)
