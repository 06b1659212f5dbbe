"""What the catalog is told of a value: its leaves and its arrays."""

from __future__ import annotations

import datetime as dt
import math
from collections import OrderedDict, deque
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given

from archivedb.errors import DecodeError
from archivedb.values import json, leaves
from archivedb.values.encode import encode
from archivedb.values.facts import ArrayFacts, array_facts
from archivedb.values.leaf import OTHER, SCALARS, Kind, Leaf, indexed, leaf_of
from archivedb.values.paths import parts, token_item
from archivedb.values.skeleton import Skeleton, children, tag_of
from tests.support import strategies
from tests.support.payloads import within

if TYPE_CHECKING:
    from tests.support.strategies import Shown

NUMBER, LIST, TEXT = Kind.NUMBER, Kind.LIST, Kind.TEXT


def skeleton(value: Any) -> Skeleton:
    """Return a value's skeleton."""
    return Skeleton(encode(value).skeleton)


def leaves_of(value: Any, *, groups: bool = False) -> tuple[dict[str, Leaf], bool]:
    """Return the leaves of a value, with the facts of its arrays."""
    encoded = encode(value)
    known = [array_facts(array.values) for array in encoded.arrays]
    source = Skeleton(encoded.skeleton)
    return leaves.leaves(source, known.__getitem__, groups=groups)


def at(value: Any) -> dict[str, Leaf]:
    """Return all leaves of what stands at ``x``, by the path below that."""
    found, complete = leaves_of({"x": value})
    assert complete
    assert all(path == "x" or path.startswith("x/") for path in found)
    return {path[2:]: leaf for path, leaf in found.items()}


def numbers(*items: float) -> dict[str, Leaf]:
    """Return the leaves of some items that are numbers."""
    return {f"[{index}]": Leaf(NUMBER, item) for index, item in enumerate(items)}


def ranged(low: float, high: float, mean: float) -> dict[str, Leaf]:
    """Return the leaves of what is known of numbers."""
    values = {"$min": low, "$max": high, "$mean": mean}
    return {token: leaf_of(value) or OTHER for token, value in values.items()}


# Scalars ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, np.bool_(0), 1, 1.0, np.float32(1), np.uint8(1), 2**53 + 1),
        *(2**63, 2**63 + 1, 10**400, np.uint64(2**63), -0.0, math.inf, math.nan),
        *("text", np.str_("text"), "", Decimal("1.10"), Decimal("1e-30"), UUID(int=5)),
        *(dt.date(2024, 2, 29), dt.timedelta(1), Path("a/b"), np.longdouble(1.5)),
        dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
        dt.datetime(2024, 2, 29, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        np.datetime64("2024-02-29T12:00:00.000000001"),
        *(np.timedelta64(3, "h"), np.datetime64("NaT")),
    ],
    ids=repr,
)
def test_scalars(value: Any) -> None:
    """Each scalar is the leaf that a question compares it with."""
    expected = leaf_of(value)
    assert expected is not None
    assert at(value) == {"": expected}
    assert leaves_of(value) == ({"": expected}, True)


