"""
Values of the index for many records at once: the columns of a table.

A page of records takes one statement, which looks up each record's leaves by
their whole key, and one more if there are lists or arrays among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from operator import gt, itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, false, func, or_, select, type_coerce
from sqlalchemy.types import NullType

from archivedb.catalog import tables
from archivedb.catalog.compiling import FEWEST_BYTES, Compiler
from archivedb.catalog.dialect import ids as as_parameter
from archivedb.catalog.dialect import numbered
from archivedb.catalog.doubts import Doubts, has_partly
from archivedb.catalog.index import DATA
from archivedb.catalog.operands import ARRAYS, FACTS
from archivedb.query.nodes import TAGS, Path
from archivedb.query.walk import paths_of
from archivedb.values import json
from archivedb.values.cells import (
    DEEPEST,
    MOST_ITEMS,
    OBJECT,
    array_words,
    is_whole,
    list_words,
    scalar,
)
from archivedb.values.leaf import Kind, Leaf
from archivedb.values.leaves import SHAPE
from archivedb.values.paths import item_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection

    from archivedb.catalog.vocabulary import Source, Vocabulary
    from archivedb.query.nodes import Operand

MOST_JOINS = 30
"""Leaves that one statement looks up; SQLite joins 64 tables at most."""
MOST_AXES = 64
"""Axes that an array of numpy's can have."""

record, version, leaf = tables.record, tables.version, tables.leaf

Page = list[list[Any]]
"""The values of each column."""


