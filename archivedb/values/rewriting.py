"""
Writing an edited skeleton anew, as `encode` writes a value.

References, array numbers and the node table follow from one walk in the order
of `encode`; whatever is met a second time is referred to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from archivedb.errors import DecodeError
from archivedb.values import json, paths, skeleton
from archivedb.values.arrays import StoredArray
from archivedb.values.decode import decode_inline
from archivedb.values.encode import LONG_LIST, encode
from archivedb.values.graph import Source, children_of, pair_key
from archivedb.values.leaves import part_path
from archivedb.values.skeleton import Skeleton, Tree, tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archivedb.values.graph import Content, Group, Handle

_LEAVES = frozenset({"$int", "$float", "$complex", "$str", "$bytes"})
_STATES = frozenset({None, "$dict", "$tuple", "$objects", "$array", "$parts"})

Join: TypeAlias = "Callable[[list[tuple[Any, Tree]]], tuple[StoredArray, Tree]]"
"""Makes one array, and its ``$array`` node, of several and theirs."""

_Trail: TypeAlias = Any
"""None, or a pair of the trail above and a token or an index."""
_Step: TypeAlias = tuple["Handle", Any, Any, _Trail, int]
"""A node; the holder and the slot that it goes into; its trail, its depth."""


class Rewriting:
    """
    One walk over a graph of nodes.

    Args:
        inside: What is in the containers that were looked into, by the id of
            their nodes.
        lists: The ids of the nodes of lists that were changed.
        join: Makes one array of several, instead of an array in parts.

    """

    def __init__(
        self, inside: Mapping[int, Content], lists: set[int], join: Join | None = None
    ) -> None:
        self._join = join
        self.arrays: list[Any] = []
        self.executable = False
        self._inside = inside
        self._lists = lists
        self._nodes: list[Tree] = []
        self._seen: dict[int, _Trail] = {}
        self._todo: list[_Step] = []

    def run(self, root: Handle) -> bytes:
        """Return the skeleton; `arrays` and `executable` belong to it."""
        out: list[Tree] = [None]
        self._todo.append((root, out, 0, None, 1))
        while self._todo:
            (source, node), holder, slot, trail, depth = self._todo.pop()
            if type(node) is not dict and type(node) is not list:
                holder[slot] = node
                continue
            node = source.skeleton.resolve(node)
            if _is_leaf(node):
                holder[slot] = self._leaf(source, node, trail)
                continue
            if depth > skeleton.MAX_DEPTH:
                holder[slot] = {skeleton.NODE_TAG: len(self._nodes)}
                holder, slot, depth = self._nodes, len(self._nodes), 2
                self._nodes.append(None)
            if tag_of(node) == "$numpy":
                holder[slot] = node
            elif id(node) in self._seen:
                path = paths.join(_tokens(self._seen[id(node)]))
                holder[slot] = {skeleton.PATH_TAG: path}
            else:
                self._seen[id(node)] = trail
                holder[slot] = self._body(source, node, trail, depth)
        tree = out[0]
        if self._nodes:
            tree = {skeleton.NODES_TAG: self._nodes, "$root": tree}
        return json.dumps(tree)

    def _leaf(self, source: Source, node: Tree, trail: _Trail) -> Tree:
        return self._array(source, node, trail) if tag_of(node) == "$array" else node

    def _body(self, source: Source, node: Tree, trail: _Trail, depth: int) -> Tree:
        tag = tag_of(node)
        if type(node) is list:
            return self._list(source, node, trail, depth)
        if tag is None or tag == "$dict":
            return self._dict(source, node, trail, depth)
        if tag == "$array":
            return self._array(source, node, trail)
        if tag == "$parts":
            return self._parts(source, node, trail)
        if tag in ("$tuple", "$objects"):
            content = [(source, child) for child in node[tag]]
            return {**node, tag: self._items(content, trail, depth + 2)}
        if skeleton.is_object(node):
            return self._object(source, node, trail, depth)
        msg = f"the skeleton holds a {tag!r}, which this archivedb is too old for"
        raise DecodeError(msg)

    def _dict(self, source: Source, node: Tree, trail: _Trail, depth: int) -> Tree:
        content: Any = self._inside.get(id(node))
        if content is None:
            content = children_of(source, node)
        if any(type(key) is not str for key, _ in content.values()):
            return self._pairs(content, trail, depth)
        made: dict[str, Tree] = {}
        later: list[_Step] = []
        for token, (key, child) in content.items():
            written = skeleton.written_key(key)
            made[written] = child[1]
            if type(child[1]) is dict or type(child[1]) is list:
                later.append((child, made, written, (trail, token), depth + 1))
        self._todo += reversed(later)
        return made

    def _pairs(self, content: Group, trail: _Trail, depth: int) -> Tree:
        pairs: list[Any] = []
        later: list[_Step] = []
        for token, (key, child) in content.items():
            pair = [pair_key(key), child[1]]
            if type(key) is tuple:
                step = trail, skeleton.object_key_token(len(pairs))
                later.append((key, pair[0], skeleton.KEY_TAG, step, depth + 4))
            later.append((child, pair, 1, (trail, token), depth + 3))
            pairs.append(pair)
        self._todo += reversed(later)
        return {"$dict": pairs}

    def _list(self, source: Source, node: Tree, trail: _Trail, depth: int) -> Tree:
        content: Any = self._inside.get(id(node))
        if content is None:
            content = [(source, child) for child in node]
        if id(node) in self._lists and len(content) > LONG_LIST:
            made = self._long_list(content, trail)
            if made is not None:
                return made
        return self._items(content, trail, depth + 1)

    def _long_list(self, content: list[Handle], trail: _Trail) -> Tree | None:
        """Return the array of a list that has become one of numbers, if it has."""
        numbers: list[Any] = []
        for _, child in content:
            if tag_of(child) in ("$int", "$float"):
                numbers.append(decode_inline(child))
            elif type(child) in (int, float, bool):
                numbers.append(child)
            else:
                return None
        encoded = encode(numbers)
        source = Source(Skeleton(encoded.skeleton), encoded.arrays)
        if not encoded.arrays:
            return None
        return self._array(source, source.skeleton.root, trail)

    def _items(self, content: list[Handle], trail: _Trail, depth: int) -> list[Tree]:
        made = [child for _, child in content]
        self._todo += [
            (content[index], made, index, (trail, index), depth)
            for index in range(len(made) - 1, -1, -1)
            if type(made[index]) is dict or type(made[index]) is list
        ]
        return made

    def _object(self, source: Source, node: Tree, trail: _Trail, depth: int) -> Tree:
        self.executable |= tag_of(node) == "$object"
        made = dict(node)
        if "state" in node:
            made["state"] = self._state(source, node["state"], trail, depth + 1)
        if "class" in node:
            step = (trail, skeleton.CLASS)
            child = source, node["class"]
            self._todo.append((child, made, "class", step, depth + 1))
        return made

    def _state(self, source: Source, state: Tree, trail: _Trail, depth: int) -> Tree:
        """Return an object's state, which stands where the object does."""
        if type(state) is not dict and type(state) is not list:
            return state
        if _is_leaf(state):
            return self._leaf(source, state, trail)
        if tag_of(state) in _STATES:
            self._seen[id(state)] = (trail, skeleton.STATE)
            return self._body(source, state, trail, depth)
        msg = f"a {tag_of(state)!r} is no state of an object"
        raise DecodeError(msg)

    # Arrays -------------------------------------------------------------

    def _parts(self, source: Source, node: Tree, trail: _Trail) -> Tree:
        content: Any = self._inside.get(id(node))
        if content is None:
            content = [(source, part) for part in node["$parts"]]
        path = paths.join(_tokens(trail))
        if self._join is not None:
            array, whole = self._join(
                [(of.arrays[part["$array"]], part) for of, part in content]
            )
            made = Source(source.skeleton, (array,))
            return self._stored(made, {**whole, "$array": 0}, path)
        places = (part_path(path, index) for index in range(len(content)))
        parts = zip(content, places, strict=True)
        return {"$parts": [self._stored(of, part, at) for (of, part), at in parts]}

    def _array(self, source: Source, node: Tree, trail: _Trail) -> Tree:
        return self._stored(source, node, paths.join(_tokens(trail)))

    def _stored(self, source: Source, node: Tree, path: str) -> Tree:
        array = source.arrays[node["$array"]]
        if isinstance(array, StoredArray) and array.path != path:
            array = replace(array, path=path)
        self.arrays.append(array)
        self.executable |= node.get("as") == "pickle"
        return {**node, "$array": len(self.arrays) - 1}


def _is_leaf(node: Tree) -> bool:
    """Return whether a node is a value that nothing can refer to."""
    if type(node) is not dict:
        return type(node) is not list
    tag = tag_of(node)
    return tag in _LEAVES or (tag == "$array" and node.get("as") in ("str", "bytes"))


def _tokens(trail: _Trail) -> list[str]:
    tokens = []
    while trail is not None:
        trail, step = trail
        tokens.append(paths.item_token(step) if type(step) is int else step)
    return tokens[::-1]
