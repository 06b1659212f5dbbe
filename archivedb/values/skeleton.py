"""
The skeleton's grammar: which JSON stands for what.

========================= ====================================================
a value that JSON has      itself: null, true, 1, 1.5, "text", a list, an object
``{"$int": "-0x…"}``       an int beyond 64 bits
``{"$float": "nan"}``      nan, inf, -inf, or the 16 hex digits of another NaN
``{"$complex": [re, im]}`` a complex number
``{"$str": base64}``       text with surrogates, as surrogatepass UTF-8
``{"$bytes": base64}``     bytes
``{"$tuple": […]}``        a tuple
``{"$dict": [[k, v], …]}`` a dict with keys that are not all plain text
``{"$numpy": dtype, …}``   a numpy scalar: ``value``, or ``hex`` of its bytes
``{"$objects": […], …}``   an object array: its items flat, and its ``shape``
``{"$array": n, …}``       array *n*: ``dtype``, ``shape``, ``digest``; ``as`` says
                           that it stands for a ``list``, ``str``, ``bytes`` or
                           ``pickle`` (then ``class`` names what was pickled)
``{"$ref": path}``         the object that stands at this path, once more
``{"$node": k}``           what stands in the flat node table; with it the whole
                           skeleton is ``{"$nodes": […], "$root": …}``
========================= ====================================================

A key of the user's that begins with ``$`` is written with one ``$`` more.
"""

from __future__ import annotations

import base64
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archivedb.errors import (
    ArchiveError,
    DecodeError,
    KeyNotFoundError,
    NotAGroupError,
)
from archivedb.values import json, paths

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree = Any
"""JSON as Python has it."""

MAX_DEPTH = 100
"""JSON levels, beyond which a value moves into the flat node table: orjson
stops at 254, and other readers earlier."""

PATH_TAG, NODE_TAG, NODES_TAG = "$ref", "$node", "$nodes"


def tag_of(node: Tree) -> Any:
    """Return the tag of a node, or None if it is a plain value."""
    if type(node) is not dict:
        return None
    for key in node:
        return key if key[:1] == "$" and key[:2] != "$$" else None
    return None


def written_key(key: str) -> str:
    """Return a text key as the skeleton has it."""
    return "$" + key if key.startswith("$") else key


def read_key(key: str) -> str:
    """Return the text key that the skeleton wrote like this."""
    return key.removeprefix("$")


@contextmanager
def well_formed(what: str) -> Iterator[None]:
    """
    Turn whatever JSON of another form leads to into a `DecodeError`.

    A digest proves that bytes are those that somebody saved, not that they
    were archivedb's.
    """
    try:
        yield
    except ArchiveError:
        raise
    except _MALFORMED as error:
        msg = f"the {what} is malformed: {type(error).__name__}: {error}"
        raise DecodeError(msg) from error


_MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


def _unfold(tree: Tree, what: str) -> tuple[list[Tree], Tree]:
    """Return the flat node table, empty for most, and the root."""
    if tag_of(tree) != NODES_TAG:
        return [], tree
    with well_formed(what):
        nodes, root = list(tree[NODES_TAG]), tree["$root"]
        _require_tree(nodes, root)
    return nodes, root


def _require_tree(nodes: list[Tree], root: Tree) -> None:
    """
    Raise unless each node of the table stands in one place, above it.

    Otherwise a few bytes could stand for an endless value.
    """
    used: set[int] = set()
    for number, start in enumerate([root, *nodes], -1):
        todo = [start]
        while todo:
            node = todo.pop()
            if type(node) is list:
                todo += node
            elif tag_of(node) == NODE_TAG:
                child = node[NODE_TAG]
                if type(child) is not int or child <= number or child in used:
                    raise ValueError(child)
                used.add(child)
            elif type(node) is dict and tag_of(node) != NODES_TAG:
                # A key has a table of its own.
                todo += node.values()


