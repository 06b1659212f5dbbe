"""What goes through `encode` and `decode` comes back the same."""

from __future__ import annotations

import math
import struct
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings

from archivedb.values.arrays import StoredArray
from archivedb.values.decode import decode
from archivedb.values.encode import encode
from archivedb.values.objects import Objects
from archivedb.values.skeleton import Skeleton
from tests.support import strategies
from tests.support.exact import difference
from tests.support.strategies import Shown


def back(value: Any) -> Any:
    """Return a value after encoding and decoding it."""
    encoded = encode(value)
    assert not encoded.executable
    source = Skeleton(encoded.skeleton)

    def fetch(number: int, _node: Any) -> Any:
        array = encoded.arrays[number]
        assert isinstance(array, StoredArray)
        return np.frombuffer(bytearray(array.raw), np.uint8)

    # It may not run anything: a pickle or an object would be an error.
    return decode(source, source.root, fetch, Objects())


@given(strategies.values)
@settings(max_examples=400)
@example(Shown({1: "int", "1": "text", None: 0, (1, (2,)): 1, b"a": 2, 1.5: 3}))
@example(Shown({math.nan: 1, float("nan"): 2, struct.unpack("<d", b"\1" * 8)[0]: 3}))
def test_any_value(shown: Shown) -> None:
    """Every natively supported value comes back the same to the bit."""
    assert difference(shown.value, back(shown.value)) is None


EVERY_DTYPE = [
    *(order + char for char in "?bhilqBHILQefdgFDG" for order in "<>"),
    *("<M8[s]", ">M8[ns]", "<m8[25s]", "M8", "m8", "S3", "<U3", ">U3", "V3", "V0"),
    [("x", "<i4"), ("y", ">f8", (2,))],
    {"names": ["a"], "formats": ["f4"], "offsets": [3], "itemsize": 9},
    {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 1]},
    {"names": ["a"], "formats": ["f4"], "titles": ["the a"]},
    np.dtype([("x", "i1"), ("y", "f8")], align=True),
    [],
]


@pytest.mark.parametrize("dtype", EVERY_DTYPE, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)], ids=str)
def test_every_dtype(dtype: Any, shape: tuple[int, ...]) -> None:
    """An array of any dtype and shape comes back the same, in any layout."""
    # bug: arrays of C's long long were pickled, and so needed a signature.
    made = np.dtype(dtype)
    size = math.prod(shape) * made.itemsize
    raw = bytearray(number % 2 for number in range(size)) or bytearray(1)
    array = np.ndarray(shape, made, buffer=raw)
    assert difference(array, back(array)) is None
    for view in (array.T, array[..., ::2], array[::-1]) if shape else ():
        assert difference(view, back(view)) is None


@pytest.mark.parametrize("char", "?bhilqBHILQefdgFDG")
def test_every_numpy_number(char: str) -> None:
    """A numpy scalar keeps its own C type, even where two have one size."""
    kind = np.dtype(char).type
    for number in (kind(0), kind(1)):
        assert difference(number, back(number)) is None
        assert type(back([number])[0]) is kind


@pytest.mark.parametrize(
    "value",
    [
        np.str_("a\0"),
        np.str_("\ud800"),
        np.bytes_(b"a\0"),
        np.array(["a\0b", "c\0"]),
        np.array([b"a\0b", b"c\0"]),
        np.datetime64("NaT"),
        np.timedelta64("NaT", "ms"),
        np.array(["NaT", "2026-01-01"], "M8[D]"),
        np.array(["\ud800", "é"]),
        np.array([0x110000], "u4").view("U1"),
        np.array([2], "u1").view("?"),
        np.zeros((1,) * 40),
    ],
    ids=lambda value: str(value.dtype),
)
def test_odd_numpy_values(value: Any) -> None:
    """NUL at the end, NaT, surrogates, odd bits and 40 axes come back the same."""
    assert difference(value, back(value)) is None


def test_numpy_text_as_keys() -> None:
    """Two keys that differ by a NUL at the end stay two."""
    value = {np.str_("a"): 1, np.str_("a\0"): 2}
    assert difference(value, back(value)) is None


