"""
Searches: which records a question means, in the order that was asked for.

A search begins where few ids come from (`driving`), or goes along the index
of its order until it has enough; it does both by turns, twice as far each
time, so that it costs little more than the better of the two, whatever the
data.  Every other condition is a look-up for each candidate (`operands`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, not_, select, true

from archivedb.catalog import driving, tables
from archivedb.catalog.compiling import Compiler, compare
from archivedb.catalog.dialect import ids as as_parameter
from archivedb.catalog.dialect import numbered
from archivedb.catalog.doubts import Doubts
from archivedb.catalog.operands import anything
from archivedb.catalog.ordering import Ordering
from archivedb.catalog.vocabulary import Vocabulary
from archivedb.query.comparing import literal_leaves
from archivedb.query.nodes import And, Compare, Literal, Path
from archivedb.values.leaf import Kind
from archivedb.values.paths import is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection

    from archivedb.catalog.driving import Driver
    from archivedb.catalog.ordering import Order
    from archivedb.query.nodes import Condition

FEW = 1_000
"""Candidates that are worth sorting before anything else is tried."""
SOME = 10_000
"""Entries of the index that are worth reading to find what several share."""
MANY = 100_000
"""Candidates beyond which going along the order beats sorting them."""
CHUNK = 100
"""Candidates that are looked at first; each time four times as many."""
LARGEST_CHUNK = 20_000

_LINEAR = frozenset({Kind.NUMBER, Kind.TIME})

record, version = tables.record, tables.version
Row = tuple[Any, ...]
"""A record's id, and what it is sorted by."""


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is searched for.

    Attributes:
        condition: What the records must say, or None.
        folder: The folder below which they lie; empty for everywhere.
        order: How they are sorted; empty for the newest first.

    """

    condition: Condition | None = None
    folder: str = ""
    order: Order = ()


class Search:
    """
    A question to the newest versions, in one transaction.

    Args:
        connection: An open transaction, which lasts as long as the search.
        question: What is searched for.
        vocabulary: Which paths there are, if that has been asked already.

    """

    def __init__(
        self,
        connection: Connection,
        question: Question,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self._connection, self._question = connection, question
        self.vocabulary = vocabulary or Vocabulary(connection)
        self.compiler = Compiler(self.vocabulary, connection.dialect)
        self.ordering = Ordering(question.order, self.compiler.operands)
        asked = [operand for operand, _ in question.order]
        condition = [] if question.condition is None else [question.condition]
        self.doubts = Doubts(connection, self.compiler, [*condition, *asked])
        self._where = self._conditions()
        self._drivers = self._necessary()
        # Only what is merged with records in doubt is asked for its key.
        self._keys = self.ordering.columns() if self.doubts else []
        self._plan: list[str] = []

    # Conditions ---------------------------------------------------------

    def _conditions(self) -> ColumnElement[bool]:
        conditions = [self._lies_below()]
        if self._question.condition is not None:
            conditions.append(self.compiler.condition(self._question.condition))
        if self.doubts:
            conditions.append(not_(self.doubts.where))
        return and_(true(), *conditions)

    def _lies_below(self) -> ColumnElement[bool]:
        folder = self._question.folder
        if not folder:
            return true()
        if not is_utf8(folder):
            return not_(true())
        # Of no column, so that no planner begins with the index of names.
        name = func.coalesce(record.c.name, "")
        return and_(name > f"{folder}/", name < f"{folder}0")

    def _necessary(self) -> list[Any]:
        condition = self._question.condition
        found = driving.below(self._question.folder)
        if condition is not None:
            found += driving.drivers(condition, self.vocabulary)
        return found

    # Statements ---------------------------------------------------------

    def _select(self, source: Any, *columns: Any, extra: Any = ()) -> Any:
        """Return the statement for what of some candidates matches."""
        return (
            select(record.c.id, *columns)
            .select_from(source)
            .where(tables.LIVES, self._where, *extra)
        )

    def _by_record(self, given: Any) -> Any:
        """Return candidates joined with their records and newest versions."""
        joined = given.join(record, record.c.id == given.c[0])
        return joined.join(version, version.c.id == record.c.newest_id)

    def _sorted(self, chosen: tuple[Driver, int] | None) -> Iterator[Row]:
        """Yield what matches of all candidates of a driver, sorted."""
        source = self._candidates(chosen)
        statement = self._select(source, *self._keys)
        statement = statement.order_by(*self.ordering.clauses())
        for row in self._connection.execute(statement):
            yield tuple(row)

    def _candidates(self, chosen: tuple[Driver, int] | None) -> Any:
        if chosen is None:
            self._note("read every record")
            return record.join(version, version.c.id == record.c.newest_id)
        driver, number = chosen
        self._note(f"look up {number:,} candidates in the index")
        return self._by_record(_materialized(driver.distinct))

    def _filtered(
        self, stream: _Stream, size: int = CHUNK
    ) -> Iterator[tuple[int, list[Row]]]:
        """Yield, chunk by chunk, how many candidates were seen and which match."""
        given = numbered("given", self._connection.dialect)
        if stream.versions:
            joined = given.join(version, version.c.id == given.c.value).join(
                record,
                and_(
                    record.c.id == version.c.record_id,
                    record.c.newest_id == version.c.id,
                ),
            )
        else:
            joined = given.join(record, record.c.id == given.c.value).join(
                version, version.c.id == record.c.newest_id
            )
        statement = self._select(joined, *self._keys, extra=stream.extra)
        statement = statement.order_by(given.c.key)
        dialect = self._connection.dialect
        with self._connection.execute(stream.statement) as cursor:
            found = cursor.scalars()
            while chunk := list(islice(found, size)):
                rows = self._connection.execute(
                    statement, {"given": as_parameter(chunk, dialect)}
                )
                yield len(chunk), [tuple(row) for row in rows]
                size = min(4 * size, LARGEST_CHUNK)

    # Plans --------------------------------------------------------------

    def rows(self, limit: int | None = None) -> Iterator[Row]:
        """
        Yield what surely matches, each as its id.

        Where records are in doubt, what `Ordering.key` takes follows it.

        Args:
            limit: How many are wanted; only a hint.

        """
        few = driving.chosen(self._connection, self._drivers, FEW)
        if few is not None:
            yield from self._sorted(few)
            return
        more = driving.chosen(self._connection, self._drivers, SOME)
        if more is not None and more[0] not in self._drivers:
            # Several conditions share few, found by going along the index.
            yield from self._sorted(more)
            return
        streams = self._streams()
        if limit is None or streams is None:
            bound = MANY if streams is not None else None
            yield from self._all(streams, bound)
            return
        yield from self._raced(streams, limit)

    def _all(self, streams: list[_Stream] | None, bound: int | None) -> Iterator[Row]:
        driver = self._smallest(bound)
        if driver is not None or streams is None:
            yield from self._sorted(driver)
            return
        for stream in streams:
            self._note(stream.words)
            for _, rows in self._filtered(stream, LARGEST_CHUNK):
                yield from rows

    def _smallest(self, bound: int | None) -> tuple[Driver, int] | None:
        """Return the driver of the fewest ids, if they are fewer than a bound."""
        most = 10 * FEW
        while bound is None or most <= bound:
            found = driving.chosen(self._connection, self._drivers, most)
            if found is not None or not self._drivers or most > 1 << 40:
                return found
            most *= 10
        return None

    def _raced(self, streams: list[_Stream], limit: int) -> Iterator[Row]:
        """Go along the order, unless fewer candidates come from elsewhere."""
        given, seen, tried = 0, 0, FEW
        for stream in streams:
            self._note(stream.words)
            size = self._first_chunk(limit - given)
            for number, rows in self._filtered(stream, size):
                yield from rows
                given += len(rows)
                seen += number
                if given >= limit:
                    return
                if seen < 2 * tried:
                    continue
                tried = seen
                driver = driving.chosen(self._connection, self._drivers, tried)
                if driver is not None:
                    yield from islice(self._sorted(driver), given, None)
                    return

    def _first_chunk(self, wanted: int) -> int:
        everything = self._question.condition is None and not self._question.folder
        return min(max(wanted, CHUNK), LARGEST_CHUNK) if everything else CHUNK

    def _streams(self) -> list[_Stream] | None:
        """Return the candidates in the order of the search, where an index has it."""
        if not self._question.order:
            return [self._by_time(falls=True)]
        if len(self._question.order) > 1:
            return None
        ((operand, falls),) = self._question.order
        if not isinstance(operand, Path):
            return None
        if operand.side == "record":
            return self._by_fact(operand, falls=falls)
        place = self.vocabulary.place(operand)
        if len(place.sources) != 1 or place.sources[0].view != "value":
            return None
        source = place.sources[0]
        if Kind.INEXACT in source.kinds:
            return None  # they lie between the others
        bounds = self._bounds(operand)
        if bounds:  # nothing but numbers can lie between them
            kinds = [kind for kind in source.kinds if kind is Kind.NUMBER]
            return [_by_value(source.id, int(k), bounds, falls=falls) for k in kinds]
        found = [
            _by_value(source.id, int(k), (), falls=falls) for k in sorted(source.kinds)
        ]
        rest = _by_id(falls=falls, extra=(not_(anything(place)),))
        return [*found, rest]

    def _by_time(self, *, falls: bool) -> _Stream:
        times = version.c.saved_at
        bounds = self._bounds(Path("record", ("saved_at",)))
        order = [column.desc() if falls else column for column in (times, version.c.id)]
        statement = select(version.c.id).order_by(*order)
        for op, number in bounds:
            statement = statement.where(compare(times, op, number))
        words = f"go from the {'newest' if falls else 'oldest'} on"
        return _Stream(statement, words, versions=True)

    def _by_fact(self, fact: Path, *, falls: bool) -> list[_Stream] | None:
        if fact.path == "saved_at":
            return [self._by_time(falls=falls)]
        if fact.path != "name":
            return None
        order = record.c.name.desc() if falls else record.c.name
        statement = select(record.c.id).where(tables.LIVES).order_by(order)
        return [_Stream(statement, "go along the names")]

    def _bounds(self, path: Path) -> tuple[tuple[str, Any], ...]:
        """Return between which numbers a path must lie, so as to begin there."""
        node = self._question.condition
        items = node.items if isinstance(node, And) else () if node is None else (node,)
        found = []
        for item in items:
            if not isinstance(item, Compare) or item.left != path or item.op == "!=":
                continue
            if not isinstance(item.right, Literal):
                continue
            leaves = [x for x in literal_leaves(item.right.value) if x.kind in _LINEAR]
            if len(leaves) == 1 and leaves[0].txt is None:
                of_time = leaves[0].kind is Kind.TIME
                if of_time is (path.side == "record"):
                    found.append((item.op, leaves[0].num))
        return tuple(found)

    # Answers ------------------------------------------------------------

    def count(self) -> int:
        """Return how many surely match."""
        condition = self._question.condition
        if condition is None and not self.doubts and not self._question.folder:
            statement = select(func.count()).select_from(record).where(tables.LIVES)
            return int(self._connection.execute(statement).scalar_one())
        if condition is not None and self._is_exact(condition):
            (driver,) = self._drivers
            self._note("count the entries of the index")
            statement = select(func.count()).select_from(driver.ids.subquery())
            return int(self._connection.execute(statement).scalar_one())
        source = self._candidates(self._smallest(None))
        statement = (
            select(func.count()).select_from(source).where(tables.LIVES, self._where)
        )
        return int(self._connection.execute(statement).scalar_one())

    def _is_exact(self, condition: Condition) -> bool:
        plain = not self.doubts and not self._question.folder
        alone = plain and len(self._drivers) == 1
        return alone and driving.is_exact(condition, self.vocabulary)

    def doubtful(self) -> Iterator[int]:
        """Yield the ids of the records that must be read to know."""
        if not self.doubts:
            return
        conditions = [self._lies_below(), self.doubts.where]
        node = self._question.condition
        items = node.items if isinstance(node, And) else () if node is None else (node,)
        sure = [self.compiler.condition(x) for x in items if not self.doubts.concern(x)]
        conditions.append(self.doubts.cut | and_(true(), *sure))
        statement = (
            select(record.c.id)
            .select_from(self._by_record(_materialized(self.doubts.candidates)))
            .where(tables.LIVES, *conditions)
        )
        yield from self._connection.execute(statement).scalars()

    def _note(self, words: str) -> None:
        self._plan.append(words)

    @property
    def plan(self) -> tuple[str, ...]:
        """What was done so far, in words."""
        return tuple(self._plan)


@dataclass(frozen=True, slots=True)
class _Stream:
    """
    Candidates in an order.

    Attributes:
        statement: The query for their ids.
        words: What it is, for `explain`.
        versions: Whether they are ids of versions, not of records.
        extra: Conditions on them alone.

    """

    statement: Any
    words: str
    versions: bool = False
    extra: tuple[Any, ...] = ()


def _by_value(
    path: int, kind: int, bounds: tuple[tuple[str, Any], ...], *, falls: bool
) -> _Stream:
    leaf = tables.leaf.c
    columns = leaf.num, leaf.txt, leaf.record_id
    order = [column.desc() if falls else column for column in columns]
    statement = select(leaf.record_id).where(leaf.path_id == path, leaf.kind == kind)
    for op, number in bounds:
        statement = statement.where(compare(leaf.num, op, number))
    words = f"go along the index from the {'largest' if falls else 'smallest'} on"
    return _Stream(statement.order_by(*order), words)


def _by_id(*, falls: bool, extra: tuple[Any, ...]) -> _Stream:
    order = record.c.id.desc() if falls else record.c.id
    statement = select(record.c.id).where(tables.LIVES).order_by(order)
    return _Stream(
        statement, "go on to the records that have no such path", extra=extra
    )


def _materialized(driver: Any) -> Any:
    # As it stands: no planner may look into it and begin elsewhere.
    return driver.cte("hit").prefix_with("MATERIALIZED")
