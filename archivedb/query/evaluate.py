"""
Questions answered for one record, from what was saved.

It means what the SQL of `catalog` means, for records of which the index holds
only a part, and for older versions, of which it holds nothing.
"""

from __future__ import annotations

import math
import operator
import re
from typing import TYPE_CHECKING, Any, Protocol

from archivedb.query.comparing import holds, key_of, literal_leaves
from archivedb.query.nodes import (
    TAGS,
    Among,
    And,
    Arithmetic,
    Compare,
    Contains,
    Exists,
    Function,
    IsNaN,
    IsNone,
    Like,
    Literal,
    Matches,
    Not,
    Or,
    Path,
    Truth,
)
from archivedb.values.leaf import NUMBERS, SCALARS, UNLISTED, Kind, Leaf, leaf_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from archivedb.query.nodes import Condition, Operand


class Items(Protocol):
    """The items of a list or an array, made when they are asked for."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, index: int) -> View:
        """Return one."""

    def __iter__(self) -> Iterator[View]:
        """Yield them in order."""


class View(Protocol):
    """What stands at a path of a record."""

    @property
    def leaf(self) -> Leaf:
        """Its leaf, of whatever size; of a group or an object a kind alone."""

    def items(self) -> Items | None:
        """Return the items of a list, a tuple, a set or an array, else None."""


class Subject(Protocol):
    """One version of a record, as a question sees it."""

    @property
    def tags(self) -> Collection[str]:
        """Its tags."""

    def fact(self, name: str) -> Leaf:
        """Return a fact of the record itself."""

    def at(self, side: str, steps: tuple[str, ...]) -> View | None:
        """Return what stands at a path, or None."""


_LARGEST = 1 << 63


def matches(node: Condition, subject: Subject) -> bool:
    """Return whether a condition holds of a record."""
    if isinstance(node, And):
        return all(matches(item, subject) for item in node.items)
    if isinstance(node, Or):
        return any(matches(item, subject) for item in node.items)
    if isinstance(node, Not):
        return not matches(node.item, subject)
    if isinstance(node, Compare):
        return _compare(node, subject)
    if isinstance(node, Among):
        found = operand_leaf(node.of, subject)
        wanted = (leaf for value in node.values for leaf in literal_leaves(value))
        return found is not None and any(holds(found, "==", leaf) for leaf in wanted)
    if isinstance(node, Contains):
        return _contains(node, subject)
    return _of_path(node, subject)


def _of_path(
    node: Exists | IsNone | IsNaN | Truth | Like | Matches, subject: Subject
) -> bool:
    if isinstance(node, Like | Matches):
        found = operand_leaf(node.of, subject)
        if found is None or found.kind is not Kind.TEXT:
            return False
        text = found.txt or ""
        if isinstance(node, Like):
            return _is_like(text, node.pattern)
        return re.search(node.pattern, text) is not None
    found = operand_leaf(node.path, subject)
    if isinstance(node, Exists) or found is None:
        return found is not None
    if isinstance(node, Truth):
        return found == Leaf(Kind.BOOL, 1)
    return found.kind is (Kind.NULL if isinstance(node, IsNone) else Kind.NAN)


def _is_like(text: str, pattern: str) -> bool:
    """Return whether a text matches ``*`` and ``?``, in time that does not explode."""
    first, *others = pattern.split("*")
    if not others:
        return len(text) == len(first) and _fits(text, first, 0)
    *middle, last = others
    end = len(text) - len(last)
    if not _fits(text, first, 0) or end < len(first) or not _fits(text, last, end):
        return False
    at = len(first)
    for piece in middle:
        # The first place is as good as any: what follows has more room.
        found = _find(text, piece, at, end)
        if found is None:
            return False
        at = found + len(piece)
    return True


def _fits(text: str, piece: str, at: int) -> bool:
    if len(text) < at + len(piece):
        return False
    return all(c in ("?", text[at + index]) for index, c in enumerate(piece))


def _find(text: str, piece: str, start: int, end: int) -> int | None:
    if "?" not in piece:
        found = text.find(piece, start, end)
        return None if found < 0 else found
    for at in range(start, end - len(piece) + 1):
        if _fits(text, piece, at):
            return at
    return None


def operand_leaf(operand: Operand, subject: Subject) -> Leaf | None:
    """Return what an operand is for a record, or None if it is nothing."""
    if isinstance(operand, Path):
        if operand.side == "record":
            return subject.fact(operand.path)
        view = subject.at(operand.side, operand.steps)
        return None if view is None else view.leaf
    if isinstance(operand, Literal):
        return leaf_of(operand.value)
    number = _number(operand, subject)
    return None if number is None else leaf_of(number)


def _number(operand: Operand, subject: Subject) -> int | float | None:
    """Return a number as the database reckons: ints of 64 bits, and doubles."""
    if isinstance(operand, Function):
        return _function(operand, subject)
    if not isinstance(operand, Arithmetic):
        leaf = operand_leaf(operand, subject)
        return leaf.num if leaf is not None and leaf.kind in NUMBERS else None
    left, right = _number(operand.left, subject), _number(operand.right, subject)
    if left is None or right is None:
        return None
    return _reckoned(operand.op, left, right)


def _function(operand: Function, subject: Subject) -> int | float | None:
    if operand.name == "len":
        assert isinstance(operand.of, Path)  # noqa: S101 - the parser has looked
        view = subject.at(operand.of.side, operand.of.steps)
        if view is None or view.leaf.kind not in _LONG_OR_SHORT:
            return None
        items = view.items()
        return None if items is None else len(items)
    number = _number(operand.of, subject)
    if number is None:
        return None
    return _bounded(-number if operand.name == "neg" else abs(number))


_LONG_OR_SHORT = frozenset({Kind.LIST, Kind.ARRAY, Kind.LONG_LIST, Kind.LONG_ARRAY})


def _reckoned(op: str, left: float, right: float) -> int | float | None:
    if isinstance(left, int) and isinstance(right, int) and op != "/":
        found = _OPERATORS[op](left, right)
        if -_LARGEST <= found < _LARGEST:
            return found  # type: ignore[no-any-return]
    # Ints that become too large are reckoned anew, as the database does.
    left, right = float(left), float(right)
    if op == "/" and not right:
        return None
    found = _OPERATORS[op](left, right)
    return None if math.isnan(found) else found


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def _bounded(number: float) -> int | float:
    if isinstance(number, int) and not -_LARGEST <= number < _LARGEST:
        return float(number)
    return number


def _compare(node: Compare, subject: Subject) -> bool:
    left, right = node.left, node.right
    if isinstance(right, Literal) and isinstance(right.value, list | tuple):
        return _compare_list(node, right.value, subject)
    found = operand_leaf(left, subject)
    if found is None:
        return False
    if isinstance(right, Literal):
        return _compare_literal(node, found, right.value)
    other = operand_leaf(right, subject)
    if other is None:
        return False
    if found.kind is Kind.NULL or other.kind is Kind.NULL:
        # Paths are compared by what they say, and None says nothing.
        return node.op == "!="
    return holds(found, node.op, other)


def _compare_literal(node: Compare, found: Leaf, value: Any) -> bool:
    if isinstance(node.left, Path):
        leaves = literal_leaves(value)
        if node.op == "!=":
            return all(holds(found, "!=", leaf) for leaf in leaves)
        return any(holds(found, node.op, leaf) for leaf in leaves)
    number = leaf_of(value)
    if number is None:
        return node.op == "!="
    return holds(found, node.op, number)


def _compare_list(node: Compare, wanted: Any, subject: Subject) -> bool:
    path = node.left
    if not isinstance(path, Path) or path.side == "record":
        return False
    view = subject.at(path.side, path.steps)
    if view is None or node.op not in ("==", "!="):
        return False
    return _equals(view, wanted) is (node.op == "==")


def _equals(view: View, wanted: Any) -> bool:
    """Return whether what stands somewhere equals a literal, item by item."""
    if not isinstance(wanted, list | tuple):
        return any(holds(view.leaf, "==", x) for x in literal_leaves(wanted)[:1])
    if view.leaf.kind not in _LONG_OR_SHORT:
        return False
    items = view.items()
    if items is None or len(items) != len(wanted):
        return False
    return all(_equals(one, other) for one, other in zip(items, wanted, strict=True))


def _contains(node: Contains, subject: Subject) -> bool:
    leaves = literal_leaves(node.value)[:1]
    if node.path.side == "record":
        if node.path.path == TAGS:
            return node.value in subject.tags
        found = subject.fact(node.path.path)
        return isinstance(node.value, str) and node.value in (found.txt or "")
    view = subject.at(node.path.side, node.path.steps)
    if view is None:
        return False
    if view.leaf.kind is Kind.TEXT:
        return isinstance(node.value, str) and node.value in (view.leaf.txt or "")
    items = view.items() or ()
    return any(holds(item.leaf, "==", leaf) for item in items for leaf in leaves)


def sorted_by(leaf: Leaf | None) -> tuple[int, Any, str] | None:
    """Return rank, number and text by which a leaf is sorted, or None."""
    if leaf is None or leaf == UNLISTED:
        return None
    if leaf.kind not in SCALARS:
        return leaf.kind.rank, leaf.num or 0, leaf.txt or ""
    first, second = key_of(leaf)
    return (
        (leaf.kind.rank, 0, first)
        if leaf.kind is Kind.TEXT
        else (leaf.kind.rank, first or 0, second)
    )