@pytest.mark.parametrize(
    "value",
    [
        *(b"x", 1j, range(3), int, np.void(b"x"), np.linspace, deque(), Decimal),
        *(dt.time(1), dt.timedelta.min, 1 << 100_000, np.timedelta64(5, "M")),
        *(b"x" * 5000, np.complex64(1), np.bytes_(b"x")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_scalar(value: Any) -> None:
    """What cannot be compared is there, and no value of it is known."""
    assert at(value)[""] == OTHER


def test_a_time_in_a_strange_zone() -> None:
    """A time whose zone is somebody's object is there; nothing of it is run."""

    class Zone(dt.tzinfo):
        def utcoffset(self, _: dt.datetime | None, /) -> dt.timedelta:
            return dt.timedelta(hours=1)

    value = dt.datetime(2024, 1, 1, tzinfo=Zone())
    found = at([value, value])
    assert found["[0]"] == found["[1]"] == OTHER


def test_times_that_share_a_zone() -> None:
    """The zone of a time may be that of another, by reference."""
    zone = dt.timezone(dt.timedelta(hours=2), "own")
    days = [dt.datetime(2024, 1, day, tzinfo=zone) for day in (1, 2)]
    found = at(days)
    assert [found["[0]"], found["[1]"]] == [leaf_of(day) for day in days]


def test_times_of_pandas() -> None:
    """They are times whether pandas is installed or not."""
    pd = pytest.importorskip("pandas")
    for value in (
        pd.Timestamp("2024-02-29T01:30", tz="Europe/Berlin"),
        pd.Timestamp("2024-02-29T01:30:00.000000999"),
        pd.Timedelta(1500, "ns"),
        pd.Timedelta(-3, "s"),
        pd.NaT,
    ):
        assert at(value) == {"": leaf_of(value)}


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\ud83d\ude00", "\ud800😀"])
def test_no_database_takes_surrogates(text: str) -> None:
    """Text with surrogates is read when it is asked for; all else is there."""
    found, complete = leaves_of({"bad": text, "good": "é😀\uffff"})
    assert found == {
        "bad": Leaf(Kind.LONG_TEXT, len(text)),
        "good": Leaf(TEXT, None, "é😀\uffff"),
    }
    assert complete


def test_long_texts() -> None:
    """A text of over 1,000 characters is read when it is asked for."""
    found, complete = leaves_of({"a": "x" * 1000, "b": "é" * 1001, "c": "x" * 5000})
    assert found["a"] == Leaf(TEXT, None, "x" * 1000)
    assert {found["b"].kind, found["c"].kind} == {Kind.LONG_TEXT}
    assert complete


# Groups and lists -------------------------------------------------------------


def test_groups() -> None:
    """An empty dict is a leaf; others are where metadata hides data."""
    value: dict[str, Any] = {"a": {}, "b": {"c": {"d": 1}}, "e": {(1, 2): {}}}
    below = {"a": Leaf(Kind.GROUP, 0), "b/c/d": Leaf(NUMBER, 1)}
    found, complete = leaves_of(value)
    assert complete
    key = next(path for path in found if path.startswith("e/"))
    assert found == below | {key: Leaf(Kind.GROUP, 0)}
    above = {path: Leaf(Kind.GROUP, 1) for path in ("b", "b/c", "e")}
    assert leaves_of(value, groups=True) == (found | above, True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], {"": Leaf(LIST, 0)}),
        ((), {"": Leaf(LIST, 0)}),
        ([3, 1], {"": Leaf(LIST, 2)} | numbers(3, 1) | ranged(1, 3, 2.0)),
        ((1, 2.5), {"": Leaf(LIST, 2)} | numbers(1, 2.5) | ranged(1, 2.5, 1.75)),
        (["a"], {"": Leaf(LIST, 1), "[0]": Leaf(TEXT, None, "a")}),
        ({"a"}, {"": Leaf(LIST, 1), "[0]": Leaf(TEXT, None, "a")}),
        (
            [1, True],
            {"": Leaf(LIST, 2), "[0]": Leaf(NUMBER, 1), "[1]": Leaf(Kind.BOOL, 1)},
        ),
        ([None], {"": Leaf(LIST, 1), "[0]": Leaf(Kind.NULL)}),
        ([[]], {"": Leaf(LIST, 1), "[0]": Leaf(LIST, 0)}),
        ([b"x"], {"": Leaf(LIST, 1), "[0]": OTHER}),
    ],
    ids=repr,
)
def test_lists(value: Any, expected: dict[str, Leaf]) -> None:
    """A list has its length and its items; one of numbers, a range and a mean."""
    assert at(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, math.inf], (1, math.inf, math.inf)),
        ([1.0, math.nan, 3], (math.nan,) * 3),
        ([math.nan, 1], (math.nan,) * 3),
        ([2**64, 0], (0, 2**64, 2.0**63)),
        ([10**400, 1], (1, 10**400, math.inf)),
        ([np.float64(1), np.float32(2)], (1.0, 2.0, 1.5)),
        ([Decimal("0.5"), 1], (0.5, 1, 0.75)),
        ([-math.inf, math.inf], (-math.inf, math.inf, math.nan)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_known_of_lists(value: Any, expected: tuple[Any, ...]) -> None:
    """It is what would be known of an array of the same numbers, NaN included."""
    found = at(value)
    wanted = ranged(*expected)
    assert {token: found[token] for token in wanted} == wanted


@pytest.mark.parametrize("value", [[1, None], [True], ["a", 1], [[1], [2]], [1j]])
def test_lists_of_other_things_have_no_range(value: Any) -> None:
    """Only numbers have a range."""
    assert not [path for path in at(value) if path.startswith("$")]


def test_long_lists() -> None:
    """A long list of numbers is stored as an array, and is a list all the same."""
    values = [float(n) for n in range(20)] + [math.inf]
    assert at(values) == {"": Leaf(Kind.LONG_LIST, 21)} | ranged(0, math.inf, math.inf)
    assert at([True] * 20)[""] == Leaf(Kind.LONG_LIST, 20)


def test_objects() -> None:
    """What an object consists of is found below it."""
    found = at([OrderedDict(a=1), deque([2]), Fraction_like()])
    assert found["[0]"] == found["[1]"] == found["[2]"] == OTHER
    assert Leaf(NUMBER, 1) in found.values()
    assert Leaf(NUMBER, 2) in found.values()
    assert found["[2]/n"] == Leaf(NUMBER, 3)


class Fraction_like:  # noqa: N801 - of no adapter
    """An object with an attribute."""

    def __init__(self) -> None:
        self.n = 3


# Arrays -----------------------------------------------------------------------


def shaped(*shape: int) -> dict[str, Leaf]:
    """Return the leaves of a shape."""
    return {f"$shape/[{axis}]": Leaf(NUMBER, n) for axis, n in enumerate(shape)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            np.array([1.5, 2.5]),
            {"": Leaf(Kind.ARRAY, 1, "float64")}
            | (shaped(2) | ranged(1.5, 2.5, 2.0) | numbers(1.5, 2.5)),
        ),
        (
            np.arange(6, dtype=">i2").reshape(2, 3),
            {"": Leaf(Kind.LONG_ARRAY, 2, "int16")} | shaped(2, 3) | ranged(0, 5, 2.5),
        ),
        (np.zeros(0), {"": Leaf(Kind.ARRAY, 1, "float64")} | shaped(0)),
        (np.zeros((0, 3)), {"": Leaf(Kind.LONG_ARRAY, 2, "float64")} | shaped(0, 3)),
        (np.array(5), {"": Leaf(NUMBER, 5)} | ranged(5, 5, 5.0)),
        (
            np.array(["é"]),
            {"": Leaf(Kind.ARRAY, 1, "str32"), "[0]": Leaf(TEXT, None, "é")}
            | shaped(1),
        ),
        (
            np.array([True]),
            {"": Leaf(Kind.ARRAY, 1, "bool"), "[0]": Leaf(Kind.BOOL, 1)}
            | (shaped(1) | ranged(1, 1, 1.0)),
        ),
        (np.array([1j]), {"": Leaf(Kind.LONG_ARRAY, 1, "complex128")} | shaped(1)),
        (
            np.array(["x" * 1001]),
            {"": Leaf(Kind.LONG_ARRAY, 1, "str32032")} | shaped(1),
        ),
        (
            np.array([math.nan, 1]),
            {"": Leaf(Kind.ARRAY, 1, "float64")}
            | (shaped(2) | ranged(*[math.nan] * 3))
            | {"[0]": Leaf(Kind.NAN), "[1]": Leaf(NUMBER, 1.0)},
        ),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_arrays(value: Any, expected: dict[str, Leaf]) -> None:
    """An array has dtype and shape, what is known of its numbers, and few items."""
    assert at(value) == expected


def test_arrays_of_objects() -> None:
    """The items of an object array are values of their own."""
    array = np.array([[1, "a"], [None, 2.5]], object)
    found = at(array)
    assert found.pop("") == OTHER
    assert found["[0]"] == Leaf(NUMBER, 1)
    assert found["[1]"] == Leaf(TEXT, None, "a")


def test_arrays_of_which_nothing_is_known() -> None:
    """An array that nobody has looked into makes a record incomplete."""
    found, complete = leaves.leaves(skeleton({"a": np.arange(3), "b": 1}))
    assert not complete
    assert found["a"] == Leaf(Kind.LONG_ARRAY, 1, "int64")
    assert {*found} == {"a", "a/$shape/[0]", "b"}


def parted(*sizes: int, known: tuple[ArrayFacts | None, ...] = ()) -> Any:
    """Return the leaves of an array whose rows lie in several parts."""
    rows = np.arange(float(sum(sizes)))
    made, at_row = [], 0
    pieces = []
    for number, size in enumerate(sizes):
        piece = rows[at_row : at_row + size]
        node = json.loads(encode(piece).skeleton, "test")
        made.append({**node, "$array": number})
        pieces.append(array_facts(piece))
        at_row += size
    source = Skeleton(json.dumps({"x": {"$parts": made}}))
    some = known or pieces
    return leaves.leaves(source, lambda number: some[number])


@pytest.mark.parametrize("sizes", [(2, 3), (0, 3, 1), (10, 6), (10, 7), (20, 1), (3,)])
def test_parts(sizes: tuple[int, ...]) -> None:
    """An array in parts has the leaves of the whole."""
    whole = np.arange(float(sum(sizes)))
    assert parted(*sizes) == leaves_of({"x": whole})


def test_a_part_of_which_nothing_is_known() -> None:
    """Then nothing is known of the whole but its shape."""
    found, complete = parted(2, 3, known=(array_facts(np.arange(2.0)), None))
    assert not complete
    shape = shaped(5)["$shape/[0]"]
    whole = Leaf(Kind.LONG_ARRAY, 1, "float64")
    assert found == {"x": whole, "x/$shape/[0]": shape}


def test_facts_of_another_array() -> None:
    """Facts that are not those of the array are no facts."""
    with pytest.raises(DecodeError):
        parted(2, known=(ArrayFacts(None, [1.0]),))
    with pytest.raises(DecodeError):
        leaves.leaves(skeleton({"x": np.arange(2)}), ().__getitem__)


@pytest.mark.parametrize("length", [1 << 63, -1, 1.5, "3", None, True])
def test_shapes_that_no_database_takes(length: Any) -> None:
    """A shape is a few counts, or the skeleton is none of archivedb's."""
    tree = json.loads(encode({"x": np.arange(2)}).skeleton, "test")
    tree["x"]["shape"] = [length]
    with pytest.raises(DecodeError):
        leaves.leaves(Skeleton(json.dumps(tree)), lambda _: ArrayFacts())


# Which leaves -----------------------------------------------------------------


def test_nearest_the_root_first() -> None:
    """What is nearer the root comes first, then what was saved first."""
    value = {"deep": {"er": {"x": 1}, "y": 2}, "list": [3, {"z": 4}], 5: 6, "last": 7}
    found, complete = leaves_of(value)
    assert complete
    assert [(path, leaf.num) for path, leaf in found.items()] == [
        ("list", 2),
        ("$5", 6),
        ("last", 7),
        ("deep/y", 2),
        ("list/[0]", 3),
        ("deep/er/x", 1),
        ("list/[1]/z", 4),
    ]


@pytest.mark.parametrize(
    ("count", "complete"), [(999, True), (1000, True), (1001, False)]
)
def test_at_most_a_thousand(count: int, complete: bool) -> None:  # noqa: FBT001
    """A record has up to 1,000 leaves in the index, and says if that is all."""
    value = {"deep": {str(n): n for n in range(count - 1)}, "near": -1}
    found, all_of_it = leaves_of(value)
    assert len(found) == min(count, 1000)
    assert all_of_it is complete
    assert next(iter(found.items())) == ("near", Leaf(NUMBER, -1))


def test_what_follows_may_be_no_leaves() -> None:
    """A record of 1,000 leaves and dicts that hold nothing else is complete."""
    value = {"a": {"b": {str(n): n for n in range(1000)}}}
    assert leaves_of(value)[1]
    assert not leaves_of(value, groups=True)[1]
    assert not leaves_of({**value, "array": np.zeros(3)})[1]
    assert not leaves_of({**value, "empty": {}})[1]


def test_depth() -> None:
    """A leaf 5,000 deep is a leaf."""
    value: Any = 7
    for _ in range(5000):
        value = {"k": value}
    found, complete = leaves_of(value)
    assert list(found.values()) == [Leaf(NUMBER, 7)]
    assert complete
    (path,) = found
    assert skeleton(value).at(parts(path)) == 7


# What stands in several places ------------------------------------------------


def test_shared_values_are_found_wherever_they_stand() -> None:
    """What is shared has its leaves in each place."""
    array = np.arange(2.0)
    shared = {"x": 1, "list": [2], "array": array}
    found, complete = leaves_of({"a": shared, "b": {"c": shared}, "d": array})
    assert complete
    below = {path[2:]: leaf for path, leaf in found.items() if path[:2] == "a/"}
    assert below["x"] == Leaf(NUMBER, 1)
    assert below["list/[0]"] == Leaf(NUMBER, 2)
    assert below["array/$max"] == Leaf(NUMBER, 1.0)
    for path, leaf in below.items():
        assert found[f"b/c/{path}"] == leaf
    assert found["d/$max"] == below["array/$max"]
    assert found["d"] == below["array"]
    assert len(found) == 2 * len(below) + len(at(array))


def test_shared_in_shared() -> None:
    """A shared value may hold another, and be there twice in one list."""
    inner = {"n": 1}
    outer = {"one": inner, "two": [inner, inner]}
    found, complete = leaves_of({"a": outer, "b": outer})
    assert complete
    assert {path for path, leaf in found.items() if leaf == Leaf(NUMBER, 1)} == {
        f"{top}/{path}/n" for top in "ab" for path in ("one", "two/[0]", "two/[1]")
    }


def test_cycles_end() -> None:
    """What holds itself is found once, and the record is incomplete."""
    shared: dict[str, Any] = {"x": 1}
    shared["self"] = shared
    found, complete = leaves_of({"a": shared, "b": shared})
    assert not complete
    assert found["a/x"] == found["b/x"] == Leaf(NUMBER, 1)
    assert len(found) < 10


def test_a_value_that_holds_itself() -> None:
    """The root may be what is referred to, and lists may hold each other."""
    root: dict[str, Any] = {"x": 1}
    root["self"] = root
    found, complete = leaves_of(root)
    assert not complete
    assert found["x"] == Leaf(NUMBER, 1)
    one: list[Any] = [1]
    two = [one, 2]
    one.append(two)
    found, complete = leaves_of({"one": one, "two": two})
    assert not complete
    assert found["one/[0]"] == found["two/[0]/[0]"] == Leaf(NUMBER, 1)
    assert len(found) < 30


def test_shared_without_end() -> None:
    """A few dicts that stand for 2**60 are looked at for a moment only."""
    value: dict[str, Any] = {"x": 1}
    for _ in range(60):
        value = {"a": value, "b": value}
    with within(5):
        found, complete = leaves_of({"near": 1, "deep": value})
    assert not complete
    assert found["near"] == Leaf(NUMBER, 1)


# Whatever there is ------------------------------------------------------------


@given(strategies.values)
def test_leaves_can_be_stored(shown: Shown) -> None:
    """Paths and texts of leaves are UTF-8, numbers fit, and each is found again."""
    found, _ = leaves_of(shown.value)
    source = skeleton(shown.value)
    assert len(found) <= leaves.MOST
    for path, leaf in found.items():
        path.encode()
        (leaf.txt or "").encode()
        assert type(leaf.num) in (type(None), int, float)
        assert not (type(leaf.num) is float and math.isnan(leaf.num))
        if type(leaf.num) is int:
            assert -(1 << 63) <= leaf.num < 1 << 63
        _require_at(source, path, leaf)


def _require_at(source: Skeleton, path: str, leaf: Leaf) -> None:
    """Require that what stands at a path of a skeleton has this leaf."""
    node, tokens = source.resolve(source.root), list(parts(path))
    while tokens and tag_of(node) not in ("$array", "$parts"):
        if tokens[0] in ("$min", "$max", "$mean"):
            assert leaf.kind in (NUMBER, Kind.INEXACT, Kind.NAN)
            return
        node = source.resolve(dict(children(node))[tokens.pop(0)])
    if tokens:  # of an array, whose facts have tests of their own
        assert tokens[0][0] == "$" or token_item(tokens[0]) is not None
        assert leaf.kind in SCALARS | {Kind.NAN, Kind.LONG_TEXT, Kind.OTHER}
    elif leaf.kind in SCALARS | {Kind.NAN}:
        assert indexed(leaves.node_leaf(source, node, _no_bytes)) == leaf


def _no_bytes(number: int, _: Any) -> Any:
    raise AssertionError(number)


@given(strategies.values)
def test_nothing_is_missed(shown: Shown) -> None:
    """A record that counts as complete has a leaf for all that stands in it."""
    source = skeleton(shown.value)
    found, complete = leaves_of(shown.value, groups=True)
    if not complete:
        return
    todo = [("", source.root)]
    while todo:
        path, node = todo.pop()
        assert path in found or not path
        for token, child in children(source.resolve(node)):
            todo.append((f"{path}/{token}" if path else token, child))


@given(strategies.values)
def test_every_array_has_its_path(shown: Shown) -> None:
    """The arrays' paths are those that they were encoded with."""
    encoded = encode(shown.value)
    found = dict(leaves.array_paths(Skeleton(encoded.skeleton)))
    assert sorted(found) == sorted(array.path for array in encoded.arrays)
    for array in encoded.arrays:
        assert found[array.path]["digest"] == array.digest


# One leaf by itself -----------------------------------------------------------


def test_one_leaf() -> None:
    """What stands at a path has the leaf that the index would have of it."""
    value = {"a": [{"b": np.float32(1.5)}, 2**70], "c": np.arange(3), "d": {}, "e": 1j}
    source = skeleton(value)
    for path, expected in {
        "a": Leaf(LIST, 2),
        "a/[0]": Leaf(Kind.GROUP, 1),
        "a/[0]/b": Leaf(NUMBER, 1.5),
        "a/[1]": leaf_of(2**70),
        "c": Leaf(Kind.LONG_ARRAY, 1, "int64"),
        "d": Leaf(Kind.GROUP, 0),
        "e": OTHER,
    }.items():
        node = source.resolve(source.at(parts(path)))
        assert leaves.node_leaf(source, node, _no_bytes) == expected


def test_a_long_text_is_read() -> None:
    """A text that is stored as an array is read for its leaf."""
    text = "é" * 5000
    encoded = encode({"x": text})
    source = Skeleton(encoded.skeleton)
    raw = np.frombuffer(bytes(encoded.arrays[0].raw), np.uint8)
    leaf = leaves.node_leaf(source, source.at(("x",)), lambda *_: raw)
    assert leaf == Leaf(TEXT, None, text)


def test_what_is_derived() -> None:
    """What is known of a list or an array beside its items comes by itself, too."""
    encoded = encode({"x": np.arange(2.0), "y": [1, math.inf], "z": {"a": 1}, "t": "a"})
    source = Skeleton(encoded.skeleton)
    known = [array_facts(array.values) for array in encoded.arrays]
    found = {
        name: leaves.derived(source, source.at((name,)), known.__getitem__)
        for name in "xyzt"
    }
    assert found["x"].pop("") == Leaf(Kind.ARRAY, 1, "float64")
    assert found["x"] == shaped(2) | ranged(0, 1, 0.5) | numbers(0.0, 1.0)
    assert found["y"] == ranged(1, math.inf, math.inf)
    assert found["z"] == found["t"] == {}
