"""
Adapters of numpy's arrays: those of odd dtypes, and those of other classes.

A plain array of a plain dtype needs none: the skeleton has a node for it.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from archivedb.errors import DecodeError, EncodeError
from archivedb.values import dtypes
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import (
    NotAdaptedError,
    require,
    require_attributes,
    require_keys,
    require_that,
)
from archivedb.values.adapters.numpy_dtypes import facts, pack_dtype, unpack_dtype

SHORT = 1000
"""Up to so many texts are listed one by one, for people and for the index."""

_SPARSE = 1000
_SMALL = 1 << 20
"""An array may take so many times the bytes of its fields, or so many bytes."""


def adapters() -> list[Adapter]:
    """Return the adapters of all classes of arrays but masked ones."""
    return [
        odd_array(),
        Adapter("numpy.ndarray", np.memmap, _pack_array, _unpack_array),
        Adapter("numpy.void", np.void, _pack_scalar, _unpack_scalar),
        Adapter("numpy.record", np.record, _pack_scalar, _unpack_scalar),
        _view("numpy.matrix", np.matrix, {"_getitem"}),
        _view("numpy.recarray", np.recarray),
        *_character_arrays(),
    ]


def odd_array() -> Adapter:
    """Return the adapter of arrays whose dtype is more than bytes or text in JSON."""
    return Adapter("numpy.ndarray", np.ndarray, _pack_array, _unpack_array)


# Plain arrays of odd dtypes ---------------------------------------------------


def _pack_array(value: Any) -> dict[str, Any]:
    value = np.asarray(value)
    dtype = value.dtype
    state = {"dtype": pack_dtype(dtype)}
    if isinstance(dtype, np.dtypes.StringDType):
        return {**state, "shape": list(value.shape), **_pack_texts(value)}
    if dtype.hasobject and dtype.names:
        fields = {name: value[name] for name in dtype.names}
        _require_dense(value.shape, dtype, fields, EncodeError)
        return {**state, "shape": list(value.shape), "fields": fields}
    if not dtypes.holds_bytes(dtype):
        msg = f"an array of {dtype!r:.80} is more than its bytes"
        raise NotAdaptedError(msg)
    plain = plain_dtype(dtype)
    if plain is not None:
        return {**state, "values": value.view(plain)}
    return {**state, "shape": list(value.shape), "bytes": dtypes.array_bytes(value)}


def plain_dtype(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return a dtype of the same fields without records, or None if JSON has none."""
    if not dtypes.holds_bytes(dtype):
        return None
    try:
        plain = dtypes.tree_dtype(dtypes.dtype_tree(dtype))
    except DecodeError:
        return None
    # Equality overlooks what is a record.
    return plain if plain == dtype and dtypes.is_faithful(plain) else None


def _unpack_array(state: Any) -> Any:
    dtype = unpack_dtype(require(state, dict)["dtype"])
    if isinstance(dtype, np.dtypes.StringDType):
        return _unpack_texts(state, dtype)
    if dtype.hasobject:
        return _unpack_fields(state, dtype)
    require_that(dtypes.holds_bytes(dtype), "a dtype that holds more than bytes")
    if "bytes" in state:
        require_keys(state, {"dtype", "shape", "bytes"})
        raw = require(state["bytes"], np.ndarray)
        require_that(raw.dtype == np.uint8 and raw.ndim == 1, "bytes are no bytes")
        return dtypes.bytes_array(raw, dtype, _shape(state))
    values = require(require_keys(state, {"dtype", "values"})["values"], np.ndarray)
    same = values.dtype.itemsize == dtype.itemsize
    require_that(same and dtypes.holds_bytes(values.dtype), "values of another dtype")
    return values.view(dtype)


def _shape(state: Any) -> tuple[int, ...]:
    shape = tuple(require(state["shape"], list))
    for length in shape:
        require_that(require(length, int) >= 0, "an axis is shorter than nothing")
    return shape


def _unpack_fields(state: Any, dtype: np.dtype[Any]) -> Any:
    require_keys(state, {"dtype", "shape", "fields"})
    shape, fields = _shape(state), require(state["fields"], dict)
    names = dtype.names or ()
    require_that(list(fields) == list(names), "fields and dtype do not agree")
    for name in names:
        wanted: np.dtype[Any] = dtype[name]
        array = require(fields[name], np.ndarray)
        base, below = wanted.subdtype or (wanted, ())
        same = array.dtype == base and array.shape == shape + below
        require_that(same, f"the field {name!r:.40} is of another dtype or shape")
    _require_dense(shape, dtype, fields, ValueError)
    made = np.empty(shape, dtype)
    for name in names:
        made[name][...] = fields[name]
    return made