class Unknown(Enum):
    """What stands in the place of a value that the index does not hold."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN

_NARROW = {
    Kind.NUMBER: "num",
    Kind.TEXT: "txt",
    Kind.BOOL: "num",
    Kind.TIME: "num",
    Kind.DURATION: "num",
}
"""Kinds of which one column says everything, if there is no other kind."""
_AS_IT_IS = frozenset({Kind.NUMBER, Kind.TEXT})
_BOOLS = {0: False, 1: True}
_NESTED = frozenset({Kind.LIST, Kind.ARRAY, Kind.LONG_ARRAY})
_NOTHING: tuple[None, None, None] = (None, None, None)
_Three = tuple[Any, Any, Any]
"""Kind, number and text of a leaf; three times None if there is none."""


@dataclass(slots=True)
class _Places:
    """The columns of a statement, each once, and where they come in its rows."""

    columns: list[Any] = field(default_factory=list)

    def add(self, column: Any) -> int:
        self.columns.append(column)
        return len(self.columns) - 1


@dataclass(frozen=True, slots=True)
class _Looked:
    """Where a leaf comes in the rows: one column of a known kind, or all three."""

    first: int
    narrow: Kind | None

    def three(self, row: Sequence[Any]) -> _Three:
        if self.narrow is None:
            found: _Three = tuple(row[self.first : self.first + 3])
            return found
        value = row[self.first]
        if value is None:
            return _NOTHING
        if self.narrow is Kind.TEXT:
            return int(self.narrow), None, value
        return int(self.narrow), value, None


class Values:
    """
    The values of some columns, page by page, for records by their ids.

    Args:
        connection: An open transaction, which lasts as long as it is used.
        vocabulary: Which paths there are.
        operands: The columns; the path ``tags`` of a record is one, too.

    """

    def __init__(
        self, connection: Connection, vocabulary: Vocabulary, operands: list[Operand]
    ) -> None:
        self._connection, self._vocabulary = connection, vocabulary
        self._compiler = Compiler(vocabulary, connection.dialect)
        self._partly = has_partly(connection)
        self._given = numbered("given", connection.dialect)
        self._places = _Places()
        self._flag = self._cut = -1
        if self._partly:
            self._flag = self._places.add(record.c.partly_indexed)
            self._cut = self._places.add(
                and_(
                    record.c.partly_indexed,
                    func.length(version.c.metadata) >= FEWEST_BYTES,
                )
            )
        self._leaves: dict[int, _Looked] = {}
        self._aliases: dict[int, Any] = {}
        self._columns = [self._column(each) for each in operands]
        self._statements = list(self._made())

    # Statements ---------------------------------------------------------

    def _column(self, operand: Operand) -> Callable[[list[Any], int], list[Any]]:
        """Return what makes a column's values of the rows of a page."""
        if not isinstance(operand, Path):
            return self._reckoned(operand)
        if operand.side == "record":
            return self._fact(operand.path)
        place = self._vocabulary.place(operand)
        looked = [(source, self._look_up(source)) for source in place.sources]
        hiders = [self._look_up_id(number, None) for number in place.hiders]
        may_hide = not operand.side
        if len(looked) == 1 and not hiders and looked[0][1].narrow is not None:
            return self._plain(*looked[0], may_hide=may_hide)
        return self._chosen(looked, hiders, may_hide=may_hide)

    def _look_up(self, source: Source) -> _Looked:
        narrow = None
        if source.view == "value" and len(source.kinds) == 1:
            (kind,) = source.kinds
            narrow = kind if kind in _NARROW else None
        return self._look_up_id(source.id, narrow)

    def _look_up_id(self, number: int, narrow: Kind | None) -> _Looked:
        if number not in self._leaves:
            alias = self._aliases[number] = leaf.alias()
            names = ("kind", "num", "txt") if narrow is None else (_NARROW[narrow],)
            places = [
                self._places.add((number, self._bare(alias.c[name]))) for name in names
            ]
            self._leaves[number] = _Looked(places[0], narrow)
        return self._leaves[number]

    def _bare(self, column: Any) -> Any:
        """Return a column whose values nothing looks at on their way, if it may."""
        # Half of the time of a page would go to returning numbers as they are.
        sqlite = self._connection.dialect.name == "sqlite"
        return type_coerce(column, NullType()) if sqlite else column

    def _made(self) -> Iterator[tuple[Any, list[int]]]:
        """Yield statements, each with the places of what it selects."""
        numbers = list(self._aliases)
        own = [
            place
            for place, column in enumerate(self._places.columns)
            if not isinstance(column, tuple)
        ]
        for start in range(0, len(numbers), MOST_JOINS) or [0]:
            some = numbers[start : start + MOST_JOINS]
            # Outer joins, each by the whole key of a leaf: no planner can begin
            # with any of them, or multiply what comes from the ids.
            source: Any = self._given.outerjoin(
                record, record.c.id == self._given.c.value
            )
            if own and not start:
                source = source.outerjoin(version, version.c.id == record.c.newest_id)
            for number in some:
                alias = self._aliases[number]
                on = and_(
                    alias.c.record_id == self._given.c.value, alias.c.path_id == number
                )
                source = source.outerjoin(alias, on)
            places = [
                place
                for place, column in enumerate(self._places.columns)
                if (isinstance(column, tuple) and column[0] in some)
            ]
            places = places if start else [*own, *places]
            columns = [self._sql(place) for place in places]
            if not columns:
                return
            yield select(*columns, self._given.c.key).select_from(source), places

    def _sql(self, place: int) -> Any:
        column = self._places.columns[place]
        return column[1] if isinstance(column, tuple) else column

    # Columns ------------------------------------------------------------

    def _fact(self, name: str) -> Callable[[list[Any], int], list[Any]]:
        if name == TAGS:
            place = self._places.add(version.c.tags)
            return lambda columns, _: [
                json.loads(text, "catalog's tags") for text in columns[place]
            ]
        kind, column = FACTS[name]
        place = self._places.add(column)
        if kind is not Kind.TIME:
            return lambda columns, _: list(columns[place])
        return lambda columns, _: [scalar(Leaf(kind, each)) for each in columns[place]]

    def _reckoned(self, operand: Operand) -> Callable[[list[Any], int], list[Any]]:
        place = self._places.add(self._compiler.operands.number(operand))
        doubts = Doubts(self._connection, self._compiler, [operand])
        if not doubts:
            return lambda columns, _: list(columns[place])
        doubt: ColumnElement[bool] = doubts.where
        if self._partly and any(not path.side for path in paths_of(operand)):
            doubt = or_(doubt, self._places.columns[self._cut])
        flag = self._places.add(doubt)
        return lambda columns, _: [
            UNKNOWN if doubtful else value
            for value, doubtful in zip(columns[place], columns[flag], strict=True)
        ]

    def _plain(
        self, source: Source, looked: _Looked, *, may_hide: bool
    ) -> Callable[[list[Any], int], list[Any]]:
        """Return the column of a path where there is but one kind."""
        (kind,), place, flag = source.kinds, looked.first, self._flag
        cut = self._cut if may_hide and source.side == DATA else -1

        def made(columns: list[Any], _: int) -> list[Any]:
            found = columns[place]
            if kind in _AS_IT_IS:
                values = list(found)
            elif kind is Kind.BOOL:
                values = list(map(_BOOLS.get, found))
            else:
                values = [
                    None if each is None else scalar(Leaf(kind, each)) for each in found
                ]
            if flag >= 0 and any(columns[flag]):
                hidden = columns[cut] if cut >= 0 else (False,) * len(values)
                return [
                    UNKNOWN if (partly and value is None) or is_cut else value
                    for value, partly, is_cut in zip(
                        values, columns[flag], hidden, strict=True
                    )
                ]
            return values

        return made

    def _chosen(
        self,
        looked: list[tuple[Source, _Looked]],
        hiders: list[_Looked],
        *,
        may_hide: bool,
    ) -> Callable[[list[Any], int], list[Any]]:
        """Return the column of a path where anything may stand, on either side."""
        flag, cut = self._flag, self._cut if may_hide else -1

        def one(row: Sequence[Any], at: int) -> Any:
            sure = True
            for source, where in looked:
                three = where.three(row)
                if _is_there(source, three):
                    if not sure and in_doubt(row):
                        return UNKNOWN
                    if cut >= 0 and source.side == DATA and row[cut]:
                        return UNKNOWN  # by metadata that the index lacks
                    return self._cell(source, three, at)
                sure = False
            return UNKNOWN if in_doubt(row) else None

        def in_doubt(row: Sequence[Any]) -> bool:
            if flag >= 0 and row[flag]:
                return True
            kinds = (where.three(row)[0] for where in hiders)
            return any(kind in (Kind.LONG_ARRAY, Kind.LONG_LIST) for kind in kinds)

        def made(columns: list[Any], count: int) -> list[Any]:
            if not columns:
                return [None] * count
            return [one(row, at) for at, row in enumerate(zip(*columns, strict=True))]

        return made

    def _cell(self, source: Source, three: _Three, at: int) -> Any:
        """Return a value, or note that more must be looked up for it."""
        kind, num, txt = three
        if source.view == "dtype":
            return txt
        if source.view == "ndim":
            return num
        if kind == Kind.LONG_TEXT:
            return UNKNOWN
        nested = kind in _NESTED and (kind != Kind.LIST or num <= MOST_ITEMS)
        if source.view == "shape" or nested:
            return _Later(source, at, three)
        return scalar(Leaf(Kind(kind), num, txt))

    # Pages --------------------------------------------------------------

    def page(self, numbers: Sequence[int]) -> Page:
        """
        Return the values of each column for some living records, in their order.

        `UNKNOWN` stands for a value that must be read from the record.
        """
        if not numbers:
            return [[] for _ in self._columns]
        columns: list[Any] = [()] * len(self._places.columns)
        parameter = {"given": as_parameter(numbers, self._connection.dialect)}
        for statement, places in self._statements:
            rows = self._connection.execute(statement, parameter).fetchall()
            *found, keys = zip(*rows, strict=True)
            if any(map(gt, keys, keys[1:])):
                # SQLite has them in order, and would sort them all the same.
                *found, keys = zip(*sorted(rows, key=itemgetter(-1)), strict=True)
            for place, values in zip(places, found, strict=True):
                columns[place] = values
        count = len(numbers)
        page = [made(columns, count) for made in self._columns]
        self._complete(page, numbers)
        return page

    def _complete(self, page: Page, numbers: Sequence[int]) -> None:
        """Put lists and arrays where more than their own leaf is needed."""
        later = [
            (values, at)
            for values in page
            if _Later in set(map(type, values))
            for at, value in enumerate(values)
            if type(value) is _Later
        ]
        if not later:
            return
        sources = {values[at].source for values, at in later}
        wanted = sorted({x for source in sources for x in self._below(source, 0)})
        ids = sorted({numbers[at] for _, at in later})
        known = self._leaves_of(ids, wanted)
        for values, at in later:
            its = known.get(numbers[at], {})
            values[at] = self._nested(values[at], its)

    def _leaves_of(
        self, ids: list[int], wanted: list[int]
    ) -> dict[int, dict[int, Leaf]]:
        given = self._given
        on = and_(leaf.c.record_id == given.c.value, leaf.c.path_id.in_(wanted))
        statement = select(
            given.c.value, leaf.c.path_id, leaf.c.kind, leaf.c.num, leaf.c.txt
        ).select_from(given.outerjoin(leaf, on if wanted else false()))
        parameter = {"given": as_parameter(ids, self._connection.dialect)}
        found: dict[int, dict[int, Leaf]] = {}
        for number, path, kind, num, txt in self._connection.execute(
            statement, parameter
        ):
            if path is not None:
                found.setdefault(number, {})[path] = Leaf(Kind(kind), num, txt)
        return found

    # Lists and arrays ---------------------------------------------------

    def _axes(self, source: Source) -> Iterator[Source]:
        for axis in range(MOST_AXES):
            path = f"{source.path}/{SHAPE}/{item_token(axis)}"
            found = self._vocabulary.source(source.side, path)
            if found is None:
                return
            yield found

    def _items(self, source: Source) -> Iterator[Source | None]:
        for index in range(MOST_ITEMS):
            path = f"{source.path}/{item_token(index)}"
            yield self._vocabulary.source(source.side, path)

    def _below(self, source: Source, depth: int) -> Iterator[int]:
        """Yield the interned paths that the value at a source is made of."""
        if not source.kinds.isdisjoint(ARRAYS):
            yield from (each.id for each in self._axes(source))
        if source.view == "shape" or source.kinds.isdisjoint(_NESTED):
            return
        for item in self._items(source):
            if item is not None:
                yield item.id
                if depth < DEEPEST:
                    yield from self._below(item, depth + 1)

    def _nested(self, later: _Later, known: dict[int, Leaf]) -> Any:
        kind, num, txt = later.three
        source = later.source
        if kind == Kind.LIST:
            return self._list(source, num, known, 0)
        axes = list(self._axes(source))[: int(num)]
        shape = [known[x.id].num if x.id in known else "?" for x in axes]
        if source.view == "shape":
            return shape
        if kind == Kind.ARRAY and len(shape) == 1:
            found = self._list(source, shape[0], known, DEEPEST)
            if type(found) is list:
                return found
        return array_words(txt, shape)

    def _list(
        self, source: Source, length: Any, known: dict[int, Leaf], depth: int
    ) -> Any:
        items: list[Any] = []
        for item, _ in zip(self._items(source), range(int(length)), strict=False):
            found = None if item is None else known.get(item.id)
            if item is None or found is None:
                return list_words(length)
            if found.kind is Kind.LIST and depth < DEEPEST:
                within = (found.num or 0) <= MOST_ITEMS
                items.append(
                    self._list(item, found.num, known, depth + 1) if within else OBJECT
                )
            elif found.kind is Kind.LONG_TEXT:
                return UNKNOWN
            else:
                items.append(scalar(found) if found.kind != Kind.GROUP else OBJECT)
            if items[-1] is UNKNOWN:
                return UNKNOWN
        return items if is_whole(items) else list_words(length)


@dataclass(frozen=True, slots=True)
class _Later:
    """A list or an array, whose items or shape are looked up for all at once."""

    source: Source
    at: int
    three: _Three


def _is_there(source: Source, three: _Three) -> bool:
    if three[0] is None:
        return False
    return source.view == "value" or three[0] in ARRAYS
