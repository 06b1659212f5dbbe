"""
Values that a backend cannot hold, as groups of what it can.

A *tagged* group has the key ``.archivedb``: JSON with the skeleton of the
value, its digest, who signed it if it runs code, and the names of its arrays,
which stand beside it.  A dict with text keys is a plain group instead, unless
parts of it are one object or it is nested too deeply for its items to be
stored one by one.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import DecodeError, PayloadCorruptError, UntrustedPayloadError
from archivedb.formats.inline import array_nodes
from archivedb.storage.nodes import Overlay, own
from archivedb.values import digest, dtypes, json, paths, signing, skeleton
from archivedb.values.arrays import StoredArray, array_of
from archivedb.values.decode import decode, decode_inline
from archivedb.values.encode import encode
from archivedb.values.executable import class_names
from archivedb.values.objects import Objects
from archivedb.values.scalars import read_text
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archivedb.storage.nodes import Node
    from archivedb.values.dtypes import AnyArray, Bytes
    from archivedb.values.encode import Encoded
    from archivedb.values.skeleton import Tree

MARK = paths.RESERVED
"""The key of a tagged group that makes it one; no key of users is spelt so."""

VERSION = 1
"""The version of what the mark says."""

_INT64 = range(-(1 << 63), 1 << 63)
_NAN = struct.pack("<d", math.nan)
_LONG_DOUBLES = "gG"
_LONG_NAME = 80
_NOT_PLAIN: Any = object()


def is_tagged(node: Node) -> bool:
    """Return whether a group stands for one value."""
    return node.kind(MARK) is not None


def is_plain(value: Any) -> bool:
    """Return whether every backend holds a value as it is."""
    kind = type(value)
    if value is None or kind is bool or kind is bytes:
        return True
    if kind is int:
        return value in _INT64
    if kind is float:
        # Some places know one NaN only.
        return not math.isnan(value) or struct.pack("<d", value) == _NAN
    if kind is str:
        return "\0" not in value and paths.is_utf8(value)
    return kind is np.ndarray and _is_plain_array(value)


def _is_plain_array(array: AnyArray) -> bool:
    dtype = array.dtype
    if dtype.kind == "b":
        # A byte of 2 is true as well, but some places make it 1.
        return not (dtypes.array_bytes(array) > 1).any()
    return dtype.kind in "iufc" and dtype.char not in _LONG_DOUBLES


# Writing ----------------------------------------------------------------


def build(value: Any, *, copies: bool) -> Any:
    """
    Return what a backend shall hold for a value: a plain one, or a new group.

    Args:
        value: Any value.
        copies: Whether large arrays are copied now; else they may be the
            caller's own.

    Raises:
        EncodeError: Part of it cannot be stored exactly; says which.

    """
    if is_plain(value):
        return own(value) if copies else value
    encoded = encode(value)
    source = Skeleton(encoded.skeleton)
    arrays = [
        # Small ones have been copied already.
        (each.path, own(each.values) if copies and each.blocks else each.values)
        for each in encoded.arrays
        if isinstance(each, StoredArray)
    ]
    if copies:
        encoded.require_unchanged()
    if source.shares or source.nodes:
        return tag(encoded.skeleton, arrays, executable=encoded.executable)
    return _group(source.root, arrays, encoded)


def _group(root: Tree, arrays: list[tuple[str, AnyArray]], encoded: Encoded) -> Any:
    """Return the root of a skeleton as a plain value or a group."""
    if not _is_plain_dict(root):
        return _leaf(root, "", arrays, encoded)
    made = Overlay()
    todo = [(root, "", made)]
    while todo:
        node, path, target = todo.pop()
        for key, child in skeleton.children(node):
            below = f"{path}{key}/"
            if _is_plain_dict(child):
                todo.append((child, below, target.create(key)))
            else:
                target.set(key, _leaf(child, below, arrays, encoded))
    return made


def _is_plain_dict(node: Tree) -> bool:
    return type(node) is dict and skeleton.tag_of(node) is None


def _leaf(
    node: Tree, path: str, arrays: list[tuple[str, AnyArray]], encoded: Encoded
) -> Any:
    """Return a node that is no plain group as a plain value or a tagged group."""
    plain = _plain(node, arrays)
    if plain is not _NOT_PLAIN:
        return plain
    nodes = sorted(array_nodes(node), key=lambda each: int(each["$array"]))
    inside = [arrays[each["$array"]] for each in nodes]
    # As if it had been encoded by itself.
    for number, each in enumerate(nodes):
        each["$array"] = number
    relative = [(where[len(path) :], values) for where, values in inside]
    executable = encoded.executable and bool(class_names(Skeleton.of(node)))
    return tag(json.dumps(node), relative, executable=executable)


def _plain(node: Tree, arrays: list[tuple[str, AnyArray]]) -> Any:
    """Return the plain value that a node stands for, if it does for one."""
    tagged = skeleton.tag_of(node)
    if tagged == "$array":
        values, stands_for = arrays[node["$array"]][1], node.get("as", "array")
        if stands_for == "bytes":
            return values.tobytes()
        if stands_for == "str":
            text = read_text(values.tobytes())
            return text if is_plain(text) else _NOT_PLAIN
        return values if stands_for == "array" and is_plain(values) else _NOT_PLAIN
    if tagged in ("$float", "$bytes"):
        node = decode_inline(node)
    return node if is_plain(node) else _NOT_PLAIN


def tag(
    text: bytes, arrays: Iterable[tuple[str, AnyArray]], *, executable: bool
) -> Overlay:
    """
    Return the tagged group of a value.

    Args:
        text: Its skeleton.
        arrays: The path and the values of each array.
        executable: Whether reading it back runs code; then it is signed.

    """
    named: dict[str, AnyArray] = {}
    for number, (path, values) in enumerate(arrays):
        name = path.replace("/", ".") or "value"
        if name in named or len(name) > _LONG_NAME or name == MARK:
            name = f"array-{number}"
        while name in named:
            name += "-"
        named[name] = values
    hashed = digest.digest(text)
    head: dict[str, Any] = {"archivedb": VERSION, "digest": hashed}
    if executable:
        head["signature"] = signing.sign(hashed)
    head |= {"arrays": list(named), "skeleton": json.verbatim(text)}
    made = Overlay()
    # First: a group that was not finished lacks arrays, and is no other group.
    made.set(MARK, json.dumps(head).decode())
    for name, values in named.items():
        made.set(name, values if is_plain(values) else dtypes.array_bytes(values))
    return made


# Reading ----------------------------------------------------------------


class Tagged:
    """
    A value in a tagged group, to be read in part or in whole.

    Args:
        node: The group.
        path: Where it stands, for messages.

    Raises:
        PayloadCorruptError: The skeleton is not what its digest says.
        DecodeError: The mark says something else than a mark says.

    """

    def __init__(self, node: Node, path: str) -> None:
        self._node = node
        self._path = path
        text = node.get(MARK)
        what = f"mark of {path or 'the storage'}"
        if type(text) is not str:
            msg = f"the {what} is no text"
            raise DecodeError(msg)
        head = json.loads(text.encode(), what)
        with skeleton.well_formed(what):
            version, tree = head["archivedb"], head["skeleton"]
            self.digest, self.names = head["digest"], list(head["arrays"])
            self.signature = head.get("signature")
        if version != VERSION:
            msg = f"the {what} is of version {version!r}: update archivedb"
            raise DecodeError(msg)
        self.text = json.dumps(tree)
        if digest.digest(self.text) != self.digest:
            msg = f"{path}: the skeleton differs from its digest"
            raise PayloadCorruptError(msg)
        self.skeleton = Skeleton(self.text)

    def fetch(self, number: int, node: Tree) -> Bytes:
        """
        Return the checked bytes of a ``$array`` node, the caller's own.

        Raises:
            PayloadCorruptError: They are not what was stored.

        """
        with skeleton.well_formed("skeleton"):
            name = self.names[number]
        try:
            values = self._node.get(name)
        except KeyError:
            values = None
        if not isinstance(values, np.ndarray) or values.dtype.hasobject:
            msg = f"{self._path}: the array {name!r} is not there"
            raise PayloadCorruptError(msg)
        raw = dtypes.array_bytes(values)
        if digest.array_digest(raw.data)[0] != node["digest"]:
            msg = f"{self._path}: the array {name!r} differs from its digest"
            raise PayloadCorruptError(msg)
        return raw

    def arrays(self) -> dict[int, tuple[str, AnyArray]]:
        """Return the name and the checked values of every array, by number."""
        found = {}
        for tree in (self.skeleton.root, self.skeleton.nodes):
            for node in array_nodes(tree):
                number = node["$array"]
                values = array_of(node, self.fetch(number, node))
                found[number] = self.names[number], values
        return found

    def value(self, node: Tree) -> Any:
        """
        Return the value of a node of the skeleton.

        Raises:
            UntrustedPayloadError: Making it would run code, and nobody whom
                this user trusts signed it.

        """
        return decode(
            self.skeleton, node, self.fetch, Objects(require=self.require_trusted)
        )

    def is_trusted(self) -> bool:
        """Return whether nothing would run, or someone trusted signed it."""
        return signing.is_trusted(self.signature, self.digest) or not class_names(
            self.skeleton
        )

    def require_trusted(self) -> None:
        """Raise unless what restoring the value would run may run."""
        if self.is_trusted():
            return
        inside = ", ".join(class_names(self.skeleton)[:5])
        msg = (
            f"{self._path or 'the storage'} holds {inside}, which runs code when it "
            "is restored, and nobody whom you trust has signed it; `open` shows "
            "what is in it without restoring anything"
        )
        raise UntrustedPayloadError(msg)
