"""The lines that people see of a record."""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given

from archivedb.values import outline
from archivedb.values.encode import encode
from archivedb.values.skeleton import Skeleton
from tests.support import strategies

if TYPE_CHECKING:
    from archivedb.records import Node
    from tests.support.strategies import Shown


def lines(value: Any) -> list[Node]:
    """Return a value's outline."""
    source = Skeleton(encode(value).skeleton)
    return list(outline.outline(source, source.root))


SHARED = [1]


class Colour(enum.Enum):
    """An enum."""

    RED = 1


@dataclasses.dataclass
class Cell:
    """A dataclass."""

    a: float


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1, "value", "1"),
        (None, "value", "None"),
        ("text", "value", "'text'"),
        ("x" * 100, "value", "'" + "x" * 58 + "…"),
        (float("nan"), "value", "nan"),
        (2**70, "value", hex(2**70)),
        (b"ab", "value", "b'ab'"),
        ("\ud800", "value", "'\\ud800'"),
        (np.float32(1.5), "value", "np.float32(1.5)"),
        ({}, "group", "0 keys"),
        ({"x": 1}, "group", "1 key"),
        ({1: 1, 2: 2}, "group", "2 keys"),
        ([], "list", "[]"),
        ((1,), "tuple", "(1,)"),
        ([{}], "list", "1 item"),
        (({}, 1), "tuple", "2 items"),
        (["x" * 60], "list", "1 item"),
        (np.zeros((2, 3)), "array", "float64 2\N{MULTIPLICATION SIGN}3 48 B"),
        (np.zeros(()), "array", "float64 scalar 8 B"),
        (np.zeros(0, "S3"), "array", "|S3 0 0 B"),
        (list(range(1000)), "array", "list of int64 1000 8.0 kB"),
        (np.array([None, 1]), "array", "object 2"),
        ("x" * 5000, "value", "text of 5.0 kB"),
        (b"x" * 5000, "value", "bytes of 5.0 kB"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_kinds_and_texts(value: Any, kind: str, text: str) -> None:
    """Each kind of value has its line."""
    first = lines({"x": value})[0]
    assert (first.kind, first.text) == (kind, text)
    assert (first.depth, first.label, first.path) == (0, "x", "x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({1, 2}, "set [1, 2]"),
        (Decimal("1.10"), "decimal.Decimal '1.10' (adapter)"),
        (Path("a/b"), "pathlib.Path 'a/b' (adapter)"),
        (deque([1], 3), "collections.deque (adapter)"),
        (range(3), "range"),
        (Fraction, "type 'fractions:Fraction'"),
        (Colour.RED, f"{__name__}:Colour.RED (enum)"),
        (Cell(4.05), f"{__name__}:Cell (dataclass)"),
        (len, "builtins:len (reference)"),
    ],
    ids=str,
)
def test_objects(value: Any, text: str) -> None:
    """An object is shown by its class, which is not imported."""
    first = lines({"x": value})[0]
    assert (first.kind, first.text) == ("object", text)


def test_pickles() -> None:
    """What only cloudpickle can take is shown by its class and size."""
    (only,) = lines({"x": lambda: 1})
    assert only.kind == "object"
    assert only.text.startswith("builtins:function (")
    assert only.text.endswith(" B, cloudpickle)")


def test_what_is_in_an_object() -> None:
    """The state of an object is shown below it, as that of a group."""
    value = {"cell": Cell(4.05), "queue": deque([{"a": 1}]), "kinds": {Cell: 1}}
    assert [(node.depth, node.path, node.text) for node in lines(value)] == [
        (0, "cell", f"{__name__}:Cell (dataclass)"),
        (1, "cell/a", "4.05"),
        (0, "queue", "collections.deque (adapter)"),
        (1, "queue/items", "1 item"),
        (2, "queue/items/[0]", "1 key"),
        (3, "queue/items/[0]/a", "1"),
        (0, "kinds", "1 key"),
        (1, "kinds/$#0", "1"),
    ]


def test_ints_of_any_size() -> None:
    """An int of 5,001 digits has a line, too."""
    assert lines({"x": 10**5000})[0].kind == "value"


def test_scalars_that_numpy_cannot_print() -> None:
    """A scalar whose own repr raises has a line, too."""
    # bug: "Cannot convert a NumPy datetime value other than NaT with generic units".
    odd = np.array([5], "i8").view([("when", "M8")])[0]
    assert lines({"x": odd})[0].kind == "value"


def test_depth_first() -> None:
    """What lies below a group follows it, in the order of the dict."""
    value = {"a": {"b": [1, {"c/d": 2}]}, "e": SHARED, "f": SHARED, 1: 3}
    assert [(node.depth, node.path) for node in lines(value)] == [
        (0, "a"),
        (1, "a/b"),
        (2, "a/b/[0]"),
        (2, "a/b/[1]"),
        (3, "a/b/[1]/c%2Fd"),
        (0, "e"),
        (0, "f"),
        (0, "$1"),
    ]
    assert lines(value)[6].text == "the same object as e"


def test_a_value_alone() -> None:
    """A record that is no dict has a line, too."""
    assert [(node.label, node.text) for node in lines(5)] == [("value", "5")]
    assert [node.path for node in lines([5])] == ["[0]"]


def test_a_cycle_ends() -> None:
    """What holds itself is named, not followed."""
    ring: list[Any] = []
    ring.append(ring)
    assert [node.text for node in lines(ring)] == ["the same object as the whole"]


@given(strategies.values)
def test_any_value(shown: Shown) -> None:
    """Every value has an outline, of unique paths, that can be printed."""
    found = lines(shown.value)
    assert len({node.path for node in found}) == len(found)
    for node in found:
        assert node.kind in {"group", "list", "tuple", "array", "value", "object"}
        assert len(node.text) < 4096
        f"{node.path} {node.label} {node.text}".encode()
