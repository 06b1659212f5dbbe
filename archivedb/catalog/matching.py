"""
What is asked of one row: of a leaf, of a fact of a record, of two numbers.

Every form is one that an index can look up, and is never null.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, false, func, not_, or_, true

from archivedb.catalog.operands import ARRAYS, is_at, present
from archivedb.values.leaf import NUMBERS, Kind, Leaf, is_storable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement

    from archivedb.catalog.operands import Test
    from archivedb.catalog.vocabulary import Source

    Sql = ColumnElement[bool]

UNORDERED = frozenset({"==", "!="})

ODD = re.compile("[\0\ud800-\udfff]")
"""What no text of the index has."""

_OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(value: Any, op: str, other: Any) -> Sql:
    """Return a comparison of two expressions."""
    found: Sql = _OPERATORS[op](value, other)
    return found


def surely(condition: Sql) -> Sql:
    """Return a condition that is false where it would be null."""
    found: Sql = func.coalesce(condition, false())
    return found


def compare_leaf(columns: Any, op: str, leaf: Leaf, *, inexact: bool) -> Sql:
    """
    Return how a leaf's row compares with another leaf, both of one kind.

    Every form is what the index can look up.

    Args:
        columns: Those of the row.
        op: The comparison.
        leaf: The other leaf.
        inexact: Whether there may be numbers that ``num`` does not hold wholly.

    """
    if leaf.kind in NUMBERS:
        return _compare_number(columns, op, leaf, inexact=inexact)
    of_kind = columns.kind == int(leaf.kind)
    if leaf.kind is Kind.NULL:
        return of_kind if op == "==" else false()
    if leaf.kind is Kind.TEXT:
        return and_(of_kind, columns.num.is_(None), compare(columns.txt, op, leaf.txt))
    return and_(of_kind, compare(columns.num, op, leaf.num))


def _compare_number(columns: Any, op: str, leaf: Leaf, *, inexact: bool) -> Sql:
    num, txt = columns.num, columns.txt
    of_kind = columns.kind == int(Kind.NUMBER)
    if leaf.txt is None:
        whole = and_(of_kind, compare(num, op, leaf.num))
    elif op == "==":
        whole = false()
    else:  # nothing whole lies between the number below and the leaf
        whole = and_(
            of_kind, compare(num, {"<": "<=", ">=": ">"}.get(op, op), leaf.num)
        )
    if not inexact:
        return whole
    rest = leaf.txt or ""
    if op == "==":
        more = and_(num == leaf.num, txt == rest)
    else:
        loose, strict = f"{op[0]}=", op[0]
        beyond = or_(compare(num, strict, leaf.num), compare(txt, op, rest))
        more = and_(compare(num, loose, leaf.num), beyond)
    return or_(whole, and_(columns.kind == int(Kind.INEXACT), more))


_ALSO = {
    Kind.NUMBER: NUMBERS,
    Kind.TEXT: frozenset(),
    Kind.TIME: frozenset(),
}


def compare_fact(kind: Kind, column: Any, op: str, leaves: tuple[Leaf, ...]) -> Sql:
    """Return how a fact of a record compares with what a literal may mean."""
    same = [leaf for leaf in leaves if leaf.kind is kind or leaf.kind in _ALSO[kind]]
    asked = sought(same[0], op) if same else None
    if asked is None:
        return true() if op == "!=" else false()
    same[0], op = asked
    if same[0].txt is not None and kind is Kind.NUMBER:
        # A whole number is never equal to what lies between two.
        op = {"<": "<=", ">=": ">"}.get(op, op)
        if op in UNORDERED:
            return true() if op == "!=" else false()
    return compare(column, op, column_of(same[0]))


def column_of(leaf: Leaf) -> Any:
    """Return what the index holds of a leaf in its own column."""
    return leaf.txt if leaf.kind is Kind.TEXT else leaf.num


def compare_pairs(op: str, left: tuple[Any, Any], right: tuple[Any, Any]) -> Sql:
    """Return how two numbers compare, each with by what it is more."""
    (one, more), (other, rest) = left, right
    if op == "==":
        return and_(one == other, more == rest)
    strict = op[0]
    return or_(compare(one, strict, other), and_(one == other, compare(more, op, rest)))


def sought(leaf: Leaf, op: str) -> tuple[Leaf, str] | None:
    """
    Return what the index is asked for a comparison, or None if it holds for none.

    It has no text with NUL or a lone surrogate, so that such a one is compared
    by what stands in front of it.
    """
    text = leaf.txt or ""
    if leaf.kind is not Kind.TEXT or is_storable(text):
        return leaf, op
    if op in UNORDERED:
        return None
    odd = ODD.search(text)
    assert odd is not None  # noqa: S101 - it is not storable
    before = text[: odd.start()]
    if odd.group() == "\0":  # which nothing precedes
        return Leaf(Kind.TEXT, None, before), "<=" if op[0] == "<" else ">"
    # As the character that follows all of them.
    return Leaf(Kind.TEXT, None, f"{before}\ue000"), "<" if op[0] == "<" else ">="


def viewed(source: Source, leaf: Leaf, op: str) -> Test | None:
    """Return the test of a leaf's row for a comparison, or None if it is false."""
    if op == "kind":
        if source.view != "value":
            return None
        return lambda x: x.kind == int(leaf.kind)
    asked = sought(leaf, op)
    if asked is None:
        return None
    leaf, op = asked
    if source.view == "value":
        inexact = Kind.INEXACT in source.kinds
        return lambda x: compare_leaf(x, op, leaf, inexact=inexact)
    if source.view == "dtype" and leaf.kind is Kind.TEXT:
        return lambda x: and_(x.kind.in_(ARRAYS), compare(x.txt, op, leaf.txt))
    if source.view == "ndim" and leaf.kind is Kind.NUMBER and leaf.txt is None:
        return lambda x: and_(x.kind.in_(ARRAYS), compare(x.num, op, leaf.num))
    return None


