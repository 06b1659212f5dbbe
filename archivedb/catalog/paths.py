"""Which paths the records of a catalog have, and what stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from archivedb.catalog import tables
from archivedb.catalog.dialect import ids as as_parameter
from archivedb.catalog.dialect import numbered
from archivedb.values.leaf import Kind, Leaf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

MOST_EXAMPLES = 3
"""Texts that are shown of a path."""

_leaf, _path = tables.leaf.c, tables.path.c


@dataclass(frozen=True, slots=True)
class Found:
    """
    The leaves of one kind at one path.

    Attributes:
        id: The interned path.
        side: ``"metadata"`` or ``"data"``.
        path: The path, as the catalog spells it.
        kind: The kind.
        count: How many records have one.
        least: The smallest.
        largest: The largest.

    """

    id: int
    side: str
    path: str
    kind: Kind
    count: int
    least: Leaf
    largest: Leaf


def of_records(connection: Connection, numbers: Sequence[int]) -> list[Found]:
    """Return what stands at the paths of some records."""
    given, leaf = numbered("given", connection.dialect), tables.leaf
    # An outer join, so that the ids come first whatever a planner believes.
    joined = given.outerjoin(leaf, leaf.c.record_id == given.c.value)
    statement = (
        select(
            leaf.c.path_id,
            leaf.c.kind,
            func.count(),
            func.min(leaf.c.num),
            func.max(leaf.c.num),
            func.min(leaf.c.txt),
            func.max(leaf.c.txt),
        )
        .select_from(joined)
        .group_by(leaf.c.path_id, leaf.c.kind)
    )
    parameter = {"given": as_parameter(numbers, connection.dialect)}
    rows = [
        tuple(row)
        for row in connection.execute(statement, parameter)
        if row[0] is not None
    ]
    return list(_named(connection, rows))


def of_all(connection: Connection, under: str = "") -> list[Found]:
    """
    Return what stands at the paths that any living record has.

    Args:
        connection: An open transaction.
        under: A path, at and below which to look; empty for everywhere.

    """
    counted = select(_leaf.path_id, _leaf.kind, func.count().label("count"))
    if under:
        below = _path.path.between(f"{under}/", f"{under}0") & (
            _path.path != f"{under}0"
        )
        wanted = select(_path.id).where((_path.path == under) | below)
        counted = counted.where(_leaf.path_id.in_(wanted))
    groups = counted.group_by(_leaf.path_id, _leaf.kind).cte("groups")

    def end(name: str, largest: bool) -> Any:  # noqa: FBT001 - which end
        # The first or the last of an index, where an aggregate reads it whole.
        column = _leaf[name]
        its = select(column).where(
            _leaf.path_id == groups.c.path_id,
            _leaf.kind == groups.c.kind,
        )
        order = [_leaf.num, _leaf.txt]  # one of them is null in all of a kind
        its = its.order_by(*(c.desc() if largest else c for c in order)).limit(1)
        return its.correlate(groups).scalar_subquery()

    statement = select(
        groups.c.path_id,
        groups.c.kind,
        groups.c.count,
        end("num", largest=False),
        end("num", largest=True),
        end("txt", largest=False),
        end("txt", largest=True),
    )
    rows = [tuple(row) for row in connection.execute(statement)]
    return list(_named(connection, rows))


def _named(connection: Connection, rows: list[tuple[Any, ...]]) -> Iterator[Found]:
    known: dict[int, tuple[str, str]] = {}
    numbers = sorted({row[0] for row in rows})
    if numbers:
        given, path = numbered("given", connection.dialect), tables.path
        statement = select(path.c.id, path.c.side, path.c.path).select_from(
            given.join(path, path.c.id == given.c.value)
        )
        parameter = {"given": as_parameter(numbers, connection.dialect)}
        for number, side, text in connection.execute(statement, parameter):
            known[number] = side, text
    for number, kind, count, low, high, first, last in rows:
        kind = Kind(kind)  # noqa: PLW2901 - the same, as it is meant
        yield Found(
            number,
            *known[number],
            kind,
            count,
            Leaf(kind, low, first),
            Leaf(kind, high, last),
        )


def examples(connection: Connection, path_id: int) -> list[str]:
    """Return the first few texts that stand at a path."""
    found: list[str] = []
    while len(found) < MOST_EXAMPLES:
        # From one to the next, since telling them apart reads them all.
        statement = select(func.min(_leaf.txt)).where(
            _leaf.path_id == path_id,
            _leaf.kind == int(Kind.TEXT),
            _leaf.num.is_(None),
        )
        if found:
            statement = statement.where(_leaf.txt > found[-1])
        text = connection.execute(statement).scalar()
        if text is None:
            break
        found.append(text)
    return found


def partly_indexed(connection: Connection) -> int:
    """Return how many living records the index holds only in part."""
    statement = (
        select(func.count())
        .select_from(tables.record)
        .where(tables.LIVES, tables.PARTLY)
    )
    return int(connection.execute(statement).scalar_one())
