"""A scalar as the index compares it: equal and ordered as Python has it."""

from __future__ import annotations

import datetime as dt
import enum
import math
import sqlite3
import time
from contextlib import closing
from decimal import Decimal
from functools import cmp_to_key
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archivedb.query.comparing import holds, key_of
from archivedb.values.leaf import NUMBERS, Kind, Leaf, indexed, leaf_of, value_of
from tests.support import strategies

LARGEST = 1.7976931348623157e308
BETWEEN = (
    *(0, -0.0, 1, 1.0, 0.1, Decimal("0.1"), Decimal("-0.1"), 5e-324, -5e-324),
    *(Decimal("1e-400"), Decimal("-1e-400"), Decimal("0E+30000"), Decimal("-0")),
    *(2**53, 2**53 + 1, 2.0**53, Decimal(2**53) + Decimal("1.5")),
    *(Decimal(2**53 + 1), Decimal(2**53 + 1) - Decimal("1e-9"), -(2**53) - 1),
    *(2**63 - 1, 2**63, 2**63 + 1, 2.0**63, -(2**63), -(2**63) - 1, -(2.0**63)),
    *(Decimal(2**63 - 1), Decimal(2**63 - 1) + Decimal("0.5"), Decimal(2**63)),
    *(2**64, 10**300, 10**400, -(10**400), 10**401, -(10**401), 3 * 10**400),
    *(LARGEST, -LARGEST, int(LARGEST), int(LARGEST) + 1, math.inf, -math.inf),
    *(Decimal("1e400"), Decimal("1.5e400"), Decimal("-1e400"), Decimal("Infinity")),
    *(Decimal("0.30000000000000004"), 0.1 + 0.2, Decimal("1e308"), 1e308),
)
numbers = st.one_of(
    st.sampled_from(BETWEEN),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 2).map(lambda n: 2**53 + n),
    st.builds(lambda n, e: n * 10**e, st.integers(), st.integers(0, 500)),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False),
    st.builds(
        lambda n, part: Decimal(n) + part,
        st.integers(-(2**64), 2**64),
        st.decimals(0, 1, places=3),
    ),
)


def number(value: Any) -> Leaf:
    """Return the leaf of a number."""
    found = leaf_of(value)
    assert found is not None
    assert found.kind in NUMBERS
    assert type(found.num) in (int, float)
    assert type(found.num) is not int or -(1 << 63) <= found.num < 1 << 63
    assert (found.txt is not None) is (found.kind is Kind.INEXACT)
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Leaf(Kind.NULL)),
        (True, Leaf(Kind.BOOL, 1)),
        (np.bool_(0), Leaf(Kind.BOOL, 0)),
        (1, Leaf(Kind.NUMBER, 1)),
        (1.0, Leaf(Kind.NUMBER, 1.0)),
        (np.float32(1), Leaf(Kind.NUMBER, 1.0)),
        (np.float16(0.5), Leaf(Kind.NUMBER, 0.5)),
        (np.longdouble(1.5), Leaf(Kind.NUMBER, 1.5)),
        (np.longdouble("-inf"), Leaf(Kind.NUMBER, -math.inf)),
        (np.longdouble("nan"), Leaf(Kind.NAN)),
        (np.uint8(1), Leaf(Kind.NUMBER, 1)),
        (np.array(7, ">i4"), Leaf(Kind.NUMBER, 7)),
        (Decimal("1.00"), Leaf(Kind.NUMBER, 1)),
        (Decimal("0.5"), Leaf(Kind.NUMBER, 0.5)),
        (2**53 + 1, Leaf(Kind.NUMBER, 2**53 + 1)),
        (2**63, Leaf(Kind.NUMBER, 2.0**63)),
        (np.uint64(2**63), Leaf(Kind.NUMBER, 2.0**63)),
        (-0.0, Leaf(Kind.NUMBER, -0.0)),
        (math.inf, Leaf(Kind.NUMBER, math.inf)),
        (math.nan, Leaf(Kind.NAN)),
        (Decimal("sNaN"), Leaf(Kind.NAN)),
        ("text", Leaf(Kind.TEXT, None, "text")),
        (np.str_("text"), Leaf(Kind.TEXT, None, "text")),
        ("", Leaf(Kind.TEXT, None, "")),
        (PurePosixPath("a/b"), Leaf(Kind.TEXT, None, "a/b")),
        (PureWindowsPath("a/b"), Leaf(Kind.TEXT, None, "a\\b")),
        (UUID(int=5), Leaf(Kind.TEXT, None, str(UUID(int=5)))),
    ],
    ids=repr,
)
def test_scalars(value: Any, expected: Leaf) -> None:
    """Equal scalars are equal leaves, whatever their types; NaN and null differ."""
    found = leaf_of(value)
    assert found == expected
    assert type(found.num) is type(expected.num)


