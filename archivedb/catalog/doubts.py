"""
What the index cannot say, and of which records.

It holds up to 1,000 leaves of a record, and no long texts, lists and arrays.
A record of which a question asks more is in doubt: whoever searches reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, false, literal_column, or_, select, true, union

from archivedb.catalog import tables
from archivedb.query.nodes import (
    Among,
    Compare,
    Contains,
    Like,
    Literal,
    Matches,
    Path,
)
from archivedb.query.walk import children
from archivedb.values.leaf import LONG, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection

    from archivedb.catalog.compiling import Compiler
    from archivedb.query.nodes import Condition, Operand

_TEXT = frozenset({Kind.LONG_TEXT})
_ITEMS = frozenset({Kind.LONG_LIST, Kind.LONG_ARRAY})
_NOTHING: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Mention:
    """
    A path that a question asks something of.

    Attributes:
        path: The path.
        kinds: The kinds whose values the answer needs, and the index lacks.

    """

    path: Path
    kinds: frozenset[Kind]


def mentions(node: Condition | Operand) -> Iterator[Mention]:
    """Yield every path in a question, but facts of the record itself."""
    todo: list[tuple[Any, frozenset[Kind]]] = [(node, _NOTHING)]
    while todo:
        each, kinds = todo.pop()
        if isinstance(each, Path):
            if each.side != "record":
                yield Mention(each, kinds)
        else:
            kinds = _asked(each)
            todo += [(child, kinds) for child in children(each)]


def _asked(node: Condition | Operand) -> frozenset[Kind]:
    """Return the long kinds whose values a node needs of the paths in it."""
    if isinstance(node, Compare):
        return _needed(node.left) | _needed(node.right)
    if isinstance(node, Among):
        return (
            _TEXT if any(isinstance(value, str) for value in node.values) else _NOTHING
        )
    if isinstance(node, Contains):
        return LONG
    return _TEXT if isinstance(node, Like | Matches) else _NOTHING


def _needed(operand: Operand) -> frozenset[Kind]:
    """Return the long kinds that something compared with an operand may equal."""
    if isinstance(operand, Path):
        return _TEXT
    if isinstance(operand, Literal):
        if isinstance(operand.value, str):
            return _TEXT
        if isinstance(operand.value, list | tuple):
            return _ITEMS
    return _NOTHING


class Doubts:
    """
    Which records a question cannot be answered for by the index alone.

    Args:
        connection: An open transaction.
        compiler: Of the question.
        nodes: The condition, and what is sorted by.

    """

    def __init__(
        self,
        connection: Connection,
        compiler: Compiler,
        nodes: list[Condition | Operand],
    ) -> None:
        self._compiler = compiler
        self._asked = [each for node in nodes for each in mentions(node)]
        self.partly = bool(self._asked) and has_partly(connection)
        self._doubts = {
            mention: found
            for mention in self._asked
            if (found := compiler.in_doubt(mention.path, mention.kinds))
        }

    def __bool__(self) -> bool:
        """Return whether there may be any."""
        return self.partly or bool(self._doubts)

    def concern(self, node: Condition) -> bool:
        """Return whether a condition may be answered wrongly, records cut aside."""
        return any(mention in self._doubts for mention in mentions(node))

    @property
    def where(self) -> ColumnElement[bool]:
        """The condition for a record in doubt."""
        return or_(
            false(),
            self.cut,
            *(doubt for found in self._doubts.values() for doubt in found),
        )

    @property
    def cut(self) -> ColumnElement[bool]:
        """The condition for a record of which the index lacks a leaf asked for."""
        if not self.partly:
            return false()
        unknown = [
            true() if each.kinds & _ITEMS else self._compiler.unknown(each.path)
            for each in self._asked
        ]
        return and_(tables.PARTLY, or_(false(), *unknown))

    @property
    def candidates(self) -> Any:
        """The query for the ids of all records that may be in doubt."""
        record, leaf = tables.record, tables.leaf
        selects: list[Any] = []
        if self.partly:
            selects.append(select(record.c.id.label("id")).where(tables.PARTLY))
        for mention in self._doubts:
            place = self._compiler.vocabulary.place(mention.path)
            numbers = {source.id for source in place.sources} | set(place.hiders)
            selects.append(
                select(leaf.c.record_id.label("id")).where(
                    leaf.c.path_id.in_(sorted(numbers)),
                    leaf.c.kind.in_(sorted(map(int, LONG))),
                )
            )
        return union(*selects)


_ONE: ColumnElement[int] = literal_column("1")
_PARTLY = select(_ONE).where(tables.PARTLY).limit(1)


def has_partly(connection: Connection) -> bool:
    """Return whether the index holds some record only in part."""
    return connection.execute(_PARTLY).first() is not None
