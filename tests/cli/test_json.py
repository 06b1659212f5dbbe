"""JSON for people: always valid, whatever the value."""

from __future__ import annotations

import datetime as dt
import json
import math
import sys
from collections import OrderedDict, namedtuple
from enum import IntEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb.cli._json import chunks, one_line


def _parsed(value: Any) -> Any:
    text = "".join(chunks(value))
    assert json.loads("".join(chunks(value, ascii_only=True))) == json.loads(text)
    assert json.loads(one_line(value)) == json.loads(text)
    return json.loads(text)


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text(st.characters(codec="utf-8")).filter(lambda k: k[:1] != "$"), inner
        )
    ),
)


@given(plain_values)
def test_what_json_has_stands_for_itself(value: Any) -> None:
    """A value that JSON has comes back equal."""
    assert _parsed(value) == value


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.binary()
    | st.text()
    | st.just(object())
    | st.datetimes()
    | st.decimals()
    | st.builds(np.float32, st.floats(width=32))
    | st.just(np.arange(3)),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.binary() | st.none(), inner)
    ),
)


@given(anything)
def test_any_value_is_valid_json(value: Any) -> None:
    """No value makes invalid JSON, and none raises."""
    _parsed(value)


class Colour(IntEnum):
    """A subclass of int."""

    RED = 1


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped kind


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, {"$float": "nan"}),
        (-math.inf, {"$float": "-inf"}),
        (1 + 2j, {"$complex": [1.0, 2.0]}),
        (complex(math.nan, 0), {"$complex": [{"$float": "nan"}, 0.0]}),
        (b"ab", {"$bytes": "YWI="}),
        ("\udc80", {"$str": "7bKA"}),
        ({"$a": 1, "$$b": 2}, {"$$a": 1, "$$$b": 2}),
        ({1: 2, (1, 2): 3}, {"$dict": [[1, 2], [[1, 2], 3]]}),
        ({"\udc80": 1}, {"$dict": [[{"$str": "7bKA"}, 1]]}),
        ((1, {2}), [1, [2]]),
        (frozenset({"b", 1}), ["b", 1]),
        (Colour.RED, 1),
        (Point(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),  # noqa: FBT003 - numpy's own
        (np.str_("é"), "é"),
        (np.bytes_(b"ab"), {"$bytes": "YWI="}),
        (np.datetime64("2024-01-02"), "2024-01-02"),
        (np.array(3), 3),
        (np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
        (np.zeros((2, 0)), [[], []]),
        (np.array([1.0, np.nan]), [1.0, {"$float": "nan"}]),
        (np.array([1j]), [{"$complex": [0.0, 1.0]}]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array(["2024-01-02", "NaT"], "M8[D]"), ["2024-01-02", "NaT"]),
        (np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]), [{"a": 1, "b": 2.5}]),
        (np.array([None, {"a": 1}], object), [None, {"a": 1}]),
        (np.ma.array([1, 2], mask=[False, True]), [1, None]),
        (np.void(b"ab"), {"$bytes": "YWI="}),
        (2**64, 2**64),
        (bytearray(b"ab"), {"$bytes": "YWI="}),
    ],
)
def test_each_convention(value: Any, expected: Any) -> None:
    """What JSON has no word for has a documented form."""
    assert _parsed(value) == expected
    assert _parsed({"in": [value]}) == {"in": [expected]}


def test_objects_are_named_with_their_repr() -> None:
    """Anything else is its class and its repr."""
    tree = _parsed({"when": dt.date(2024, 1, 2)})
    assert tree == {
        "when": {"$object": "datetime:date", "repr": "datetime.date(2024, 1, 2)"}
    }


def test_an_object_whose_repr_raises() -> None:
    """A repr that raises is nobody's traceback."""

    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    assert "ValueError" in _parsed(Bad())["repr"]


def test_cycles_and_shared_parts() -> None:
    """A list inside itself ends in a reference; one that occurs twice is repeated."""
    inside: list[Any] = [1]
    inside.append({"up": inside})
    shared = [1, 2]
    tree = _parsed({"a": {"b": inside}, "c": shared, "d": shared})
    assert tree == {"a": {"b": [1, {"up": {"$ref": "a/b"}}]}, "c": [1, 2], "d": [1, 2]}


def test_shared_parts_many_times_over() -> None:
    """What is shared on every level takes no more memory than it has."""
    value: Any = 1
    for _ in range(60):
        value = [value, value]
    text = chunks(value)
    assert "".join(next(text) for _ in range(100)).startswith("[")
    text.close()


def test_depth_is_no_limit() -> None:
    """A value of 5,000 levels is printed, where Python's json gives up."""
    value: Any = "end"
    for _ in range(5000):
        value = {"k": [value]}
    text = "".join(chunks(value))
    assert text.count('"k"') == 5000
    assert text.count("{") == text.count("}")


def test_integers_of_any_length() -> None:
    """Python's limit on digits is lifted for the data and back in place after."""
    limit = sys.get_int_max_str_digits()
    text = "".join(chunks({"n": 10**6000}))
    assert len(text) > 6000
    assert sys.get_int_max_str_digits() == limit


def test_text_sends_nothing_to_the_terminal() -> None:
    """Control characters and changes of direction are escaped."""
    text = "".join(chunks({"\x9b\x7f": "\x1b[2J\u202e\u2028é"}))
    assert not set(text) & set("\x1b\x9b\x7f\u202e\u2028")
    assert json.loads(text) == {"\x9b\x7f": "\x1b[2J\u202e\u2028é"}


def test_short_things_stay_on_a_line() -> None:
    """Rows of numbers and small objects are not one item a line."""
    text = "".join(chunks({"m": np.eye(3), "long": list(range(100)), "o": {"a": 1}}))
    lines = text.splitlines()
    assert "    [1.0, 0.0, 0.0]," in lines
    assert '  "o": {"a": 1}' in lines
    assert max(map(len, lines)) <= 88
    assert len(lines) < 20
