"""What the base makes of a backend that knows single keys and plain values."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb.errors import (
    DecodeError,
    EncodeError,
    KeyNotFoundError,
    NotAGroupError,
    PayloadCorruptError,
    UntrustedPayloadError,
)
from archivedb.storage.generic import GenericStorage
from archivedb.testing import StorageConformance
from archivedb.testing.values import Plain
from archivedb.values import json, signing
from archivedb.values.exact import same

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MARK = ".archivedb"
_PLAIN = (type(None), bool, int, float, str, bytes, np.ndarray)


class DictStore(GenericStorage):
    """The smallest backend: it keeps whatever it gets in a dict."""

    def __init__(self, items: dict[str, Any] | None = None, name: str = "") -> None:
        self.items_: dict[str, Any] = {} if items is None else items
        self._name = name
        self.writes = 0

    @property
    def name(self) -> str:
        """What it was called."""
        return self._name

    def __getitem__(self, key: str) -> Any:
        """Return a value, or the storage of a group."""
        value = self.items_[key]
        return DictStore(value, key) if type(value) is dict else value

    def _set(self, key: str, value: Any) -> None:
        assert type(value) in _PLAIN
        assert type(self.items_.get(key)) is not dict
        self.items_[key] = value
        self.writes += 1

    def __delitem__(self, key: str) -> None:
        """Remove a value or a group."""
        del self.items_[key]

    def create_group(self, key: str) -> GenericStorage:
        """Make an empty group."""
        assert key not in self.items_
        self.items_[key] = {}
        return self[key]

    def _keys(self) -> Iterable[str]:
        yield from self.items_


class TestDictStore(StorageConformance):
    """The smallest backend keeps every promise."""

    def make_storage(self) -> GenericStorage:
        """Return a storage over a new dict."""
        return DictStore()

    def reopen(self, storage: GenericStorage) -> GenericStorage:
        """Return another storage over the same dict."""
        assert isinstance(storage, DictStore)
        return DictStore(storage.items_)


@pytest.fixture
def storage() -> DictStore:
    """Return an empty storage."""
    return DictStore()


def test_dicts_are_groups_of_the_backend(storage: DictStore) -> None:
    """What a backend can hold it holds as it is, under keys as paths spell them."""
    storage["a/b"] = {"x": 1, "y/z": {"": None}, "t": "text", "b": b"\0"}
    storage["float"] = float("nan")
    storage["array"] = np.arange(2)
    assert storage.items_["a"] == {
        "b": {"x": 1, "y%2Fz": {"%": None}, "t": "text", "b": b"\0"}
    }
    assert list(storage.items_) == ["a", "float", "array"]
    assert storage.items_["array"].tolist() == [0, 1]


@pytest.mark.parametrize(
    "value",
    [1 << 64, "a\0", "\ud800", 1j, (1,), np.float64(1), np.array("a"), {1: 2}],
    ids=repr,
)
def test_other_values_are_tagged_groups(storage: DictStore, value: Any) -> None:
    """The rest is a group with a skeleton that people can read, and arrays."""
    storage["x"] = value
    head = json.loads(storage.items_["x"][MARK].encode(), "mark")
    assert head["archivedb"] == 1
    assert "signature" not in head
    assert len(head["arrays"]) == len(storage.items_["x"]) - 1


def test_arrays_have_readable_names(storage: DictStore) -> None:
    """The arrays of a value are called what they are in it."""
    storage["steps"] = [{"forces": np.arange(3)}, {"forces": np.zeros(2)}]
    storage["words"] = np.array(["a", "b"])
    storage["ambiguous"] = [{"a": np.arange(1), "a.b": [np.arange(2)]}]
    steps = storage.items_["steps"]
    assert list(steps) == [MARK, "[0].forces", "[1].forces"]
    assert steps["[0].forces"].tolist() == [0, 1, 2]
    assert list(storage.items_["words"]) == [MARK, "value"]
    assert storage.items_["words"]["value"].dtype == np.uint8
    storage["same"] = ({"a": {"b": np.arange(1)}, "a.b": np.arange(2)},)
    assert same(storage["same"], ({"a": {"b": np.arange(1)}, "a.b": np.arange(2)},))


def test_blocks_write_when_they_end(storage: DictStore) -> None:
    """A backend hears of a block's changes once they are all there."""
    storage["a/x"] = 1
    before = storage.writes
    with storage:
        storage["a/x"] = 2
        storage["b"] = [1]
        del storage["a"]
        assert storage.items_ == {"a": {"x": 1}}
        assert storage.writes == before
    assert list(storage.items_) == ["b"]


