"""Adapters of the standard library's containers: ``collections`` and ``array``."""

from __future__ import annotations

import array
import collections
from typing import Any

import numpy as np

from archivedb.errors import EncodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require, require_keys, require_that


def adapters() -> list[Adapter]:
    """Return the adapters of ``collections`` and ``array``."""
    return [
        Adapter(
            "collections.deque",
            collections.deque,
            _pack_deque,
            make=lambda state: collections.deque(maxlen=state.get("maxlen")),
            fill=_fill_deque,
        ),
        Adapter(
            "collections.OrderedDict",
            collections.OrderedDict,
            _pack_dict,
            make=lambda _: collections.OrderedDict(),
            fill=_fill_dict,
        ),
        Adapter(
            "collections.Counter",
            collections.Counter,
            _pack_dict,
            make=lambda _: collections.Counter(),
            fill=_fill_dict,
        ),
        Adapter(
            "collections.defaultdict",
            collections.defaultdict,
            _pack_defaultdict,
            make=lambda _: collections.defaultdict(),
            fill=_fill_defaultdict,
        ),
        Adapter("array.array", array.array, _pack_array, _unpack_array),
    ]


def _pack_deque(value: collections.deque[Any]) -> dict[str, Any]:
    state: dict[str, Any] = {"items": list(value)}
    if value.maxlen is not None:
        state["maxlen"] = value.maxlen
    return state


def _fill_deque(value: collections.deque[Any], state: Any) -> None:
    items = require(require_keys(state, {"items"}, {"maxlen"})["items"], list)
    fits = value.maxlen is None or len(items) <= value.maxlen
    require_that(fits, "a deque holds more items than its maxlen")
    value.extend(items)


# Dicts ------------------------------------------------------------------------


def _pack_dict(value: Any) -> dict[str, Any]:
    # dict.copy would ask a subclass's methods; this asks the dict itself.
    state: dict[str, Any] = {"items": {**value}}
    if vars(value):
        state["attributes"] = _text_keys(dict(vars(value)))
    return state


def _fill_dict(value: Any, state: Any) -> None:
    require_keys(state, {"items"}, {"attributes"})
    # Counter.update would add, and ask what it adds to.
    for key, item in require(state["items"], dict).items():
        value[key] = item
    vars(value).update(_text_keys(require(state.get("attributes", {}), dict)))


def _text_keys(attributes: dict[Any, Any]) -> dict[str, Any]:
    for name in attributes:
        if type(name) is not str:
            msg = f"it has an attribute {name!r:.60}, which is no text"
            raise EncodeError(msg)
    return attributes


def _pack_defaultdict(value: collections.defaultdict[Any, Any]) -> dict[str, Any]:
    state: dict[str, Any] = {"items": {**value}}
    if value.default_factory is not None:
        state["factory"] = value.default_factory
    return state


def _fill_defaultdict(value: collections.defaultdict[Any, Any], state: Any) -> None:
    require_keys(state, {"items"}, {"factory"})
    factory = state.get("factory")
    require_that(factory is None or callable(factory), "a factory cannot be called")
    value.update(require(state["items"], dict))
    value.default_factory = factory


# array.array ------------------------------------------------------------------


def _dtype(typecode: str) -> np.dtype[Any]:
    """Return the numpy dtype with the bits of a typecode on this machine."""
    if typecode in ("u", "w"):
        return np.dtype(f"u{array.array(typecode).itemsize}")
    return np.dtype(typecode)


def _pack_array(value: array.array[Any]) -> dict[str, Any]:
    # A copy: as long as numpy looks at its memory, an array cannot grow.
    held = np.frombuffer(value.tobytes(), _dtype(value.typecode))
    return {"typecode": value.typecode, "values": held}


def _unpack_array(state: Any) -> array.array[Any]:
    require_keys(state, {"typecode", "values"})
    values = require(state["values"], np.ndarray)
    made = array.array(require(state["typecode"], str))
    dtype = _dtype(made.typecode)
    require_that(
        values.ndim == 1 and values.dtype.kind == dtype.kind,
        f"{values.dtype} {list(values.shape)} are no array of {made.typecode!r}",
    )
    if values.dtype.itemsize != dtype.itemsize:
        # Written where a C long has another size.
        fits = dtype.kind in "iu" and _fits(values, np.iinfo(dtype))
        require_that(fits, f"an item is too large for {made.typecode!r} here")
    made.frombytes(values.astype(dtype).tobytes())
    return made


def _fits(values: Any, limits: Any) -> bool:
    least, most = values.min(initial=0), values.max(initial=0)
    return bool(limits.min <= int(least) and int(most) <= limits.max)