@pytest.mark.parametrize(
    "value",
    [
        *(b"x", 1j, np.complex64(1), np.bytes_(b"x"), np.void(b"x"), [], (), {}, ...),
        *(object(), np.zeros(1), np.zeros((1, 1)), int, range(3), dt.time(1)),
        *(10**30_000, Decimal("1e30000"), Decimal("1e-30000"), np.timedelta64(5)),
        *(np.timedelta64(5, "M"), np.datetime64(2**62, "D"), dt.timedelta.min),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_scalar(value: Any) -> None:
    """What has no order, or takes minutes to compare, has no leaf."""
    assert leaf_of(value) is None


def test_subclasses_are_what_they_are() -> None:
    """Text and numbers of other classes are plain text and numbers."""

    class Level(enum.IntEnum):
        HIGH = 3

    class Word(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "another"

    assert leaf_of(Level.HIGH) == Leaf(Kind.NUMBER, 3)
    found = leaf_of(Word("text"))
    assert found == Leaf(Kind.TEXT, None, "text")
    assert type(found.txt) is str


def order(one: Any, two: Any) -> int:
    """Return -1, 0 or 1, as Python compares two numbers."""
    return (one > two) - (one < two)


@given(numbers, numbers)
@example(Decimal(2**53) + Decimal("1.5"), 2**53 + 1)
@example(Decimal(2**63 - 1), 2**63 - 1)
@settings(max_examples=1000)
def test_numbers_are_ordered_exactly(one: Any, two: Any) -> None:
    """Leaves are ordered as Python orders ints, floats and Decimals of any size."""
    mine, its = number(one), number(two)
    assert order(key_of(mine), key_of(its)) == order(one, two)
    for op, wanted in {
        "==": one == two,
        "!=": one != two,
        "<": one < two,
        "<=": one <= two,
        ">": one > two,
        ">=": one >= two,
    }.items():
        assert holds(mine, op, its) is wanted


def test_a_database_sorts_them_so() -> None:
    """SQLite sorts them by number and text as Python does; null before any text."""
    some = [*BETWEEN, *map(Decimal, ("1.1", "1.10000000000000001", "1.2"))]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE leaf (id INTEGER, num BLOB, txt TEXT)")
        for index, value in enumerate(some):
            leaf = number(value)
            connection.execute(
                "INSERT INTO leaf VALUES (?, ?, ?)", (index, leaf.num, leaf.txt)
            )
        found = connection.execute("SELECT id FROM leaf ORDER BY num, txt, id")
        order_found = [row[0] for row in found]
        wanted = sorted(range(len(some)), key=cmp_to_key(_by_value(some)))
        assert order_found == wanted
        back = connection.execute("SELECT num, txt FROM leaf ORDER BY id").fetchall()
    for value, (num, txt) in zip(some, back, strict=True):
        kind = Kind.NUMBER if txt is None else Kind.INEXACT
        assert value_of(Leaf(kind, num, txt)) == value


def _by_value(some: list[Any]) -> Any:
    return lambda i, j: order(some[i], some[j]) or order(i, j)


@given(numbers)
def test_numbers_come_back(value: Any) -> None:
    """A number's leaf holds every digit of it."""
    assert value_of(number(value)) == value


@given(st.one_of(strategies.python_leaves, strategies.numpy_scalars()))
def test_scalars_come_back(value: Any) -> None:
    """A scalar's leaf holds all that is compared, and can be stored."""
    leaf = leaf_of(value)
    if leaf is None:
        return
    if leaf.kind is Kind.NAN:
        assert math.isnan(value_of(leaf))
        return
    again = leaf_of(value_of(leaf))
    assert again == leaf
    if leaf.kind not in (Kind.TIME, Kind.DURATION):
        assert value_of(leaf) == value


def test_what_is_huge_takes_no_time() -> None:
    """Numbers of a million digits are looked at no longer than others."""
    huge = [1 << 10_000_000, Decimal("1e999999"), Decimal("1" * 100_000)]
    begun = time.perf_counter()
    assert [leaf_of(value) for value in huge] == [None, None, None]
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("digits", [4_400, 7_000, 19_999])
def test_ints_and_decimals_are_cut_alike(digits: int) -> None:
    """What of two equal numbers has a leaf has the same, beyond Python's own limit."""
    value = 3 * 10**digits
    assert leaf_of(value) == leaf_of(Decimal(value)) == leaf_of(Decimal(f"3E{digits}"))
    assert value_of(number(value)) == value


def test_where_the_cut_is() -> None:
    """The same numbers have none, whatever their type."""
    for value in (10**19_999, -(10**19_999)):
        assert leaf_of(value) == leaf_of(Decimal(value)) == number(value)
    for value in (10**20_000, -(10**20_000), 10**20_000 + 1):
        assert leaf_of(value) is leaf_of(Decimal(value)) is None


# Times ------------------------------------------------------------------------

LEAP = 1_709_166_600_000_000
"""2024-02-29 00:30 UTC in microseconds."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.datetime.fromisoformat("1970-01-01"), 0),
        (dt.datetime.fromisoformat("2024-02-29T00:30"), LEAP),
        (dt.datetime(2024, 2, 29, 0, 30, tzinfo=dt.UTC), LEAP),
        (
            dt.datetime(2024, 2, 29, 2, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            LEAP,
        ),
        (dt.date(2024, 2, 29), LEAP - 1_800_000_000),
        (np.datetime64("2024-02-29T00:30"), LEAP),
        (np.datetime64("2024-02-29T00:30", "ns"), LEAP),
        (np.datetime64("2024-02-29T00:30:00.000000001"), LEAP),
        (np.datetime64("1969-12-31T23:59:59.999999999"), -1),
        (np.datetime64("2024-02-29"), LEAP - 1_800_000_000),
        (np.datetime64("1969", "Y"), -31_536_000_000_000),
        (np.datetime64("1970-02", "M"), 31 * 86_400_000_000),
        (np.datetime64(4, "25s"), 100_000_000),
        (np.array("1970-01-02", ">M8[D]"), 86_400_000_000),
        (np.datetime64("12000-01-01", "us"), 316_516_204_800_000_000),
        (np.datetime64("12000", "Y"), 316_516_204_800_000_000),
        (np.datetime64("-0001-01-01", "D"), -62_198_755_200_000_000),
        (np.datetime64("-0001", "Y"), -62_198_755_200_000_000),
    ],
    ids=repr,
)
def test_times(value: Any, expected: int) -> None:
    """A time is microseconds since 1970, in UTC; what is finer is cut off."""
    assert leaf_of(value) == Leaf(Kind.TIME, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.timedelta(days=1, microseconds=1), 86_400_000_001),
        (dt.timedelta(microseconds=-1), -1),
        (np.timedelta64(3, "h"), 10_800_000_000),
        (np.timedelta64(1, "ns"), 0),
        (np.timedelta64(-1, "ns"), -1),
        (np.timedelta64(2, "W"), 14 * 86_400_000_000),
    ],
    ids=repr,
)
def test_durations(value: Any, expected: int) -> None:
    """A duration is microseconds; what is finer is cut off."""
    assert leaf_of(value) == Leaf(Kind.DURATION, expected)


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_datetimes_come_back(value: dt.datetime) -> None:
    """A time comes back to the microsecond, in UTC."""
    leaf = leaf_of(value)
    assert leaf is not None
    found = value_of(leaf)
    if isinstance(found, np.datetime64):  # a zone led out of Python's calendar
        assert abs(found - np.datetime64(value.replace(tzinfo=None))) < np.timedelta64(
            2, "D"
        )
        return
    naive = value.utcoffset() is None
    assert found - (value.replace(tzinfo=dt.UTC) if naive else value) == dt.timedelta(0)
    assert found.utcoffset() == dt.timedelta(0)


@given(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.sampled_from(["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "as"]),
    st.sampled_from([1, 25]),
)
@example(2**62, "s", 1)
@example(5_000_000, "Y", 1)
def test_numpy_times_overflow_nowhere(count: int, unit: str, step: int) -> None:
    """A time of numpy's is what its unit says, or is no leaf; never another time."""
    leaf = leaf_of(np.datetime64(count, (unit, step)))
    if unit in ("Y", "M"):
        months = count * step * (12 if unit == "Y" else 1)
        if abs(months) < 12 * 290_000:
            days = int(np.datetime64(months, "M").astype("M8[D]").astype("i8"))
            assert leaf == Leaf(Kind.TIME, days * 86_400_000_000)
        elif abs(months) > 12 * 300_000:
            assert leaf is None
        return
    # Attoseconds in the unit, from what numpy says of one.
    size = {"W": 604_800, "D": 86_400, "h": 3600, "m": 60, "s": 1}.get(unit)
    small = {"ms": 15, "us": 12, "ns": 9, "ps": 6, "as": 0}.get(unit, 18)
    wanted = count * step * (size or 1) * 10**small // 10**12
    fits = -(1 << 63) <= wanted < 1 << 63
    assert leaf == (Leaf(Kind.TIME, wanted) if fits else None)


def test_a_time_beyond_the_calendar_comes_back_as_numpys() -> None:
    """Python has no year 10,000."""
    leaf = leaf_of(np.datetime64("12000-01-01"))
    assert leaf is not None
    assert value_of(leaf) == np.datetime64("12000-01-01", "us")


def test_no_time() -> None:
    """What is no time equals nothing."""
    assert leaf_of(np.datetime64("NaT")) == Leaf(Kind.NAN)
    assert leaf_of(np.timedelta64("NaT", "s")) == Leaf(Kind.NAN)


def test_a_zone_that_does_not_know() -> None:
    """A time whose zone says nothing is read as one without a zone."""

    class Nowhere(dt.tzinfo):
        def utcoffset(self, _: dt.datetime | None, /) -> None:
            return None

    value = dt.datetime(1970, 1, 1, tzinfo=Nowhere())
    assert leaf_of(value) == Leaf(Kind.TIME, 0)


def test_pandas() -> None:
    """Times of pandas are times, and NaT is none."""
    pd = pytest.importorskip("pandas")
    zoned = pd.Timestamp("2024-02-29T01:30", tz="Europe/Berlin")
    assert leaf_of(zoned) == Leaf(Kind.TIME, LEAP)
    fine = pd.Timestamp("1970-01-01T00:00:00.000000999")
    assert leaf_of(fine) == Leaf(Kind.TIME, 0)
    assert leaf_of(pd.Timedelta(1500, "ns")) == Leaf(Kind.DURATION, 1)
    assert leaf_of(pd.NaT) == Leaf(Kind.NAN)


# What a database takes --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 1000, Leaf(Kind.TEXT, None, "x" * 1000)),
        ("x" * 1001, Leaf(Kind.LONG_TEXT, 1001)),
        ("\ud800", Leaf(Kind.LONG_TEXT, 1)),
        ("\ud83d\ude00", Leaf(Kind.LONG_TEXT, 2)),
        ("é😀\uffff", Leaf(Kind.TEXT, None, "é😀\uffff")),
        ("a\0b", Leaf(Kind.LONG_TEXT, 3)),  # PostgreSQL takes no NUL
    ],
)
def test_no_database_takes_surrogates(text: str, expected: Leaf) -> None:
    """Long texts, and those with surrogates, are read when they are asked for."""
    leaf = leaf_of(text)
    assert leaf is not None
    assert indexed(leaf) == expected


@pytest.mark.parametrize("value", [1, 2**70, True, None, math.nan])
def test_all_else_is_stored_as_it_is(value: Any) -> None:
    """Only texts are too long."""
    leaf = leaf_of(value)
    assert leaf is not None
    assert indexed(leaf) is leaf


def test_what_is_not_held() -> None:
    """What the index does not hold is no value."""
    for kind in (Kind.LIST, Kind.LONG_TEXT, Kind.OTHER, Kind.GROUP, Kind.ARRAY):
        assert value_of(Leaf(kind)) is ...


def test_ranks() -> None:
    """Numbers are one kind among mixed values, however exact, and come first."""
    assert Kind.NUMBER.rank == Kind.INEXACT.rank == 0
    assert len({kind.rank for kind in Kind}) == len(Kind) - 1


def test_kinds_are_not_compared_with_others() -> None:
    """``True`` is not 1 here, NaN equals nothing, and null is null alone."""
    kinds = [None, True, 1, "1", dt.date(1970, 1, 1), dt.timedelta(1), math.nan]
    leaves = [leaf_of(value) or Leaf(Kind.OTHER) for value in kinds]
    for i, one in enumerate(leaves):
        for j, two in enumerate(leaves):
            equal = i == j and one.kind is not Kind.NAN
            assert holds(one, "==", two) is equal
            assert holds(one, "!=", two) is not equal
            if i != j:
                assert not holds(one, "<", two)
                assert not holds(one, ">=", two)
