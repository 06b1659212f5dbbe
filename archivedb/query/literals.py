"""Values of a question: which can be compared, and what follows from several."""

from __future__ import annotations

import datetime as dt
import math
import operator
import pathlib
import uuid
from collections.abc import Iterator, KeysView, ValuesView
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import QueryError
from archivedb.query import dates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

COMPARABLE = (
    "None, bool, int, float, Decimal, str, datetime, date, timedelta, numpy scalars, "
    "paths, UUIDs, and lists of them"
)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
MOST_VALUES = 100_000
"""How many values a question may list."""
_LISTS = (list, tuple, set, frozenset, range, KeysView, ValuesView, np.ndarray)
_MOST_NESTED = 8
# Python does not print longer ones.
_MOST_BITS = 14_000


def literal(value: Any, what: str, depth: int = 0) -> Any:
    """
    Return a value that came from code as questions have it.

    Text becomes plain text, times become instants in UTC; arrays of one axis,
    sets, ranges, views of dicts and columns of pandas become lists.

    Args:
        value: Any value.
        what: Whose it is, for errors.
        depth: How many lists it lies in.

    Raises:
        QueryError: The index has no such values.

    >>> literal(np.float32(0.5), "x"), literal(range(2), "x")
    (0.5, [0, 1])
    """
    if isinstance(value, _LISTS):
        return _list(value, what, depth)
    try:
        return _scalar(value)
    except TypeError:
        pass
    except (ValueError, OverflowError, ArithmeticError):
        # Its repr may be as impossible as itself.
        raise QueryError(
            f"{what}: this {type(value).__name__} is out of range, or no time at all, "
            "and cannot be compared"
        ) from None
    # Any other class might do anything when it is asked.
    if (
        type(value).__module__.partition(".")[0] == "pandas"
        and getattr(value, "ndim", 0) == 1
    ):
        return _list(value.tolist(), what, depth)  # a Series, an Index
    kind = type(value).__name__
    if isinstance(value, Iterator):
        raise QueryError(
            f"{what}: a {kind} is empty once it was read, and a question is asked "
            "more than once; give list(...) of it"
        )
    raise QueryError(
        f"{what}: a value of type {kind} cannot be compared; "
        f"find compares with {COMPARABLE}"
    )


def _list(value: Any, what: str, depth: int) -> Any:
    if isinstance(value, np.ndarray):
        if not value.ndim:
            return literal(value[()], what, depth)
        if value.ndim > 1:
            raise QueryError(
                f"{what}: an array of {value.ndim} dimensions cannot be compared; "
                "arrays of one can, and facts of others, like `.max` or `.shape[0]`"
            )
    if depth == _MOST_NESTED:
        raise QueryError(f"{what}: lists are nested too deep to be compared")
    # No memory for range(10**12), which is a mistake.
    found = [literal(item, what, depth + 1) for item in islice(value, MOST_VALUES + 1)]
    if len(found) > MOST_VALUES:
        raise QueryError(f"{what}: it lists more than {MOST_VALUES:,} values")
    return found


def _scalar(value: Any) -> Any:
    """Return a scalar; raises TypeError if it is of a kind that none is."""
    if value is None or type(value) in {bool, float, str}:
        return value
    if isinstance(value, np.generic):
        return _numpy_scalar(value)
    if isinstance(value, int):
        return _checked(int.__int__(value))
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else float(value)
    if isinstance(value, dt.date):
        return dates.utc(value)
    if isinstance(value, dt.timedelta):
        return dt.timedelta(value.days, value.seconds, value.microseconds)
    if isinstance(value, pathlib.PurePath | uuid.UUID):
        return str(value)
    raise TypeError(value)


def _numpy_scalar(value: Any) -> Any:
    if isinstance(value, np.datetime64 | np.timedelta64):
        unit = "datetime64" if isinstance(value, np.datetime64) else "timedelta64"
        value = value.astype(f"{unit}[us]")
        if np.isnat(value) or isinstance(value.item(), int):
            raise ValueError(value)
    item = value.item()
    if isinstance(item, np.longdouble):
        item = float(item)
    if item is value or isinstance(item, np.generic):
        raise TypeError(value)
    return _scalar(item)


def _checked(number: int) -> int:
    if number.bit_length() > _MOST_BITS:
        raise OverflowError
    return number


def is_number(value: Any) -> bool:
    """Return whether a value is a number; True is none."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_nan(value: Any) -> bool:
    """Return whether a value is the float that is equal to nothing."""
    return isinstance(value, float) and math.isnan(value)


def combine(op: str, left: Any, right: Any) -> Any:
    """
    Return what an operator makes of two values.

    Raises:
        ArithmeticError: It has no result, or none that can be told.
        TypeError: It is not defined for them.

    """
    for value in (left, right):
        if not is_number(value) and not isinstance(value, dt.datetime | dt.timedelta):
            raise TypeError(value)
    if isinstance(left, Decimal) and isinstance(right, float):
        left = float(left)
    if isinstance(right, Decimal) and isinstance(left, float):
        right = float(right)
    try:
        found = _OPERATORS[op](left, right)
    except ValueError as error:  # a duration times NaN
        raise ArithmeticError(*error.args) from None
    return _checked(found) if isinstance(found, int) else found


def around(middle: Any, width: Any) -> tuple[Any, Any]:
    """
    Return the bounds ``middle ± width``, as decimal numbers add.

    4.05 + 0.01 shall be 4.06, which is in the text, and not its neighbour.
    """
    if not isinstance(middle, float) and not isinstance(width, float):
        return combine("-", middle, width), combine("+", middle, width)
    if not (is_number(middle) and is_number(width)):
        return combine("-", middle, width), combine("+", middle, width)
    if not (math.isfinite(middle) and math.isfinite(width)):
        return float(middle) - width, float(middle) + width
    one, other = Decimal(str(middle)), Decimal(str(width))
    return float(one - other), float(one + other)


def is_scalar(values: Iterable[Any]) -> bool:
    """Return whether none of these is a list."""
    return not any(isinstance(value, list) for value in values)
