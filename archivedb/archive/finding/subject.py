"""One version of a record as a question sees it, read from its payload."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.archive.loading import reader_of
from archivedb.archive.writing.measuring import facts_of_array
from archivedb.errors import StorageError
from archivedb.query.attributes import attribute
from archivedb.values import json, skeleton
from archivedb.values.arrays import array_of, joined
from archivedb.values.leaf import OTHER, UNLISTED, Kind, Leaf, leaf_of
from archivedb.values.leaves import SHAPE, derived, is_list, node_leaf
from archivedb.values.paths import item_token, token_item
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from archivedb.archive.core import Core
    from archivedb.catalog.reading import VersionRow
    from archivedb.formats.base import Reader
    from archivedb.query.evaluate import Items, View
    from archivedb.values.dtypes import Bytes
    from archivedb.values.facts import ArrayFacts
    from archivedb.values.skeleton import Tree


@contextmanager
def subject_of(core: Core, row: VersionRow) -> Iterator[VersionSubject]:
    """Open a version; its payload is read only if a question needs its data."""
    with ExitStack() as opened:
        yield VersionSubject(core, row, opened)


@dataclass(frozen=True, slots=True)
class _Side:
    """The metadata or the data of a version."""

    source: Skeleton
    reader: Reader | None

    def fetch(self, number: int, node: Tree) -> Bytes:
        if self.reader is None:
            raise ValueError(number)  # metadata has no arrays
        return self.reader.fetch(number, node)

    def known(self, node: Tree) -> dict[int, ArrayFacts | None]:
        """Return what is known of the arrays of a node, reading them if need be."""
        parts = node.get("$parts", [node]) if type(node) is dict else []
        found = self.reader.content.facts if self.reader is not None else ()
        facts = {}
        for part in parts:
            if "$array" in part:
                number = part["$array"]
                known = found[number] if number < len(found) else None
                facts[number] = known or facts_of_array(part, self.fetch)
        return facts


class VersionSubject:
    """A version of a record; see `archivedb.query.evaluate.Subject`."""

    def __init__(self, core: Core, row: VersionRow, opened: ExitStack) -> None:
        self._core, self._row, self._opened = core, row, opened

    @cached_property
    def tags(self) -> Collection[str]:
        """Its tags."""
        return frozenset(json.loads(self._row.tags, "catalog's tags"))

    def fact(self, name: str) -> Leaf:
        """Return a fact of the record itself."""
        value = getattr(self._row, name)
        if name == "saved_at":
            return Leaf(Kind.TIME, value)
        return leaf_of(value) or OTHER

    @cached_property
    def _metadata(self) -> _Side:
        tree = json.loads(self._row.metadata, "catalog's metadata")
        return _Side(Skeleton.of(tree), None)

    @cached_property
    def _data(self) -> _Side:
        reader = self._opened.enter_context(reader_of(self._core, self._row))
        return _Side(reader.skeleton, reader)

    def at(self, side: str, steps: tuple[str, ...]) -> View | None:
        """Return what stands at a path, or None."""
        sides = ("metadata", "data") if not side else (side,)
        for each in sides:
            where = self._metadata if each == "metadata" else self._data
            for view, tokens in (("value", steps), *attribute(steps)):
                found = _found(where, view, tokens)
                if found is not None:
                    return found
        return None


def _found(side: _Side, view: str, tokens: tuple[str, ...]) -> View | None:
    """Return what stands at some tokens of a side, seen like this."""
    walked = _walked(side.source, tokens)
    if walked is None:
        return None
    node, rest = walked
    if view != "value":
        return None if rest else _array_view(side, node, view)
    if not rest:
        return _Node(side, node)
    known = side.known(node)
    leaf = derived(side.source, node, known.get).get("/".join(rest))
    if leaf is not None and rest[0][:1] == "$":
        return _Value(leaf)
    if skeleton.tag_of(node) in ("$array", "$parts"):
        return _item(_Node(side, node), rest)
    return None


def _walked(
    source: Skeleton, tokens: tuple[str, ...]
) -> tuple[Tree, tuple[str, ...]] | None:
    """Return the last node on a path, and the tokens that are left; None if none is."""
    node = source.resolve(source.root)
    for count, token in enumerate(tokens):
        ends = skeleton.tag_of(node) in ("$array", "$parts") or token[:2] in _OWN
        if ends:
            return node, tokens[count:]
        try:
            node = source.resolve(source.at((token,), node))
        except StorageError:
            return None
    return node, ()


_OWN = frozenset({"$m", SHAPE[:2]})


def _array_view(side: _Side, node: Tree, view: str) -> View | None:
    leaf = node_leaf(side.source, node, side.fetch)
    if leaf.kind not in (Kind.ARRAY, Kind.LONG_ARRAY):
        return None
    if view == "dtype":
        return _Value(Leaf(Kind.TEXT, None, leaf.txt))
    if view == "ndim":
        return _Value(Leaf(Kind.NUMBER, leaf.num))
    found = derived(side.source, node, lambda _: None)
    shape = [found[f"{SHAPE}/{item_token(i)}"].num for i in range(int(leaf.num or 0))]
    return _Value(Leaf(Kind.LIST, len(shape)), tuple(_Value(_of(n)) for n in shape))


def _of(value: Any) -> Leaf:
    return leaf_of(value) or OTHER


def _item(view: View, tokens: tuple[str, ...]) -> View | None:
    """Return an item of an array, and of that, and so on."""
    for token in tokens:
        index, items = token_item(token), view.items()
        if index is None or items is None or index >= len(items):
            return None
        view = items[index]
    return view


@dataclass(frozen=True, slots=True)
class _Value:
    """A leaf, and what it holds."""

    leaf: Leaf
    _items: Items | None = None

    def items(self) -> Items | None:
        return self._items


class _Node:
    """A node of a skeleton."""

    def __init__(self, side: _Side, node: Tree) -> None:
        self._side, self._node = side, node

    @cached_property
    def leaf(self) -> Leaf:
        side, node = self._side, self._node
        leaf = node_leaf(
            side.source, node, side.fetch, lambda number: side.known(node)[number]
        )
        if leaf.kind is Kind.GROUP and leaf.num and side.reader is not None:
            return UNLISTED
        return leaf

    def items(self) -> Items | None:
        node = self._node
        if is_list(node):
            resolve = self._side.source.resolve
            return [
                _Node(self._side, resolve(child))
                for _, child in skeleton.children(node)
            ]
        if self.leaf.kind in (Kind.ARRAY, Kind.LONG_ARRAY, Kind.LONG_LIST):
            array = self._array()
            return _Items(array) if array.ndim else None
        return None

    def _array(self) -> Any:
        node, fetch = self._node, self._side.fetch
        if "$parts" in node:
            return joined(node["$parts"], fetch)
        return array_of(node, fetch(node["$array"], node))


class _Items:
    """The items of an array, each made when it is asked for."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array) if self._array.ndim else 0

    def __getitem__(self, index: int) -> View:
        return _array_item(self._array[index])

    def __iter__(self) -> Iterator[View]:
        return map(_array_item, self._array) if self._array.ndim else iter(())


def _array_item(value: Any) -> View:
    if isinstance(value, np.ndarray) and value.ndim:
        leaf = Leaf(Kind.LONG_ARRAY, value.ndim, value.dtype.name)
        return _Value(leaf, _Items(value))
    return _Value(_of(value))
