"""Groups of a document: read and changed in parts, alone and in `with` blocks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivedb.errors import (
    ArchiveError,
    EncodeError,
    KeyNotFoundError,
    NotAGroupError,
)
from archivedb.storage.group import Group
from archivedb.storage.lazy import LazyArray
from archivedb.storage.memory import MemoryStorage
from archivedb.values.digest import BLOCKED_ABOVE
from archivedb.values.encode import encode
from tests.support import strategies
from tests.support.exact import difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.strategies import Shown

VALUE: dict[Any, Any] = {
    "inputs": {"cutoff": 500, "label": "<b>"},
    "forces": np.arange(6.0),
    "steps": [{"x": 1, "a/b": {"y": 2}}, 5],
    "pair": ({"z": 1}, 2),
    "a/b": 1,
    "": {"": 2},
}


@pytest.fixture
def storage() -> MemoryStorage:
    """Return a storage that holds something."""
    made = MemoryStorage("run")
    made.update({(key,): value for key, value in VALUE.items()})
    return made


def test_what_was_set_is_there(storage: MemoryStorage) -> None:
    """A dict is a group, everything else the value; keys are spelt as in paths."""
    assert list(storage) == ["inputs", "forces", "steps", "pair", "a%2Fb", "%"]
    assert isinstance(storage["inputs"], Group)
    assert storage["inputs/cutoff"] == storage["inputs"]["cutoff"] == 500
    assert storage["steps/[0]/a%2Fb/y"] == storage["steps", 0, "a/b", "y"] == 2
    assert difference(storage.load(), VALUE) is None
    assert storage == VALUE
    assert storage["inputs"].path == "inputs"
    assert storage["%"].name == "%"
    assert storage.name == "run"


def test_what_is_read_and_what_was_given_are_apart(storage: MemoryStorage) -> None:
    """Neither the user's array nor one that was read is the storage's own."""
    for size in (3, BLOCKED_ABOVE // 8 + 1):
        array = np.zeros(size)
        storage["array"] = array
        array[0] = 1
        got = storage["array"]
        assert got[0] == 0
        got[1] = 1
        assert storage["array"][1] == 0
        with storage:
            storage["array"] = array
            array[0] = 2
            assert storage["array"][0] == 1
        assert storage["array"][0] == 1


def test_changes_below_items(storage: MemoryStorage) -> None:
    """A dict in a list is changed in place; one item is replaced or removed."""
    storage["steps/[0]/x"] = 7
    storage["steps", 0, "new/deep"] = 8
    storage["steps/[1]"] = "five"
    assert storage["steps"] == [{"x": 7, "a/b": {"y": 2}, "new/deep": 8}, "five"]
    del storage["steps/[0]"]
    assert storage["steps"] == ["five"]
    storage["pair/[0]/z"] = 2
    assert storage["pair"] == ({"z": 2}, 2)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda s: s.__delitem__("nothing"), KeyNotFoundError),
        (lambda s: s.__delitem__("nothing/more"), KeyNotFoundError),
        (lambda s: s.__delitem__("inputs/cutoff/x"), NotAGroupError),
        (lambda s: s.__delitem__(""), EncodeError),
        (lambda s: s.__delitem__("pair/[0]"), NotAGroupError),
        (lambda s: s.__setitem__("inputs/cutoff/x", 1), NotAGroupError),
        (lambda s: s.__setitem__("forces/[0]", 1), NotAGroupError),
        (lambda s: s.__setitem__("pair/[1]", 1), NotAGroupError),
        (lambda s: s.__setitem__("steps/[2]", 1), KeyNotFoundError),
        (lambda s: s.__setitem__("steps/[2]/x", 1), KeyNotFoundError),
        (lambda s: s.__setitem__("steps/x", 1), KeyNotFoundError),
        (lambda s: s.__setitem__("", 1), EncodeError),
        (lambda s: s.__setitem__(1, 1), EncodeError),
        (lambda s: s.__setitem__(("x", 1), 1), EncodeError),
        (lambda s: s.__setitem__("x", threading.Lock()), EncodeError),
        (lambda s: s.create_group("forces"), NotAGroupError),
        (lambda s: s.create_group("forces/x"), NotAGroupError),
        (lambda s: s.create_group("pair"), NotAGroupError),
        (lambda s: s.append("forces", np.zeros((2, 2))), EncodeError),
        (lambda s: s.append("forces", np.zeros(2, "f4")), EncodeError),
        (lambda s: s.append("forces", np.array(2.0)), EncodeError),
        (lambda s: s.append("forces", [2.0]), EncodeError),
        (lambda s: s.append("new", np.array(2.0)), EncodeError),
        (lambda s: s.append("new", np.array([None])), EncodeError),
        (lambda s: s.append("inputs", np.zeros(2)), EncodeError),
        (lambda s: s.append("pair/[1]", np.zeros(2)), EncodeError),
        (lambda s: s.append("inputs/cutoff/x", np.zeros(2)), NotAGroupError),
        (lambda s: s.open("inputs/cutoff"), NotAGroupError),
        (lambda s: s["nothing"], KeyNotFoundError),
        (lambda s: s["inputs/cutoff/x"], NotAGroupError),
        (lambda s: s[3], EncodeError),
    ],
)
def test_refusals(
    storage: MemoryStorage, change: Callable[[Any], None], error: type[ArchiveError]
) -> None:
    """What cannot be done raises a typed error, and nothing is changed."""
    with pytest.raises(error):
        change(storage)
    assert storage == VALUE
    with storage, pytest.raises(error):
        change(storage)
    assert storage == VALUE


def test_a_block_is_one_edit(storage: MemoryStorage) -> None:
    """Inside of it its changes are seen; an exception takes them all back."""
    with storage:
        storage["new"] = [1, np.arange(3)]
        assert difference(storage["new"], [1, np.arange(3)]) is None
        del storage["inputs"]
        assert "inputs" not in storage
    assert "inputs" not in storage
    before = storage.load()
    with suppress(RuntimeError), storage["%"] as group:
        group["more"] = 1
        storage["inputs/cutoff"] = 2
        raise RuntimeError
    assert storage == before


def test_a_block_in_a_block(storage: MemoryStorage) -> None:
    """An inner block joins the outer one, and is taken back alone if it fails."""
    with storage:
        storage["one"] = 1
        with storage["inputs"] as inputs:
            inputs["two"] = 2
        with suppress(RuntimeError), storage:
            storage["three"] = 3
            raise RuntimeError
        assert "three" not in storage
        assert storage["inputs/two"] == 2
    assert "one" in storage
    assert "three" not in storage
    with suppress(RuntimeError), storage:
        with storage:
            storage["four"] = 4
        raise RuntimeError
    assert "four" not in storage


def test_another_thread_waits_for_a_block(storage: MemoryStorage) -> None:
    """Its change is neither lost nor part of the block."""
    begun = threading.Event()

    def work() -> None:
        begun.set()
        storage["other"] = 1

    thread = threading.Thread(target=work)
    with suppress(RuntimeError), storage:
        thread.start()
        begun.wait()
        storage["mine"] = 1
        # Nor does it see what may never be.
        assert read_by_another(storage, "mine") is None
        raise RuntimeError
    thread.join()
    assert storage["other"] == 1
    assert "mine" not in storage


def read_by_another(storage: MemoryStorage, key: str) -> Any:
    """Return what another thread gets for a key."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(storage.get, key).result()


