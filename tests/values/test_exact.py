"""Two values are the same if nothing but their identity tells them apart."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given

from archivedb.values.decode import decode
from archivedb.values.encode import encode
from archivedb.values.exact import same
from archivedb.values.objects import Objects
from archivedb.values.skeleton import Skeleton
from tests.support import strategies

if TYPE_CHECKING:
    from tests.support.strategies import Shown


def copy(value: Any) -> Any:
    """Return an exact copy."""
    encoded = encode(value)
    source = Skeleton(encoded.skeleton)

    def fetch(number: int, _node: Any) -> Any:
        return np.frombuffer(bytearray(encoded.arrays[number].raw), np.uint8)

    return decode(source, source.root, fetch, Objects())


@given(strategies.values)
def test_a_copy_is_the_same(shown: Shown) -> None:
    """Any value is the same as its copy, and as itself; one in a list is not."""
    made = copy(shown.value)
    assert same(shown.value, shown.value)
    assert same(shown.value, made)
    assert not same([shown.value], [made, made])
    assert not same([shown.value, 1], [made, 1.0])


class Odd:
    """An object that refuses to be compared, and to be stored."""

    def __eq__(self, _: object) -> bool:
        """Raise."""
        raise ValueError

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        """Raise."""
        raise TypeError


NAN = struct.unpack("<d", b"\1\0\0\0\0\0\xf8\x7f")[0]
DIFFERENT: list[tuple[Any, Any]] = [
    (1, True),
    (1, 1.0),
    (0.0, -0.0),
    (math.nan, NAN),
    (complex(0, 0.0), complex(0, -0.0)),
    ("1", 1),
    ([1], (1,)),
    ([1], [1, 2]),
    ({1: 0}, {True: 0}),
    ({1: 0}, {1.0: 0}),
    ({"a": 1}, {"b": 1}),
    ({"a": 1}, {"a": 1, "b": 1}),
    ({"a": 1}, {"a": 2}),
    ({(1, 2): 1}, {(1, 2.0): 1}),
    ({"1": 0}, {np.str_("1"): 0}),
    (np.arange(3), np.arange(3).tolist()),
    (np.arange(3, dtype="i4"), np.arange(3)),
    (np.arange(3), np.arange(3).reshape(1, 3)),
    (np.zeros(2), -np.zeros(2)),
    (np.zeros(2, "<f8"), np.zeros(2, ">f8")),
    (np.array([math.nan]), np.array([NAN])),
    (np.array([None, 1]), np.array([None, 2])),
    (np.zeros(1, [("a", "i4")]), np.zeros(1, [("b", "i4")])),
    (np.float64(1), 1.0),
    (np.float32(1), np.float64(1)),
    (np.str_("a"), np.str_("a\0")),
    ({1, 2}, {1, 3}),
    (range(2), range(3)),
    (Odd(), Odd()),
]


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_what_differs(one: Any, two: Any) -> None:
    """Types, bits, dtypes, shapes and keys count."""
    assert not same(one, two)
    assert not same({"deep": [one]}, {"deep": [two]})
    assert same(one, one)
    assert same([two], [two])


def test_what_does_not_count() -> None:
    """The order of keys does not, nor what is one object, nor layout in memory."""
    shared = [1]
    assert same({"a": 1, None: 2, "b": 3}, {"b": 3, "a": 1, None: 2})
    assert same([shared, shared], [[1], [1]])
    assert same(np.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T.copy())
    assert same({math.nan: 1, NAN: 2}, {NAN: 2, math.nan: 1})
    assert same({frozenset({1}): 1}, {frozenset({1}): 1})
    assert same(np.zeros(2, "q"), np.zeros(2, "l"))


def test_depth_and_cycles() -> None:
    """Values 5,000 deep and values that contain themselves are compared."""

    def deep(last: Any) -> Any:
        for number in range(5000):
            last = {"d": last} if number % 2 else [last]
        return last

    assert same(deep(1), deep(1))
    assert not same(deep(1), deep(2))
    one: list[Any] = []
    two: list[Any] = []
    one.append([one, 1])
    two.append([two, 1])
    assert same(one, two)
    two[0][1] = 2
    assert not same(one, two)
