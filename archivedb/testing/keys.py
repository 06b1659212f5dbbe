"""Tests of keys and groups."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb.errors import EncodeError, KeyNotFoundError, NotAGroupError
from archivedb.storage.generic import GenericStorage
from archivedb.testing.base import StorageCase
from archivedb.testing.values import ODD_KEYS
from archivedb.values.paths import key_token

if TYPE_CHECKING:
    from collections.abc import Callable

_LEAVES: list[Any] = [1, None, "text", b"bytes", (1, 2), {1, 2}]


class KeysCase(StorageCase):
    """Keys, groups, and where things stand."""

    def test_starts_empty(self, storage: GenericStorage) -> None:
        """A new storage is an empty, false, mutable mapping."""
        assert isinstance(storage, MutableMapping)
        assert not storage
        self.check(storage, {})

    def test_missing_keys(self, storage: GenericStorage) -> None:
        """What is not there is a `KeyError`, however it is asked for."""
        storage["a/b"] = 1
        asked: list[Callable[[Any], Any]] = [
            storage.__getitem__,
            storage.__delitem__,
            storage.pop,
            storage.open,
        ]
        for ask in asked:
            for key in ("x", "x/y", "a/x", ("a", "x"), "", ("",), "a/", "b", "[0]"):
                if key == "":
                    continue  # the path of the storage itself
                with pytest.raises(KeyError) as caught:
                    ask(key)
                assert isinstance(caught.value, KeyNotFoundError)
                assert key not in storage
                assert storage.get(key) is None
                assert storage.get(key, 7) == 7
                assert storage.pop(key, 7) == 7
        self.check(storage, {"a": {"b": 1}})

    @pytest.mark.parametrize("leaf", _LEAVES, ids=repr)
    def test_nothing_lies_below_a_leaf(
        self, storage: GenericStorage, leaf: Any
    ) -> None:
        """A path that goes on below a leaf is an error, and changes nothing."""
        storage["a/leaf"] = leaf
        for path in ("a/leaf/x", "a/leaf/x/y"):
            asked: list[Callable[[], Any]] = [
                lambda path=path: storage[path],  # type: ignore[misc]
                lambda path=path: storage.open(path),  # type: ignore[misc]
                lambda path=path: storage.__delitem__(path),  # type: ignore[misc]
                lambda path=path: storage.__setitem__(path, 1),  # type: ignore[misc]
                lambda path=path: storage.create_group(path),  # type: ignore[misc]
                lambda path=path: storage.require_group(path),  # type: ignore[misc]
                lambda path=path: storage.append(path, np.ones(1)),  # type: ignore[misc]
            ]
            for ask in asked:
                # A tuple or a set has parts, but none of that name.
                with pytest.raises((NotAGroupError, KeyNotFoundError)):
                    ask()
            assert path not in storage
            assert storage.get(path, 7) == 7
        if type(leaf) in (int, str, bytes, type(None)):
            with pytest.raises(NotAGroupError):
                storage["a/leaf/x"]
            with pytest.raises(TypeError):
                storage["a/leaf/x"] = 1
        self.check(storage, {"a": {"leaf": leaf}})

    @pytest.mark.parametrize("leaf", [*_LEAVES, np.arange(3)], ids=repr)
    def test_leaf_over_group(self, storage: GenericStorage, leaf: Any) -> None:
        """A leaf takes the place of a group, of which nothing is left."""
        storage["before"] = 0
        storage["x"] = {"a": {"b": 1}, "c": np.arange(3)}
        storage["after/x"] = 2
        storage["x"] = leaf
        expected = {"before": 0, "x": leaf, "after": {"x": 2}}
        self.check(storage, expected)
        storage["x"] = {"d": {}}
        self.check(storage, {**expected, "x": {"d": {}}})

    @pytest.mark.parametrize("leaf", [*_LEAVES, np.arange(3)], ids=repr)
    def test_group_over_leaf(self, storage: GenericStorage, leaf: Any) -> None:
        """A group takes the place of a leaf, and keeps it among the keys."""
        storage["x"] = leaf
        storage["y"] = 1
        storage["x"] = {"a": 1}
        self.check(storage, {"x": {"a": 1}, "y": 1})
        storage["x/b"] = leaf
        storage["x/b"] = {}
        self.check(storage, {"x": {"a": 1, "b": {}}, "y": 1})

    def test_group_over_group(self, storage: GenericStorage) -> None:
        """Assigning a dict replaces a group, and does not merge with it."""
        storage["x"] = {"a": {"b": 1}, "c": 2, "d": {"e": 3}}
        storage["y"] = 1
        storage["x"] = {"d": {"f": 4}, "a": 5}
        self.check(storage, {"x": {"d": {"f": 4}, "a": 5}, "y": 1})
        assert list(storage["x"]) == ["d", "a"]

    def test_create_group(self, storage: GenericStorage) -> None:
        """A group is made, or is there already; a leaf is no group."""
        made = storage.create_group("g")
        assert isinstance(made, GenericStorage)
        assert made == {}
        made["x"] = 1
        assert storage.create_group("g") == {"x": 1}
        assert storage["g"].create_group("h") == {}
        assert storage.create_group(("g", "a/b")) == {}
        storage["leaf"] = 1
        for key in ("leaf", "g/x", "leaf/x", "g/x/y"):
            with pytest.raises(NotAGroupError):
                storage.create_group(key)
        self.check(storage, {"g": {"x": 1, "h": {}, "a/b": {}}, "leaf": 1})

    def test_require_group(self, storage: GenericStorage) -> None:
        """It does as `create_group`, and makes the parents."""
        storage.require_group("a/b/c")["x"] = 1
        assert storage.require_group("a/b") == {"c": {"x": 1}}
        with pytest.raises(NotAGroupError):
            storage.require_group("a/b/c/x")
        self.check(storage, {"a": {"b": {"c": {"x": 1}}}})

    def test_empty_groups_exist(self, storage: GenericStorage) -> None:
        """A group with nothing in it is there, and stays so when it is emptied."""
        storage.create_group("a")
        storage["b"] = {}
        storage["c/d"] = 1
        del storage["c/d"]
        assert "a" in storage
        assert storage["c"] == {}
        self.check(storage, {"a": {}, "b": {}, "c": {}})

    def test_order(self, storage: GenericStorage) -> None:
        """Keys stand as they came; what is assigned once more keeps its place."""
        for key in "cabd":
            storage[key] = key
        storage["a"] = 1
        assert list(storage) == ["c", "a", "b", "d"]
        storage["a"] = [1, {"x": np.arange(2)}]
        storage["b"] = {"z": 1, "y": 2}
        assert list(storage) == list(self.reopen(storage)) == ["c", "a", "b", "d"]
        storage["a"] = np.arange(2)
        storage["b"] = "leaf"
        assert list(storage) == list(self.reopen(storage)) == ["c", "a", "b", "d"]
        del storage["c"]
        storage["c"] = 3
        assert list(storage) == list(self.reopen(storage)) == ["a", "b", "d", "c"]
        storage["n"] = {"z": {"b": 1, "a": 2}, "y": 2}
        assert list(self.reopen(storage).load()["n"]["z"]) == ["b", "a"]

    def test_nested_keys(self, storage: GenericStorage) -> None:
        """A path, a tuple and one key after another lead to the same."""
        storage["a/b/c"] = 1
        storage["a", "b", "d"] = 2
        storage["a"]["b"]["e"] = 3
        expected = {"c": 1, "d": 2, "e": 3}
        assert storage["a/b"] == storage["a", "b"] == storage["a"]["b"] == expected
        assert storage["a/b/d"] == storage["a"]["b/d"] == storage["a/b"]["d"] == 2
        assert "a/b/c" in storage
        tokens: Any = ("a", "b", "x")
        assert tokens not in storage
        del storage["a", "b", "c"]
        del storage["a"]["b/d"]
        self.check(storage, {"a": {"b": {"e": 3}}})

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys(self, storage: GenericStorage, key: str) -> None:
        """Any text is a key, reached by a tuple, and as it is listed."""
        alone: Any = (key,)
        storage["before"] = 0
        storage[alone] = 1
        storage["group", key, "x"] = 2
        storage["dict"] = {key: {"y": np.arange(2)}}
        assert list(storage) == ["before", key_token(key), "group", "dict"]
        assert list(storage["group"]) == [key_token(key)]
        assert alone in storage
        assert storage[alone] == storage[list(storage)[1]] == 1
        assert storage["group"][alone] == {"x": 2}
        assert storage["dict", key, "y"].tolist() == [0, 1]
        inner = storage["group", key]
        # A record's path begins with its name.
        below = inner.path.removeprefix(f"{storage.path}/")
        assert storage[below]["x"] == storage[f"group/{inner.name}/x"] == 2
        expected = {
            "before": 0,
            key: 1,
            "group": {key: {"x": 2}},
            "dict": {key: {"y": np.arange(2)}},
        }
        self.check(storage, expected)
        del storage[alone]
        assert alone not in storage

    def test_odd_keys_do_not_meet(self, storage: GenericStorage) -> None:
        """No two keys are one, whatever a place makes of case or of accents."""
        for number, key in enumerate(ODD_KEYS):
            storage[(key,)] = number
        self.check(storage, {key: number for number, key in enumerate(ODD_KEYS)})

    def test_slashes_nest(self, storage: GenericStorage) -> None:
        """A slash in text always nests; a key with one is spelt otherwise."""
        storage["a/b"] = 1
        storage[("a/b",)] = 2
        storage["c%2Fd"] = 3
        self.check(storage, {"a": {"b": 1}, "a/b": 2, "c/d": 3})
        assert storage["a%2Fb"] == 2

    @pytest.mark.parametrize("key", [1, 1.5, None, True, b"a", frozenset(), object()])
    def test_only_text_is_a_key(self, storage: GenericStorage, key: Any) -> None:
        """Another key is a `TypeError`, and is not there."""
        alone: Any = (key,)
        assert key not in storage
        for wrong in (key, ("group", key), alone):
            with pytest.raises(EncodeError):
                storage[wrong] = 1
        with pytest.raises(EncodeError):
            storage[key]
        with pytest.raises(EncodeError):
            storage.create_group(key)
        with pytest.raises((KeyNotFoundError, EncodeError)):
            storage[alone]
        assert alone not in storage
        self.check(storage, {})

    def test_names_and_paths(self, storage: GenericStorage) -> None:
        """The name is the last key, and the path pastes back."""
        storage["a/b"] = {"c": {}}
        group = storage["a"]["b/c"]
        assert group.name == "c"
        assert group.path.endswith("a/b/c")
        assert storage["a"].name == "a"
        assert isinstance(storage.name, str)
        for key in ("a", "a/b", "a/b/c"):
            path = storage[key].path
            assert storage[path.removeprefix(storage.path).lstrip("/")].path == path

    def test_the_storage_is_no_part_of_itself(self, storage: GenericStorage) -> None:
        """An empty path is the storage; it is not set or removed like a key."""
        storage["x"] = 1
        for key in ("", ()):
            assert storage[key] == {"x": 1}
            with pytest.raises(EncodeError):
                storage[key] = {}
            with pytest.raises(EncodeError):
                del storage[key]
        self.check(storage, {"x": 1})

    def test_deletion(self, storage: GenericStorage) -> None:
        """What is deleted is gone, with all in it, and nothing else is."""
        storage["a"] = {"b": {"c": 1}, "d": np.arange(2)}
        storage["e"] = [1, np.arange(20)]
        storage["f"] = 1
        group = storage["a/b"]
        del storage["a/b"]
        del storage["e"]
        assert "a/b/c" not in storage
        assert "c" not in group
        with pytest.raises(KeyError):
            del storage["e"]
        self.check(storage, {"a": {"d": np.arange(2)}, "f": 1})
        del storage["a"]
        storage["a"] = {}
        self.check(storage, {"f": 1, "a": {}})

    def test_groups_are_places(self, storage: GenericStorage) -> None:
        """A group shows what is at its path now, not what was."""
        storage["a/x"] = 1
        group = storage["a"]
        storage["a"] = {"y": 2}
        assert group == {"y": 2}
        group["z"] = 3
        assert storage["a/z"] == 3
        storage["a"] = "leaf"
        with pytest.raises((NotAGroupError, KeyNotFoundError)):
            group["y"]
        with pytest.raises((NotAGroupError, KeyNotFoundError)):
            group["y"] = 1
        self.check(storage, {"a": "leaf"})

    def test_changes_while_listing(self, storage: GenericStorage) -> None:
        """A listing is that of the moment when it began."""
        for key in "abc":
            storage[key] = 1
        for key in storage:
            del storage[key]
            storage[key + "2"] = 2
        self.check(storage, {"a2": 2, "b2": 2, "c2": 2})
