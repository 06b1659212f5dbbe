"""
What the search index holds of arrays whose payloads do not say it.

Those are payloads of earlier archivedbs, and rows of catalogs of theirs.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from archivedb.catalog import hierarchy, index, reading, writing
from archivedb.errors import ArchiveError, DecodeError, PayloadError, StoreError
from archivedb.formats import get_format
from archivedb.formats.base import checked_array
from archivedb.formats.envelope import Place
from archivedb.values import json
from archivedb.values.arrays import array_of
from archivedb.values.facts import ArrayFacts, array_facts
from archivedb.values.leaves import array_paths
from archivedb.values.paths import parts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from archivedb.formats.base import Reader, Source
    from archivedb.formats.envelope import Content
    from archivedb.store.directory import PayloadStore
    from archivedb.values.arrays import Fetch
    from archivedb.values.dtypes import Bytes
    from archivedb.values.skeleton import Skeleton, Tree

Known = tuple[ArrayFacts | None, ...]

UNREADABLE = (PayloadError, DecodeError, StoreError)


def measured(store: PayloadStore, source: Source, content: Content) -> Known:
    """
    Return what the index shall hold of each array of some content.

    What is damaged stays unknown, and its record is read when it is asked for.
    """
    if content.facts or not content.arrays:
        return content.facts
    with ExitStack() as opened:

        def other(file: str) -> Source:
            return opened.enter_context(store.open(file))

        reader = get_format(content.mode).reader(source, content, other)
        return _of_all(reader)


def _of_all(reader: Reader) -> Known:
    found: list[ArrayFacts | None] = [None] * len(reader.content.arrays)
    for _, node in array_paths(reader.skeleton):
        found[node["$array"]] = facts_of_array(node, reader.fetch)
    return tuple(found)


def facts_of_array(node: Tree, fetch: Fetch) -> ArrayFacts | None:
    """Return the facts of an array that is read for them, or None if it is damaged."""
    if node.get("as", "array") not in ("array", "list"):
        return ArrayFacts()
    try:
        return array_facts(array_of(node, fetch(node["$array"], node)))
    except UNREADABLE:
        return None


def refill(store: PayloadStore, connection: Connection) -> None:
    """
    Fill the search index of a catalog that was just migrated.

    A payload that cannot be read leaves its record flagged, so that a search
    says so instead of missing it.

    Args:
        store: The payloads.
        connection: The transaction of the migration.

    """
    paths = index.PathIds()
    # Not while the same rows are read: to fill the index changes them.
    records = hierarchy.living_ids(connection)
    for start in range(0, len(records), _PAGE):
        for row in reading.newest_by_ids(connection, records[start : start + _PAGE]):
            _refill(store, connection, paths, row)
        paths.keep()
    for version in reading.unmeasured_versions(connection):
        with suppress(ArchiveError):
            _measure_rows(store, connection, version)


_PAGE = 500


def _refill(
    store: PayloadStore,
    connection: Connection,
    paths: index.PathIds,
    row: reading.VersionRow,
) -> None:
    metadata = json.loads(row.metadata, "catalog's metadata")
    try:
        _fill(store, connection, paths, row, metadata)
    except ArchiveError:
        index.index_unread(connection, paths, row.record_id, metadata)


def _fill(
    store: PayloadStore,
    connection: Connection,
    paths: index.PathIds,
    row: reading.VersionRow,
    metadata: Tree,
) -> None:
    with ExitStack() as opened:

        def other(file: str) -> Source:
            return opened.enter_context(store.open(file))

        content = row.content
        reader = get_format(content.mode).reader(other(row.file), content, other)
        known = content.facts or _of_all(reader)
        index.index_version(
            connection, paths, row.record_id, metadata, reader.skeleton, known
        )
        shapes: dict[str, list[int]] = {}
        for part, added in _measure_rows(store, connection, row.id):
            before = shapes.get(part.path) or _shape(reader.skeleton, part.path)
            node = {"$array": 0, "dtype": part.dtype, "shape": part.shape}
            index.index_rows(
                connection, paths, row.record_id, part.path, node, before, added
            )
            shapes[part.path] = [before[0] + part.shape[0], *before[1:]]


def _measure_rows(
    store: PayloadStore, connection: Connection, version: int
) -> list[tuple[reading.AppendedRow, ArrayFacts | None]]:
    """Return the rows appended to a version and what is known of them, noting it."""
    found = []
    for part in reading.appended(connection, version):
        added = part.facts
        if added is None:
            added = _facts_of_rows(store, part)
            writing.set_facts(connection, version, part.key, added)
        found.append((part, added))
    return found


def _shape(source: Skeleton, path: str) -> list[int]:
    node = source.resolve(source.at(parts(path)))
    pieces = node.get("$parts", [node])
    length = sum(piece["shape"][0] for piece in pieces)
    return [length, *pieces[0]["shape"][1:]]


def _facts_of_rows(store: PayloadStore, part: reading.AppendedRow) -> ArrayFacts | None:
    node = {"$array": 0, "dtype": part.dtype, "shape": part.shape}

    def fetch(_number: int, _node: Tree) -> Bytes:
        with store.open(part.file) as source:
            place = Place(part.offset, part.length, part.blocks)
            return checked_array(source, place, part.digest, lambda: part.path)

    return facts_of_array(node, fetch)
