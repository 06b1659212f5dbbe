"""Scalars that JSON cannot say, as tagged JSON, and back."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import numpy as np

from archivedb.errors import DecodeError
from archivedb.values import dtypes, paths

INT64 = range(-(1 << 63), 1 << 63)
"""The ints that JSON's readers keep exactly."""

_CANONICAL_NAN = struct.pack("<d", math.nan)


def float_tree(value: float) -> Any:
    """Return a float as JSON, every bit of it."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        bits = struct.pack("<d", value)
        text = "nan" if bits == _CANONICAL_NAN else bits[::-1].hex()
    else:
        text = "inf" if value > 0 else "-inf"
    return {"$float": text}


def complex_tree(value: complex) -> Any:
    """Return a complex number as JSON, every bit of it."""
    return {"$complex": [float_tree(value.real), float_tree(value.imag)]}


def bytes_tree(value: bytes | bytearray | memoryview) -> Any:
    """Return bytes as JSON."""
    return {"$bytes": base64.b64encode(value).decode("ascii")}


def text_tree(value: str) -> Any:
    """Return text as JSON, lone surrogates and all."""
    if paths.is_utf8(value):
        return value
    raw = value.encode("utf-8", "surrogatepass")
    return {"$str": base64.b64encode(raw).decode("ascii")}


def numpy_tree(value: Any) -> Any | None:
    """Return a numpy scalar as JSON, or None if JSON and a dtype cannot say it all."""
    kind = type(value)
    if kind is np.str_:
        return {"$numpy": "str", "value": text_tree(_whole(value))}
    if kind is np.bytes_:
        return {"$numpy": "bytes", "value": bytes_tree(_whole(value))}
    dtype = value.dtype
    # On one platform two C types may have one size; each has its own letter.
    if dtype.type is not kind or not (dtype.kind in "iu" or dtypes.is_faithful(dtype)):
        return None
    name = dtypes.dtype_tree(dtype)
    if isinstance(name, str) and np.dtype(name).type is not kind:
        name = dtype.char
    if kind is np.bool_:
        return {"$numpy": name, "value": bool(value)}
    if kind in (np.float64, np.float32, np.float16) and np.isfinite(value):
        return {"$numpy": name, "value": float(value)}
    if dtype.kind in "iu" and int(value) in INT64:
        return {"$numpy": name, "value": int(value)}
    return {"$numpy": name, "hex": value.tobytes().hex()}


def _whole(value: Any) -> Any:
    """Return numpy's text or bytes as Python's, with the NULs at its end."""
    # str() and bytes() go through numpy, which strips them.
    base = str if isinstance(value, str) else bytes
    return base.__getitem__(value, slice(None))


def read_float(text: str) -> float:
    """Return the float that a ``$float`` holds."""
    if text in ("nan", "inf", "-inf"):
        return float(text)
    value: float = struct.unpack(">d", bytes.fromhex(text))[0]
    return value


def read_text(raw: bytes | bytearray | memoryview) -> str:
    """Return the text of surrogatepass UTF-8."""
    return bytes(raw).decode("utf-8", "surrogatepass")


def read_scalar(node: Any) -> str | bytes:
    """Return the text or the bytes that a node holds."""
    if type(node) is str:
        return node
    if "$str" in node:
        return read_text(base64.b64decode(node["$str"], validate=True))
    return base64.b64decode(node["$bytes"], validate=True)


def read_numpy(node: Any) -> Any:
    """Return the numpy scalar that a ``$numpy`` node holds."""
    name = node["$numpy"]
    if name == "str":
        return np.str_(read_scalar(node["value"]))
    if name == "bytes":
        return np.bytes_(read_scalar(node["value"]))
    dtype = dtypes.tree_dtype(name)
    if "hex" in node:
        raw = np.frombuffer(bytearray.fromhex(node["hex"]), np.uint8)
        return dtypes.bytes_array(raw, dtype, (1,))[0]
    if dtype.kind not in "biuf":
        msg = f"a {dtype} has no value that JSON holds"
        raise DecodeError(msg)
    return dtype.type(node["value"])
