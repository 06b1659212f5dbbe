"""The order of a search: as SQL, and as keys that Python merges by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import total_ordering
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, literal_column

from archivedb.catalog import tables
from archivedb.catalog.operands import (
    ARRAYS,
    FACTS,
    LEAF,
    NO_NUMBER,
    NO_TEXT,
    at,
    chosen,
)
from archivedb.query.nodes import Path
from archivedb.values.leaf import Kind

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from archivedb.catalog.operands import Operands
    from archivedb.catalog.vocabulary import Source
    from archivedb.query.nodes import Operand

Order = tuple[tuple["Operand", bool], ...]
"""Operands, each with whether the largest comes first; empty for the newest first."""

MISSING = 99
"""The rank of what is not there: last, whichever way the rest goes."""

_record, _version = tables.record.c, tables.version.c


def _rank_at(source: Source) -> ColumnElement[Any]:
    """Return the rank of what a source views, null if that is not there."""
    if source.view != "value":
        seen = {"dtype": Kind.TEXT, "ndim": Kind.NUMBER}.get(source.view, Kind.LIST)
        return at(source, literal_column(str(seen.rank)), where=_is_array)  # type: ignore[no-any-return]
    kind = LEAF.c.kind
    inexact = (kind == int(Kind.INEXACT), Kind.INEXACT.rank)
    return at(source, case(inexact, else_=kind))  # type: ignore[no-any-return]


def _num_at(source: Source) -> ColumnElement[Any]:
    if source.view == "value":
        return at(source, "num")  # type: ignore[no-any-return]
    # A shape is as long as there are axes.
    return NO_NUMBER if source.view == "dtype" else at(source, "num", where=_is_array)


def _txt_at(source: Source) -> ColumnElement[Any]:
    if source.view == "value":
        return at(source, "txt")  # type: ignore[no-any-return]
    return at(source, "txt", where=_is_array) if source.view == "dtype" else NO_TEXT


def _is_array(columns: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = columns.kind.in_(ARRAYS)
    return found


def _is_constant(column: Any) -> bool:
    return bool(getattr(column, "is_literal", False))


@total_ordering
@dataclass(frozen=True, slots=True)
class _Falling:
    """A value that sorts before those that it is larger than."""

    value: Any

    def __lt__(self, other: _Falling) -> bool:
        return bool(other.value < self.value)


@dataclass(frozen=True, slots=True)
class Key:
    """
    What one record is sorted by.

    Attributes:
        rank: By kind, the same in both directions.
        num: The number, or 0.
        txt: The text, or an empty one.

    """

    rank: int
    num: Any
    txt: str

    @classmethod
    def missing(cls) -> Key:
        """Return the key of what is not there."""
        return cls(MISSING, 0, "")


class Ordering:
    """
    An order, over the tables ``record`` and ``version``.

    Args:
        order: What the user asked for.
        operands: Compiles its operands.

    """

    def __init__(self, order: Order, operands: Operands) -> None:
        self.order, self._operands = order, operands
        self._falls = order[0][1] if order else True
        first = [operand for operand, _ in order]
        self._by_time = first == [Path("record", ("saved_at",))]

    def columns(self) -> list[ColumnElement[Any]]:
        """Return what a statement selects so that `key` can be made of its row."""
        if not self.order:
            return [_version.saved_at, _version.id]
        found = [column for each, _ in self.order for column in self._three(each)]
        # What an index of the order goes on with.
        return [*found, _version.id if self._by_time else _record.id]

    def _three(self, operand: Operand) -> list[ColumnElement[Any]]:
        if not isinstance(operand, Path):
            number = self._operands.number(operand)
            rank = case((number.is_(None), MISSING), else_=int(Kind.NUMBER))
            return [rank, func.coalesce(number, 0), literal_column("''")]
        if operand.side == "record":
            kind, column = FACTS[operand.path]
            of_kind: ColumnElement[int] = literal_column(str(int(kind)))
            if kind is Kind.TEXT:
                return [of_kind, literal_column("0"), column]
            return [of_kind, column, literal_column("''")]
        place = self._operands.vocabulary.place(operand)
        return [
            func.coalesce(chosen(place, _rank_at), MISSING),
            func.coalesce(chosen(place, _num_at), 0),
            func.coalesce(chosen(place, _txt_at), ""),
        ]

    def clauses(self) -> list[ColumnElement[Any]]:
        """Return what a statement orders by."""
        columns = self.columns()
        if not self.order:
            return [column.desc() for column in columns]
        clauses: list[ColumnElement[Any]] = []
        for index, (_, falls) in enumerate(self.order):
            rank, num, txt = columns[3 * index : 3 * index + 3]
            # A constant says nothing, and a number would mean a column.
            clauses += [] if _is_constant(rank) else [rank]
            clauses += [
                column.desc() if falls else column
                for column in (num, txt)
                if not _is_constant(column)
            ]
        # What ties with the first is told apart in its direction.
        last = columns[-1]
        return [*clauses, last.desc() if self._falls else last]

    def key(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what sorts as the statement does, of the columns that it selects."""
        if not self.order:
            return tuple(_Falling(value) for value in row)
        key: list[Any] = []
        for index, (_, falls) in enumerate(self.order):
            rank, num, txt = row[3 * index : 3 * index + 3]
            key += [rank, *(_Falling(v) if falls else v for v in (num, txt))]
        last = row[-1]
        return (*key, _Falling(last) if self._falls else last)

    def columns_of(self, keys: list[Key], row: tuple[int, int, int]) -> tuple[Any, ...]:
        """
        Return what `columns` would select of a record that is read by itself.

        Args:
            keys: One for each operand.
            row: Its time, its version's id and its own.

        """
        if not self.order:
            return row[0], row[1]
        last = row[1] if self._by_time else row[2]
        return (*(v for key in keys for v in (key.rank, key.num, key.txt)), last)
