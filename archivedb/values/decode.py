"""
The way back: a skeleton and its arrays become the Python value.

Containers are made first and filled afterwards, so cycles close; tuples are
made last, in the order in which they need each other.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import DecodeError
from archivedb.values import dtypes, skeleton

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.values.dtypes import AnyArray, Bytes
    from archivedb.values.skeleton import Skeleton, Tree

    Fetch = Callable[[int, Tree], Bytes]
    Restore = Callable[[int, Tree], Any]


@dataclass(frozen=True, slots=True)
class Stub:
    """
    What stands where an object was not restored.

    Attributes:
        class_name: ``module:QualName`` of its class.
        size: Bytes that it takes, pickled.
        digest: Theirs.

    """

    class_name: str
    size: int
    digest: str


def stub(node: Tree) -> Stub:
    """Return the stub for a ``$array`` node that stands for a pickle."""
    return Stub(str(node["class"]), int(node["shape"][0]), str(node["digest"]))


def decode(source: Skeleton, node: Tree, fetch: Fetch, restore: Restore) -> Any:
    """
    Return the value of a node and all below it.

    Args:
        source: The skeleton that the node belongs to.
        node: Its root, or any part of it.
        fetch: Returns the checked bytes of a ``$array`` node, writable and the
            caller's own.
        restore: Returns the object whose pickle is array *n*.

    Raises:
        DecodeError: The skeleton is not of the documented form.

    """
    with skeleton.well_formed("skeleton"):
        return _Reader(source, fetch, restore).run(node)


def array_of(node: Tree, raw: Bytes) -> AnyArray:
    """Return the array that a ``$array`` node and its bytes make."""
    dtype = dtypes.tree_dtype(node["dtype"])
    return dtypes.bytes_array(raw, dtype, tuple(node["shape"]))


def decode_inline(tree: Tree) -> Any:
    """Return what `encode_inline` or `encode_key` encoded."""
    source = skeleton.Skeleton.of(tree)
    return decode(source, source.root, _no_array, _no_object)


def _no_array(number: int, _node: Tree) -> Bytes:
    msg = f"array {number} stands where no array can be"
    raise DecodeError(msg)


def _no_object(number: int, _node: Tree) -> Any:
    return _no_array(number, _node)


class _Tuple(list[Any]):
    """A tuple whose items are not all there yet."""

    __slots__ = ()


def read_float(text: str) -> float:
    """Return the float that a ``$float`` holds."""
    if text in ("nan", "inf", "-inf"):
        return float(text)
    value: float = struct.unpack(">d", bytes.fromhex(text))[0]
    return value


def read_text(raw: bytes | bytearray | memoryview) -> str:
    """Return the text of surrogatepass UTF-8."""
    return bytes(raw).decode("utf-8", "surrogatepass")


class _Reader:
    """One walk over one skeleton."""

    def __init__(self, source: Skeleton, fetch: Fetch, restore: Restore) -> None:
        self._source = source
        self._fetch = fetch
        self._restore = restore
        self._built: dict[int, Any] = {}
        self._todo: list[tuple[Tree, Any, Any]] = []
        self._tuples: list[_Tuple] = []
        self._holders: dict[int, list[tuple[Any, Any]]] = {}
        self._refs: list[tuple[Tree, Any, Any]] = []

    def run(self, node: Tree) -> Any:
        root: list[Any] = [None]
        self._todo.append((node, root, 0))
        self._drain()
        while self._refs:
            node, holder, slot = self._refs.pop()
            target = self._source.resolve(node)
            if id(target) not in self._built:
                # The target lies outside of the part that was asked for.
                outside: list[Any] = [None]
                self._todo.append((target, outside, 0))
                self._drain()
                self._built.setdefault(id(target), outside[0])
            self._put(self._built[id(target)], holder, slot)
        self._finish_tuples()
        return root[0]

    def _drain(self) -> None:
        while self._todo:
            node, holder, slot = self._todo.pop()
            while skeleton.tag_of(node) == skeleton.NODE_TAG:
                node = self._source.table(node)
            if skeleton.tag_of(node) == skeleton.PATH_TAG:
                holder[slot] = None
                self._refs.append((node, holder, slot))
                continue
            value = self._value(node)
            if self._source.shares and (type(node) is dict or type(node) is list):
                self._built[id(node)] = value
            self._put(value, holder, slot)

    def _put(self, value: Any, holder: Any, slot: Any) -> None:
        holder[slot] = value
        if type(value) is _Tuple:
            self._holders.setdefault(id(value), []).append((holder, slot))

    def _finish_tuples(self) -> None:
        """Turn each tuple in the making into one, those inside it first."""
        done: dict[int, tuple[Any, ...]] = {}
        begun: set[int] = set()
        for start in reversed(self._tuples):
            stack = [start]
            while stack:
                proxy = stack[-1]
                if id(proxy) in done:
                    stack.pop()
                    continue
                waiting = [x for x in proxy if type(x) is _Tuple and id(x) not in done]
                if waiting:
                    if id(proxy) in begun:
                        msg = "the skeleton has a tuple inside itself"
                        raise DecodeError(msg)
                    begun.add(id(proxy))
                    stack.extend(waiting)
                    continue
                done[id(proxy)] = made = tuple(proxy)
                for holder, slot in self._holders.get(id(proxy), ()):
                    holder[slot] = made
                stack.pop()

    def _value(self, node: Tree) -> Any:
        kind = type(node)
        if kind is list:
            made: list[Any] = list(node)
            self._later(made, node)
            return made
        if kind is not dict:
            return node
        tag = skeleton.tag_of(node)
        if tag is None:
            return self._dict(node)
        read = _TAGS.get(tag)
        if read is None:
            msg = f"the skeleton holds a {tag!r}, which this archivedb is too old for"
            raise DecodeError(msg)
        return read(self, node)

    def _later(self, made: list[Any], node: list[Tree]) -> None:
        for index in range(len(node) - 1, -1, -1):
            child = node[index]
            if type(child) is dict or type(child) is list:
                self._todo.append((child, made, index))

    def _dict(self, node: dict[str, Tree]) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for written, child in node.items():
            key = skeleton.read_key(written)
            made[key] = child
            if type(child) is dict or type(child) is list:
                self._todo.append((child, made, key))
        return made

    def _pairs(self, node: Tree) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for written, child in node["$dict"]:
            key = decode_inline(written) if type(written) is not str else written
            made[key] = None
            self._todo.append((child, made, key))
        return made

    def _tuple(self, node: Tree) -> Any:
        items = node["$tuple"]
        if not items:
            return ()
        made = _Tuple(items)
        self._later(made, items)
        self._tuples.append(made)
        return made

    def _objects(self, node: Tree) -> AnyArray:
        items = node["$objects"]
        flat = np.empty(len(items), object)
        for index in range(len(items) - 1, -1, -1):
            self._todo.append((items[index], flat, index))
        return flat.reshape(tuple(node["shape"]))

    def _array(self, node: Tree) -> Any:
        number, stands_for = node["$array"], node.get("as", "array")
        if stands_for == "pickle":
            return self._restore(number, node)
        raw = self._fetch(number, node)
        if stands_for == "array":
            return array_of(node, raw)
        if stands_for == "list":
            return array_of(node, raw).tolist()
        if stands_for == "str":
            return read_text(raw.data)
        if stands_for == "bytes":
            return raw.tobytes()
        msg = f"an array stands for {stands_for!r}, which this archivedb is too old for"
        raise DecodeError(msg)

    def _numpy(self, node: Tree) -> Any:
        name = node["$numpy"]
        if name == "str":
            return np.str_(decode_inline(node["value"]))
        if name == "bytes":
            return np.bytes_(decode_inline(node["value"]))
        dtype = dtypes.tree_dtype(name)
        if "hex" in node:
            raw = np.frombuffer(bytearray.fromhex(node["hex"]), np.uint8)
            return dtypes.bytes_array(raw, dtype, (1,))[0]
        if dtype.kind not in "biuf":
            msg = f"a {dtype} has no value that JSON holds"
            raise DecodeError(msg)
        return dtype.type(node["value"])


_TAGS: dict[str, Callable[[_Reader, Tree], Any]] = {
    "$int": lambda _, node: int(node["$int"], 16),
    "$float": lambda _, node: read_float(node["$float"]),
    "$complex": lambda _, node: complex(*map(decode_inline, node["$complex"])),
    "$str": lambda _, node: read_text(base64.b64decode(node["$str"], validate=True)),
    "$bytes": lambda _, node: base64.b64decode(node["$bytes"], validate=True),
    "$dict": _Reader._pairs,  # noqa: SLF001 - this module's own class
    "$tuple": _Reader._tuple,  # noqa: SLF001
    "$objects": _Reader._objects,  # noqa: SLF001
    "$array": _Reader._array,  # noqa: SLF001
    "$numpy": _Reader._numpy,  # noqa: SLF001
}