def test_changing_parts_of_one_value(storage: DictStore) -> None:
    """A value that is stored as one is a group all the same."""
    shared = [1]
    storage["x"] = {"a": shared, "b": {"c": shared}, "d": np.arange(2)}
    assert MARK in storage.items_["x"]
    group = storage["x/b"]
    assert (group.name, group.path) == ("b", "x/b")
    group["new/er"] = np.arange(3)
    storage["x/big"] = {"array": np.zeros(1 << 20)}
    del storage["x/d"]
    with storage["x"] as inside:
        inside["e"] = 1
        storage["other"] = 2
        assert storage["x/e"] == 1
    assert list(storage["x"]) == ["a", "b", "big", "e"]
    assert storage["x"]["b"]["c"] is not shared
    found = storage.load()["x"]
    assert found["a"] is found["b"]["c"]
    assert found["b"]["new"]["er"].tolist() == [0, 1, 2]
    assert "c" in group
    assert "nothing" not in group


# Classes ------------------------------------------------------------------


def test_what_a_backend_must_implement() -> None:
    """A class that lacks a method cannot be made an instance of."""

    class Half(GenericStorage):
        name = "half"

        def __getitem__(self, key: str) -> Any:
            raise KeyError(key)

        def __delitem__(self, key: str) -> None:
            raise KeyError(key)

        def create_group(self, key: str) -> GenericStorage:
            raise KeyError(key)

    with pytest.raises(TypeError, match=r"_keys.*_set"):
        Half()

    class Whole(Half):
        def _set(self, key: str, value: Any) -> None: ...

        def _keys(self) -> list[str]:
            return []

    assert Whole() == {}


def test_a_backend_derived_from_a_backend() -> None:
    """It calls its parent's methods, which then are the raw ones."""

    class Loud(DictStore):
        def __getitem__(self, key: str) -> Any:
            value = super().__getitem__(key)
            return value.upper() if type(value) is str and key != MARK else value

        def _set(self, key: str, value: Any) -> None:
            if key == "copy":
                value = self["original"]
            super()._set(key, value)

    loud = Loud()
    loud["original"] = "a"
    loud["copy"] = "b"
    loud["x/y"] = (1,)
    assert loud["copy"] == "A"
    assert loud["x/y"] == (1,)


def test_classes_that_are_no_backends() -> None:
    """A class may say that its methods are those of users, for all that derive."""

    class Whole(GenericStorage, raw=False):
        name = "whole"

        def __getitem__(self, key: Any) -> Any:
            return key

        def __delitem__(self, key: Any) -> None: ...

        def create_group(self, key: Any) -> GenericStorage:
            return self[key]

    class Derived(Whole): ...

    assert Derived()["a/b"] == "a/b"


def test_errors_of_a_backend_pass(storage: DictStore) -> None:
    """What a backend raises reaches the user, and a block begins no other."""

    class FullError(OSError):
        pass

    class Full(DictStore):
        def _set(self, key: str, value: Any) -> None:
            raise FullError(key, value)

    full = Full(storage.items_)
    with pytest.raises(FullError):
        full["a"] = 1
    with pytest.raises(FullError), full:
        full["a"] = 1
    full.create_group("b")
    assert full == {"b": {}}


def test_a_group_that_became_a_value(storage: DictStore) -> None:
    """A group is a place: it shows what stands there by now."""
    group = storage.create_group("a")
    shared = [1]
    storage["a"] = {"x": shared, "y": shared}
    assert list(group) == ["x", "y"]
    assert len(group) == 2
    assert same(group.load(), {"x": [1], "y": [1]})
    storage["a"] = [{"x": 1}]
    assert group["[0]/x"] == 1
    storage["a"] = 1
    asked = (group.__iter__, group.__len__, group.load)
    for ask in asked:
        with pytest.raises(NotAGroupError):
            ask()
    assert repr(group) == "<DictStore 'a', not there>"
    del storage["a"]
    for ask in asked:
        with pytest.raises(KeyNotFoundError):
            ask()
    assert "not there" in group._repr_html_()


# Damage and strangers -----------------------------------------------------


