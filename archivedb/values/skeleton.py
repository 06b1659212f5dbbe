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
``{"$dict": [[k, v], …]}`` a dict with keys that are not all plain text; a key
                           ``{"$key": …}`` is an object in its own right
``{"$numpy": dtype, …}``   a numpy scalar: ``value``, or ``hex`` of its bytes
``{"$objects": […], …}``   an object array: its items flat, and its ``shape``
``{"$array": n, …}``       array *n*: ``dtype``, ``shape``, ``digest``; ``as`` says
                           that it stands for a ``list``, ``str``, ``bytes`` or
                           ``pickle`` (then ``class`` names what was pickled)
``{"$parts": […]}``        one array whose rows lie in several, one after another
``{"$adapted": kind, …}``  what an adapter made a plain ``state`` of
``{"$object": class, …}``  an instance: ``by`` says which route its ``state`` took,
                           ``version`` that of its package; a ``class`` of its own
                           is there if the class cannot be imported
``{"$ref": path}``         the object that stands at this path, once more
``{"$node": k}``           what stands in the flat node table; with it the whole
                           skeleton is ``{"$nodes": […], "$root": …}``
========================= ====================================================

A key of the user's that begins with ``$`` is written with one ``$`` more.

Paths lead through an object to what its state holds; the token ``$state`` is
the state itself, ``$class`` the class.  In a dict whose keys are objects, the
key of pair *i* is ``$key#i`` and its value ``$#i``.
"""

from __future__ import annotations

import base64
import re
import struct
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archivedb.errors import (
    ArchiveError,
    DecodeError,
    EncodeError,
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

PATH_TAG, NODE_TAG, NODES_TAG, KEY_TAG = "$ref", "$node", "$nodes", "$key"
STATE, CLASS = "$state", "$class"
"""The tokens of an object's parts; no key of the user's is spelt like this."""

_ESCAPED = re.compile(rb"\\u00[2-7]")
_SEQUENCES = frozenset({"$tuple", "$objects"})
_OBJECTS = frozenset({"$adapted", "$object"})


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
        raise _malformed(what, error) from error


def _malformed(what: str, error: Exception) -> DecodeError:
    msg = f"the {what} is malformed: {type(error).__name__}: {error}"
    return DecodeError(msg)


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
        text = bytes(text)
        # Who escapes what needs no escape may hide a tag like this.
        odd = b"\\u00" in text and _ESCAPED.search(text) is not None
        self.shares = odd or b'"$ref"' in text
        self.escapes = b'"$$' in text
        self.has_functions = b'"as":"pickle","class":"builtins:function"' in text
        self.has_objects = odd or b'"$object"' in text
        self.has_storables = b'"by":"storable"' in text
        self._spelt: dict[int, dict[str, Tree]] = {}
        self.nodes, self.root = _unfold(json.loads(text, what), what)

    @classmethod
    def of(cls, tree: Tree) -> Skeleton:
        """Return the skeleton of JSON that is part of a checked envelope."""
        made = cls.__new__(cls)
        made.shares = made.escapes = True
        made.has_functions = made.has_storables = made.has_objects = False
        made._spelt = {}  # noqa: SLF001 - its own
        made.nodes, made.root = _unfold(tree, "envelope")
        return made

    @cached_property
    def shared(self) -> frozenset[str]:
        """The paths that are referred to from elsewhere."""
        if not self.shares:
            return frozenset()
        found = set()
        todo: list[Tree] = [self.root, *self.nodes]
        while todo:
            node = todo.pop()
            if tag_of(node) == PATH_TAG:
                found.add(node[PATH_TAG])
            elif type(node) is dict:
                todo += node.values()
            elif type(node) is list:
                todo += node
        return frozenset(found)

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
            node = self.unfold(node)
            if tag_of(node) != PATH_TAG:
                return node
            if not fuel:
                msg = "the skeleton's references go round in a circle"
                raise DecodeError(msg)
            fuel -= 1
            node = self._target(node, fuel)

    def unfold(self, node: Tree) -> Tree:
        """
        Return a node after following the node table.

        Raises:
            DecodeError: There is no such node.

        """
        while tag_of(node) == NODE_TAG:
            with well_formed("skeleton"):
                node = self.nodes[node[NODE_TAG]]
        return node

    def places(self) -> Iterator[tuple[str, Tree]]:
        """
        Yield the path and node of everything but plain leaves, where it stands first.

        Classes that were stored along, and keys that are objects, are included.
        """
        todo = [("", self.root)]
        while todo:
            path, node = todo.pop()
            node = self.unfold(node)
            yield path, node
            todo += [
                (f"{path}/{token}" if path else token, child)
                for group in (children(node), parts_of(node))
                for token, child in group
                if type(child) is dict or type(child) is list
            ]

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

    def part(self, wanted: list[tuple[Any, ...]]) -> Tree:
        """
        Return a node that holds what stands at some paths, nested as it is here.

        What a path leads through that is no dict becomes one, whose keys are
        the tokens: ``{"steps": {"[3]": …}}``.

        Raises:
            KeyNotFoundError: Nothing stands at one of them.
            NotAGroupError: One of them goes on below a leaf.

        """
        top = _Part(None)
        for steps in wanted:
            at, node = top, self.root
            for step in self.walk(steps)[1]:
                above = self.resolve(node)
                node, (token,) = self.walk((step,), above)
                at = at.below.setdefault(token, _Part(_key_of(above, token)))
            at.node = node
        return top.tree()

    def _walk(
        self, steps: tuple[Any, ...], node: Tree, fuel: int
    ) -> tuple[Tree, tuple[str, ...]]:
        tokens: list[str] = []
        for step in steps:
            token, node = self._step(self.resolve(node, fuel), step, tokens)
            tokens.append(token)
        return node, tuple(tokens)

    def _step(self, node: Tree, step: Any, walked: list[str]) -> tuple[str, Tree]:
        if step in (STATE, CLASS) and is_object(node) and step[1:] in node:
            return step, node[step[1:]]
        node = body(node)
        tag = tag_of(node)
        if type(node) is list or tag in _SEQUENCES:
            items = node if tag is None else node[tag]
            index = step if type(step) is int else paths.token_item(str(step))
            if index is None or not -len(items) <= index < len(items):
                raise _no_key(step, walked)
            return paths.item_token(index % len(items)), items[index]
        if tag == "$dict":
            # Spelt once: a shared value may be referred to a thousand times.
            if id(node) not in self._spelt:
                self._spelt[id(node)] = dict(_with_keys(node))
            below = self._spelt[id(node)]
            for token in (step, _spelt_step(step)):
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


class _Part:
    """A place in a part of a skeleton; without a node, what is below is wanted."""

    def __init__(self, key: Tree) -> None:
        self.key = key
        self.node: Tree = ...
        self.below: dict[str, _Part] = {}

    def tree(self) -> Tree:
        # As deep as the paths that somebody has typed.
        if self.node is not ...:
            return self.node
        return {"$dict": [[part.key, part.tree()] for part in self.below.values()]}


def _key_of(above: Tree, token: str) -> Tree:
    """Return the key, as a ``$dict`` has it, that a token of a node stands for."""
    node = body(above)
    if tag_of(node) == "$dict":
        for (key, _), (known, _) in zip(node["$dict"], children(node), strict=True):
            if known == token:
                return key
    if type(node) is dict and tag_of(node) is None:
        key = paths.token_key(token)
        raw = key.encode("utf-8", "surrogatepass")
        if paths.is_utf8(key):
            return key
        return {"$str": base64.b64encode(raw).decode()}
    return token


def _no_key(step: Any, walked: list[str]) -> KeyNotFoundError:
    where = f"in {paths.join(walked)!r}" if walked else "at the top"
    key = paths.token_key(step) if isinstance(step, str) else step
    return KeyNotFoundError(f"there is no key {key!r} {where}")


def _spelt_step(step: Any) -> str | None:
    """Return `key_step` of a step, or None for what can be no key in a path."""
    try:
        return key_step(step)
    except EncodeError:
        return None


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


def is_extensible(source: Skeleton, steps: tuple[Any, ...]) -> bool:
    """Return whether what is at a path can grow, and nothing else changes by it."""
    if source.has_objects and source.shares:
        return False  # an object may share it
    if paths.join(steps) in source.shared:
        return False  # what refers to it stays what it is
    node = source.resolve(source.root)
    try:
        for step in steps:
            if is_object(node) or tag_of(node) in _SEQUENCES:
                return False
            node = source.resolve(source.at((step,), node))
    except (KeyNotFoundError, NotAGroupError):
        return False
    return not is_object(node)


def has_parts(source: Skeleton, steps: tuple[Any, ...]) -> bool:
    """Return whether the rows of the array at a path lie in several parts."""
    return bool(tag_of(source.resolve(source.at(steps))) == "$parts")


def extend_array(source: Skeleton, steps: tuple[Any, ...], part: Tree) -> None:
    """
    Add a part to the array at a path, in place.

    Args:
        source: The skeleton, which nobody else reads yet, unless the array
            has parts already.
        steps: Where the array stands.
        part: The ``$array`` node of its further rows.

    Raises:
        DecodeError: The array is, or may be, part of an object.

    """
    if not is_extensible(source, steps):
        # Nobody signs rows: those of an object may run as part of it.
        msg = f"rows were appended to {paths.join(steps)!r}, which is part of an object"
        raise DecodeError(msg)
    node = source.resolve(source.at(steps))
    if tag_of(node) != "$parts":
        whole = dict(node)
        node.clear()
        node["$parts"] = [whole]
    node["$parts"].append(part)


def body(node: Tree) -> Tree:
    """Return what an object was stored as, or any other node itself."""
    return node.get("state") if tag_of(node) in _OBJECTS else node


def children(node: Tree) -> Iterator[tuple[str, Tree]]:
    """
    Yield the token and the node of each child of a group, sequence or object.

    Raises:
        DecodeError: It is none that archivedb made.

    """
    try:
        yield from _children(node)
    except ArchiveError:
        raise
    except _MALFORMED as error:
        raise _malformed("skeleton", error) from error


def _children(node: Tree) -> Iterator[tuple[str, Tree]]:
    node = body(node)
    tag = tag_of(node)
    if tag is None and type(node) is dict:
        for key, child in node.items():
            yield paths.key_token(read_key(key)), child
    elif tag is None and type(node) is list:
        for index, child in enumerate(node):
            yield paths.item_token(index), child
    elif tag in _SEQUENCES:
        for index, child in enumerate(node[tag]):
            yield paths.item_token(index), child
    elif tag == "$dict":
        seen: set[str] = set()
        for index, (key, child) in enumerate(node["$dict"]):
            # Objects are keys by what they are, which no text says; and two
            # NaNs are two keys with one spelling.
            token = value_token(index) if is_object_key(key) else tree_token(key)
            token = token if token not in seen else value_token(index)
            seen.add(token)
            yield token, child


def _with_keys(node: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield the children of a ``$dict``, and those of its keys that are objects."""
    yield from children(node)
    yield from parts_of(node)


