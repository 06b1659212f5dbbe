"""
Values of the index as SQL: what stands at a path of each record.

Every one is a correlated scalar subquery, a look-up by the leaf's whole key.
No planner turns such a one into a join, so none can begin with the wrong
clause, whatever it believes of the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    type_coerce,
)

from archivedb.catalog import tables
from archivedb.catalog.dialect import reckoned
from archivedb.query.nodes import Arithmetic, Function, Literal, Path
from archivedb.values.leaf import NUMBERS, Kind, leaf_of
from archivedb.values.leaves import SHAPE
from archivedb.values.paths import item_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import ColumnElement, Dialect

    from archivedb.catalog.vocabulary import Place, Source, Vocabulary
    from archivedb.query.nodes import Operand

    Test = Callable[[Any], ColumnElement[bool]]
    """A condition on the columns of one leaf."""

record, version = tables.record.c, tables.version.c

FACTS: dict[str, tuple[Kind, ColumnElement[Any]]] = {
    "name": (Kind.TEXT, record.name),
    "uuid": (Kind.TEXT, record.uuid),
    "mode": (Kind.TEXT, version.mode),
    "digest": (Kind.TEXT, version.digest),
    # What they are compared with may be larger, or no int.
    "version": (Kind.NUMBER, type_coerce(version.version, tables.Number())),
    "size": (Kind.NUMBER, type_coerce(version.size, tables.Number())),
    "saved_at": (Kind.TIME, version.saved_at),
}
"""What a record says of itself, as kind and column."""

LEAF = tables.leaf.alias("its")
"""The leaf of each look-up, which stands alone in its statement."""

ARRAYS = (int(Kind.ARRAY), int(Kind.LONG_ARRAY))
_ONE: ColumnElement[int] = literal_column("1")
# SQLAlchemy's null() would turn what is compared with it into IS NULL.
_NULL: ColumnElement[Any] = literal_column("NULL")
NO_NUMBER, NO_TEXT = cast(_NULL, tables.Number()), cast(_NULL, Text())


def nothing(column: str) -> ColumnElement[Any]:
    """Return null, of the type of a leaf's column."""
    return NO_TEXT if column == "txt" else NO_NUMBER


def at(source: Source, *columns: Any, where: Test | None = None) -> Any:
    """Return the look-up of a leaf of the record that the statement is at."""
    leaf = LEAF
    chosen = [leaf.c[name] if isinstance(name, str) else name for name in columns]
    statement = select(*(chosen or [_ONE])).where(
        leaf.c.record_id == record.id, leaf.c.path_id == source.id
    )
    if where is not None:
        statement = statement.where(where(leaf.c))
    # Alone in its FROM, whatever the statement around it selects from.
    return statement.correlate(tables.record).scalar_subquery()


def is_at(source: Source, where: Test | None = None) -> ColumnElement[bool]:
    """Return whether there is a leaf, of which this also holds."""
    found: ColumnElement[bool] = at(source, where=where).is_not(None)
    return found


def present(source: Source) -> ColumnElement[bool]:
    """Return whether what a source views is there."""
    if source.view == "value":
        return is_at(source)
    return is_at(source, lambda leaf: leaf.kind.in_(ARRAYS))


def first(
    place: Place, of: Callable[[Source], ColumnElement[bool] | None]
) -> ColumnElement[bool]:
    """Return whether something holds of what a place means in each record."""
    conditions: list[ColumnElement[bool]] = []
    for index, source in enumerate(place.sources):
        holds = of(source)
        if holds is not None:
            hidden = (not_(present(each)) for each in place.sources[:index])
            conditions.append(and_(holds, *hidden))
    return or_(false(), *conditions)


def anything(place: Place) -> ColumnElement[bool]:
    """Return whether anything at all stands at a place."""
    return or_(false(), *(present(source) for source in place.sources))


def chosen(
    place: Place, of: Callable[[Source], ColumnElement[Any]]
) -> ColumnElement[Any]:
    """Return a value of what a place means in each record."""
    if not place.sources:
        return _NULL
    *before, last = place.sources
    if not before:
        return of(last)
    return case(*((present(each), of(each)) for each in before), else_=of(last))


