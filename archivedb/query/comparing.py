"""
What a literal of a question is compared with: leaves, and which are equal.

Shared by the compiler to SQL and by the evaluation in Python, so that both
mean the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archivedb.values.leaf import NUMBERS, SCALARS, Kind, Leaf, leaf_of

if TYPE_CHECKING:
    from collections.abc import Callable

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def literal_leaves(value: Any) -> tuple[Leaf, ...]:
    """
    Return the leaves that a literal may equal.

    A text that is a date is also that time: ``saved_at > '2026-11-01'``.
    """
    found = leaf_of(value)
    if found is None or found.kind not in SCALARS:
        return ()
    if found.kind is Kind.TEXT:
        moment = _moment(found.txt or "")
        return (found,) if moment is None else (found, moment)
    return (found,)


_SHORTEST_DATE, _LONGEST_DATE = 10, 40


def _moment(text: str) -> Leaf | None:
    if not _SHORTEST_DATE <= len(text) <= _LONGEST_DATE or not text[:4].isdigit():
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return leaf_of(found if found.tzinfo else found.replace(tzinfo=UTC))


def key_of(leaf: Leaf) -> tuple[Any, str]:
    """Return what orders leaves of one kind; SQL orders null before any text."""
    if leaf.kind is Kind.TEXT:
        return leaf.txt, ""
    return leaf.num, leaf.txt or ""


def holds(left: Leaf, op: str, right: Leaf) -> bool:
    """Return whether a comparison of two leaves holds, both being there."""
    numbers = left.kind in NUMBERS and right.kind in NUMBERS
    same = numbers or (left.kind is right.kind and left.kind in SCALARS)
    if op == "!=":
        return not (same and key_of(left) == key_of(right))
    if not same or (left.kind is Kind.NULL and op != "=="):
        return False
    return _ORDERS[op](key_of(left), key_of(right))
