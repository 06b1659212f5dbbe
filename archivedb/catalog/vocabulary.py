"""
Which leaves of the index a path of a question means.

A path may be spelt on both sides of a record, and its last part may be a key
or what is known of an array: ``forces.max``.  What stands first hides the rest,
record by record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select

from archivedb.catalog import tables
from archivedb.catalog.index import DATA, METADATA
from archivedb.catalog.prepared import Prepared
from archivedb.query.attributes import attribute
from archivedb.values.leaf import LONG, Kind
from archivedb.values.paths import is_utf8, token_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from archivedb.query.nodes import Path

_path, _leaf = tables.path.c, tables.leaf.c
_ID = Prepared(
    select(_path.id).where(
        _path.side == bindparam("side"), _path.path == bindparam("path")
    )
)
_ITEMS = Prepared(
    select(_path.id, _path.path).where(
        _path.side == bindparam("side"),
        _path.path >= bindparam("above"),
        _path.path < bindparam("below"),
    )
)
_NEXT_KIND = Prepared(
    select(func.min(_leaf.kind)).where(
        _leaf.path_id == bindparam("id"), _leaf.kind > bindparam("kind")
    )
)


_BELOW = Prepared(
    select(_path.id)
    .where(
        _path.side == bindparam("side"),
        _path.path > bindparam("above"),
        _path.path < bindparam("below"),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Source:
    """
    One of the places where what a path means may stand.

    Attributes:
        id: The interned path.
        view: What of the leaf is meant: its ``"value"``, or the ``"dtype"`` or
            ``"ndim"`` of an array.
        kinds: The kinds of leaves that some record has there.
        side: ``"metadata"`` or ``"data"``.
        path: The path, as the catalog spells it.

    """

    id: int
    view: str
    kinds: frozenset[Kind]
    side: str
    path: str


@dataclass(frozen=True, slots=True)
class Place:
    """
    What a path of a question means.

    Attributes:
        sources: Where it may stand, what hides the rest first.
        hiders: The interned paths of arrays and lists, above the path, whose
            items the index may not hold.

    """

    sources: tuple[Source, ...]
    hiders: tuple[int, ...] = ()

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of leaves that some record has there."""
        return frozenset().union(*(source.kinds for source in self.sources))


@dataclass(slots=True)
class Vocabulary:
    """
    The paths that some record of a catalog has, asked one by one.

    Args:
        connection: An open transaction.

    """

    connection: Connection
    _places: dict[tuple[str, tuple[str, ...]], Place] = field(default_factory=dict)
    _sources: dict[tuple[str, str, str], Source | None] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Return what a path means; without sources where no record has it."""
        return self.at(path.side, path.steps)

    def at(self, side: str, steps: tuple[str, ...]) -> Place:
        """Return what the path of these tokens means."""
        key = (side, steps)
        if key not in self._places:
            self._places[key] = self._place(side, steps)
        return self._places[key]

    def _place(self, side: str, steps: tuple[str, ...]) -> Place:
        sides = (METADATA, DATA) if not side else (side,)
        found = [
            source
            for each in sides
            for view, tokens in (("value", steps), *attribute(steps))
            if (source := self.source(each, "/".join(tokens), view)) is not None
        ]
        hiders = [
            above.id
            for each in sides
            for above in self._above(each, steps)
            if not above.kinds.isdisjoint(LONG)
        ]
        return Place(tuple(found), tuple(hiders))

    def source(self, side: str, path: str, view: str = "value") -> Source | None:
        """Return the source at a path, or None if no record has one there."""
        key = (side, path, view)
        if key not in self._sources:
            number = self._id(side, path)
            kinds = frozenset() if number is None else self._kinds(number)
            self._sources[key] = (
                None if number is None else Source(number, view, kinds, side, path)
            )
        return self._sources[key]

    def _above(self, side: str, steps: tuple[str, ...]) -> Iterator[Source]:
        """Yield the sources above a path of which it is an item."""
        for count, step in enumerate(steps):
            if count and token_item(step) is not None:
                found = self.source(side, "/".join(steps[:count]))
                if found is not None:
                    yield found

    def _id(self, side: str, path: str) -> int | None:
        if not is_utf8(path) or "\0" in path:
            return None
        row = _ID.run(self.connection, {"side": side, "path": path}).fetchone()
        return None if row is None else int(row[0])

    def _kinds(self, number: int) -> frozenset[Kind]:
        found: list[Kind] = []
        while True:  # from one to the next, since counting them reads them all
            last = int(found[-1]) if found else -1
            row = _NEXT_KIND.run(self.connection, {"id": number, "kind": last})
            kind = row.fetchone()[0]
            if kind is None:
                return frozenset(found)
            found.append(Kind(kind))

    def is_above(self, side: str, path: str) -> bool:
        """Return whether some record has something below a path."""
        if not is_utf8(path) or "\0" in path:
            return False
        # "/" is followed by "0" in the order of characters.
        between = {"above": f"{path}/", "below": f"{path}0"}
        row = _BELOW.run(self.connection, {"side": side, **between}).fetchone()
        return row is not None

    def items(self, source: Source) -> list[int]:
        """Return the interned paths of the items of a list or an array."""
        # "[" is followed by "\\" in the order of characters.
        between = {"above": f"{source.path}/[", "below": f"{source.path}/\\"}
        rows = _ITEMS.run(self.connection, {"side": source.side, **between})
        start = len(source.path) + 1
        return [row[0] for row in rows.fetchall() if _ITEM.fullmatch(row[1], start)]


_ITEM = re.compile(r"\[\d+\]")


def all_paths(connection: Connection) -> list[tuple[str, str]]:
    """Return side and path of all that any record has had."""
    statement = select(_path.side, _path.path)
    return [(row[0], row[1]) for row in connection.execute(statement)]
