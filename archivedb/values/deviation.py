"""By how much numbers differ: single ones, and arrays piece by piece."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.values import dtypes

if TYPE_CHECKING:
    from archivedb.values.dtypes import AnyArray

_NUMERIC = frozenset("biufc")
_INTEGERS = frozenset("iu")


def distance(one: Any, two: Any) -> float | None:
    """
    Return the absolute difference of two numbers, or None if one is none.

    Two NaNs are 0 apart, and a NaN and a number infinitely far: so whoever
    asks what exceeds a tolerance is told.

    >>> distance(1, 1.5), distance(float("nan"), 1.0), distance(True, 0)
    (0.5, inf, None)
    """
    a, b = _number(one), _number(two)
    if a is None or b is None:
        return None
    if isinstance(a, complex) or isinstance(b, complex):
        a, b = complex(a), complex(b)
        return math.hypot(_apart(a.real, b.real), _apart(a.imag, b.imag))
    return _apart(a, b)


def _number(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, np.complexfloating):
        return complex(value)
    if isinstance(value, (np.floating, float)):
        return value if isinstance(value, np.longdouble) else float(value)
    return value if isinstance(value, complex) else None


def _apart(a: Any, b: Any) -> float:
    if a == b or (a != a and b != b):  # noqa: PLR0124 - two NaNs
        return 0.0
    try:
        with np.errstate(all="ignore"):
            apart = float(abs(a - b))
    except OverflowError:  # an int beyond all floats
        return math.inf
    return math.inf if math.isnan(apart) else apart


def is_numeric(dtype: np.dtype[Any]) -> bool:
    """Return whether the items of a dtype have a distance."""
    return dtype.kind in _NUMERIC


@dataclass(slots=True)
class Deviation:
    """
    How two arrays of one shape differ, as far as they have been compared.

    Attributes:
        elements: How many items are not equal; two NaNs are.
        maximum: The largest `distance` of two items, or None if they are no
            numbers.
        bits: Whether items that are equal have other bits.

    """

    elements: int = 0
    maximum: float | None = None
    bits: bool = False

    def add(self, one: AnyArray, two: AnyArray) -> None:
        """
        Compare the next piece of both.

        Args:
            one: A one-dimensional array.
            two: As many items, of the same dtype, or numbers as well.

        """
        numeric = is_numeric(one.dtype) and is_numeric(two.dtype)
        if numeric:
            self.maximum = self.maximum or 0.0
        if one.dtype == two.dtype and _same_bytes(one, two):
            return
        unequal = _unequal(one, two)
        count = int(np.count_nonzero(unequal))
        if not count:
            self.bits = True
            return
        self.elements += count
        if numeric:
            largest = _largest(one[unequal], two[unequal])
            self.maximum = max(self.maximum or 0.0, largest)


def _rows(array: AnyArray) -> AnyArray:
    """Return an array's bytes, a row an item."""
    raw: AnyArray = dtypes.array_bytes(array)
    return raw.reshape(len(array), raw.size // max(len(array), 1))


def _same_bytes(one: AnyArray, two: AnyArray) -> bool:
    return bool(np.array_equal(dtypes.array_bytes(one), dtypes.array_bytes(two)))


def _unequal(one: AnyArray, two: AnyArray) -> AnyArray:
    """Return which items are not equal, along the first axis."""
    dtype = one.dtype
    if dtype.names is not None:
        # What lies between the fields is nobody's.
        found = np.zeros(len(one), bool)
        for name in dtype.names:
            found |= _unequal(one[name], two[name])
        return found
    if dtype.kind == "V":
        unequal = _rows(one) != _rows(two)
    elif dtype.kind in "mM":
        unequal = one.astype("i8") != two.astype("i8")  # NaT has one number
    elif "c" in (dtype.kind, two.dtype.kind):
        unequal = _differ(one.real, two.real) | _differ(one.imag, two.imag)
    else:
        unequal = _differ(one, two)
    return np.asarray(unequal.any(axis=tuple(range(1, unequal.ndim))))


def _differ(one: AnyArray, two: AnyArray) -> AnyArray:
    unequal: AnyArray = one != two
    if one.dtype.kind == "f" and two.dtype.kind == "f":
        unequal &= ~(np.isnan(one) & np.isnan(two))
    return unequal


def _largest(one: AnyArray, two: AnyArray) -> float:
    """Return the largest distance of numbers that are not equal."""
    kinds = one.dtype.kind, two.dtype.kind
    if "c" in kinds:
        # A part in which both are NaN is no distance.
        parts = [_gaps(one.real, two.real), _gaps(one.imag, two.imag)]
        with np.errstate(all="ignore"):
            return _maximum(np.hypot(*parts))
    return _maximum(_gaps(one, two))


def _gaps(one: AnyArray, two: AnyArray) -> AnyArray:
    kinds = one.dtype.kind, two.dtype.kind
    with np.errstate(all="ignore"):
        if kinds[0] == kinds[1] and kinds[0] in _INTEGERS:
            # Modulo 2**64 this is exact, whatever the sign.
            gap = np.maximum(one, two).astype("u8") - np.minimum(one, two).astype("u8")
            return np.asarray(gap, "f8")
        wide = [each.astype(np.result_type(each.dtype, "f8")) for each in (one, two)]
        gaps: AnyArray = np.abs(wide[0] - wide[1])
        # Infinities of one sign are equal, and two NaNs are.
        same = (wide[0] == wide[1]) | (np.isnan(wide[0]) & np.isnan(wide[1]))
        gaps[same] = 0
    return gaps


def _maximum(gaps: AnyArray) -> float:
    # A NaN on one side alone is as far as can be.
    return math.inf if np.isnan(gaps).any() else float(gaps.max())
