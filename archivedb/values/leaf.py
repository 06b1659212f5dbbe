"""
A scalar as the search index compares it: its kind, a number and a text.

Equal Python values give equal leaves, so that a search finds them:
``1 == 1.0 == np.float32(1) == Decimal(1)``; but ``True`` is not 1 here, and NaN
has a kind of its own, since it is equal to nothing.
"""

from __future__ import annotations

import decimal
import math
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from pathlib import PurePath
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from archivedb.values.paths import is_utf8

LONGEST_TEXT = 1000
"""Characters of a text that the index holds; longer ones are read when asked for."""


class Kind(IntEnum):
    """What a leaf is; the order is that in which mixed values are sorted."""

    NUMBER = 0
    INEXACT = 1
    BOOL = 2
    TIME = 3
    DURATION = 4
    TEXT = 5
    NAN = 6
    NULL = 7
    LIST = 8
    ARRAY = 9
    LONG_LIST = 10
    LONG_ARRAY = 11
    LONG_TEXT = 12
    OTHER = 13
    GROUP = 14

    @property
    def rank(self) -> int:
        """Its place among mixed values: numbers are one, however exact."""
        return 0 if self is Kind.INEXACT else int(self)


NUMBERS = frozenset({Kind.NUMBER, Kind.INEXACT})
"""A number that `num` holds, and one that is a little more than `num`."""

SCALARS = NUMBERS | {Kind.BOOL, Kind.TIME, Kind.DURATION, Kind.TEXT, Kind.NULL}
"""Kinds of which two values may be equal."""

LONG = frozenset({Kind.LONG_LIST, Kind.LONG_ARRAY, Kind.LONG_TEXT})
"""Kinds whose values the index does not hold."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Leaf(NamedTuple):
    """
    One leaf.

    Attributes:
        kind: What it is.
        num: A number as an int of 64 bits or a float, the largest that is not
            above it; 0 and 1 for booleans; microseconds for times (since 1970,
            UTC) and durations, what is finer cut off; how many items a list has,
            how many axes an array.
        txt: The text; the dtype of an array; of a number that is more than
            `num`, how much: text that sorts as that does.

    """

    kind: Kind
    num: int | float | None = None
    txt: str | None = None


NULL = Leaf(Kind.NULL)
OTHER = Leaf(Kind.OTHER)
UNLISTED = Leaf(Kind.GROUP)
"""A dict of the data that is not empty: it is there, and the index has none of it."""


def leaf_of(value: Any) -> Leaf | None:
    """Return the leaf of a scalar, or None if it is none that can be compared."""
    kind = type(value)  # most are of these, and every save looks at each
    if kind is float and value == value:  # noqa: PLR0124 - not NaN
        return Leaf(Kind.NUMBER, value)
    if kind is str:
        return Leaf(Kind.TEXT, None, value)
    if value is None:
        return NULL
    if isinstance(value, np.generic) or (type(value) is np.ndarray and not value.ndim):
        if value.dtype.kind in "mM":
            return _numpy_time(value)
        value = _item(value)
    if isinstance(value, bool):
        return Leaf(Kind.BOOL, int(value))
    if isinstance(value, float):
        number = float(value)
        return Leaf(Kind.NAN) if math.isnan(number) else Leaf(Kind.NUMBER, number)
    if isinstance(value, str):
        return Leaf(Kind.TEXT, None, str.__getitem__(value, slice(None)))
    if isinstance(value, int):
        return number_leaf(int(value))
    return _leaf_of_object(value)


def _leaf_of_object(value: Any) -> Leaf | None:
    if isinstance(value, Decimal):
        if value.is_nan():
            return Leaf(Kind.NAN)
        return number_leaf(value)
    if isinstance(value, datetime):
        if value != value:  # noqa: PLR0124 - pandas.NaT
            return Leaf(Kind.NAN)
        # A time without a zone is read as UTC, here as in a query.
        naive = value.utcoffset() is None
        aware = value.replace(tzinfo=UTC) if naive else value
        return Leaf(Kind.TIME, (aware - _EPOCH) // _MICROSECOND)
    if isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
        return Leaf(Kind.TIME, (moment - _EPOCH) // _MICROSECOND)
    if isinstance(value, timedelta):
        number = value // _MICROSECOND
        return Leaf(Kind.DURATION, number) if abs(number) < 1 << 63 else None
    if isinstance(value, (PurePath, UUID)):
        return Leaf(Kind.TEXT, None, str(value))
    return None


def _item(value: Any) -> Any:
    """Return a numpy scalar as Python has it, to the last bit."""
    item = value.item()
    if not isinstance(item, np.longdouble):
        return item
    if not np.isfinite(item):
        return float(item)
    above, below = item.as_integer_ratio()
    return _EXACT.divide(Decimal(above), Decimal(below))


def _numpy_time(value: Any) -> Leaf | None:
    """Return the leaf of a time or a duration, whatever its unit and its range."""
    if np.isnat(value):
        return Leaf(Kind.NAN)
    # By hand: numpy overflows without a word, and Python has no year 10,000.
    unit, count = np.datetime_data(value.dtype)
    number = int(value.astype(np.int64)) * count
    kind = Kind.TIME if value.dtype.kind == "M" else Kind.DURATION
    if kind is Kind.TIME and unit in _MONTHS:
        number, unit = _days(number * _MONTHS[unit]), "D"
    if unit not in _UNITS:
        return None  # a month is no certain time
    more, less = _UNITS[unit]
    number = number * more // less
    return Leaf(kind, number) if -(1 << 63) <= number < 1 << 63 else None


_MONTHS = {"Y": 12, "M": 1}
_DAY = 86_400_000_000
_UNITS = {
    "W": (7 * _DAY, 1),
    "D": (_DAY, 1),
    "h": (3_600_000_000, 1),
    "m": (60_000_000, 1),
    "s": (1_000_000, 1),
    "ms": (1000, 1),
    "us": (1, 1),
    "ns": (1, 1000),
    "ps": (1, 10**6),
    "fs": (1, 10**9),
    "as": (1, 10**12),
}
"""How many microseconds each of numpy's units has, as a fraction."""


