"""
The search index: the leaves and the tags of each record's newest version.

It is written in the transaction of the change that it follows from.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects import sqlite

from archivedb.catalog import tables
from archivedb.catalog.prepared import Prepared
from archivedb.values import facts
from archivedb.values.leaf import Kind, Leaf, indexed, value_of
from archivedb.values.leaves import MAX, MEAN, MIN, grown_leaves, leaves
from archivedb.values.paths import item_token
from archivedb.values.skeleton import Skeleton, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from archivedb.values.facts import ArrayFacts

METADATA, DATA = "metadata", "data"
"""The sides of a record, of which each has paths of its own."""

_leaf, _path = tables.leaf.c, tables.path.c


def _p(name: str) -> Any:
    return bindparam(name)


_ADD_PATH = Prepared(
    sqlite.insert(tables.path).on_conflict_do_nothing(), ("side", "path")
)
_PATH_ID = Prepared(
    select(_path.id).where(_path.side == _p("side"), _path.path == _p("path"))
)
_DROP = Prepared(delete(tables.leaf).where(_leaf.record_id == _p("id")))
_DROP_SIDE = Prepared(
    delete(tables.leaf).where(
        _leaf.record_id == _p("id"),
        select(_path.side).where(_path.id == _leaf.path_id).scalar_subquery()
        == _p("side"),
    )
)
_DROP_AT = Prepared(
    delete(tables.leaf).where(
        _leaf.record_id == _p("id"), _leaf.path_id == _p("path_id")
    )
)
_ADD = Prepared(insert(tables.leaf), ("record_id", "path_id", "kind", "num", "txt"))
_AT = Prepared(
    select(_leaf.kind, _leaf.num, _leaf.txt).where(
        _leaf.record_id == _p("id"), _leaf.path_id == _p("path_id")
    )
)
_SET_PARTLY = Prepared(
    update(tables.record)
    .where(tables.record.c.id == _p("id"))
    .values(partly_indexed=_p("to_partly"))
)
_DROP_TAGS = Prepared(delete(tables.tag).where(tables.tag.c.record_id == _p("id")))
_ADD_TAG = Prepared(insert(tables.tag), ("record_id", "tag"))


class PathIds:
    """
    The ids of interned paths, remembered: they never change and never go.

    Those of a transaction that was rolled back must be forgotten, so they
    are kept aside until `keep`.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], int] = {}
        self._new: dict[tuple[str, str], int] = {}

    def get(self, connection: Connection, side: str, paths: Iterable[str]) -> list[int]:
        """Return the ids of paths, interning them if need be."""
        keys = [(side, path) for path in paths]
        known, new = self._known, self._new
        missing = [key for key in keys if key not in known and key not in new]
        if missing:
            # All of a record's at once: one by one takes two statements each.
            rows = [{"side": side, "path": path} for side, path in missing]
            _ADD_PATH.run_many(connection, rows)
            for side_, path in missing:
                self.find(connection, side_, path)
        return [known.get(key) or new[key] for key in keys]

    def find(self, connection: Connection, side: str, path: str) -> int | None:
        """Return the id of a path, or None if it has none."""
        key = (side, path)
        found = self._known.get(key) or self._new.get(key)
        if found is None:
            row = _PATH_ID.run(connection, {"side": side, "path": path}).fetchone()
            if row is None:
                return None
            found = self._new[key] = int(row[0])
        return found

    def keep(self) -> None:
        """Remember the new ones: the transaction was committed."""
        self._known.update(self._new)
        self._new.clear()
        if len(self._known) > 1_000_000:  # noqa: PLR2004 - about 200 MB
            self._known.clear()

    def forget(self) -> None:
        """Forget the new ones: the transaction was rolled back."""
        self._new.clear()


def index_version(  # noqa: PLR0913, PLR0917 - what a version consists of
    connection: Connection,
    paths: PathIds,
    record: int,
    metadata: Any,
    source: Skeleton,
    known: tuple[ArrayFacts | None, ...],
) -> None:
    """
    Replace the leaves of a record by those of its newest version.

    Args:
        connection: An open write transaction.
        paths: The interned paths.
        record: The record's id.
        metadata: Its metadata, encoded inline.
        source: The skeleton of its data.
        known: What is known of its arrays, by number.

    """
    _DROP.run(connection, {"id": record})
    whole = _add_metadata(connection, paths, record, metadata)
    of_data, complete = leaves(source, lambda number: known[number])
    _add(connection, paths, record, DATA, of_data)
    _SET_PARTLY.run(connection, {"id": record, "to_partly": not (whole and complete)})