def _require_dense(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    fields: dict[str, Any],
    error: type[Exception],
) -> None:
    """Keep a few bytes from asking for an array that is nearly all padding."""
    held = sum(array.nbytes for array in fields.values())
    if math.prod(shape) * dtype.itemsize > max(_SMALL, _SPARSE * held):
        msg = (
            "nearly nothing of its items are fields; "
            "numpy.lib.recfunctions.repack_fields packs them"
        )
        raise error(msg)


# Texts of any length ----------------------------------------------------------


def _pack_texts(value: Any) -> dict[str, Any]:
    items = value.reshape(-1).tolist()
    if len(items) <= SHORT:
        return {"items": items}
    # Without a missing item, `tolist` gives text only.
    missing = np.array([type(item) is not str for item in items])
    texts = ["" if type(item) is not str else item for item in items]
    state = {"text": "".join(texts), "lengths": np.array([*map(len, texts)], np.int64)}
    return {**state, "missing": missing} if missing.any() else state


def _unpack_texts(state: Any, dtype: Any) -> Any:
    if "items" in state:
        items = require(require_keys(state, {"dtype", "shape", "items"})["items"], list)
        texts = [item if type(item) is str else None for item in items]
    else:
        needed = {"dtype", "shape", "text", "lengths"}
        texts = _split(require_keys(state, needed, {"missing"}))
    shape = _shape(state)
    require_that(math.prod(shape) == len(texts), "texts and shape do not agree")
    if None in texts:
        require_that(hasattr(dtype, "na_object"), "texts are missing from a full array")
        texts = [dtype.na_object if text is None else text for text in texts]
    made = np.empty(len(texts), dtype)
    made[:] = texts
    return made.reshape(shape)


def _split(state: dict[str, Any]) -> list[str | None]:
    text = require(state["text"], str)
    lengths = require(state["lengths"], np.ndarray)
    good = lengths.dtype == np.int64 and lengths.ndim == 1 and (lengths >= 0).all()
    require_that(good, "lengths are no lengths")
    lengths = lengths.tolist()
    require_that(sum(lengths) == len(text), "text and lengths do not agree")
    texts: list[str | None] = []
    begin = 0
    for length in lengths:
        texts.append(text[begin : begin + length])
        begin += length
    if "missing" in state:
        missing = require(state["missing"], np.ndarray)
        good = missing.dtype == np.bool and missing.shape == (len(texts),)
        require_that(good, "it is not said what is missing")
        for index in np.flatnonzero(missing).tolist():
            texts[index] = None
    return texts


# Scalars of structured dtypes -------------------------------------------------


def _pack_scalar(value: Any) -> dict[str, Any]:
    held = np.asarray(value)
    if held.dtype.type is not type(value):
        msg = f"a {type(value).__name__} of the dtype {held.dtype!r:.80}"
        raise NotAdaptedError(msg)
    return {"item": held}


def _unpack_scalar(state: Any) -> Any:
    held = require(require_keys(state, {"item"})["item"], np.ndarray)
    item = held[()]
    return require(item, np.void, np.record)


# Arrays of other classes ------------------------------------------------------


def _view(
    kind: str, cls: type, attributes: frozenset[str] | set[str] = frozenset()
) -> Adapter:
    """Return the adapter of a class that shows an array, and holds no more."""

    def pack(value: Any) -> dict[str, Any]:
        require_attributes(value, attributes)
        held = np.asarray(value)
        # What the class makes records of is readable as what it was made of.
        plain = plain_dtype(held.dtype)
        for array in (held if plain is None else held.view(plain), held):
            made: Any = array.view(cls)
            if facts(made.dtype) == facts(held.dtype) and made.shape == held.shape:
                return {"values": array}
        msg = f"a {kind} of {held.dtype!r:.80} does not come back as one"
        raise NotAdaptedError(msg)

    def unpack(state: Any) -> Any:
        held = require(require_keys(state, {"values"})["values"], np.ndarray)
        made: Any = held.view(cls)
        require_that(made.shape == held.shape, f"no {kind} has such a shape")
        return made

    return Adapter(kind, cls, pack, unpack)


def _character_arrays() -> list[Adapter]:
    with warnings.catch_warnings():
        # numpy is about to part with them.
        warnings.simplefilter("ignore")
        cls = getattr(np.char, "chararray", None)
    return [] if cls is None else [_view("numpy.char.chararray", cls)]