def parts_of(node: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield what a node holds beside its `children`: classes, and object keys."""
    if tag_of(node) == "$object" and "class" in node:
        yield CLASS, node["class"]
    below = body(node)
    if tag_of(below) == "$dict":
        for index, (key, _) in enumerate(below["$dict"]):
            if is_object_key(key):
                yield object_key_token(index), key[KEY_TAG]


def is_object_key(key: Tree) -> bool:
    """Return whether a key is a node of the skeleton, with a place of its own."""
    return bool(tag_of(key) == KEY_TAG)


def value_token(index: int) -> str:
    """Return the token of the value whose key is an object."""
    return f"$#{index}"


def object_key_token(index: int) -> str:
    """Return the token of a key that is an object."""
    return f"$key#{index}"


def is_group(node: Tree) -> bool:
    """Return whether a resolved node is a dict."""
    return type(node) is dict and tag_of(node) in (None, "$dict")


def is_object(node: Tree) -> bool:
    """Return whether a resolved node is an object that was made a state of."""
    return tag_of(node) in _OBJECTS


def is_executable(node: Tree) -> bool:
    """Return whether restoring a node itself runs code, or an adapter."""
    return is_object(node) or (tag_of(node) == "$array" and node.get("as") == "pickle")


def is_container(node: Tree) -> bool:
    """Return whether a resolved node has children."""
    node = body(node)
    return type(node) is list or is_group(node) or tag_of(node) in _SEQUENCES