def index_unread(
    connection: Connection, paths: PathIds, record: int, metadata: Any
) -> None:
    """Index the metadata alone of a record whose data nobody can read, and flag it."""
    _DROP.run(connection, {"id": record})
    _add_metadata(connection, paths, record, metadata)
    _SET_PARTLY.run(connection, {"id": record, "to_partly": True})


def index_metadata(
    connection: Connection, paths: PathIds, record: int, metadata: Any
) -> None:
    """Replace the leaves of a record's metadata; see `index_version`."""
    _DROP_SIDE.run(connection, {"id": record, "side": METADATA})
    if not _add_metadata(connection, paths, record, metadata):
        _SET_PARTLY.run(connection, {"id": record, "to_partly": True})


def _add_metadata(
    connection: Connection, paths: PathIds, record: int, metadata: Any
) -> bool:
    found, complete = leaves(Skeleton.of(metadata), groups=True)
    _add(connection, paths, record, METADATA, found)
    return complete


def _add(
    connection: Connection,
    paths: PathIds,
    record: int,
    side: str,
    found: Mapping[str, Leaf],
) -> None:
    rows = [
        {
            "record_id": record,
            "path_id": path_id,
            "kind": int(leaf.kind),
            "num": leaf.num,
            "txt": leaf.txt,
        }
        for path_id, leaf in zip(
            paths.get(connection, side, found), found.values(), strict=True
        )
    ]
    if rows:
        _ADD.run_many(connection, rows)


def set_tags(connection: Connection, record: int, tags: Iterable[str]) -> None:
    """Replace the tags of a record."""
    _DROP_TAGS.run(connection, {"id": record})
    rows = [{"record_id": record, "tag": tag} for tag in tags]
    if rows:
        _ADD_TAG.run_many(connection, rows)


def drop(connection: Connection, record: int) -> None:
    """Forget a record that was deleted."""
    _DROP.run(connection, {"id": record})
    _DROP_TAGS.run(connection, {"id": record})


def index_rows(  # noqa: PLR0913, PLR0917 - what was there, and what was added
    connection: Connection,
    paths: PathIds,
    record: int,
    path: str,
    part: Any,
    before: list[int],
    added: ArrayFacts | None,
) -> None:
    """
    Bring the leaves of an array up to date with rows appended to it.

    Args:
        connection: An open write transaction.
        paths: The interned paths.
        record: The record's id.
        path: Where the array stands.
        part: The ``$array`` node of the rows.
        before: The array's shape before.
        added: What is known of the rows.

    """

    def below(token: str) -> str:
        return f"{path}/{token}" if path else token

    def at(token: str) -> Leaf | None:
        where = paths.find(connection, DATA, below(token) if token else path)
        row = _AT.run(connection, {"id": record, "path_id": where}).fetchone()
        return None if row is None else Leaf(Kind(row[0]), row[1], row[2])

    whole = at("")
    if whole is None:
        return  # cut off: the record is flagged, and read when asked for
    with well_formed("skeleton"):
        known = _known(at, whole, before)
        shape = [before[0] + part["shape"][0], *before[1:]]
        more = (added or facts.ArrayFacts()).of_shape(part["shape"])
        sizes = math.prod(before), math.prod(part["shape"])
        after = facts.joined(known, sizes[0], more, sizes[1])
        fresh = dict(grown_leaves(path, part, shape, after))
    stale = [path, *map(below, (MIN, MAX, MEAN))]
    stale += [below(item_token(index)) for index in range(facts.MOST_ITEMS)]
    for each in {*stale, *fresh}:
        where = paths.find(connection, DATA, each)
        _DROP_AT.run(connection, {"id": record, "path_id": where})
    _add(connection, paths, record, DATA, {p: indexed(x) for p, x in fresh.items()})
    if added is None:
        _SET_PARTLY.run(connection, {"id": record, "to_partly": True})


def _known(at: Any, whole: Leaf, shape: list[int]) -> ArrayFacts:
    """Return what the index says of an array."""
    numbers = [at(token) for token in (MIN, MAX, MEAN)]
    low, high, mean = (None if each is None else value_of(each) for each in numbers)
    items = None
    if whole.kind is Kind.ARRAY and shape[0] <= facts.MOST_ITEMS:
        found = [at(item_token(index)) for index in range(shape[0])]
        items = [value_of(each) for each in found if each is not None]
        if len(items) < shape[0]:
            items = None  # cut off: the record is flagged
    if low is None or high is None or mean is None:
        return facts.ArrayFacts(None, items)
    return facts.ArrayFacts((low, high, mean), items)
