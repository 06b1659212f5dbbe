"""Arrays on their way into a payload, and what they stand for on the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import DecodeError
from archivedb.values import digest, dtypes
from archivedb.values.scalars import read_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.values.dtypes import AnyArray, Bytes
    from archivedb.values.skeleton import Tree

    Fetch = Callable[[int, Tree], Bytes]

_LIST_DTYPES = {float: "<f8", bool: "|b1"}


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

    @property
    def nbytes(self) -> int:
        """How many bytes it has."""
        return len(self.raw)


@dataclass(frozen=True, slots=True)
class KeptArray:
    """
    One array of an edited value that an earlier payload holds already.

    Attributes:
        file: That payload, relative to the store.
        offset: Where its bytes begin there.
        nbytes: How many they are.
        blocks: Where the digests of its blocks begin, or None.
        facts: What the search index holds of it, or None if nobody has looked.

    """

    file: str
    offset: int
    nbytes: int
    blocks: int | None
    facts: Any = None


def stored(path: str, value: AnyArray, kind: str) -> StoredArray:
    """
    Return an array as it will be written.

    Args:
        path: Where it stands.
        value: The array, of a dtype that is wholly its bytes.
        kind: What it stands for; see `StoredArray`.

    """
    held = dtypes.array_bytes(value)
    address = held.__array_interface__["data"][0]
    if not digest.blocked(held.nbytes) and held.nbytes:
        # Another thread may change it between its digest and its writing.
        held = held.copy()
        value = dtypes.bytes_array(held, value.dtype, value.shape)
    raw = held.data
    hashed, blocks = digest.array_digest(raw)
    return StoredArray(path, value, kind, raw, hashed, blocks, address)


def snapshot(array: StoredArray) -> StoredArray:
    """Return an array that is written later: a copy, unless `stored` has made one."""
    if array.blocks is None:
        return array
    held = np.frombuffer(array.raw, np.uint8).copy()
    values = dtypes.bytes_array(held, array.values.dtype, array.values.shape)
    return replace(array, values=values, raw=held.data)


def stored_again(path: str, node: Tree, raw: Any) -> StoredArray:
    """
    Return an array that was read, to be written once more.

    Args:
        path: Where it stands.
        node: Its ``$array`` node.
        raw: Its checked bytes, as ``uint8``.

    """
    dtype = dtypes.tree_dtype(node["dtype"])
    values = dtypes.bytes_array(raw, dtype, tuple(node["shape"]))
    blocks = digest.array_digest(raw.data)[1]
    address = raw.__array_interface__["data"][0]
    kind = node.get("as", "array")
    return StoredArray(path, values, kind, raw.data, node["digest"], blocks, address)


def list_array(value: list[Any], kind: type) -> AnyArray | None:
    """Return the array that holds a list of numbers exactly, if there is one."""
    if kind is int:
        try:
            return np.array(value, "<i8")
        except OverflowError:
            return None
    if kind in _LIST_DTYPES:
        return np.array(value, _LIST_DTYPES[kind])
    return None


def array_of(node: Tree, raw: Bytes) -> AnyArray:
    """Return the array that a ``$array`` node and its bytes make."""
    dtype = dtypes.tree_dtype(node["dtype"])
    return dtypes.bytes_array(raw, dtype, tuple(node["shape"]))


def value_of(node: Tree, raw: Bytes) -> Any:
    """
    Return what a ``$array`` node that is no pickle stands for.

    Raises:
        DecodeError: It stands for something unknown.

    """
    stands_for = node.get("as", "array")
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


def joined(parts: list[Tree], fetch: Fetch) -> AnyArray:
    """
    Return the one array whose rows lie in several.

    Raises:
        DecodeError: It is larger than this machine's memory.

    """
    # Once: another thread may append to what it reads as well.
    parts = list(parts)
    first = parts[0]
    shape = (sum(part["shape"][0] for part in parts), *first["shape"][1:])
    try:
        # Neither np.concatenate nor np.empty keeps every byte order.
        whole: AnyArray = np.ndarray(shape, dtypes.tree_dtype(first["dtype"]))
    except MemoryError as error:
        raise DecodeError(str(error)) from error
    at = 0
    for part in parts:
        if part.get("as", "array") != "array":
            raise ValueError(part)
        rows = array_of(part, fetch(part["$array"], part))
        if rows.dtype != whole.dtype or rows.shape[1:] != whole.shape[1:]:
            raise ValueError(part)
        whole[at : at + len(rows)] = rows
        at += len(rows)
    return whole