def test_damaged_arrays(storage: DictStore) -> None:
    """An array of a tagged group is checked when it is read."""
    storage["x"] = [1, {"a": np.arange(4), "b": np.arange(4.0)}]
    storage.items_["x"]["[1].a"][2] = 7
    with pytest.raises(PayloadCorruptError, match=r"x: the array '\[1\].a' differs"):
        storage["x"]
    assert storage["x/[1]/b"].tolist() == [0, 1, 2, 3]
    for odd in ("text", np.array([None]), None):
        storage.items_["x"]["[1].a"] = odd
        with pytest.raises(PayloadCorruptError, match="is not there"):
            storage["x"]
    del storage.items_["x"]["[1].a"]
    with pytest.raises(PayloadCorruptError, match="is not there"):
        storage.load()
    with pytest.raises(PayloadCorruptError):
        storage["x/[1]/c"] = 1


def test_damaged_skeletons(storage: DictStore) -> None:
    """A skeleton is checked before anything is made of it."""
    storage["x"] = (1, 2)
    text = storage.items_["x"][MARK]
    for damaged, error in {
        text.replace("[1,2]", "[1,3]"): PayloadCorruptError,
        text.replace('"archivedb":1', '"archivedb":2'): DecodeError,
        text.replace("blake3:", "blake3;"): PayloadCorruptError,
        text[:-1]: DecodeError,
        "[]": DecodeError,
        "7": DecodeError,
        "": DecodeError,
    }.items():
        storage.items_["x"][MARK] = damaged
        for ask in (storage.__getitem__, storage.open):
            with pytest.raises(error):
                ask("x")
    storage.items_["x"][MARK] = 7
    with pytest.raises(DecodeError, match="is no text"):
        storage["x"]


def test_strangers_objects_are_not_signed(
    storage: DictStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes a part of a stranger's value does not vouch for the rest."""
    storage["x"] = ({"job": Plain(energy=1)}, {"n": 1})
    shared = Plain(energy=2)
    storage["y"] = {"a": shared, "b": shared}
    storage["z"] = {"job": shared}
    with monkeypatch.context() as patch:
        patch.setenv(signing.ENVIRONMENT, str(tmp_path / "mine.key"))
        mine = DictStore(storage.items_)
        mine["y/c"] = 1
        mine["y/d"] = Plain(energy=3)
        mine["z/job2"] = Plain(energy=4)
        assert mine["y/c"] == 1
        assert mine["z/job2"].energy == 4
        for path in ("x", "y/a", "y/d", "z/job"):
            with pytest.raises(UntrustedPayloadError, match=f"{path[0]}"):
                mine[path]
        with pytest.raises(UntrustedPayloadError):
            mine["w"] = mine["z"]
    assert "w" not in storage
    signed = json.loads(storage.items_["z"]["job"][MARK].encode(), "mark")
    assert set(signed["signature"]) == {"key", "ed25519"}


def test_a_key_of_no_text_in_a_plain_group(storage: DictStore) -> None:
    """A tuple may hold other keys, of which a plain group has none."""
    storage["a"] = {"x": {1: 2}}
    assert storage["a", "x", 1] == 2
    storage["a", "x", 1] = 3
    assert storage["a/x/$1"] == 3
    with pytest.raises(EncodeError, match="a key of a group is text, not int"):
        storage["a", 1] = 2
    with pytest.raises(KeyNotFoundError):
        storage["a", 1]


# The suite ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["pytest", "hypothesis"])
def test_what_the_suite_needs(name: str) -> None:
    """Whoever lacks a library that the tests need is told what to install."""
    program = (
        f"import sys; sys.modules[{name!r}] = None\n"
        "try:\n    import archivedb.testing\n"
        "except ImportError as error:\n    print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    expected = f"archivedb.testing needs {name}: python -m pip install {name}\n"
    assert run.stdout == expected


def test_unfinished_values(storage: DictStore) -> None:
    """A value whose writing was cut short is an error, and no other value."""
    value = [{"a": np.arange(2), "b": np.arange(3)}]
    for after in range(1, 3):

        class Cut(DictStore):
            left = after

            def _set(self, key: str, value: Any) -> None:
                if not Cut.left:
                    raise OSError
                Cut.left -= 1
                super()._set(key, value)

            def __getitem__(self, key: str) -> Any:
                found = self.items_[key]
                return Cut(found, key) if type(found) is dict else found

        with pytest.raises(OSError):  # noqa: PT011 - as raised above
            Cut(storage.items_)["x"] = value
        with pytest.raises(PayloadCorruptError, match="is not there"):
            storage["x"]
        storage["x"] = value
        assert same(storage["x"], value)
