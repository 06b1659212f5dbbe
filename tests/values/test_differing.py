"""What differs between two skeletons, without an array being read."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import itertools
import math
import struct
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given

from archivedb.errors import DecodeError
from archivedb.values.deviation import Deviation, distance
from archivedb.values.differing import (
    OTHER_BITS,
    OTHER_PACKAGE,
    REORDERED,
    Comparison,
    Found,
)
from archivedb.values.encode import encode
from archivedb.values.exact import same
from archivedb.values.skeleton import Skeleton
from tests.support import strategies

if TYPE_CHECKING:
    from tests.support.strategies import Shown


def skeleton(value: Any) -> Skeleton:
    """Return a value's skeleton."""
    return Skeleton(encode(value).skeleton)


def compare(one: Any, two: Any) -> tuple[list[Found], set[str]]:
    """Return what differs between two values, and what is noted."""
    comparison = Comparison(skeleton(one), skeleton(two))
    return list(comparison), comparison.notes


def lines(one: Any, two: Any) -> list[tuple[str, str | None, str | None]]:
    """Return path and words of what differs; nothing is noted."""
    found, notes = compare(one, two)
    assert not notes
    kinds = {(True, False): "added", (False, True): "removed"}
    for each in found:
        missing = each.before is None, each.after is None
        assert each.kind == kinds.get(missing, "changed")
    return [(each.path, each.before, each.after) for each in found]


class Colour(enum.Enum):
    """An enum."""

    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Cell:
    """A dataclass."""

    a: float
    atoms: list[Any]


class Frozen(str):
    """A text of its own class."""

    __slots__ = ()


DATE = "datetime.date '2026-01-0"
TIME = "2026-01-0"
WEST = dt.timezone(dt.timedelta(hours=-3, minutes=-30))
BERLIN = dt.datetime(2026, 1, 3, tzinfo=ZoneInfo("Europe/Berlin"))
DECIMAL = "decimal.Decimal '1.5"