class Operands:
    """
    Operands as SQL, of one kind each: null where there is none of that kind.

    Args:
        vocabulary: Which paths there are.
        dialect: The database's.

    """

    def __init__(self, vocabulary: Vocabulary, dialect: Dialect) -> None:
        self.vocabulary, self._dialect = vocabulary, dialect

    def kinds(self, operand: Operand) -> frozenset[Kind]:
        """Return the kinds of values that an operand may have."""
        if isinstance(operand, Literal):
            leaf = leaf_of(operand.value)
            return frozenset() if leaf is None else _alike({leaf.kind})
        if not isinstance(operand, Path):
            return frozenset({Kind.NUMBER})
        if operand.side == "record":
            return frozenset({FACTS[operand.path][0]})
        place = self.vocabulary.place(operand)
        views = {source.view for source in place.sources}
        more = {Kind.TEXT} if "dtype" in views else set()
        more |= {Kind.NUMBER} if "ndim" in views else set()
        return _alike(place.kinds | more)

    def value(self, operand: Operand, kind: Kind) -> ColumnElement[Any]:
        """Return the value of an operand, or null if it has none of this kind."""
        if isinstance(operand, Literal):
            leaf = leaf_of(operand.value)
            if leaf is None or kind not in _alike({leaf.kind}):
                return nothing(self._column(kind))
            if kind is Kind.TEXT:
                return literal(leaf.txt)
            return literal(leaf.num, tables.Number())
        if isinstance(operand, Path):
            return self._at_path(operand, kind, self._column(kind))
        return self.number(operand) if kind is Kind.NUMBER else NO_NUMBER

    def rest(self, operand: Operand, kind: Kind) -> ColumnElement[Any]:
        """Return by what a number is more than its value, or an empty text."""
        if isinstance(operand, Literal) and kind is Kind.NUMBER:
            leaf = leaf_of(operand.value)
            return literal((leaf.txt if leaf is not None else None) or "")
        if not isinstance(operand, Path) or operand.side == "record":
            return literal("")
        if kind is Kind.NUMBER:
            return func.coalesce(self._at_path(operand, kind, "txt"), "")
        return literal("")

    @staticmethod
    def _column(kind: Kind) -> str:
        return "txt" if kind is Kind.TEXT else "num"

    def _at_path(self, path: Path, kind: Kind, column: str) -> ColumnElement[Any]:
        if path.side == "record":
            its, found = FACTS[path.path]
            return found if its is kind else nothing(column)
        place = self.vocabulary.place(path)
        if not place.sources:
            return nothing(column)
        return chosen(place, lambda source: _viewed(source, kind, column))

    def number(self, operand: Operand) -> ColumnElement[Any]:
        """Return an operand as a number, or null."""
        if isinstance(operand, Arithmetic):
            left, right = self.number(operand.left), self.number(operand.right)
            return reckoned(operand.op, left, right, self._dialect)
        if isinstance(operand, Function):
            if operand.name == "len":
                return self._length(operand.of)
            of = self.number(operand.of)
            # SQLite's own abs() fails for the smallest int.
            return -of if operand.name == "neg" else case((of < 0, -of), else_=of)
        return self.value(operand, Kind.NUMBER)

    def _length(self, operand: Operand) -> ColumnElement[Any]:
        if not isinstance(operand, Path) or operand.side == "record":
            return NO_NUMBER
        place = self.vocabulary.place(operand)
        return chosen(place, self._source_length) if place.sources else NO_NUMBER

    def _source_length(self, source: Source) -> ColumnElement[Any]:
        if source.view == "shape":
            return at(source, "num", where=lambda leaf: leaf.kind.in_(ARRAYS))  # type: ignore[no-any-return]
        if source.view != "value":
            return NO_NUMBER
        lists = (int(Kind.LIST), int(Kind.LONG_LIST))
        listed = at(source, "num", where=lambda leaf: leaf.kind.in_(lists))
        path = f"{source.path}/{SHAPE}/{item_token(0)}"
        shape = self.vocabulary.source(source.side, path)
        return listed if shape is None else func.coalesce(listed, at(shape, "num"))


def _alike(kinds: Iterable[Kind]) -> frozenset[Kind]:
    """Return kinds, with numbers as one."""
    return frozenset(Kind.NUMBER if kind in NUMBERS else kind for kind in kinds)


def _viewed(source: Source, kind: Kind, column: str) -> ColumnElement[Any]:
    """Return a column of the leaf of a source, if that is of a kind."""
    if source.view == "value":
        kinds = NUMBERS if kind is Kind.NUMBER else {kind}
        numbers = sorted(map(int, kinds & source.kinds))
        return at(source, column, where=lambda leaf: leaf.kind.in_(numbers))  # type: ignore[no-any-return]
    viewed = {"dtype": Kind.TEXT, "ndim": Kind.NUMBER}.get(source.view)
    if viewed is not kind or (kind is Kind.NUMBER and column == "txt"):
        return nothing(column)
    return at(source, column, where=lambda leaf: leaf.kind.in_(ARRAYS))  # type: ignore[no-any-return]
