"""Tests of what is kept: values of every kind, exactly, and nobody else's."""

from __future__ import annotations

import importlib
import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb.errors import (
    EncodeError,
    KeyNotFoundError,
    NotAGroupError,
    RestoreError,
    UntrustedPayloadError,
)
from archivedb.storage.generic import GenericStorage
from archivedb.testing import values
from archivedb.testing.base import StorageCase, plain
from archivedb.testing.values import DTYPES, SHAPES, VALUES, array_of
from archivedb.values import signing
from archivedb.values.exact import same

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH = 5000

_KINDS = list(VALUES)
_BATCHES = [_KINDS[at : at + 8] for at in range(0, len(_KINDS), 8)]
"""Some kinds at a time: a storage costs more to make than a value to keep."""


def _generator() -> Iterator[int]:
    yield 1


_MODULE = """
class Job:
    def __init__(self, energy, forces):
        self.energy = energy
        self.forces = forces
"""


class ContentsCase(StorageCase):
    """Values and what they are stored as."""

    @pytest.mark.parametrize("kinds", _BATCHES, ids=range(len(_BATCHES)))
    def test_values(self, storage: GenericStorage, kinds: list[str]) -> None:
        """A value comes back exactly, wherever it stands."""
        with storage:
            for at, make in enumerate(map(VALUES.__getitem__, kinds)):
                group = storage.create_group(f"{at}")
                group["x"] = make()
                group["in/group"] = make()
                group["in a dict"] = {"a": {"b": make()}, "c": make()}
                group["in a list"] = [make(), {"x": make()}]
                group["in/group"] = make()
        for each in (storage, self.reopen(storage)):
            for at, kind in enumerate(kinds):
                group, make = each[f"{at}"], VALUES[kind]
                for path in ("x", "in/group", "in a dict/a/b", "in a dict/c"):
                    assert same(plain(group[path]), make()), (kind, path)
                assert same(group["in a list"], [make(), {"x": make()}]), kind
                assert same(plain(group["in a list/[1]/x"]), make()), kind
                nested = {"a": {"b": make()}, "c": make()}
                assert same(group["in a dict"].load(), nested), kind
                assert same(group.load()["x"], make()), kind

    def test_large_array(self, storage: GenericStorage) -> None:
        """An array of more bytes than are copied or hashed at once is kept."""
        array = np.resize(np.arange(251, dtype="u1"), (4 << 20) + 1)
        storage["x"] = array
        for each in (storage, self.reopen(storage)):
            assert same(each["x"], array)
        assert same(storage.open("x")[-3:], array[-3:])

    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    def test_arrays(self, storage: GenericStorage, dtype: Any) -> None:
        """An array comes back with its dtype and shape, and may be written to."""
        arrays = {str(at): array_of(dtype, shape) for at, shape in enumerate(SHAPES)}
        storage["alone"] = arrays["0"]
        with storage:
            for key, array in arrays.items():
                storage["x", key] = array
                storage["y", key] = {"a": [array.copy()]}
        for each in (storage, self.reopen(storage)):
            assert same(each["alone"], arrays["0"])
            for key, array in arrays.items():
                found = each["x", key]
                assert type(found) is np.ndarray
                assert same(found, array)
                assert found.flags.writeable
                assert same(each["y", key, "a"], [array])

    def test_what_a_key_gives(self, storage: GenericStorage) -> None:
        """A group or a dict is a group; everything else is itself."""
        storage["dict"] = {"a": {1: 2}}
        storage["list"] = [{"a": 1}]
        storage["object"] = values.Plain(a={"b": 1})
        for key in ("dict", "dict/a"):
            assert isinstance(storage[key], GenericStorage)
        assert storage["list"] == [{"a": 1}]
        assert isinstance(storage["object"], values.Plain)
        assert storage["object/a"] == {"b": 1}
        assert storage["list/[0]/a"] == storage["list", 0, "a"] == 1
        assert storage["dict", "a", 1] == storage["dict/a/$1"] == 2
        assert dict(storage["dict/a"]) == {"$1": 2}

    def test_load(self, storage: GenericStorage) -> None:
        """Loading makes plain dicts all the way down."""
        storage["a/b"] = {"c": {"d": np.arange(2)}}
        storage["a/e"] = (1, {"f": 2})
        expected = {"b": {"c": {"d": np.arange(2)}}, "e": (1, {"f": 2})}
        assert same(storage["a"].load(), expected)
        assert same(storage["a"].to_object(), expected)
        assert type(storage.load()["a"]["b"]["c"]) is dict
        assert same(storage.to_object(), {"a": expected})

    def test_open(self, storage: GenericStorage) -> None:
        """Opening gives the group that a value was stored as, or its array."""
        forces = np.arange(12.0).reshape(4, 3)
        storage["job"] = values.Plain(energy=-3.7, forces=forces, steps={"n": [1, 2]})
        storage["group/forces"] = forces
        storage["group/shared"] = (shared := [1, {"x": 1}], shared)
        group = storage.open("job")
        assert isinstance(group, GenericStorage)
        assert group["energy"] == -3.7
        assert storage.open("job/steps") == {"n": [1, 2]}
        assert storage.open("group")["shared"] == storage["group/shared"]
        for path in ("group/forces", "job/forces"):
            array = storage.open(path)
            assert (array.shape, array.dtype, len(array)) == ((4, 3), forces.dtype, 4)
            assert same(np.asarray(array[1:3]), forces[1:3])
            assert same(np.asarray(array), forces)
        with pytest.raises(KeyNotFoundError):
            storage.open("group/nothing")
        storage["leaf"] = 1
        with pytest.raises(NotAGroupError):
            storage.open("leaf/below")

    def test_open_needs_no_class(
        self, storage: GenericStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What an object was stored as is there even if its class is gone."""
        name = f"archivedb_testing_{id(self)}"
        (self.directory / f"{name}.py").write_text(_MODULE)
        monkeypatch.syspath_prepend(self.directory)
        job = importlib.import_module(name).Job(-3.7, np.arange(3))
        storage["jobs/7"] = job
        assert type(self.reopen(storage)["jobs/7"]) is type(job)
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "path", sys.path[1:])
        importlib.invalidate_caches()
        each = self.reopen(storage)
        assert "jobs/7/energy" in each
        assert each.open("jobs/7")["energy"] == each["jobs/7/energy"]
        assert same(each["jobs/7/forces"], np.arange(3))
        with pytest.raises(RestoreError):
            each["jobs/7"]

    def test_only_trusted_code_runs(
        self, storage: GenericStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What would run code is restored only if someone trusted signed it."""
        if not self.signs:
            pytest.skip("nobody else can write there")
        storage["x"] = {"job": values.Plain(energy=1), "plain": {1, 2.5}}
        monkeypatch.setenv(signing.ENVIRONMENT, str(self.directory / "other.key"))
        each = self.reopen(storage)
        assert each["x/plain"] == {1, 2.5}
        assert each["x/job/energy"] == each.open("x/job")["energy"] == 1
        with pytest.raises(UntrustedPayloadError):
            each["x/job"]
        with pytest.raises(UntrustedPayloadError):
            each.load()

    def test_looking_runs_nothing(
        self, storage: GenericStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Listing, asking and showing restore nothing."""
        storage["x"] = {"job": values.Stateful(1), "cell": values.Cell(0, "<b>")}
        storage["y"] = values.Stateful(2)
        storage["<i>"] = np.arange(3)

        def refuse(*_: Any) -> Any:
            pytest.fail("something was restored")

        monkeypatch.setattr(values.Stateful, "__setstate__", refuse)
        monkeypatch.setattr(values.Cell, "_restore", refuse)
        for each in (storage, self.reopen(storage), storage["x"]):
            shown = repr(each), each._repr_html_(), str(each)
            assert all(list(each)[0] in text for text in shown)  # noqa: RUF015 - a storage
            assert "<i>" not in shown[1]
            assert each._ipython_key_completions_() == list(each)
            assert len(each) == len(each.keys())
        assert "x/job" in storage
        assert "y" in storage
        assert "y/z" not in storage

    def test_many_keys_are_shown_in_part(self, storage: GenericStorage) -> None:
        """A repr stays short."""
        with storage:
            for number in range(100):
                storage[f"key-{number}"] = number
        assert len(repr(storage).splitlines()) < 20
        assert "100 keys" in repr(storage)

    # Exactness ------------------------------------------------------------

    def test_equality(self, storage: GenericStorage) -> None:
        """Equal is what has the same types, bits and dtypes."""
        array = np.array([1.0, math.nan])
        content = {"a": {"x": 1, "y": array}, "b": [1, (2,)], "c": math.nan}
        storage.update(content)
        other = self.make_storage()
        assert storage != other
        other.update(content)
        assert storage == content
        assert storage == other
        assert storage["a"] == other["a"] == content["a"]
        for path, value in {
            "a/x": 1.0,
            "a/y": array.astype("<f4"),
            "b": [True, (2,)],
            "c": -math.nan,
        }.items():
            other.update(content)
            other[path] = value
            assert storage != other, path
        assert storage != {**content, "d": 1}
        assert storage != []
        assert storage != "a"
        assert storage == {key: content[key] for key in "cba"}
        with pytest.raises(TypeError):
            hash(storage)

    def test_shared_parts_stay_one(self, storage: GenericStorage) -> None:
        """What is one object inside a value comes back as one."""
        shared = [np.arange(3), {}]
        storage["x"] = {"a": shared, "b": {"c": shared, "d": shared[0]}, "e": 1}
        for each in (storage, self.reopen(storage)):
            found = each["x"].load()
            assert found["a"] is found["b"]["c"]
            assert found["a"][0] is found["b"]["d"]
        storage["x/e"] = 2
        storage["x/b/new"] = {"f": np.arange(2)}
        found = self.reopen(storage)["x"].load()
        assert found["a"] is found["b"]["c"]
        assert found["e"] == 2
        del storage["x/a"]
        expected = {
            "b": {"c": shared, "d": np.arange(3), "new": {"f": np.arange(2)}},
            "e": 2,
        }
        self.check(storage, {"x": expected})
        assert storage.create_group("x/b") == storage["x"]["b"] == expected["b"]
        storage["x"]["b"].create_group("g")["h"] = 1
        assert self.reopen(storage)["x/b/g/h"] == 1

    def test_values_that_contain_themselves(self, storage: GenericStorage) -> None:
        """A cycle comes back as one."""
        cycle: dict[str, Any] = {"a": [1]}
        cycle["a"].append(cycle)
        storage["x"] = cycle
        found = self.reopen(storage)["x"].load()
        assert found["a"][1] is found

    def test_depth(self, storage: GenericStorage) -> None:
        """Nothing is nested too deeply."""
        nested: Any = {"leaf": 1}
        for level in range(DEPTH):
            nested = {"x": nested} if level % 2 else [nested]
        storage["deep"] = nested
        found = plain(self.reopen(storage)["deep"])
        for level in reversed(range(DEPTH)):
            found = found["x"] if level % 2 else found[0]
        assert found == {"leaf": 1}
        del storage["deep"]
        self.check(storage, {})

    def test_refusal_changes_nothing(self, storage: GenericStorage) -> None:
        """What cannot be stored exactly is refused before anything is changed."""
        storage["x"] = {"a": 1}
        unstorable = _generator()
        for key in ("x", "x/a", "new/y"):
            with pytest.raises(EncodeError):
                storage[key] = {"good": np.arange(3), "bad": [unstorable]}
            with storage, pytest.raises(EncodeError):
                storage[key] = unstorable
        self.check(storage, {"x": {"a": 1}})

    # Independence -----------------------------------------------------------

    @pytest.mark.parametrize("edit", [False, True])
    def test_nothing_is_shared_with_the_caller(
        self, storage: GenericStorage, *, edit: bool
    ) -> None:
        """Changing what was stored, or what was read, does not change the storage."""
        large, small = np.zeros(1 << 20), np.zeros(3)
        items: list[Any] = [1, np.zeros(2)]
        inner = {"x": 1}

        def fill() -> None:
            storage["large"] = large
            storage["small"] = small
            storage["items"] = items
            storage["dict"] = {"inner": inner, "small": small, "large": large}
            for array in (large, small, items[1]):
                array[:] = 7
            items.append(2)
            inner["x"] = 2

        def read() -> dict[str, Any]:
            return {
                "small": storage["small"],
                "items": storage["items"],
                "dict": {
                    "inner": storage["dict/inner"].load(),
                    "small": storage["dict/small"],
                },
            }

        def expect() -> None:
            assert same(
                read(),
                {
                    "small": np.zeros(3),
                    "items": [1, np.zeros(2)],
                    "dict": {"inner": {"x": 1}, "small": np.zeros(3)},
                },
            )
            assert not storage["large"].any()
            assert not storage["dict/large"].any()

        if edit:
            with storage:
                fill()
                expect()
        else:
            fill()
        expect()
        found = read()
        found["small"][:] = 7
        found["items"].append(3)
        found["items"][1][:] = 7
        found["dict"]["small"][:] = 7
        storage["large"][:] = 7
        expect()

    def test_storages_as_values(self, storage: GenericStorage) -> None:
        """A group assigned to another place is copied."""
        storage["a"] = {"x": np.arange(2), "y": {"z": values.Plain(v=1)}}
        storage["b"] = storage["a"]
        storage["a/x"] = 5
        storage["b/y"]["new"] = storage["b"]
        other = self.make_storage()
        other["copy"] = storage["a"]
        other["a"] = other["copy"]
        other["a"] = other["a"]
        assert storage["b/x"].tolist() == [0, 1]
        assert list(storage["b/y"]) == ["z", "new"]
        assert list(storage["b/y/new"]) == ["x", "y"]
        assert other["copy"] == other["a"]
        assert other["a/x"] == 5
        assert other["a/y/z"].v == 1