def either(source: Source, asked: Iterable[tuple[Leaf, str]]) -> Sql | None:
    """Return whether one of several comparisons holds at a source."""
    tests = [viewed(source, *each) for each in asked]
    conditions = [is_at(source, test) for test in tests if test is not None]
    return or_(*conditions) if conditions else None


def unequal(source: Source, equal: list[tuple[Leaf, str]]) -> Sql:
    """Return whether something is at a source to which none of these is equal."""
    tests = [test for each in equal if (test := viewed(source, *each)) is not None]
    there = present(source)
    if not tests:
        return there
    return and_(there, not_(or_(*(is_at(source, test) for test in tests))))


def is_among(source: Source, leaves: list[Leaf]) -> Sql | None:
    """Return whether one of many is at a source."""
    test = among(source, leaves)
    return None if test is None else is_at(source, test)


def among(source: Source, leaves: list[Leaf]) -> Test | None:
    """Return the test of a leaf's row for being one of many."""
    if source.view != "value":
        tests = [t for x in leaves if (t := viewed(source, x, "==")) is not None]
        return (lambda row: or_(*(t(row) for t in tests))) if tests else None
    # By kind, so that the index looks each of them up.
    plain: dict[Kind, list[Any]] = {}
    odd: list[Leaf] = []
    for leaf in leaves:
        if leaf.kind in (Kind.NULL, Kind.INEXACT):
            odd.append(leaf)
        elif leaf.kind is not Kind.TEXT or is_storable(leaf.txt or ""):
            plain.setdefault(leaf.kind, []).append(column_of(leaf))

    def test(row: Any) -> Sql:
        found = [compare_leaf(row, "==", leaf, inexact=True) for leaf in odd]
        for kind, values in plain.items():
            column = row.txt if kind is Kind.TEXT else row.num
            found.append(
                and_(row.kind == int(kind), column.in_(values), _no_number(row, kind))
            )
        return or_(false(), *found)

    return test


def _no_number(row: Any, kind: Kind) -> Sql:
    """Return what of a text lets the index go on from its kind to it."""
    return row.num.is_(None) if kind is Kind.TEXT else true()


def text_test(source: Source, test: Any) -> Sql | None:
    """Return whether a text is at a source of which something holds."""
    if source.view == "value" and Kind.TEXT in source.kinds:
        return is_at(source, lambda x: and_(x.kind == int(Kind.TEXT), test(x.txt)))
    if source.view == "dtype":
        return is_at(source, lambda x: and_(x.kind.in_(ARRAYS), test(x.txt)))
    return None
