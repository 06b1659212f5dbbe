"""What the catalog is told of a value: its scalars and its arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given

from archivedb.errors import KeyNotFoundError
from archivedb.values import leaves
from archivedb.values.encode import encode
from archivedb.values.leaves import Leaf
from archivedb.values.skeleton import Skeleton
from tests.support import strategies

if TYPE_CHECKING:
    from tests.support.strategies import Shown


def skeleton(value: Any) -> Skeleton:
    """Return a value's skeleton."""
    return Skeleton(encode(value).skeleton)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ("null", None, None)),
        (True, ("bool", 1, None)),
        (np.bool_(0), ("bool", 0, None)),
        (1, ("number", 1, None)),
        (1.0, ("number", 1.0, None)),
        (np.float32(1), ("number", 1.0, None)),
        (np.uint8(1), ("number", 1, None)),
        (2**53 + 1, ("number", 2**53 + 1, None)),
        (2**63, ("number", 2.0**63, None)),
        (2**63 + 1, ("number", None, hex(2**63 + 1))),
        (10**400, ("number", None, hex(10**400))),
        (np.uint64(2**63), ("number", 2.0**63, None)),
        (-0.0, ("number", -0.0, None)),
        (math.inf, ("number", math.inf, None)),
        (math.nan, ("nan", None, None)),
        ("text", ("text", None, "text")),
        (np.str_("text"), ("text", None, "text")),
        ("", ("text", None, "")),
    ],
    ids=repr,
)
def test_scalars(value: Any, expected: tuple[Any, ...]) -> None:
    """Equal scalars are equal leaves, whatever their types; NaN and null differ."""
    assert leaves.leaf_value(value) == expected
    found, complete = leaves.leaves(skeleton({"x": value}))
    assert (found, complete) == ([Leaf("x", *expected)], True)


def test_what_is_no_scalar() -> None:
    """Arrays, bytes, complex numbers and empty groups are no leaves."""
    value = {"a": np.zeros(3), "b": b"x", "c": 1j, "d": {}, "e": [], "f": "x" * 5000}
    assert leaves.leaves(skeleton(value)) == ([], True)


def test_nearest_the_root_first() -> None:
    """What is nearer the root comes first, then what was saved first."""
    value = {"deep": {"er": {"x": 1}, "y": 2}, "list": [3, {"z": 4}], 5: 6, "last": 7}
    found, complete = leaves.leaves(skeleton(value))
    assert complete
    assert [(leaf.path, leaf.num) for leaf in found] == [
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
    found, all_of_it = leaves.leaves(skeleton(value))
    assert len(found) == min(count, 1000)
    assert all_of_it is complete
    assert found[0] == Leaf("near", "number", -1, None)


def test_what_follows_may_be_no_leaves() -> None:
    """A record of 1,000 leaves and an array is complete."""
    value = {str(n): n for n in range(1000)} | {"array": np.zeros(3), "empty": {}}
    assert leaves.leaves(skeleton(value))[1]


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\ud83d\ude00", "\ud800😀"])
def test_no_database_takes_surrogates(text: str) -> None:
    """Text with surrogates is left out, and the record counts as cut."""
    found, complete = leaves.leaves(skeleton({"bad": text, "good": "é😀\uffff"}))
    assert [leaf.path for leaf in found] == ["good"]
    assert not complete


@given(strategies.values)
def test_leaves_can_be_stored(shown: Shown) -> None:
    """Paths and texts of leaves are UTF-8, numbers fit, and each is found again."""
    source = skeleton(shown.value)
    found, _ = leaves.leaves(source)
    assert len({leaf.path for leaf in found}) == len(found)
    for leaf in found:
        leaf.path.encode()
        (leaf.txt or "").encode()
        assert type(leaf.num) in (type(None), int, float)
        if type(leaf.num) is int:
            assert -(1 << 63) <= leaf.num < 1 << 63
        again = leaves.leaf_value(leaves.lookup(source, leaf.path))
        assert again == (leaf.kind, leaf.num, leaf.txt)


@given(strategies.values)
def test_every_array_has_its_path(shown: Shown) -> None:
    """The arrays' paths are those that they were encoded with."""
    encoded = encode(shown.value)
    found = dict(leaves.array_paths(Skeleton(encoded.skeleton)))
    assert sorted(found) == sorted(array.path for array in encoded.arrays)
    for array in encoded.arrays:
        assert found[array.path]["digest"] == array.digest


def test_shared_scalars_are_indexed_where_they_stand_first() -> None:
    """What is shared is one leaf; a cycle ends."""
    shared: dict[str, Any] = {"x": 1}
    shared["self"] = shared
    found, complete = leaves.leaves(skeleton({"a": shared, "b": shared}))
    assert [leaf.path for leaf in found] == ["a/x"]
    assert complete


def test_depth() -> None:
    """A leaf 5,000 deep is a leaf."""
    value: Any = 7
    for _ in range(5000):
        value = {"k": value}
    found, complete = leaves.leaves(skeleton(value))
    assert [leaf.num for leaf in found] == [7]
    assert complete
    assert leaves.lookup(skeleton(value), found[0].path) == 7


def test_lookup() -> None:
    """A scalar is found by its path; what is not there is an error."""
    source = skeleton({"a": [{"b": np.float32(1.5)}, 2**70]})
    assert leaves.lookup(source, "a/[0]/b") == 1.5
    assert leaves.lookup(source, "a/[1]") == 2**70
    with pytest.raises(KeyNotFoundError):
        leaves.lookup(source, "a/[2]")
