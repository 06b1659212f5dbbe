"""
The walk that turns a Python value into a skeleton and its arrays.

One stack, no recursion: a value nested 5,000 deep is as good as any other.
Every leaf is either exact in the skeleton, an array, or signed cloudpickle
bytes; what is none of these raises `EncodeError` with the path to it, before
anything is written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import EncodeError
from archivedb.plugins import name_of
from archivedb.values import (
    arrays,
    digest,
    dtypes,
    json,
    paths,
    pickled,
    routes,
    scalars,
    skeleton,
)
from archivedb.values.arrays import KeptArray, StoredArray
from archivedb.values.route import NOTHING, Route
from archivedb.values.routes import is_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.values.dtypes import AnyArray

LONG_LIST = 16
"""A list of more numbers of one type than this is kept as an array."""
LONG_TEXT = 4096
"""Text or bytes of more bytes than this count as an array."""

KEY = "a key"
"""What `encode_key` calls its result in messages."""


NO_VALUE: Any = object()
"""What was encoded, where only the skeleton of it is at hand."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """
    A value as everything downstream sees it.

    Attributes:
        value: What was encoded, or `NO_VALUE`.
        skeleton: Canonical JSON.
        digest: Its digest, and so that of the whole content.
        arrays: What its ``$array`` nodes refer to, by number.
        executable: Whether reading it back may run code.

    """

    value: Any
    skeleton: bytes
    digest: str
    arrays: tuple[StoredArray | KeptArray, ...]
    executable: bool

    def require_unchanged(self) -> None:
        """
        Raise if a large array is no longer what its digest says.

        Small ones were copied; of large ones the memory itself is written.

        Raises:
            EncodeError: Another thread changed it while it was saved.

        """
        for array in self.arrays:
            if isinstance(array, KeptArray) or array.blocks is None:
                continue
            if digest.blocks(array.raw) != array.blocks:
                msg = f"{array.path or 'the value itself'}: changed while it was saved"
                raise EncodeError(msg)

    @property
    def size(self) -> int:
        """The bytes of skeleton and arrays."""
        return len(self.skeleton) + sum(array.nbytes for array in self.arrays)


def encode(value: Any, at: tuple[str, ...] = ()) -> Encoded:
    """
    Turn a value into a skeleton and arrays.

    Args:
        value: Any value.
        at: The tokens of the path at which it will stand in another skeleton:
            references and the paths of arrays begin with them.

    Raises:
        EncodeError: Part of it cannot be stored exactly; says which.

    """
    walk = _Walk()
    tree = walk.run(value, at)
    text = json.dumps(tree)
    return Encoded(
        value, text, digest.digest(text), tuple(walk.arrays), walk.executable
    )


def encode_key(key: Any) -> skeleton.Tree:
    """Turn a dict's key into JSON; nothing of it becomes an array."""
    return _Walk(inline=KEY).run(key)


def encode_inline(value: Any, what: str) -> skeleton.Tree:
    """
    Turn metadata or the like into JSON that stands alone.

    Raises:
        EncodeError: It holds arrays or objects.

    """
    return _Walk(inline=what).run(value)


def _trail_path(trail: Any) -> str:
    tokens = []
    while trail is not None:
        trail, step = trail
        tokens.append(paths.item_token(step) if type(step) is int else step)
    return paths.join(reversed(tokens))


