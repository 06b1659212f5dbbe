"""Tests of edits, of appending, and of the methods of a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb.errors import EncodeError, KeyNotFoundError, NotAGroupError
from archivedb.testing.base import StorageCase, plain
from archivedb.testing.values import array_of
from archivedb.values.exact import same

if TYPE_CHECKING:
    from archivedb.storage.generic import GenericStorage

_ROW_DTYPES = ("?", ">f8", "<f4", "<c16", "<U3", "<M8[ns]", [("a", "i4"), ("b", "S2")])


class EditsCase(StorageCase):
    """Blocks, rows, and what a `MutableMapping` does."""

    # Blocks ---------------------------------------------------------------

    def test_block(self, storage: GenericStorage) -> None:
        """Inside of a block its changes are seen, and afterwards they stay."""
        storage["a"] = {"b": 1, "c": 2}
        with storage as same_storage:
            assert same_storage is storage
            storage["x/y"] = [1, {"z": np.arange(3)}]
            storage["a/b"] = 3
            del storage["a/c"]
            storage.create_group("g")
            storage.append("x/rows", np.arange(2))
            storage.append("x/rows", np.arange(2))
            assert storage["a"] == {"b": 3}
            assert storage["x/y/[1]/z"].tolist() == [0, 1, 2]
            assert list(storage) == ["a", "x", "g"]
            assert storage["x/rows"].tolist() == [0, 1, 0, 1]
        expected = {
            "a": {"b": 3},
            "x": {"y": [1, {"z": np.arange(3)}], "rows": np.array([0, 1, 0, 1])},
            "g": {},
        }
        self.check(storage, expected)

    @pytest.mark.parametrize("error", [ValueError, KeyError, KeyboardInterrupt])
    def test_failing_block(
        self, storage: GenericStorage, error: type[BaseException]
    ) -> None:
        """Of a block that ends in an exception nothing is kept."""
        shared = [1]
        content = {
            "leaf": 1,
            "group": {"a": {"b": np.arange(3)}, "c": 2},
            "tagged": {"a": shared, "b": shared},
            "rows": np.arange(3),
            "last": {},
        }
        storage.update(content)

        def change() -> None:
            with storage:
                storage["leaf"] = {"now": "a group"}
                storage["group"] = "now a leaf"
                storage["tagged/new"] = 1
                storage.append("rows", np.arange(2))
                del storage["last"]
                storage["new/x"] = 1
                storage.create_group("newer")
                storage.clear()
                storage["other"] = 2
                raise error

        with pytest.raises(error):
            change()
        self.check(storage, content)
        storage["after"] = 1
        self.check(storage, {**content, "after": 1})

    def test_block_of_a_group(self, storage: GenericStorage) -> None:
        """A block of a group is one of its storage, seen from everywhere."""
        storage["a/x"] = 1

        def change() -> None:
            with storage["a"] as group:
                group["x"] = 2
                storage["b"] = 3
                assert storage["a/x"] == 2
                raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 - as raised above
            change()
        self.check(storage, {"a": {"x": 1}})

    def test_nested_blocks(self, storage: GenericStorage) -> None:
        """An inner block is part of the outer one."""
        storage["x"] = 0

        def change(*, fail: bool) -> None:
            with storage:
                storage["x"] = 1
                with storage:
                    storage["y"] = 2
                    with storage.create_group("g") as group:
                        group["z"] = 3
                assert storage["y"] == 2
                if fail:
                    raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 - as raised above
            change(fail=True)
        self.check(storage, {"x": 0})
        change(fail=False)
        self.check(storage, {"x": 1, "y": 2, "g": {"z": 3}})

    def test_refusals_inside_of_a_block(self, storage: GenericStorage) -> None:
        """An error that is caught inside leaves the rest of the block."""
        storage["leaf"] = 1
        with storage:
            storage["a"] = 1
            with pytest.raises(NotAGroupError):
                storage["leaf/x"] = 1
            with pytest.raises(KeyNotFoundError):
                del storage["nothing"]
            with pytest.raises(EncodeError):
                storage["b"] = (each for each in "ab")
            storage["c"] = 2
        self.check(storage, {"leaf": 1, "a": 1, "c": 2})

    # Rows -------------------------------------------------------------------

    @pytest.mark.parametrize("dtype", _ROW_DTYPES, ids=str)
    def test_append(self, storage: GenericStorage, dtype: Any) -> None:
        """Rows come behind those that are there; the first make the array."""
        rows = array_of(dtype, (4, 3))
        for path in ("group/new", "old", "in/a/list/[0]/x"):
            if path != "group/new":
                storage[path.partition("/[0]")[0]] = (
                    [{"x": rows[:1]}] if "list" in path else rows[:1]
                )
            else:
                storage.append(path, rows[:1])
            storage.append(path, rows[1:3])
            storage.append(path, rows[:0])
            storage.append(path, rows[3:])
            for each in (storage, self.reopen(storage)):
                assert same(each[path], rows)
                assert same(np.asarray(each.open(path)[1:4]), rows[1:4])

    def test_append_in_a_group(self, storage: GenericStorage) -> None:
        """A group appends to what is in it, and so does a tuple of keys."""
        group = storage.create_group("a/b")
        group.append("x", np.arange(2))
        storage["a"].append(("b", "x"), np.arange(3))
        storage["a"].append(("b", "odd/key"), np.arange(1))
        content = {"x": np.array([0, 1, 0, 1, 2]), "odd/key": np.arange(1)}
        self.check(storage, {"a": {"b": content}})

    def test_append_what_does_not_fit(self, storage: GenericStorage) -> None:
        """Rows of another dtype or shape are refused; nothing is changed."""
        content: dict[str, Any] = {
            "x": np.zeros((2, 3)),
            "number": 1,
            "list": [1.0, 2.0],
            "g": {},
        }
        content["none"] = None
        storage.update(content)
        storage["zero"] = np.array(1.0)
        misfits: list[tuple[str, Any]] = [
            ("x", np.zeros((1, 3), "<f4")),
            ("x", np.zeros((1, 3), ">f8")),
            ("x", np.zeros((1, 4))),
            ("x", np.zeros(3)),
            ("x", np.array(1.0)),
            ("x", [[1.0, 2.0, 3.0]]),
            ("number", np.ones(1)),
            ("list", np.ones(1)),
            ("g", np.ones(1)),
            ("none", np.ones(1)),
            ("zero", np.ones(1)),
            ("new", np.array(1.0)),
            ("new", [1.0]),
            ("new", 1.0),
            ("new", array_of("O", (2,))),
        ]
        for key, rows in misfits:
            with pytest.raises(EncodeError):
                storage.append(key, rows)
        with pytest.raises((NotAGroupError, KeyNotFoundError)):
            storage.append("number/x", np.ones(1))
        self.check(storage, {**content, "zero": np.array(1.0)})

    # The mapping --------------------------------------------------------------

    def test_pop(self, storage: GenericStorage) -> None:
        """Popping returns the value, a group as its dict, and removes it."""
        storage.update({"a": {"b": {"c": 1}, "d": 2}, "e": np.arange(2), "f": None})
        assert storage.pop("a/d") == 2
        assert same(storage.pop("a"), {"b": {"c": 1}})
        assert storage.pop("e", 7).tolist() == [0, 1]
        assert storage.pop("f", 7) is None
        assert storage.pop("f", 7) == 7
        with pytest.raises(KeyError):
            storage.pop("f")
        self.check(storage, {})

    def test_popitem(self, storage: GenericStorage) -> None:
        """The newest comes first, as from a dict."""
        storage.update({"a": 1, "b": {"c": 2}})
        assert same(storage.popitem(), ("b", {"c": 2}))
        assert storage.popitem() == ("a", 1)
        with pytest.raises(KeyError):
            storage.popitem()

    def test_setdefault(self, storage: GenericStorage) -> None:
        """Only what is missing is set."""
        assert storage.setdefault("a/b", 1) == 1
        assert storage.setdefault("a/b", 2) == 1
        assert storage.setdefault("c") is None
        assert storage.setdefault("g", {}) == {}
        storage.setdefault("g", {})["x"] = 1
        self.check(storage, {"a": {"b": 1}, "c": None, "g": {"x": 1}})

    def test_update(self, storage: GenericStorage) -> None:
        """Mappings, pairs and keywords are taken; if one fails, none is."""
        storage.update({"a": 1, "b/c": 2}, d=3)
        storage.update([("a", 4), ("e", {"f": 5})])
        storage.update(self.make_storage())
        expected = {"a": 4, "b": {"c": 2}, "d": 3, "e": {"f": 5}}
        self.check(storage, expected)
        with pytest.raises(EncodeError):
            storage.update({"a": 5, "bad": (each for each in "ab")})
        self.check(storage, expected)
        other = self.make_storage()
        other.update(storage)
        self.check(other, expected)

    def test_clear(self, storage: GenericStorage) -> None:
        """Nothing is left; a group stays, empty."""
        storage.update({"a": {"b": 1, "c": {}}, "d": [1]})
        storage["a"].clear()
        self.check(storage, {"a": {}, "d": [1]})
        storage.clear()
        self.check(storage, {})

    def test_views(self, storage: GenericStorage) -> None:
        """Keys, values and items are those of the group."""
        storage.update({"a": 1, "b": {"c": 2}})
        assert list(storage.keys()) == ["a", "b"]
        assert [plain(each) for each in storage.values()] == [1, {"c": 2}]
        assert {key: plain(each) for key, each in storage.items()} == storage
        assert storage.keys() == {"a", "b"}
        assert ("a", 1) in storage.items()

    # Everything at once -----------------------------------------------------

    def test_any_sequence_of_edits(self) -> None:
        """Whatever is done to a storage, it holds what a dict would."""
        from archivedb.testing.machine import run

        run(self)