def test_a_group_outlives_what_it_shows(storage: MemoryStorage) -> None:
    """A group looks along its path at each use."""
    group = storage["inputs"]
    storage["inputs"] = {"new": 1}
    assert group == {"new": 1}
    storage["inputs"] = 5
    with pytest.raises(NotAGroupError):
        len(group)
    del storage["inputs"]
    with pytest.raises(KeyNotFoundError):
        len(group)
    group["back"] = 1
    assert storage["inputs"] == {"back": 1}


def test_what_is_shared_is_one(storage: MemoryStorage) -> None:
    """A change is seen wherever the object stands; removing one place keeps it."""
    shared = {"x": 1}
    storage["both"] = {"one": shared, "two": shared}
    storage["both/two/x"] = 2
    del storage["both/one"]
    assert storage["both"] == {"two": {"x": 2}}


def test_appending(storage: MemoryStorage) -> None:
    """Rows are added behind, in blocks and alone; the first rows make the array."""
    frames = np.arange(24.0).reshape(4, 2, 3)
    for frame in frames:
        storage.append("run/positions", frame[None])
    lazy = storage.open("run/positions")
    assert isinstance(lazy, LazyArray)
    assert (lazy.shape, lazy.dtype, lazy.ndim) == (frames.shape, frames.dtype, 3)
    assert (len(lazy), lazy.nbytes, lazy.size) == (4, frames.nbytes, 24)
    assert difference(storage["run/positions"], frames) is None
    with storage:
        storage.append("run/positions", frames)
        storage.append("run/positions", frames)
        assert len(lazy) == 12
    assert len(lazy) == 12
    assert repr(lazy) == "<LazyArray 'run/positions', float64 (12, 2, 3)>"
    assert difference(np.asarray(lazy), np.concatenate([frames] * 3)) is None
    assert [row.shape for row in lazy] == [(2, 3)] * 12
    del storage["run/positions"]
    with pytest.raises(KeyNotFoundError):
        len(lazy)
    storage["run/positions"] = 1
    with pytest.raises(NotAGroupError):
        len(lazy)


