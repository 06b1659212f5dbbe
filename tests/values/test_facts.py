"""What the index holds of an array: ranges, means, and few items."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb.errors import DecodeError
from archivedb.values import facts, json
from archivedb.values.facts import MOST_ITEMS, ArrayFacts, array_facts, joined
from archivedb.values.leaf import leaf_of
from archivedb.values.skeleton import well_formed
from tests.support import strategies

if TYPE_CHECKING:
    from collections.abc import Sequence

NAN = math.nan


def alike(one: Any, two: Any) -> bool:
    """Return whether numbers, or lists of them, are equal, NaN to itself."""
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(alike, one, two))
    return bool(one == two or (one != one and two != two))  # noqa: PLR0124


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.5, 2.5], (1.5, 2.5, 2.0)),
        ([1, -3], (-3, 1, -1.0)),
        ([math.inf, 1], (1, math.inf, math.inf)),
        ([math.inf, -math.inf], (-math.inf, math.inf, NAN)),
        ([1, NAN, 3], (NAN, NAN, NAN)),
        ([-0.0], (0.0, 0.0, 0.0)),
        ([True, False], (0, 1, 0.5)),
        (np.array([2**64 - 1, 0], np.uint64), (0, 2**64 - 1, 2.0**63)),
        (np.array([-(2**63), 2**63 - 1]), (-(2**63), 2**63 - 1, 0.0)),
        (np.array([60_000, 60_000], np.float16), (60_000, 60_000, 60_000)),
        (np.array([0.1], np.float32), (float(np.float32(0.1)),) * 3),
        (np.array([1, 258], ">i2"), (1, 258, 129.5)),
        (np.array([[1.0, 2.0], [3.0, 6.0]], ">f8").T, (1.0, 6.0, 3.0)),
        (np.array([1e308, 1e308]), (1e308, 1e308, math.inf)),
        (np.array(7), (7, 7, 7.0)),
        (np.arange(9)[::-2], (0, 8, 4.0)),
    ],
    ids=repr,
)
def test_ranges(values: Any, found: tuple[Any, ...]) -> None:
    """The range and the mean are plain numbers, exact, and NaN where there is one."""
    known = array_facts(np.asarray(values)).range
    assert known is not None
    assert alike(known, found)
    assert type(known[2]) is float
    assert {type(known[0]), type(known[1])} <= {int, float}


@pytest.mark.parametrize(
    "values",
    [
        *(np.zeros(0), np.zeros((0, 3), np.int16), np.array([1j]), np.array(["a"])),
        *(np.array([b"a"]), np.array(["2026"], "M8[D]"), np.zeros(2, "f8,i4")),
        *(np.array([1.5], np.longdouble), np.zeros(2, "V3")),
    ],
    ids=lambda values: f"{values.dtype}{values.shape}",
)
def test_what_has_no_range(values: Any) -> None:
    """Empty arrays, and those that hold no real numbers of up to 8 bytes, have none."""
    assert array_facts(values).range is None


@pytest.mark.parametrize(
    ("values", "items"),
    [
        (np.zeros(0), []),
        (np.array([1, 2], ">i4"), [1, 2]),
        (np.array([0.5, NAN]), [0.5, NAN]),
        (np.array([True]), [True]),
        (np.array(["é", "日本"]), ["é", "日本"]),
        (np.arange(MOST_ITEMS), list(range(MOST_ITEMS))),
        (np.arange(MOST_ITEMS + 1), None),
        (np.zeros((1, 2)), None),
        (np.array(1), None),
        (np.array([1j]), None),
        (np.array(["x" * 1000]), ["x" * 1000]),
        (np.array(["x" * 1001, "b"]), None),
        (np.array(["\ud800", "b"]), None),
        (np.array([0x110000], "<u4").view("<U1"), None),
        (np.array([2**64 - 1], np.uint64), [2**64 - 1]),
    ],
    ids=lambda case: str(getattr(case, "dtype", ""))[:20],
)
def test_items(values: Any, items: list[Any] | None) -> None:
    """The items of short arrays are there, all that an index can hold, or none."""
    found = array_facts(values).items
    assert (found is None) is (items is None)
    assert alike(found or [], items or [])
    assert found is None or [type(x) for x in found] == [type(x) for x in items or []]


numeric = strategies.arrays().filter(
    lambda array: array.dtype.kind in "biuf" and array.dtype.itemsize <= 8
)


@given(numeric)
def test_any_layout(values: Any) -> None:
    """Whatever the layout, minimum and maximum are numpy's, the mean close to it."""
    found = array_facts(values)
    if not values.size:
        assert found.range is None
        return
    assert found.range is not None
    low, high, mean = found.range
    with np.errstate(all="ignore"):
        assert alike(low, values.min().item())
        assert alike(high, values.max().item())
        numpys = float(values.astype(np.float64).mean())
    close = alike(mean, numpys) or math.isclose(mean, numpys, abs_tol=1e-12 * high)
    # Near the largest doubles, the order decides whether a sum overflows.
    assert close or max(abs(low), abs(high)) > 1e307


