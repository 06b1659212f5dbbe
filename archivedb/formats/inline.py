"""
Arrays inside JSON: ``data`` beside the ``$array`` node, exact to the bit.

Numbers and text stand as nested lists, ``"nan"``, ``"inf"`` and ``"-inf"``
where JSON has no number, complex numbers as pairs.  What would not come back
bit by bit stands as base64 of its bytes in C order.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.values import dtypes, json, skeleton
from archivedb.values.arrays import KeptArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.values.arrays import StoredArray
    from archivedb.values.dtypes import AnyArray, Bytes
    from archivedb.values.encode import Encoded
    from archivedb.values.skeleton import Tree


def with_data(value: Encoded) -> Tree:
    """Return a value's skeleton with the data of each array beside its node."""
    tree = json.loads(value.skeleton, "skeleton")
    for node in array_nodes(tree):
        array = value.arrays[node["$array"]]
        if not isinstance(array, KeptArray):
            node["data"] = _data(array)
    return tree


def without_data(tree: Tree) -> tuple[bytes, dict[int, Any]]:
    """
    Return the canonical skeleton, and the data of each array by its number.

    Raises:
        DecodeError: An array has no data.

    """
    data: dict[int, Any] = {}
    with skeleton.well_formed("skeleton"):
        for node in array_nodes(tree):
            # What an earlier payload holds has none here.
            data[node["$array"]] = node.pop("data", None)
        return json.dumps(tree), data


def array_nodes(tree: Tree) -> Iterator[dict[str, Any]]:
    """Yield every ``$array`` node, in no particular order."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if type(node) is list:
            todo.extend(node)
        elif skeleton.tag_of(node) == "$array":
            yield node
        elif type(node) is dict:
            todo.extend(node.values())


def _data(array: StoredArray) -> Any:
    if array.kind == "str":
        try:
            return bytes(array.raw).decode()
        except UnicodeDecodeError:
            return _base64(array)
    if array.kind in ("bytes", "pickle"):
        return _base64(array)
    listed = _listed(array.values)
    if listed is not None:
        try:
            text = json.dumps(listed)
        except TypeError:  # text that is no UTF-8
            return _base64(array)
        # One line an array: people look at its shape, not at its brackets.
        return json.verbatim(text)
    return _base64(array)


def _base64(array: StoredArray) -> dict[str, str]:
    return {"base64": base64.b64encode(array.raw).decode("ascii")}


def _listed(values: AnyArray) -> Any | None:
    """Return an array as lists of JSON values, if they bring it back."""
    dtype = values.dtype
    if not values.size:
        return None  # as lists, an axis of 2**40 empty ones would be long
    if dtype.kind == "c" and dtype.itemsize <= 16:  # noqa: PLR2004 - two doubles
        flat = np.ascontiguousarray(values).reshape(-1)
        part = np.dtype(f"{dtype.byteorder}f{dtype.itemsize // 2}")
        return _listed(flat.view(part).reshape(*values.shape, 2))
    if dtype.kind == "b" and (np.ascontiguousarray(values).view("u1") > 1).any():
        return None  # true, but not the one true byte
    if dtype.kind in "biu":
        return values.tolist()
    if dtype.kind == "U":
        return values.tolist() if dtypes.is_text(values) else None
    if dtype.kind != "f" or dtype.itemsize > 8:  # noqa: PLR2004 - a double
        return None
    odd = ~np.isfinite(values)
    if not odd.any():
        return values.tolist()
    canonical = np.full(values.shape, math.nan, dtype)
    nans = np.isnan(values)
    if values[nans].tobytes() != canonical[nans].tobytes():
        return None
    words = values.astype(object)
    words[odd] = [str(x) for x in values[odd].tolist()]
    return words.tolist()


def raw_bytes(node: Tree, data: Any) -> Bytes:
    """
    Return the bytes of an array from its inline data.

    Raises:
        DecodeError: The data does not fit the node.

    """
    with skeleton.well_formed(f"data of array {node['$array']}"):
        if isinstance(data, dict):
            raw = base64.b64decode(data["base64"], validate=True)
        elif node.get("as") == "str":
            raw = data.encode()
        else:
            return _from_lists(node, data)
    return np.frombuffer(bytearray(raw), np.uint8)


def _from_lists(node: Tree, data: Any) -> Bytes:
    dtype = dtypes.tree_dtype(node["dtype"])
    shape = tuple(node["shape"])
    if dtype.kind == "c":
        dtype = np.dtype(f"{dtype.byteorder}f{dtype.itemsize // 2}")
        shape = (*shape, 2)
    # numpy reads the words "nan", "inf" and "-inf" as the numbers they are.
    array = np.array(data, dtype)
    return dtypes.array_bytes(array.reshape(shape)).copy()