class Skeleton:
    """
    A parsed skeleton: finds what stands at a path, without decoding it.

    Args:
        text: The skeleton's bytes, whose digest has been checked.
        what: Whose they are, for errors.

    Raises:
        DecodeError: The bytes are no skeleton.

    """

    def __init__(self, text: bytes | memoryview, what: str = "skeleton") -> None:
        # Only a skeleton that shares objects needs to find them again.
        self.shares = b'"$ref"' in bytes(text)
        self._spelt: dict[int, dict[str, Tree]] = {}
        self.nodes, self.root = _unfold(json.loads(text, what), what)

    @classmethod
    def of(cls, tree: Tree) -> Skeleton:
        """Return the skeleton of JSON that is part of a checked envelope."""
        made = cls.__new__(cls)
        made.shares = True
        made._spelt = {}  # noqa: SLF001 - its own
        made.nodes, made.root = _unfold(tree, "envelope")
        return made

    def resolve(self, node: Tree, fuel: int = 8) -> Tree:
        """
        Return a node after following the node table and references.

        Args:
            node: Any node.
            fuel: How many references may lead to references; `encode` makes
                none that do.

        Raises:
            DecodeError: They lead nowhere, or round and round.

        """
        while True:
            tag = tag_of(node)
            if tag == NODE_TAG:
                node = self.table(node)
            elif tag == PATH_TAG:
                if not fuel:
                    msg = "the skeleton's references go round in a circle"
                    raise DecodeError(msg)
                fuel -= 1
                node = self._target(node, fuel)
            else:
                return node

    def table(self, node: Tree) -> Tree:
        """
        Return what a ``$node`` stands for.

        Raises:
            DecodeError: There is no such node.

        """
        with well_formed("skeleton"):
            return self.nodes[node[NODE_TAG]]

    def _target(self, node: Tree, fuel: int) -> Tree:
        with well_formed("skeleton"):
            try:
                return self._walk(paths.parts(node[PATH_TAG]), self.root, fuel)[0]
            except (KeyNotFoundError, NotAGroupError) as error:
                msg = f"the skeleton refers to {node[PATH_TAG]!r}, which is not in it"
                raise DecodeError(msg) from error

    def at(self, steps: tuple[Any, ...], start: Tree = ...) -> Tree:
        """
        Return the node at a path.

        Args:
            steps: Tokens of a path, or keys as the user's dict has them.
            start: The node that the path begins at; the root if left out.

        Raises:
            KeyNotFoundError: Nothing is there.
            NotAGroupError: The path goes on below a leaf.

        """
        return self.walk(steps, start)[0]

    def walk(
        self, steps: tuple[Any, ...], start: Tree = ...
    ) -> tuple[Tree, tuple[str, ...]]:
        """Return the node at a path, and the path as it is printed; see `at`."""
        with well_formed("skeleton"):
            return self._walk(steps, self.root if start is ... else start, 8)

    def _walk(
        self, steps: tuple[Any, ...], node: Tree, fuel: int
    ) -> tuple[Tree, tuple[str, ...]]:
        tokens: list[str] = []
        for step in steps:
            token, node = self._step(self.resolve(node, fuel), step, tokens)
            tokens.append(token)
        return node, tuple(tokens)

    def _step(self, node: Tree, step: Any, walked: list[str]) -> tuple[str, Tree]:
        tag = tag_of(node)
        if type(node) is list or tag in ("$tuple", "$objects"):
            items = node if tag is None else node[tag]
            index = step if type(step) is int else paths.token_item(str(step))
            if index is None or not -len(items) <= index < len(items):
                raise _no_key(step, walked)
            return paths.item_token(index % len(items)), items[index]
        if tag == "$dict":
            # Spelt once: a shared value may be referred to a thousand times.
            if id(node) not in self._spelt:
                self._spelt[id(node)] = dict(children(node))
            below = self._spelt[id(node)]
            for token in (step, key_step(step)):
                if type(token) is str and token in below:
                    return token, below[token]
            raise _no_key(step, walked)
        if type(node) is dict and tag is None:
            key = paths.token_key(step) if type(step) is str else ""
            if type(step) is str and written_key(key) in node:
                return paths.key_token(key), node[written_key(key)]
            raise _no_key(step, walked)
        msg = f"{paths.join(walked)!r} is a leaf: nothing lies below it"
        raise NotAGroupError(msg)


def _no_key(step: Any, walked: list[str]) -> KeyNotFoundError:
    where = f"in {paths.join(walked)!r}" if walked else "at the top"
    key = paths.token_key(step) if isinstance(step, str) else step
    return KeyNotFoundError(f"there is no key {key!r} {where}")


def key_step(key: Any) -> str:
    """Return the token of a step: of a text token, or of any other key."""
    # Imported here because keys are encoded by the walk that imports this.
    from archivedb.values.encode import encode_key

    if type(key) is str:
        return paths.key_token(paths.token_key(key))
    return tree_token(encode_key(key))


def tree_token(key: Tree) -> str:
    """Return the token of an encoded key that is not plain text."""
    if type(key) is str:
        return paths.key_token(key)
    if tag_of(key) == "$str":
        raw = base64.b64decode(key["$str"])
        return paths.key_token(raw.decode("utf-8", "surrogatepass"))
    return "$" + paths.key_token("-" + json.dumps(key).decode())[1:]


def children(node: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield the token and the node of each child of a group or sequence."""
    tag = tag_of(node)
    if tag is None and type(node) is dict:
        for key, child in node.items():
            yield paths.key_token(read_key(key)), child
    elif tag is None and type(node) is list:
        for index, child in enumerate(node):
            yield paths.item_token(index), child
    elif tag in ("$tuple", "$objects"):
        for index, child in enumerate(node[tag]):
            yield paths.item_token(index), child
    elif tag == "$dict":
        seen: set[str] = set()
        for index, (key, child) in enumerate(node["$dict"]):
            token = tree_token(key)
            # Two NaNs are two keys with one spelling.
            token = token if token not in seen else f"$#{index}"
            seen.add(token)
            yield token, child


def is_group(node: Tree) -> bool:
    """Return whether a resolved node is a dict."""
    return type(node) is dict and tag_of(node) in (None, "$dict")


def is_container(node: Tree) -> bool:
    """Return whether a resolved node has children."""
    return (
        type(node) is list or is_group(node) or (tag_of(node) in ("$tuple", "$objects"))
    )
