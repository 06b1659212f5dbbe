"""What stands in one cell of a table: a value, or a few words in its place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archivedb.values.leaf import Kind, Leaf, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_ITEMS = 16
"""Items of a list that a cell shows; of more it says how many there are."""

TIMES = "\N{MULTIPLICATION SIGN}"
"""What stands between the lengths of the axes of an array."""

DEEPEST = 3
"""Lists in lists that a cell shows."""


class Brief(str):
    """Words for what is too large for a cell, or no value: ``list 300``."""

    __slots__ = ()


OBJECT = Brief("object")


def array_words(dtype: str, shape: Iterable[Any]) -> Brief:
    """
    Return the words for an array.

    >>> array_words("float64", (32, 3)) == f"float64 32{TIMES}3"
    True
    """
    return Brief(f"{dtype} {TIMES.join(map(str, shape))}".rstrip())


def list_words(length: Any) -> Brief:
    """
    Return the words for a list that is no cell.

    >>> list_words(300)
    'list 300'
    """
    return Brief(f"list {length}")


def scalar(leaf: Leaf) -> Any:
    """Return the value of a leaf that is one, words for another, None for a group."""
    if leaf.kind is Kind.GROUP:
        return None
    if leaf.kind in (Kind.LIST, Kind.LONG_LIST):
        return list_words(leaf.num)
    try:
        value = value_of(leaf)
    except OverflowError:  # a time of numpy's that Python does not reach
        return OBJECT
    return OBJECT if value is ... else value


def is_whole(items: Sequence[Any]) -> bool:
    """Return whether items are values, and not words for some."""
    return not any(type(item) is Brief for item in items)


def key_of(value: Any) -> Any:
    """
    Return what tells values apart as the search does, and can be hashed.

    ``1`` and ``1.0`` are one, ``True`` is another, and NaN is equal to itself.

    >>> key_of(1) == key_of(1.0), key_of(True) == key_of(1)
    (True, False)
    """
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, list):
        return list, tuple(map(key_of, value))
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, Brief):
        return Brief, str(value)
    return value if isinstance(value, int | float) else (type(value), value)