def test_a_numpy_record_stays_one() -> None:
    """A record has attributes that a void has not, so it must not become one."""
    records = np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    array = records.view(np.ndarray)
    assert array[0].a == 1
    for value in (records, records[0], array, array[0]):
        assert difference(value, back(value)) is None


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype([("\ud800", "f8")]),
        np.dtype({"names": ["a"], "formats": ["f8"], "titles": [b"title"]}),
    ],
    ids=ascii,
)
def test_dtypes_that_json_cannot_name(dtype: np.dtype[Any]) -> None:
    """A field's odd name or title comes back as it was, and runs no code."""
    for value in (dtype, np.zeros(1, dtype), np.zeros(1, dtype)[0]):
        assert difference({"x": value}, back({"x": value})) is None


def test_ints_of_any_size() -> None:
    """Ints have no limit, not even that of `sys.set_int_max_str_digits`."""
    value = [10**5000, -(10**5000), 2**63, -(2**63) - 1]
    assert difference(value, back(value)) is None


@pytest.mark.parametrize("count", [15, 16, 17])
@pytest.mark.parametrize("item", [0, -0.0, math.nan, True, 2**63, "x", None, 1j])
def test_lists_of_one_type(count: int, item: Any) -> None:
    """Long lists are kept as arrays, and nobody can tell."""
    assert difference([item] * count, back([item] * count)) is None


@pytest.mark.parametrize("size", [4095, 4096, 4097])
def test_long_text_and_bytes(size: int) -> None:
    """Text and bytes are the same below, at and above the size that moves them."""
    for value in ("é" * size, "\0" * size, "\ud83d\ude00" * size, b"\0" * size):
        assert difference({"x": value}, back({"x": value})) is None


def test_arrays_in_object_arrays() -> None:
    """An array without axes, a list and None stay what they are inside an array."""
    value = np.empty((2, 2), object)
    value[0, 0], value[0, 1] = np.array(5), [1, 2]
    value[1, 0], value[1, 1] = None, (np.float32(1),)
    assert difference(value, back(value)) is None


def nested(depth: int) -> Any:
    """Return a value nested so deep, through every container."""
    value: Any = "innermost"
    for level in range(depth):
        if level % 4 == 0:
            value = {"key": value}
        elif level % 4 == 1:
            value = [value, level]
        elif level % 4 == 2:
            value = (value,)
        else:
            value = {level: value}
    return value


@pytest.mark.parametrize("depth", [98, 99, 100, 101, 102, 5000])
def test_depth(depth: int) -> None:
    """Nothing is too deep, and the recursion limit is nobody's business."""
    limit = sys.getrecursionlimit()
    value = nested(depth)
    assert difference(value, back(value)) is None
    assert sys.getrecursionlimit() == limit


def test_keys_may_be_deep() -> None:
    """A tuple that is nested 150 deep is a key like any other."""
    # bug: a key's own node table is taken for a forgery of the outer one.
    key: Any = ()
    for _ in range(150):
        key = (key, 1)
    value = nested(95)
    value = {"a": {key: value}}
    assert difference(value, back(value)) is None


def test_shared_and_cyclic() -> None:
    """What is one object comes back as one, and cycles close."""
    array = np.arange(3.0)
    one: list[Any] = [array]
    pair = (one, array)
    ring: dict[Any, Any] = {"one": one, "pair": pair, "again": pair}
    ring["self"] = ring
    one.append(ring)
    objects = np.empty(2, object)
    objects[0] = objects[1] = (objects, ring)
    ring["objects"] = objects
    found = back(ring)
    assert difference(ring, found) is None
    assert found["one"][0] is found["pair"][1]
    assert found["self"] is found
    assert found["objects"][0][0] is found["objects"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (0.0, -0.0),
        (1, True),
        (1, 1.0),
        (math.nan, -math.nan),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([[1], [1]], [[1]] * 2),
        (np.zeros(2), np.zeros(2, ">f8")),
        (np.zeros(2), np.zeros((2, 1))),
        (np.int64(1), np.int32(1)),
        ("a", np.str_("a")),
        ((1,), [1]),
    ],
    ids=repr,
)
def test_difference_sees(one: Any, two: Any) -> None:
    """The comparison that these tests rest on is not blind."""
    assert difference(one, two) is not None
    assert difference(one, one) is None