@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4", "i8", "u1", "?", "f2"])
def test_piece_by_piece(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The facts of an array in many pieces are those of the whole."""
    generator = np.random.default_rng(5)
    values = (generator.normal(size=(100, 7)) * 50 + 60).astype(dtype)
    whole = array_facts(values).range
    monkeypatch.setattr(facts, "_CHUNK", 13)
    pieces = array_facts(values).range
    assert whole is not None
    assert pieces is not None
    assert pieces[:2] == whole[:2] == (values.min(), values.max())
    numpys = values.mean(dtype=np.float64)
    assert math.isclose(pieces[2], numpys, rel_tol=1e-12)
    assert math.isclose(whole[2], numpys, rel_tol=1e-12)


def test_nan_in_any_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """A NaN is found wherever it is."""
    monkeypatch.setattr(facts, "_CHUNK", 3)
    for at in range(8):
        values = np.arange(8.0)
        values[at] = NAN
        assert alike(array_facts(values).range, (NAN, NAN, NAN))


def test_the_place_in_memory_says_nothing() -> None:
    """Equal bytes give equal facts, to the last bit, aligned or not."""
    values = np.random.default_rng(0).normal(size=300_000)
    held = np.frombuffer(bytearray(values.nbytes + 3), np.uint8)[3:]
    held[:] = values.view(np.uint8)
    unaligned = held.view(np.float64)
    assert not unaligned.flags.aligned
    assert array_facts(unaligned) == array_facts(values)
    fortran = np.asfortranarray(values.reshape(1000, 300))
    assert array_facts(fortran).range == array_facts(values).range


@given(strategies.arrays())
def test_they_lie_in_the_envelope(values: Any) -> None:
    """Facts are the same after they were JSON."""
    found = array_facts(values)
    text = json.dumps(found.tree())
    again = ArrayFacts.of(json.loads(text, "test"))
    assert alike(again.range or (), found.range or ())
    assert alike(again.items or [], found.items or [])
    assert (again.items is None) is (found.items is None)
    for one, two in ((found.range, again.range), (found.items, again.items)):
        assert [*map(leaf_of, one or ())] == [*map(leaf_of, two or ())]


splits = st.lists(st.integers(0, 20), min_size=1, max_size=5)


@given(
    splits,
    st.lists(st.integers(-(2**53), 2**53) | st.just(2**63), min_size=100, max_size=100),
    st.sampled_from(["f8", "f4", ">f8", "u8", "i2", "?", "U5"]),
    st.integers(0, 99) | st.none(),
)
def test_joined(sizes: list[int], some: list[Any], dtype: str, nan_at: Any) -> None:
    """The facts of rows and those appended to them are those of the whole."""
    values = np.array(some, "f8")
    if nan_at is not None and "f" in dtype:
        values[nan_at] = NAN
    with np.errstate(all="ignore"):
        values = (np.abs(values) if "u" in dtype else values).astype(dtype)
    found, count = array_facts(values[: sizes[0]]), sizes[0]
    for size in sizes[1:]:
        rows = values[count : count + size]
        found = joined(found, count, array_facts(rows), size)
        count += size
    _require_same(found, array_facts(values[:count]))


def _require_same(found: ArrayFacts, whole: ArrayFacts) -> None:
    assert alike(found.items or [], whole.items or [])
    assert (found.items is None) is (whole.items is None)
    assert (found.range is None) is (whole.range is None)
    if found.range is not None and whole.range is not None:
        assert alike(found.range[:2], whole.range[:2])
        same = alike(found.range[2], whole.range[2])
        largest = max(map(abs, whole.range[:2]))
        assert same or math.isclose(
            found.range[2], whole.range[2], rel_tol=1e-9, abs_tol=1e-12 * largest
        )


def test_joined_rows_of_more_axes() -> None:
    """Rows of a matrix are joined by how many numbers they are."""
    values = np.arange(30.0).reshape(5, 6)
    found = joined(array_facts(values[:1]), 6, array_facts(values[1:]), 24)
    assert found == array_facts(values)


def test_joined_with_nothing() -> None:
    """What is empty adds nothing, and what is unknown makes the whole unknown."""
    some = array_facts(np.arange(3.0))
    none, unknown = array_facts(np.zeros(0)), ArrayFacts()
    assert joined(some, 3, none, 0) == joined(none, 0, some, 3) == some
    assert joined(none, 0, none, 0) == none
    assert joined(some, 3, unknown, 3) == joined(unknown, 3, some, 3) == unknown


@pytest.mark.parametrize(
    "tree",
    [
        *({"range": [1, 2]}, {"range": 1}, {"range": ["a", "b", "c"]}, {"items": 5}),
        *({"range": [True, 1, 1]}, {"range": [[], [], []]}, {"items": [0] * 17}),
        *({"items": {"a": 1}}, {"range": [1, 2, {"$float": "x"}]}, [], 5, "x"),
    ],
    ids=repr,
)
def test_lies(tree: Any) -> None:
    """Facts that a stranger has written are numbers, and few, or an error."""
    with pytest.raises(DecodeError), well_formed("envelope"):
        ArrayFacts.of(tree)


@pytest.mark.parametrize("shape", [[2], [4], [], [3, 1], [10**12]])
def test_items_of_another_array(shape: Sequence[int]) -> None:
    """An array has as many items as its shape says."""
    known = ArrayFacts(None, [1, 2, 3])
    with pytest.raises(ValueError, match="1, 2, 3"):
        known.of_shape(shape)
    assert known.of_shape([3]) is known
    assert ArrayFacts().of_shape(shape) == ArrayFacts()
