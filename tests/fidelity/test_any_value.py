"""Whatever Hypothesis nests comes back the same, through every mode and storage."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivedb import (
    Archive,
    HDF5Storage,
    JSONStorage,
    MemoryStorage,
    PickleStorage,
)
from archivedb.archive.loading import read_value
from archivedb.values.decode import decode
from archivedb.values.encode import encode
from archivedb.values.exact import same
from archivedb.values.objects import Objects
from archivedb.values.skeleton import Skeleton
from tests.support import strategies
from tests.support.exact import difference
from tests.support.payloads import MODES, build, open_content, read_envelope

if TYPE_CHECKING:
    from tests.support.strategies import Shown

STORAGES = {"hdf5": HDF5Storage, "json": JSONStorage, "cloudpickle": PickleStorage}
ANY = st.one_of(strategies.rich_values, strategies.rich_values, strategies.values)


def _require_same(original: Any, loaded: Any) -> None:
    assert difference(original, loaded) is None
    assert same(original, loaded)


def _decoded(value: Any) -> Any:
    encoded = encode(value)
    source = Skeleton(encoded.skeleton)

    def fetch(number: int, _: Any) -> Any:
        return np.frombuffer(bytearray(encoded.arrays[number].raw), np.uint8)

    return decode(source, source.root, fetch, Objects(require=lambda: None))


@given(ANY)
@settings(max_examples=400)
def test_encode_and_decode(shown: Shown) -> None:
    """The skeleton and its arrays say all that there is to a value."""
    _require_same(shown.value, _decoded(shown.value))


@given(ANY)
@settings(max_examples=100)
def test_equal_values_have_equal_digests(shown: Shown) -> None:
    """What has come back is encoded just as it was: nothing is saved twice."""
    again = encode(_decoded(shown.value))
    assert again.skeleton == encode(_decoded(_decoded(shown.value))).skeleton


@pytest.mark.parametrize("mode", MODES)
@given(ANY)
@settings(max_examples=150)
def test_modes(mode: str, shown: Shown) -> None:
    """A payload of each mode gives the value back."""
    data = build(mode, shown.value)
    (entry,) = read_envelope(mode, data).entries
    reader = open_content(mode, data, entry.content)
    node = reader.skeleton.root
    found = read_value(reader, entry.content, node, name="x", trusts=lambda _: True)
    _require_same(shown.value, found)


@given(st.lists(st.tuples(strategies.texts, ANY), min_size=1, max_size=4))
@settings(max_examples=150)
def test_memory(edits: list[tuple[str, Shown]]) -> None:
    """A storage in memory holds what was last put under each key."""
    storage, expected = MemoryStorage(), {}
    for key, shown in edits:
        storage[(key,)] = shown.value
        expected[key] = shown.value
    for key, value in expected.items():
        # One after the other: they do not share what they have alike.
        found = storage[(key,)]
        _require_same(value, found.load() if hasattr(found, "load") else found)


@pytest.mark.parametrize("mode", STORAGES)
def test_files(mode: str, tmp_path: Any) -> None:
    """So does one in a file, once it is opened anew."""
    numbers = itertools.count()

    @given(st.lists(ANY, min_size=1, max_size=3))
    @settings(max_examples=60)
    def check(several: list[Shown]) -> None:
        path = tmp_path / f"{next(numbers)}"
        with STORAGES[mode](path) as storage:
            for number, shown in enumerate(several):
                storage[f"k{number}"] = shown.value
        found = STORAGES[mode](path)
        for number, shown in enumerate(several):
            item = found[f"k{number}"]
            _require_same(shown.value, item.load() if hasattr(item, "load") else item)

    check()


@pytest.mark.parametrize("mode", MODES)
def test_records(mode: str, tmp_path: Any) -> None:
    """Records of an archive do, too, alone and as what is edited later."""
    with Archive(tmp_path / "runs.db", mode=mode, durability="relaxed") as archive:

        @given(ANY, ANY)
        @settings(max_examples=40)
        def check(first: Shown, second: Shown) -> None:
            archive.save({"a": first.value}, "al/run-1")
            _require_same({"a": first.value}, archive.load("al/run-1"))
            group = archive.open("al/run-1")
            group["b"] = second.value
            found = archive.load("al/run-1")
            _require_same(first.value, found["a"])
            _require_same(second.value, found["b"])

        check()
