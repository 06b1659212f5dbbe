"""
The walk that turns a Python value into a skeleton and its arrays.

One stack, no recursion: a value nested 5,000 deep is as good as any other.
Every leaf is either exact in the skeleton, an array, or signed cloudpickle
bytes; what is none of these raises `EncodeError` with the path to it, before
anything is written.
"""

from __future__ import annotations

import base64
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import EncodeError
from archivedb.values import digest, dtypes, json, paths, pickled, skeleton

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.values.dtypes import AnyArray

LONG_LIST = 16
"""A list of more numbers of one type than this is kept as an array."""
LONG_TEXT = 4096
"""Text or bytes of more bytes than this count as an array."""

_INT64 = range(-(1 << 63), 1 << 63)
_LIST_DTYPES = {float: "<f8", bool: "|b1"}
_CANONICAL_NAN = struct.pack("<d", math.nan)


@dataclass(frozen=True, slots=True)
class StoredArray:
    """
    One array of a value, ready to be written.

    Attributes:
        path: Where it stands in the value.
        values: The array as HDF5 shall show it; bytes are ``uint8``.
        kind: ``"array"``, or what it stands for: ``"list"``, ``"str"``,
            ``"bytes"``, ``"pickle"``.
        raw: Its bytes in C order.
        digest: Theirs.
        blocks: The digests of its blocks, or None for up to 4 MiB.
        address: Where in memory the user's own bytes lie.

    """

    path: str
    values: AnyArray
    kind: str
    raw: memoryview
    digest: str
    blocks: bytes | None
    address: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """
    A value as everything downstream sees it.

    Attributes:
        value: What was encoded.
        skeleton: Canonical JSON.
        digest: Its digest, and so that of the whole content.
        arrays: What its ``$array`` nodes refer to, by number.
        executable: Whether reading it back may run code.

    """

    value: Any
    skeleton: bytes
    digest: str
    arrays: tuple[StoredArray, ...]
    executable: bool

    def require_unchanged(self) -> None:
        """
        Raise if a large array is no longer what its digest says.

        Small ones were copied; of large ones the memory itself is written.

        Raises:
            EncodeError: Another thread changed it while it was saved.

        """
        for array in self.arrays:
            if array.blocks is not None and digest.blocks(array.raw) != array.blocks:
                msg = f"{array.path or 'the value itself'}: changed while it was saved"
                raise EncodeError(msg)

    @property
    def size(self) -> int:
        """The bytes of skeleton and arrays."""
        return len(self.skeleton) + sum(len(array.raw) for array in self.arrays)


def encode(value: Any) -> Encoded:
    """
    Turn a value into a skeleton and arrays.

    Raises:
        EncodeError: Part of it cannot be stored exactly; says which.

    """
    walk = _Walk()
    tree = walk.run(value)
    text = json.dumps(tree)
    return Encoded(
        value, text, digest.digest(text), tuple(walk.arrays), walk.executable
    )


def encode_key(key: Any) -> skeleton.Tree:
    """Turn a dict's key into JSON; nothing of it becomes an array."""
    return _Walk(inline="a key").run(key)


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