_ints = st.one_of(st.none(), st.integers(-9, 9))
_items = st.one_of(
    st.integers(-9, 9),
    st.builds(slice, _ints, _ints, _ints.filter(lambda step: step != 0)),
    st.sampled_from([Ellipsis, None]),
)
_indices = st.one_of(_items, st.lists(_items, max_size=4).map(tuple))


@settings(max_examples=400)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), _indices)
def test_any_index(lengths: list[int], index: Any) -> None:
    """A lazy array gives for any index what numpy gives, errors included."""
    storage = MemoryStorage()
    whole = np.arange(sum(lengths) * 6, dtype=">i4").reshape(-1, 2, 3)
    at = 0
    for length in lengths:
        storage.append("a", whole[at : at + length])
        at += length
    lazy = storage.open("a")
    try:
        expected = whole[index]
    except IndexError:
        with pytest.raises(IndexError):
            lazy[index]
        return
    assert difference(lazy[index], expected) is None


def test_other_indices() -> None:
    """Lists and masks are answered, too; an array without axes has no rows."""
    storage = MemoryStorage()
    storage["a"] = np.arange(5)
    storage["scalar"] = np.array(5.0)
    storage["list"] = list(range(20))
    lazy = storage.open("a")
    assert lazy[[4, 0]].tolist() == [4, 0]
    assert lazy[lazy[:] > 2].tolist() == [3, 4]
    assert np.asarray(lazy, "f4").dtype == "f4"
    with pytest.raises(ValueError, match="a copy"):
        np.asarray(lazy, copy=False)
    scalar = storage.open("scalar")
    assert scalar[()] == scalar[...] == 5
    with pytest.raises(TypeError):
        len(scalar)
    assert storage.open("list")[3:5].tolist() == [3, 4]


class Point:
    """An object that its attributes restore."""

    def __init__(self, x: Any) -> None:
        self.x = x


def test_objects(storage: MemoryStorage) -> None:
    """An object is itself, and opened it is the group that it was stored as."""
    storage["point"] = Point(np.arange(3))
    assert type(storage["point"]) is Point
    assert difference(storage["point/x"], np.arange(3)) is None
    group = storage.open("point")
    assert isinstance(group, Group)
    assert list(group) == ["x"]
    assert type(group.load()) is Point
    with pytest.raises(NotAGroupError, match="set it as a whole"):
        storage["point/x"] = 1
    with pytest.raises(NotAGroupError):
        group["y"] = 1
    with pytest.raises(NotAGroupError):
        storage.create_group("point")
    with storage:
        storage["other"] = Point(1)
        assert storage["other"].x == 1
    assert list(storage.open("steps")) == ["[0]", "[1]"]


@given(strategies.values)
def test_any_value(shown: Shown) -> None:
    """Any value is kept, at any place, to the bit."""
    storage = MemoryStorage()
    storage["x"] = 1
    storage["a", "b/c"] = shown.value
    loaded = storage.load()["a"]["b/c"]
    assert difference(loaded, shown.value) is None
    if type(shown.value) is dict:
        group = storage["a", "b/c"]
        assert len(group) == len(shown.value)
        for key in group:
            assert key in group
    for text in (repr(storage), storage._repr_html_()):
        assert text


def test_how_it_is_shown(storage: MemoryStorage) -> None:
    """The repr names kinds and small values, and no more than a dozen."""
    assert repr(storage).splitlines() == [
        "<MemoryStorage 'run', 6 keys>",
        "  inputs: group, 2 keys",
        "  forces: array, float64 6 48 B",
        "  steps: list, 2 items",
        "  pair: tuple, 2 items",
        "  a%2Fb: 1",
        "  %: group, 1 key",
    ]
    assert "&lt;b&gt;" in storage["inputs"]._repr_html_()
    assert storage["inputs"]._ipython_key_completions_() == ["cutoff", "label"]
    storage["many"] = dict.fromkeys(map(str, range(20)))
    assert repr(storage["many"]).endswith("… 8 more")


def test_deep() -> None:
    """Groups 5,000 deep are made, changed and removed."""
    storage = MemoryStorage()
    deep = ("a",) * 5000
    storage[deep] = 1
    storage[(*deep[:-1], "b")] = [1]
    assert storage[deep] == 1
    del storage[deep]
    assert list(storage[deep[:-1]]) == ["b"]
    assert len(encode(storage.load()).skeleton) > 5000