CASES: dict[str, tuple[Any, Any, list[tuple[str, str | None, str | None]]]] = {
    "the whole": (1, 2, [("", "1", "2")]),
    "a key": (
        {"a": 1, "b": {"c": 1}, "d": 2},
        {"b": {"c": 1, "e": {"f": 1}}, "d": 2},
        [("a", "1", None), ("b/e", None, "dict of 1 key")],
    ),
    "types": (
        {"a": 1, "b": 1, "c": np.float32(1), "d": "1", "e": None},
        {"a": True, "b": 1.0, "c": np.float64(1), "d": b"1", "e": False},
        [
            ("a", "1", "True"),
            ("b", "1", "1.0"),
            ("c", "np.float32(1.0)", "np.float64(1.0)"),
            ("d", "'1'", "b'1'"),
            ("e", "None", "False"),
        ],
    ),
    "a leaf for a group": (
        {"a": {"b": 1}, "c": 3},
        {"a": 3, "c": {}},
        [("a", "dict of 1 key", "3"), ("c", "3", "dict of 0 keys")],
    ),
    "short lists are values": (
        {"kpts": [4, 4, 4], "l": [1, 2]},
        {"kpts": [6, 6, 6], "l": [1]},
        [("kpts", "[4, 4, 4]", "[6, 6, 6]"), ("l", "[1, 2]", "[1]")],
    ),
    "list and tuple": ([[1, 2]], [(1, 2)], [("[0]", "[1, 2]", "(1, 2)")]),
    "items": (
        {"l": [{"a": 1}, {"a": 2}, {}], "t": ({}, {1: 2}), "n": [[], {}]},
        {"l": [{"a": 1}, {"a": 3}], "t": ({}, {1: 3}, ()), "n": {}},
        [
            ("l/[1]/a", "2", "3"),
            ("l/[2]", "dict of 0 keys", None),
            ("t/[1]/$1", "2", "3"),
            ("t/[2]", None, "()"),
            ("n", "list of 2 items", "dict of 0 keys"),
        ],
    ),
    "odd keys": (
        {1: "a", "a/b": 1, (1, 2): 2, math.nan: 3, "$x": 1},
        {1.0: "a", "a/b": 2, (1, 2): 3, math.nan: 4, "$x": 2},
        [
            ("$1", "'a'", None),
            ("a%2Fb", "1", "2"),
            ('${"$tuple":[1,2]}', "2", "3"),
            ('${"$float":"nan"}', "3", "4"),
            ("%24x", "1", "2"),
            ("$1.0", None, "'a'"),
        ],
    ),
    "text keys and others": (
        {"a": 1},
        {"a": 2, 3: 4},
        [("a", "1", "2"), ("$3", None, "4")],
    ),
    "keys that are objects": (
        {Colour.RED: 1, Colour.BLUE: {"x": 1}},
        {Colour.BLUE: {"x": 2}},
        [("$#0", "1", None), ("$#0/x", "1", "2")],
    ),
    "enums": (
        {"c": Colour.RED},
        {"c": Colour.BLUE},
        [("c", f"{__name__}:Colour.RED (enum)", f"{__name__}:Colour.BLUE (enum)")],
    ),
    "an object's state": (
        {"cell": Cell(4.05, [{}, np.zeros(2)])},
        {"cell": Cell(4.06, [{}, np.zeros(3)])},
        [
            ("cell/a", "4.05", "4.06"),
            ("cell/atoms/[1]", "float64 2 16 B", "float64 3 24 B"),
        ],
    ),
    "one class and another": (
        {"o": Cell(1.0, []), "s": {1, 2}},
        {"o": Colour.RED, "s": frozenset({1, 2})},
        [
            ("o", f"{__name__}:Cell (dataclass)", f"{__name__}:Colour.RED (enum)"),
            ("s", "set [1, 2]", "frozenset [1, 2]"),
        ],
    ),
    "values of known types": (
        {"d": dt.date(2026, 1, 1), "n": Decimal("1.5")},
        {"d": dt.date(2026, 1, 2), "n": Decimal("1.50")},
        [
            ("d", f"{DATE}1' (adapter)", f"{DATE}2' (adapter)"),
            ("n", f"{DECIMAL}' (adapter)", f"{DECIMAL}0' (adapter)"),
        ],
    ),
    "times": (
        {
            "t": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            "r": range(3),
            "z": BERLIN,
            "same zone": BERLIN + dt.timedelta(days=1),
        },
        {"t": dt.datetime(2026, 1, 2, tzinfo=WEST), "r": range(4), "z": None},
        [
            ("t", f"{TIME}1T00:00:00+00:00", f"{TIME}2T00:00:00-03:30"),
            ("t/tz", "datetime.timezone 0", "datetime.timezone -12600"),
            ("r", "range start 0, stop 3, step 1", "range start 0, stop 4, step 1"),
            ("z", f"{TIME}3T00:00:00 Europe/Berlin", "None"),
            ("same zone", f"{TIME}4T00:00:00 Europe/Berlin", None),
        ],
    ),
    "sets": (
        {"s": {"a", "b"}, "f": frozenset({(1, 2), (3, 4)})},
        {"s": {"a"}, "f": frozenset({(1, 2), (5, 6)})},
        [
            ("s", "set ['a', 'b']", "set ['a']"),
            ("f/[1]", "(3, 4)", None),
            ("f/[1]", None, "(5, 6)"),
        ],
    ),
    "object arrays": (
        {"o": np.array([1, None], object), "p": np.array([1, None], object)},
        {"o": np.array([2, None], object), "p": np.array([[1, None]], object)},
        [
            ("o/[0]", "1", "2"),
            ("p", "object 2", "object 1\N{MULTIPLICATION SIGN}2"),
        ],
    ),
    "big ints": ({"i": 2**70}, {"i": 2**70 + 1}, [("i", hex(2**70), hex(2**70 + 1))]),
    "long texts show where they part": (
        {"t": "x" * 100 + "abc"},
        {"t": "x" * 100 + "abd"},
        [("t", f"…'{'x' * 18}abc'", f"…'{'x' * 18}abd'")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_differences(name: str) -> None:
    """Each place that differs is named once, with what is on both sides."""
    one, two, expected = CASES[name]
    assert lines(one, two) == expected
    assert lines(one, one) == lines(two, two) == []
    turned = {(path, after, before) for path, before, after in expected}
    assert {each[1:] for each in lines(two, one)} == {each[1:] for each in turned}


def test_what_only_its_digest_tells() -> None:
    """Long texts and bytes that look alike are told apart by their digests."""
    for one, two in [("x" * 5000, "y" * 5000), (b"x" * 5000, b"y" * 5000)]:
        ((_, before, after),) = lines(one, two)
        assert before != after
        assert "5.0 kB (" in str(before)


def test_numbers_say_how_far_apart_they_are() -> None:
    """Numbers, and short lists of them, have a largest difference."""
    one = {"a": 1, "b": [1, 2.5, 3], "c": True, "d": math.nan, "e": 1j, "f": ["a", 1]}
    two = {"a": 1.5, "b": [1, 2, 4], "c": False, "d": 1.0, "e": 2j, "f": ["b", 2]}
    found, _ = compare(one, two)
    assert [(each.path, each.elements, each.maximum) for each in found] == [
        *[("a", None, 0.5), ("b", 2, 1.0), ("c", None, None)],
        *[("d", None, math.inf), ("e", None, 1.0), ("f", 2, None)],
    ]


def test_arrays_are_named_and_not_read() -> None:
    """Equal digests say that arrays are equal; others are left to whoever reads."""
    one = {"same": np.ones(3), "x": np.zeros(3), "s": np.zeros(3), "t": np.array(["a"])}
    two = one | {"x": np.ones(3, "f4"), "s": np.zeros(4), "t": np.array(["bc"])}
    found, _ = compare(one, two)
    assert [(each.path, each.arrays is not None, each.alike) for each in found] == [
        ("x", True, False),
        ("s", False, False),
        ("t", False, False),
    ]
    ((each,), _) = compare({"x": [1.5] * 20}, {"x": [2.5] * 20})
    assert each.alike
    ((each,), _) = compare({"x": [1.5] * 20}, {"x": np.full(20, 1.5)})
    assert each.arrays is not None
    assert not each.alike


NAN = struct.unpack("<d", b"\1\0\0\0\0\0\xf8\x7f")[0]


def test_notes() -> None:
    """What is equal, but stored in another way, is worth a note and no more."""
    assert compare({"a": 1, "b": 2}, {"b": 2, "a": 1}) == ([], {REORDERED})
    assert compare({1: 1, "b": 2}, {"b": 2, 1: 1}) == ([], {REORDERED})
    assert compare([0.0], [-0.0]) == ([], {OTHER_BITS})
    assert compare({"x": 0.0}, {"x": -0.0}) == ([], {OTHER_BITS})
    assert compare(math.nan, NAN) == ([], {OTHER_BITS})
    assert compare(complex(NAN, 0), complex(math.nan, -0.0)) == ([], {OTHER_BITS})
    text = encode(Cell(1.0, [])).skeleton
    older = text.replace(b'"by":', b'"version":"0.9","by":')
    comparison = Comparison(Skeleton(older), Skeleton(text))
    assert not list(comparison)
    assert comparison.notes == {OTHER_PACKAGE}


def test_order_counts_where_it_is_part_of_the_value() -> None:
    """Two OrderedDicts in another order are not equal."""
    one = collections.OrderedDict(a=1, b=2)
    two = collections.OrderedDict(b=2, a=1)
    found, _ = compare({"o": one}, {"o": two})
    assert [(each.path, each.before, each.after) for each in found] == [
        ("o", "the order a, b", "the order b, a")
    ]


SHARED: dict[Any, Any] = {1: {"x": 1}, "y": [{}]}
OTHER: dict[Any, Any] = {1: {"x": 2}, "y": [{}]}


def test_what_is_shared_is_compared_once() -> None:
    """Which parts are one object does not count; a change of one is said once."""
    copy = {1: {"x": 1}, "y": [{}]}
    assert not lines({"a": SHARED, "b": SHARED}, {"a": SHARED, "b": copy})
    assert compare({"a": SHARED, "b": SHARED}, {"b": SHARED, "a": SHARED}) == (
        [],
        {REORDERED},
    )
    assert lines({"a": SHARED, "b": SHARED}, {"a": OTHER, "b": OTHER}) == [
        ("a/$1/x", "1", "2")
    ]
    assert lines({"a": SHARED, "b": SHARED}, {"a": SHARED, "b": OTHER}) == [
        ("b/$1/x", "1", "2")
    ]
    # Where it stands first is not compared, so it is where it stands next.
    assert lines({"a": [SHARED], "b": SHARED}, {"a": (OTHER,), "b": OTHER}) == [
        ("a", "list of 1 item", "tuple of 1 item"),
        ("b/$1/x", "1", "2"),
    ]
    found, _ = compare([np.ones(3)] * 2, [np.zeros(3)] * 2)
    assert [each.path for each in found] == ["[0]"]


def ring(length: int, last: Any) -> dict[str, Any]:
    """Return dicts that lead to each other in a circle."""
    first: dict[str, Any] = {"value": 0}
    here = first
    for _ in range(length - 1):
        here["next"] = {"value": 0}
        here = here["next"]
    here["next"] = first
    here["value"] = last
    return first


def test_circles_end() -> None:
    """Values that contain themselves are compared, however they are wound."""
    assert not lines(ring(3, 0), ring(3, 0))
    assert not lines(ring(2, 0), ring(3, 0))
    assert lines(ring(3, 0), ring(3, 1)) == [("next/next/value", "0", "1")]
    assert lines(ring(2, 0), ring(3, 1))


def test_graphs_in_another_order_take_no_square_of_their_size() -> None:
    """Many objects that refer to each other are not all compared with all."""
    nodes: list[Any] = [{"of": [{}], "n": n} for n in range(400)]
    one = {
        "nodes": nodes,
        "links": [[a, b] for a, b in itertools.pairwise(nodes)],
    }
    for node in nodes:
        node["all"] = nodes
    began = time.perf_counter()
    found, _ = compare(one, {"nodes": nodes[::-1], "links": one["links"]})
    assert found
    assert time.perf_counter() - began < 2


def nested(depth: int, leaf: Any) -> Any:
    """Return dicts, lists and tuples inside of each other."""
    value = leaf
    for level in range(depth):
        value = ({"d": value}, [value, {}], (value, {}))[level % 3]
    return value


def test_any_depth() -> None:
    """No depth is too deep, and none takes the square of its size."""
    began = time.perf_counter()
    one, two = skeleton(nested(5000, 1)), skeleton(nested(5000, 2))
    encoded = time.perf_counter() - began
    ((each,),) = (list(Comparison(one, two)),)
    assert each.path.count("/") == 4999
    assert (each.before, each.after) == ("1", "2")
    assert time.perf_counter() - began - encoded < 2
    shares = {"a": SHARED, "b": SHARED}
    assert not lines(nested(3000, shares), nested(3000, shares))


def test_many_keys_and_items() -> None:
    """Wide values are compared in one pass."""
    one = {f"k{n}": n for n in range(50_000)} | {"l": [{"n": n} for n in range(20_000)]}
    two = one | {"k7": -1, "l": [{"n": n} for n in range(19_999)]}
    began = time.perf_counter()
    assert [path for path, *_ in lines(one, two)] == ["k7", "l/[19999]"]
    assert time.perf_counter() - began < 3


@given(strategies.values, strategies.values)
def test_nothing_differs_only_between_what_is_the_same(one: Shown, two: Shown) -> None:
    """A value differs from its copy in nothing, and from another in something."""
    assert compare(one.value, one.value) == ([], set())
    found, notes = compare(one.value, two.value)
    assert same(one.value, two.value) or bool(found) or notes


def test_what_is_no_skeleton_is_an_error() -> None:
    """A forged skeleton ends in an error of archivedb's."""
    good = Skeleton(b'{"a":1}')
    for text in (
        b'{"a":{"$array":0,"dtype":"<f8"}}',
        b'{"a":{"$array":0,"dtype":"O","shape":[1],"digest":"x"}}',
        b'{"a":{"$wrong":1}}',
        b'{"a":{"$ref":"nowhere"}}',
        b'{"a":{"$ref":"a"}}',
        b'{"a":{"$tuple":3}}',
        b'{"a":{"$adapted":"set","state":3}}',
        b'{"a":{"$dict":[[1]]}}',
    ):
        for pair in ((good, Skeleton(text)), (Skeleton(text), good)):
            try:
                found = list(Comparison(*pair))
            except DecodeError:
                continue
            assert found


# Numbers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "elements", "maximum"),
    [
        (np.array([1.0, np.nan, np.inf]), np.array([1.5, np.nan, np.inf]), 1, 0.5),
        (np.array([np.nan]), np.array([1.0]), 1, math.inf),
        (np.array([np.inf, 1]), np.array([-np.inf, 1]), 1, math.inf),
        (np.array([-(2**63), 5]), np.array([2**63 - 1, 5]), 1, float(2**64 - 1)),
        (np.array([0], "u1"), np.array([255], "u1"), 1, 255.0),
        (np.array([1, 2], "i2"), np.array([1, 4], "f4"), 1, 2.0),
        (np.array([True, False]), np.array([False, False]), 1, 1.0),
        (np.array([1 + 1j, 1]), np.array([4 + 5j, 1]), 1, 5.0),
        (np.array([complex(math.nan, 1)]), np.array([complex(math.nan, 3)]), 1, 2.0),
        (np.array([6e4], "f2"), np.array([-6e4], "f2"), 1, 120000.0),
        (np.array([1.0], ">f8"), np.array([3.0], "<f8"), 1, 2.0),
        (np.array(["a", "b"]), np.array(["a", "c"]), 1, None),
        (np.array([b"a", b"b"]), np.array([b"c", b"d"]), 2, None),
        (np.array(["NaT", 1], "M8[s]"), np.array(["NaT", 2], "M8[s]"), 1, None),
        (np.array([b"ab"], "V2"), np.array([b"ac"], "V2"), 1, None),
        (
            np.array([(1, [1.0, np.nan]), (2, [1, 1])], "i4,(2,)f8"),
            np.array([(1, [1.0, np.nan]), (2, [1, 2])], "i4,(2,)f8"),
            1,
            None,
        ),
        (np.zeros(0), np.zeros(0), 0, 0.0),
    ],
)
def test_deviation(one: Any, two: Any, elements: int, maximum: float | None) -> None:
    """Items that differ are counted; numbers say by how much, and never too little."""
    for a, b in ((one, two), (two, one)):
        deviation = Deviation()
        deviation.add(a, a)
        deviation.add(a, b)
        assert (deviation.elements, deviation.maximum) == (elements, maximum)
        assert not deviation.bits


def test_deviation_of_bits() -> None:
    """Items that are equal with other bits are noticed, and not counted."""
    deviation = Deviation()
    deviation.add(np.array([0.0, np.nan]), np.array([-0.0, NAN]))
    assert (deviation.elements, deviation.maximum, deviation.bits) == (0, 0.0, True)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (1, 3, 2.0),
        (10**400, 0, math.inf),
        (10**400, 1.0, math.inf),
        (np.uint8(1), np.uint8(255), 254.0),
        (np.float16(6e4), np.float16(-6e4), 120000.0),
        (np.longdouble(1), np.longdouble(3), 2.0),
        (math.inf, math.inf, 0.0),
        (math.inf, -math.inf, math.inf),
        (math.nan, math.nan, 0.0),
        (1j, 1, math.sqrt(2)),
        (np.complex64(3), 4j, 5.0),
        (True, 1, None),
        ("1", 1, None),
        (np.datetime64("2026"), 1, None),
    ],
)
def test_distance(one: Any, two: Any, expected: float | None) -> None:
    """Any two numbers have a distance, however large, and nothing else has."""
    assert distance(one, two) == distance(two, one) == expected