def float_tree(value: float) -> skeleton.Tree:
    """Return a float as JSON, every bit of it."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        bits = struct.pack("<d", value)
        text = "nan" if bits == _CANONICAL_NAN else bits[::-1].hex()
    else:
        text = "inf" if value > 0 else "-inf"
    return {"$float": text}


def complex_tree(value: complex) -> skeleton.Tree:
    """Return a complex number as JSON, every bit of it."""
    return {"$complex": [float_tree(value.real), float_tree(value.imag)]}


def bytes_tree(value: bytes | bytearray | memoryview) -> skeleton.Tree:
    """Return bytes as JSON."""
    return {"$bytes": base64.b64encode(value).decode("ascii")}


def text_tree(value: str) -> skeleton.Tree:
    """Return text as JSON, lone surrogates and all."""
    if paths.is_utf8(value):
        return value
    raw = value.encode("utf-8", "surrogatepass")
    return {"$str": base64.b64encode(raw).decode("ascii")}


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

    def run(self, value: Any) -> skeleton.Tree:
        root: list[skeleton.Tree] = [None]
        self._todo.append((value, root, 0, None, 1))
        while self._todo:
            value, holder, slot, trail, depth = self._todo.pop()
            if depth > skeleton.MAX_DEPTH and type(value) in _CONTAINERS:
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
        return value if value in _INT64 else {"$int": hex(value)}

    def _float(self, value: float, _trail: Any) -> skeleton.Tree:
        return float_tree(value)

    def _complex(self, value: complex, _trail: Any) -> skeleton.Tree:
        return complex_tree(value)

    def _str(self, value: str, trail: Any) -> skeleton.Tree:
        if len(value) > LONG_TEXT and self._inline is None:
            raw = value.encode("utf-8", "surrogatepass")
            return self._array(np.frombuffer(raw, np.uint8), "str", trail)
        return value if value.isascii() else text_tree(value)

    def _bytes(self, value: bytes, trail: Any) -> skeleton.Tree:
        if len(value) > LONG_TEXT and self._inline is None:
            return self._array(np.frombuffer(value, np.uint8), "bytes", trail)
        return bytes_tree(value)

    # Everything else ----------------------------------------------------

    def _node(self, value: Any, trail: Any, depth: int) -> skeleton.Tree:
        kind = type(value)
        if isinstance(value, np.generic):
            tree = self._numpy_scalar(value)
            if tree is not None:
                return tree
        seen = self._seen.get(id(value))
        if seen is not None:
            return {skeleton.PATH_TAG: _trail_path(seen[1])}
        # Tuples of leaves are shared by the compiler's whim, and by nothing
        # that anybody could see.
        if kind is not tuple or not all(type(item) in _LEAVES for item in value):
            self._seen[id(value)] = (value, trail)
        if kind is dict:
            return self._dict(value, trail, depth)
        if kind is list:
            return self._list(value, trail, depth)
        if kind is tuple:
            return self._items("$tuple", value, trail, depth)
        if kind is np.ndarray or kind is np.memmap:
            return self._numpy_array(value, trail, depth)
        return self._pickle(value, trail)

    def _numpy_array(self, value: AnyArray, trail: Any, depth: int) -> skeleton.Tree:
        if value.dtype == object:
            tree = self._items("$objects", value.reshape(-1), trail, depth)
            tree["shape"] = list(value.shape)
            return tree
        if dtypes.is_faithful(value.dtype):
            return self._array(value, "array", trail)
        return self._pickle(value, trail)

    def _dict(self, value: dict[Any, Any], trail: Any, depth: int) -> skeleton.Tree:
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
                or (kind is int and item in _INT64)
                or (kind is str and len(item) <= LONG_TEXT and item.isascii())
            ):
                tree[written] = item
            else:
                tree[written] = None
                step = (trail, paths.key_token(key))
                later.append((item, tree, written, step, depth + 1))
        self._todo.extend(reversed(later))
        return tree

    def _pairs(self, value: dict[Any, Any], trail: Any, depth: int) -> skeleton.Tree:
        keys = []
        for key in value:
            try:
                keys.append(encode_key(key))
            except EncodeError as error:
                msg = f"{_where(trail)}: the key {key!r:.60}: {error}"
                raise EncodeError(msg) from error
        pairs: list[list[skeleton.Tree]] = [[key, None] for key in keys]
        tree = {"$dict": pairs}
        for pair, item, (token, _) in zip(
            reversed(pairs),
            reversed(value.values()),
            reversed(list(skeleton.children(tree))),
            strict=True,
        ):
            self._todo.append((item, pair, 1, (trail, token), depth + 3))
        return tree

    def _list(self, value: list[Any], trail: Any, depth: int) -> skeleton.Tree:
        if len(value) > LONG_LIST and self._inline is None:
            kinds = set(map(type, value))
            if len(kinds) == 1:
                array = _as_array(value, kinds.pop())
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

    def _numpy_scalar(self, value: Any) -> skeleton.Tree | None:
        kind = type(value)
        if kind is np.str_:
            return {"$numpy": "str", "value": text_tree(_whole(value))}
        if kind is np.bytes_:
            return {"$numpy": "bytes", "value": bytes_tree(_whole(value))}
        dtype = value.dtype
        if not dtypes.is_faithful(dtype) or dtype.type is not kind:
            return None
        name = dtypes.dtype_tree(dtype)
        # On one platform two C types may have one size; each has its own letter.
        if isinstance(name, str) and np.dtype(name).type is not kind:
            name = dtype.char
        if kind is np.bool_:
            return {"$numpy": name, "value": bool(value)}
        if kind in (np.float64, np.float32, np.float16) and np.isfinite(value):
            return {"$numpy": name, "value": float(value)}
        if dtype.kind in "iu" and int(value) in _INT64:
            return {"$numpy": name, "value": int(value)}
        return {"$numpy": name, "hex": value.tobytes().hex()}

    def _pickle(self, value: Any, trail: Any) -> skeleton.Tree:
        if self._inline is not None:
            msg = f"{_where(trail)}: {_named(value)} cannot be part of {self._inline}"
            raise EncodeError(msg)
        try:
            raw = pickled.dumps(value)
        except EncodeError as error:
            msg = f"{_where(trail)}: {error}"
            raise EncodeError(msg) from error
        self.executable = True
        node = self._array(np.frombuffer(raw, np.uint8), "pickle", trail)
        node["class"] = pickled.class_name(value)
        return node

    # Arrays -------------------------------------------------------------

    def _array(self, value: AnyArray, kind: str, trail: Any) -> dict[str, Any]:
        if self._inline is not None:
            msg = f"{_where(trail)}: an array cannot be part of {self._inline}"
            raise EncodeError(msg)
        held = dtypes.array_bytes(value)
        address = held.__array_interface__["data"][0]
        if not digest.blocked(held.nbytes) and held.nbytes:
            # Another thread may change it between its digest and its writing.
            held = held.copy()
            value = dtypes.bytes_array(held, value.dtype, value.shape)
        raw = held.data
        hashed, blocks = digest.array_digest(raw)
        number = len(self.arrays)
        path = _trail_path(trail)
        self.arrays.append(StoredArray(path, value, kind, raw, hashed, blocks, address))
        node: dict[str, Any] = {
            "$array": number,
            "dtype": dtypes.dtype_tree(value.dtype),
            "shape": list(value.shape),
            "digest": hashed,
        }
        if kind != "array":
            node["as"] = kind
        return node


def _as_array(value: list[Any], kind: type) -> AnyArray | None:
    """Return the array that holds a list of numbers exactly, if there is one."""
    if kind is int:
        try:
            return np.array(value, "<i8")
        except OverflowError:
            return None
    if kind in _LIST_DTYPES:
        return np.array(value, _LIST_DTYPES[kind])
    return None


def _whole(value: Any) -> Any:
    """Return numpy's text or bytes as Python's, with the NULs at its end."""
    # str() and bytes() go through numpy, which strips them.
    base = str if isinstance(value, str) else bytes
    return base.__getitem__(value, slice(None))


def _where(trail: Any) -> str:
    return _trail_path(trail) or "the value itself"


def _named(value: Any) -> str:
    return f"a value of type {pickled.class_name(value)}"


_CONTAINERS = frozenset({dict, list, tuple, np.ndarray})

_LEAVES: dict[type, Callable[[_Walk, Any, Any], skeleton.Tree]] = {
    type(None): _Walk._same,  # noqa: SLF001 - this module's own class
    bool: _Walk._same,  # noqa: SLF001
    int: _Walk._int,  # noqa: SLF001
    float: _Walk._float,  # noqa: SLF001
    complex: _Walk._complex,  # noqa: SLF001
    str: _Walk._str,  # noqa: SLF001
    bytes: _Walk._bytes,  # noqa: SLF001
}