def _days(months: int) -> int:
    """Return the days from 1970 to some months later."""
    cycles, left = divmod(months, 400 * 12)
    first = date(1970 + left // 12, left % 12 + 1, 1)
    return cycles * 146_097 + first.toordinal() - _EPOCH.toordinal()


def indexed(leaf: Leaf) -> Leaf:
    """Return a leaf as a database takes it: no surrogates, no NUL, nothing long."""
    if leaf.kind is not Kind.TEXT or leaf.txt is None:
        return leaf
    if len(leaf.txt) <= LONGEST_TEXT and is_storable(leaf.txt):
        return leaf
    return Leaf(Kind.LONG_TEXT, len(leaf.txt))


def is_storable(text: str) -> bool:
    """Return whether every database takes a text: PostgreSQL takes no NUL."""
    return "\0" not in text and is_utf8(text)


def number_leaf(value: int | Decimal) -> Leaf | None:
    """
    Return the leaf of a number of any size and precision.

    None for what is so large, or so precise, that comparing it could take
    minutes.
    """
    if isinstance(value, int):
        if -(1 << 63) <= value < 1 << 63:
            return Leaf(Kind.NUMBER, value)
        if value.bit_length() > 4 * _MOST:
            return None
    exact = Decimal(value)
    if exact.is_infinite():
        return Leaf(Kind.NUMBER, float(exact))
    if not exact:
        return Leaf(Kind.NUMBER, 0)
    if abs(exact.adjusted()) >= _MOST or len(exact.as_tuple().digits) > 4 * _MOST:
        return None
    exact = exact.normalize(_EXACT)
    if len(exact.as_tuple().digits) > _MOST:
        return None
    below = _below(exact)
    if below == -math.inf:
        return Leaf(
            Kind.INEXACT, below, "-" + _complement(_digits(_EXACT.minus(exact)))
        )
    rest = _EXACT.subtract(exact, Decimal(below))
    if not rest:
        return Leaf(Kind.NUMBER, below)
    return Leaf(Kind.INEXACT, below, f"+{_digits(rest)}")


_MOST = 20_000
"""Digits that are compared."""
_EXACT = decimal.Context(prec=4 * _MOST, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
_BIAS = 50_000
_DIGITS = "0123456789"
_REVERSED = str.maketrans(_DIGITS, _DIGITS[::-1])


_WHOLE = 20
"""Digits of which no int of 64 bits has more."""


def _below(value: Decimal) -> int | float:
    """Return the largest double or int of 64 bits that is not above a number."""
    found = float(value)
    if found == math.inf:
        return sys.float_info.max
    if found > value:
        found = math.nextafter(found, -math.inf)
    if value.adjusted() < _WHOLE:
        # Beyond 2**53 there are ints between the doubles.
        whole = math.floor(value)
        if found <= whole and -(1 << 63) <= whole < 1 << 63:
            return whole
    return found


def _digits(number: Decimal) -> str:
    """Return text that sorts as positive numbers do."""
    digits = "".join(map(str, number.normalize(_EXACT).as_tuple().digits))
    return f"{number.adjusted() + _BIAS:06d}{digits}"


def _complement(text: str) -> str:
    """Return text that sorts the other way: what is longer, earlier."""
    return text.translate(_REVERSED) + "~"


def value_of(leaf: Leaf) -> Any:
    """
    Return the Python value of a scalar leaf.

    A time comes back in UTC, or, out of Python's calendar, as numpy has it; and
    what the index does not hold as `Ellipsis`.
    """
    if leaf.kind is Kind.NUMBER:
        return leaf.num
    if leaf.kind is Kind.INEXACT:
        return _exact_value(leaf)
    if leaf.kind is Kind.BOOL:
        return bool(leaf.num)
    if leaf.kind is Kind.TEXT:
        return leaf.txt
    if leaf.kind is Kind.NULL:
        return None
    if leaf.kind is Kind.NAN:
        return math.nan
    if leaf.kind is Kind.TIME:
        return _moment(int(leaf.num or 0))
    if leaf.kind is Kind.DURATION:
        return int(leaf.num or 0) * _MICROSECOND
    return ...


def _moment(number: int) -> Any:
    try:
        return _EPOCH + number * _MICROSECOND
    except OverflowError:
        return np.datetime64(number, "us")


def _exact_value(leaf: Leaf) -> int | Decimal:
    text = leaf.txt or ""
    sign, text = text[0], text[1:]
    if sign == "-":
        text = text.removesuffix("~").translate(_REVERSED)
    exponent, digits = int(text[:6]) - _BIAS, text[6:]
    rest = Decimal((0, tuple(map(int, digits)), exponent - len(digits) + 1))
    exact = (
        _EXACT.minus(rest) if sign == "-" else _EXACT.add(Decimal(leaf.num or 0), rest)
    )
    whole = exact.to_integral_value(context=_EXACT)
    return int(whole) if whole == exact else exact.normalize(_EXACT)