class _Walk:
    """One walk over one value."""

    def __init__(self, inline: str | None = None) -> None:
        self.arrays: list[StoredArray] = []
        self.executable = False
        self._inline = inline
        self._nodes: list[skeleton.Tree] = []
        # Holding each object keeps its id from being taken by another.
        self._seen: dict[int, tuple[Any, Any]] = {}
        self._todo: list[tuple[Any, Any, Any, Any, int]] = []
        # Trails below which nothing may refer to a certain object: it will
        # not exist before they do.  And those of tuples, which are made late.
        self._needed: dict[int, tuple[Any, Any]] = {}
        self._tuples: dict[int, Any] = {}

    def run(self, value: Any, at: tuple[str, ...] = ()) -> skeleton.Tree:
        root: list[skeleton.Tree] = [None]
        begin: Any = None
        for token in at:
            begin = (begin, token)
        self._todo.append((value, root, 0, begin, 1))
        while self._todo:
            value, holder, slot, trail, depth = self._todo.pop()
            if depth > skeleton.MAX_DEPTH and type(value) not in _LEAVES:
                holder[slot] = {skeleton.NODE_TAG: len(self._nodes)}
                holder, slot, depth = self._nodes, len(self._nodes), 2
                self._nodes.append(None)
            leaf = _LEAVES.get(type(value))
            holder[slot] = (
                leaf(self, value, trail)
                if leaf is not None
                else self._node(value, trail, depth)
            )
        if self._nodes:
            return {skeleton.NODES_TAG: self._nodes, "$root": root[0]}
        return root[0]

    # Leaves -------------------------------------------------------------

    def _same(self, value: Any, _trail: Any) -> skeleton.Tree:
        return value

    def _int(self, value: int, _trail: Any) -> skeleton.Tree:
        return value if value in scalars.INT64 else {"$int": hex(value)}

    def _float(self, value: float, _trail: Any) -> skeleton.Tree:
        return scalars.float_tree(value)

    def _complex(self, value: complex, _trail: Any) -> skeleton.Tree:
        return scalars.complex_tree(value)

    def _str(self, value: str, trail: Any) -> skeleton.Tree:
        if len(value) > LONG_TEXT and self._inline is None:
            raw = value.encode("utf-8", "surrogatepass")
            return self._array(np.frombuffer(raw, np.uint8), "str", trail)
        return value if value.isascii() else scalars.text_tree(value)

    def _bytes(self, value: bytes, trail: Any) -> skeleton.Tree:
        if len(value) > LONG_TEXT and self._inline is None:
            return self._array(np.frombuffer(value, np.uint8), "bytes", trail)
        return scalars.bytes_tree(value)

    # Everything else ----------------------------------------------------

    def _node(self, value: Any, trail: Any, depth: int) -> skeleton.Tree:
        kind = type(value)
        if issubclass(kind, np.generic):  # not isinstance: a __class__ may lie
            tree = scalars.numpy_tree(value)
            if tree is not None:
                return tree
        seen = self._seen.get(id(value))
        if seen is not None:
            self._require_possible(seen[1], trail)
            return {skeleton.PATH_TAG: _trail_path(seen[1])}
        # Tuples of leaves are shared by the compiler's whim, and by nothing
        # that anybody could see.
        if kind is not tuple or not all(type(item) in _LEAVES for item in value):
            self._seen[id(value)] = (value, trail)
        known = _NATIVE.get(kind)
        if known is not None:
            return known(self, value, trail, depth)
        return self._object(value, trail, depth)

    def _require_possible(self, target: Any, trail: Any) -> None:
        """Raise if an object would have to exist before what it is made of."""
        if not self._needed:
            return
        waiting = []
        while trail is not target:
            if trail is None:
                return  # not inside it: it will be there
            if id(trail) in self._needed:
                waiting.append(self._needed[id(trail)][1])
            trail = trail[0]
        if id(target) in self._needed:
            waiting.append(self._needed[id(target)][1])
        if any(each is target for each in waiting) or (
            waiting and id(target) in self._tuples
        ):
            msg = (
                f"{_where(target)}: contains itself in a way that nothing can "
                "bring back: it would have to exist before its own parts"
            )
            raise EncodeError(msg)

    def _tuple(self, value: tuple[Any, ...], trail: Any, depth: int) -> skeleton.Tree:
        self._tuples[id(trail)] = trail
        return self._items("$tuple", value, trail, depth)

    def _numpy_array(self, value: AnyArray, trail: Any, depth: int) -> skeleton.Tree:
        if value.dtype == object:
            tree = self._items("$objects", value.reshape(-1), trail, depth)
            tree["shape"] = list(value.shape)
            return tree
        if dtypes.is_faithful(value.dtype):
            return self._array(value, "array", trail)
        return self._object(value, trail, depth)

    # Objects ------------------------------------------------------------

    def _object(self, value: Any, trail: Any, depth: int) -> skeleton.Tree:
        try:
            route = routes.find(value)
        except EncodeError as error:
            msg = f"{_where(trail)}: {error}"
            raise EncodeError(msg) from error
        except Exception as error:
            said = pickled.said(error)
            msg = f"{_where(trail)}: {_named(value)} cannot be stored: {said}"
            raise EncodeError(msg) from error
        if route is None:
            return self._pickle(value, trail)
        tree = route.head
        if "$object" in tree:
            self._refuse_inline(value, trail)
            self.executable = True
        elif self._inline == KEY and not is_value(type(value)):
            self._refuse_inline(value, trail)
        if not route.tracked:
            del self._seen[id(value)]
        if route.state is not NOTHING:
            if route.needs is True:
                self._needed[id(trail)] = (trail, trail)
            # The state stands where the object does, so it is never hoisted.
            below = min(depth, skeleton.MAX_DEPTH) + 1
            tree["state"] = self._state(route, trail, below)
        if route.cls is not None:
            tree["class"] = None
            step = (trail, skeleton.CLASS)
            self._todo.append((route.cls, tree, "class", step, depth + 1))
        return tree

    def _state(self, route: Route, trail: Any, depth: int) -> skeleton.Tree:
        state = route.state
        leaf = _LEAVES.get(type(state))
        if leaf is not None:
            return leaf(self, state, trail)
        if type(state) is dict and isinstance(route.needs, frozenset):
            return self._dict(state, trail, depth, route.needs)
        if type(state) not in _NATIVE:
            msg = (
                f"{_where(trail)}: the adapter of {route.head.get('$adapted')} made a "
                f"{type(state).__name__} of it, which is no state: see `Adapter`"
            )
            raise EncodeError(msg)
        return _NATIVE[type(state)](self, state, trail, depth)

    def _refuse_inline(self, value: Any, trail: Any) -> None:
        if self._inline is not None:
            msg = f"{_where(trail)}: {_named(value)} cannot be part of {self._inline}"
            raise EncodeError(msg)

    def _dict(
        self,
        value: dict[Any, Any],
        trail: Any,
        depth: int,
        needed: frozenset[str] = frozenset(),
    ) -> skeleton.Tree:
        tree: dict[str, skeleton.Tree] = {}
        later: list[tuple[Any, Any, Any, Any, int]] = []
        for key, item in value.items():
            if type(key) is not str or not paths.is_utf8(key):
                return self._pairs(value, trail, depth)
            written = skeleton.written_key(key)
            kind = type(item)
            # The common leaves, without a trip over the stack.
            if (kind is float and math.isfinite(item)) or (
                kind is bool
                or item is None
                or (kind is int and item in scalars.INT64)
                or (kind is str and len(item) <= LONG_TEXT and item.isascii())
            ):
                tree[written] = item
            else:
                tree[written] = None
                step = (trail, paths.key_token(key))
                if key in needed:
                    self._needed[id(step)] = (step, trail)
                later.append((item, tree, written, step, depth + 1))
        self._todo.extend(reversed(later))
        return tree

    def _pairs(self, value: dict[Any, Any], trail: Any, depth: int) -> skeleton.Tree:
        pairs: list[list[Any]] = []
        for key in value:
            try:
                pairs.append([encode_key(key), None])
            except EncodeError as error:
                if self._inline is not None:
                    msg = f"{_where(trail)}: the key {key!r:.60}: {error}"
                    raise EncodeError(msg) from error
                pairs.append([{skeleton.KEY_TAG: None}, None])
        tree = {"$dict": pairs}
        tokens = [token for token, _ in skeleton.children(tree)]
        items = list(value.items())
        for index in range(len(pairs) - 1, -1, -1):
            pair, (key, item) = pairs[index], items[index]
            self._todo.append((item, pair, 1, (trail, tokens[index]), depth + 3))
            if skeleton.is_object_key(pair[0]):
                step = (trail, skeleton.object_key_token(index))
                slot = skeleton.KEY_TAG
                self._todo.append((key, pair[0], slot, step, depth + 4))
        return tree

    def _list(self, value: list[Any], trail: Any, depth: int) -> skeleton.Tree:
        if len(value) > LONG_LIST and self._inline is None:
            kinds = set(map(type, value))
            if len(kinds) == 1:
                array = arrays.list_array(value, kinds.pop())
                if array is not None:
                    return self._array(array, "list", trail)
        tree: list[skeleton.Tree] = [None] * len(value)
        for index in range(len(value) - 1, -1, -1):
            self._todo.append((value[index], tree, index, (trail, index), depth + 1))
        return tree

    def _items(self, tag: str, value: Any, trail: Any, depth: int) -> skeleton.Tree:
        items: list[skeleton.Tree] = [None] * len(value)
        for index in range(len(value) - 1, -1, -1):
            self._todo.append((value[index], items, index, (trail, index), depth + 2))
        return {tag: items}

    def _pickle(self, value: Any, trail: Any) -> skeleton.Tree:
        self._refuse_inline(value, trail)
        try:
            raw = pickled.dumps(value)
        except EncodeError as error:
            msg = f"{_where(trail)}: {error}"
            raise EncodeError(msg) from error
        self.executable = True
        node = self._array(np.frombuffer(raw, np.uint8), "pickle", trail)
        node["class"] = name_of(type(value))
        pickled.remember(node["digest"], value)
        return node

    # Arrays -------------------------------------------------------------

    def _array(self, value: AnyArray, kind: str, trail: Any) -> dict[str, Any]:
        if self._inline is not None:
            msg = f"{_where(trail)}: an array cannot be part of {self._inline}"
            raise EncodeError(msg)
        array = arrays.stored(_trail_path(trail), value, kind)
        node: dict[str, Any] = {
            "$array": len(self.arrays),
            "dtype": dtypes.dtype_tree(value.dtype),
            "shape": list(value.shape),
            "digest": array.digest,
        }
        self.arrays.append(array)
        if kind != "array":
            node["as"] = kind
        return node


def _where(trail: Any) -> str:
    return _trail_path(trail) or "the value itself"


def _named(value: Any) -> str:
    return f"a value of type {name_of(type(value))}"


_LEAVES: dict[type, Callable[[_Walk, Any, Any], skeleton.Tree]] = {
    type(None): _Walk._same,  # noqa: SLF001 - this module's own class
    bool: _Walk._same,  # noqa: SLF001
    int: _Walk._int,  # noqa: SLF001
    float: _Walk._float,  # noqa: SLF001
    complex: _Walk._complex,  # noqa: SLF001
    str: _Walk._str,  # noqa: SLF001
    bytes: _Walk._bytes,  # noqa: SLF001
}

_NATIVE: dict[type, Callable[[_Walk, Any, Any, int], skeleton.Tree]] = {
    dict: _Walk._dict,  # noqa: SLF001
    list: _Walk._list,  # noqa: SLF001
    tuple: _Walk._tuple,  # noqa: SLF001
    np.ndarray: _Walk._numpy_array,  # noqa: SLF001
    np.memmap: _Walk._numpy_array,  # noqa: SLF001
}
