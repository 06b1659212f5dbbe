"""
What the search index holds of an array: its range, its mean, and few items.

It is found out when the array is saved, and lies in the envelope, so that an
index is rebuilt without reading arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.values.decode import decode_inline
from archivedb.values.dtypes import is_text
from archivedb.values.encode import encode_inline
from archivedb.values.leaf import LONGEST_TEXT
from archivedb.values.paths import is_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archivedb.values.dtypes import AnyArray
    from archivedb.values.skeleton import Tree

MOST_ITEMS = 16
"""Items of a list or of an array of one axis that the index holds by value."""

_CHUNK = 1 << 17
_DOUBLE = 8


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """
    What the index holds of an array beside dtype and shape.

    Attributes:
        range: The smallest and the largest number and the mean, which is a
            double; NaN where the array holds one; None if it holds none, or
            no real numbers.
        items: The items of one axis, if they are few, else None.

    """

    range: tuple[Any, Any, float] | None = None
    items: list[Any] | None = None

    def tree(self) -> Tree:
        """Return it as JSON."""
        tree: dict[str, Any] = {}
        if self.range is not None:
            tree["range"] = _encoded(list(self.range), "range")
        if self.items is not None:
            tree["items"] = _encoded(self.items, "items")
        return tree

    @classmethod
    def of(cls, tree: Tree) -> ArrayFacts:
        """
        Return the facts that a tree describes.

        Raises:
            TypeError: They are none.
            ValueError: They are none.

        """
        found, items = tree.get("range"), tree.get("items")
        if found is not None:
            low, high, mean = decode_inline(found)
            if {type(low), type(high), type(mean)} - {int, float}:
                raise TypeError(found)
            found = low, high, mean
        if items is not None:
            items = decode_inline(items)
            if type(items) is not list or len(items) > MOST_ITEMS:
                raise ValueError(items)
        return cls(found, items)

    def of_shape(self, shape: Sequence[int]) -> ArrayFacts:
        """
        Return them, after looking whether they can be those of an array.

        Raises:
            ValueError: It has not as many items.

        """
        if self.items is not None and list(shape) != [len(self.items)]:
            raise ValueError(self.items)
        return self


def _encoded(values: list[Any], what: str) -> Tree:
    # Most are numbers that JSON has; the walk takes longer to say so.
    for each in values:
        if type(each) is not float or not math.isfinite(each):
            return encode_inline(values, what)
    return values


def array_facts(values: AnyArray) -> ArrayFacts:
    """
    Return the facts of an array.

    Example:
        >>> array_facts(np.array([1.5, 2.5]))
        ArrayFacts(range=(1.5, 2.5, 2.0), items=[1.5, 2.5])

    """
    kind = values.dtype.kind
    items = None
    if values.ndim == 1 and values.size <= MOST_ITEMS and kind in "biufU":
        items = values.tolist() if kind != "U" or is_text(values) else None
        # All of them, or none: who compares the array with a list asks for all.
        if kind == "U" and items and not all(map(_is_indexed, items)):
            items = None
    if not values.size or kind not in "biuf" or values.dtype.itemsize > _DOUBLE:
        return ArrayFacts(None, items)
    return ArrayFacts(_range(values), items)


def _is_indexed(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and is_utf8(text)


def _range(values: AnyArray) -> tuple[Any, Any, float]:
    """Return minimum, maximum and mean, a piece at a time: each is read once."""
    if values.dtype.kind == "b":
        values = values.view(np.uint8) != 0
    flat = values.reshape(-1) if values.flags.c_contiguous else values.ravel()
    low: Any = None
    high: Any = None
    total = 0.0
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, _CHUNK):
            # numpy sums what is not aligned in another order, and so to other bits.
            piece = flat[start : start + _CHUNK]
            if not piece.flags.aligned:
                piece = piece.copy()
            least, most = piece.min().item(), piece.max().item()
            low = least if low is None else _first(least, low, smaller=True)
            high = most if high is None else _first(most, high, smaller=False)
            total += float(piece.sum(dtype=np.float64))
    if values.dtype.kind == "b":
        low, high = int(low), int(high)
    return low, high, total / flat.size


def _first(one: Any, other: Any, *, smaller: bool) -> Any:
    """Return the smaller or the larger of two numbers, or the NaN among them."""
    for each in (one, other):
        if isinstance(each, float) and math.isnan(each):
            return each
    return min(one, other) if smaller else max(one, other)


def joined(one: ArrayFacts, size: int, other: ArrayFacts, more: int) -> ArrayFacts:
    """
    Return the facts of rows and of those appended to them.

    Args:
        one: The facts of the first.
        size: How many items those have.
        other: The facts of the others.
        more: How many items they have.

    """
    items = None
    if one.items is not None and other.items is not None:
        items = [*one.items, *other.items]
        items = items if len(items) <= MOST_ITEMS else None
    if not size or one.range is None:
        return ArrayFacts(other.range if not size else None, items)
    if not more or other.range is None:
        return ArrayFacts(one.range if not more else None, items)
    (low, high, mean), (least, most, middle) = one.range, other.range
    whole = (mean * size + middle * more) / (size + more)
    first, last = _first(low, least, smaller=True), _first(high, most, smaller=False)
    return ArrayFacts((first, last, whole), items)
