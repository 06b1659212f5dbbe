"""
numpy dtypes as JSON, arrays as bytes.

A dtype is its ``dtype.str`` (``"<f8"``), or for a structured one an object
with ``names``, ``formats``, ``offsets`` and ``itemsize``, or for a sub-array
``{"base": …, "shape": […]}``.
https://numpy.org/doc/stable/reference/arrays.interface.html
"""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archivedb.errors import DecodeError
from archivedb.values import json

AnyArray = NDArray[Any]
Bytes = NDArray[np.uint8]


def holds_bytes(dtype: np.dtype[Any]) -> bool:
    """Return whether an array of this dtype is wholly its own bytes."""
    # StringDType keeps its text in an arena beside the array.
    return not dtype.hasobject and dtype.kind in "biufcmMSUV"


def dtype_tree(dtype: np.dtype[Any]) -> Any:
    """
    Return a dtype as JSON.

    >>> dtype_tree(np.dtype("f8"))
    '<f8'
    """
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": dtype_tree(base), "shape": list(shape)}
    if dtype.fields is None:
        return dtype.str
    fields = [dtype.fields[name] for name in dtype.names or ()]
    tree = {
        "names": list(dtype.names or ()),
        "formats": [dtype_tree(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "itemsize": dtype.itemsize,
    }
    titles = [field[2] if len(field) > 2 else None for field in fields]  # noqa: PLR2004
    if any(titles):
        tree["titles"] = titles
    if dtype.isalignedstruct:
        tree["aligned"] = True
    return tree


def tree_dtype(tree: Any) -> np.dtype[Any]:
    """
    Return the dtype that a tree stands for.

    Raises:
        DecodeError: It stands for none, or for one that holds objects.

    """
    try:
        dtype = _build(tree)
    except _NO_DTYPE as error:
        msg = f"{tree!r} is no dtype: {error}"
        raise DecodeError(msg) from error
    if not holds_bytes(dtype):
        msg = f"{tree!r} is a dtype that holds more than bytes"
        raise DecodeError(msg)
    return dtype


_NO_DTYPE = (
    AttributeError,
    LookupError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
)


_SPELLING = re.compile(r"[<>=|]?[A-Za-z]+[0-9]*(\[\w*\])?")


def named_dtype(name: str) -> np.dtype[Any]:
    """
    Return the dtype of a name that stands for one alone.

    numpy would take lists of them as well, and has Python parse the numbers in
    these.

    Raises:
        TypeError: There is none of this name.
        ValueError: It is not spelt like one.

    """
    if not _SPELLING.fullmatch(name):
        msg = f"{name!r:.60} is not how a dtype is spelt"
        raise ValueError(msg)
    return np.dtype(name)


def _build(tree: Any) -> np.dtype[Any]:
    if isinstance(tree, str):
        return named_dtype(tree)
    if "base" in tree:
        return np.dtype((_build(tree["base"]), tuple(tree["shape"])))
    spec: Any = {
        "names": tree["names"],
        "formats": [_build(field) for field in tree["formats"]],
        "offsets": tree["offsets"],
        "itemsize": tree["itemsize"],
    }
    if "titles" in tree:
        spec["titles"] = tree["titles"]
    made: np.dtype[Any] = np.dtype(spec, align=bool(tree.get("aligned")))
    return made


def is_faithful(dtype: np.dtype[Any]) -> bool:
    """Return whether `dtype_tree` says all there is to say about a dtype."""
    if not holds_bytes(dtype):
        return False
    if _nested(dtype) > MAX_NESTED:
        return False
    try:
        tree = dtype_tree(dtype)
        json.dumps(tree)  # a field's name may be no text, its title anything
        built = _build(tree)
    except (TypeError, ValueError):
        return False
    return built == dtype and _alike(built, dtype)


def _alike(one: np.dtype[Any], other: np.dtype[Any]) -> bool:
    """Return whether equal dtypes are so in what equality overlooks."""
    todo = [(one, other)]
    while todo:
        a, b = todo.pop()
        # Records are not voids, nor is a C long a long long of one size.
        if a.type is not b.type or b.metadata:
            return False
        if b.subdtype is not None and a.subdtype is not None:
            todo.append((a.subdtype[0], b.subdtype[0]))
        fields = zip((a.fields or {}).values(), (b.fields or {}).values(), strict=True)
        todo += [(x[0], y[0]) for x, y in fields]
    return True


MAX_NESTED = 16
"""Structures inside structures that JSON is given; deeper ones are pickled."""


def _nested(dtype: np.dtype[Any]) -> int:
    depth, level = 0, [dtype]
    while level and depth <= MAX_NESTED:
        below = [d.subdtype[0] for d in level if d.subdtype is not None]
        below += [field[0] for d in level for field in (d.fields or {}).values()]
        depth, level = depth + 1, below
    return depth


def array_bytes(array: AnyArray) -> Bytes:
    """Return an array's bytes in C order, as a view where it has that order."""
    if array.nbytes == 0:
        return np.empty(0, np.uint8)
    if array.dtype.fields is not None and not array.flags.c_contiguous:
        # What lies between the fields is not copied, and would be anything.
        copied = np.zeros(array.shape, array.dtype)
        copied[...] = array
        return copied.reshape(-1).view(np.uint8)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def bytes_array(raw: Bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> AnyArray:
    """
    Return the array of these bytes, without copying them.

    Raises:
        DecodeError: There are more or fewer bytes than the array has.

    """
    count = 1
    for length in shape:
        count *= length
    if raw.nbytes != count * dtype.itemsize:
        msg = f"{raw.nbytes} bytes are no array {list(shape)} of {dtype}"
        raise DecodeError(msg)
    if raw.nbytes == 0:
        # np.empty would make an S0 an S1.
        return np.ndarray(shape, dtype)
    # np.ndarray rather than view(): a view of sub-array dtypes grows axes.
    return np.ndarray(shape, dtype, buffer=raw.data)


def is_text(values: AnyArray) -> bool:
    """Return whether every character of an array of text is one of Unicode's."""
    codes = array_bytes(values).view(f"{values.dtype.byteorder}u4")
    return bool((codes <= sys.maxunicode).all())
