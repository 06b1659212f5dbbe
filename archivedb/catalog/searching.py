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
from archivedb.catalog.compiling import Compiler
from archivedb.catalog.dialect import ids as as_parameter
from archivedb.catalog.dialect import numbered
from archivedb.catalog.doubts import Doubts
from archivedb.catalog.matching import compare
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

    _Chosen = tuple[Driver, int] | list[int]
    """Where to begin: a query and how many it yields, or ids."""

FEW = 1_000
"""Candidates that are worth sorting before anything else is tried."""
SOME = 10_000
"""Entries of the index that are worth reading to find what several share."""
CHEAPER = 20
"""How many entries of the index are read in the time of looking up a record."""
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
        return self._newest(given.join(record, record.c.id == given.c[0]))

    def _newest(self, records: Any) -> Any:
        """Return records joined with their newest versions."""
        # Each has one.  SQLite leaves an outer join out if nothing asks for it.
        return records.outerjoin(version, version.c.id == record.c.newest_id)

    def _sorted(self, chosen: _Chosen | None) -> Iterator[Row]:
        """Yield what matches of all candidates, sorted."""
        source, given = self._candidates(chosen)
        statement = self._select(source, *self._keys)
        statement = statement.order_by(*self.ordering.clauses())
        for row in self._connection.execute(statement, given):
            yield tuple(row)

    def _candidates(self, chosen: _Chosen | None) -> tuple[Any, dict[str, Any]]:
        """Return what a statement selects from, and its parameters."""
        if chosen is None:
            self._note("read every record")
            return self._newest(record), {}
        if isinstance(chosen, list):
            self._note(f"look up {len(chosen):,} candidates that several clauses share")
            dialect = self._connection.dialect
            given = numbered("given", dialect)
            joined = given.join(record, record.c.id == given.c.value)
            return self._newest(joined), {"given": as_parameter(chosen, dialect)}
        driver, number = chosen
        self._note(f"look up {number:,} candidates in the index")
        return self._by_record(_materialized(driver.distinct)), {}

    def _filtered(self, stream: _Stream, pace: _Pace) -> Iterator[list[Row]]:
        """Yield, chunk by chunk, which candidates match."""
        if self._is_unconditional and not stream.extra:
            yield from self._of_all(stream, pace)
            return
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
            joined = self._newest(given.join(record, record.c.id == given.c.value))
        statement = self._select(joined, *self._keys, extra=stream.extra)
        statement = statement.order_by(given.c.key)
        dialect = self._connection.dialect
        with self._connection.execute(stream.statement) as cursor:
            found = cursor.scalars()
            while chunk := found.fetchmany(pace.size):
                rows = self._connection.execute(
                    statement, {"given": as_parameter(chunk, dialect)}
                ).all()
                pace.note(len(chunk), len(rows))
                yield [tuple(row) for row in rows]

    @property
    def _is_unconditional(self) -> bool:
        question = self._question
        return not (question.condition or question.folder or self.doubts)

    def _of_all(self, stream: _Stream, pace: _Pace) -> Iterator[list[Row]]:
        """Yield the candidates themselves, since each of them matches."""
        statement = stream.statement
        if stream.versions:
            (number,) = statement.selected_columns
            # A look-up, so that no planner begins with the records.
            newest = (
                select(record.c.id)
                .where(
                    record.c.id == version.c.record_id,
                    record.c.newest_id == number,
                    tables.LIVES,
                )
                .correlate(version)
                .scalar_subquery()
            )
            statement = (
                statement.with_only_columns(newest)
                .select_from(version)
                .where(newest.is_not(None))
            )
        with self._connection.execute(statement) as cursor:
            while chunk := cursor.fetchmany(pace.size):
                pace.note(len(chunk), len(chunk))
                yield [tuple(row) for row in chunk]

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
        streams = self._streams()
        if limit is not None and streams is not None:
            yield from self._raced(streams, limit)
            return
        shared = self._shared(SOME, SOME)
        if shared is not None:
            yield from self._sorted(shared)
            return
        yield from self._all(streams, MANY if streams is not None else None)

    def _shared(self, entries: int, most: int) -> list[int] | None:
        """Return what several conditions share, if reading so many entries tells."""
        found = driving.chosen(self._connection, self._drivers, entries)
        if found is None or found[0] in self._drivers:
            return None
        statement = found[0].ids.limit(most)
        numbers = self._connection.execute(statement).scalars().all()
        return list(numbers) if len(numbers) < most else None

    def _all(self, streams: list[_Stream] | None, bound: int | None) -> Iterator[Row]:
        driver = self._smallest(bound)
        if driver is not None or streams is None:
            yield from self._sorted(driver)
            return
        for stream in streams:
            self._note(stream.words)
            for rows in self._filtered(stream, _Pace(LARGEST_CHUNK)):
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
        pace, tried = _Pace(self._first_chunk(limit), limit), CHUNK
        for stream in streams:
            self._note(stream.words)
            for rows in self._filtered(stream, pace):
                yield from rows
                if pace.given >= limit:
                    return
                if pace.seen < 2 * tried:
                    continue
                tried = pace.seen
                fewer = self._shorter(tried)
                if fewer is not None:
                    yield from islice(self._sorted(fewer), pace.given, None)
                    return

    def _shorter(self, seen: int) -> _Chosen | None:
        """Return candidates that are fewer than twice those seen in vain."""
        shared = self._shared(CHEAPER * seen, 2 * seen)
        if shared is not None or seen < FEW:
            return shared
        return driving.chosen(self._connection, self._drivers, seen)

    def _first_chunk(self, wanted: int) -> int:
        return (
            min(max(wanted, CHUNK), LARGEST_CHUNK) if self._is_unconditional else CHUNK
        )

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
        if self._is_unconditional:
            statement = select(func.count()).select_from(record).where(tables.LIVES)
            return int(self._connection.execute(statement).scalar_one())
        if condition is not None and self._is_exact(condition):
            (driver,) = self._drivers
            self._note("count the entries of the index")
            statement = select(func.count()).select_from(driver.ids.subquery())
            return int(self._connection.execute(statement).scalar_one())
        source, given = self._candidates(self._smallest(None))
        statement = (
            select(func.count()).select_from(source).where(tables.LIVES, self._where)
        )
        return int(self._connection.execute(statement, given).scalar_one())

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


@dataclass(slots=True)
class _Pace:
    """
    How many candidates are looked at next.

    Attributes:
        size: So many.
        wanted: How many matches are, or None for all.
        seen: How many candidates were looked at.
        given: How many of them matched.

    """

    size: int
    wanted: int | None = None
    seen: int = 0
    given: int = 0

    def note(self, seen: int, given: int) -> None:
        """Note what came of a chunk, and choose the size of the next."""
        self.seen += seen
        self.given += given
        largest = min(4 * self.size, LARGEST_CHUNK)
        if self.wanted is None or not self.given:
            self.size = largest
            return
        # As many as should be enough, and a third more.
        needed = (self.wanted - self.given) * self.seen * 4 // (self.given * 3)
        self.size = min(max(needed, CHUNK), largest)


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
