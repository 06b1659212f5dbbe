"""
Adapters of masked arrays.

What lies under the mask is kept, and so is the difference between no mask and
a mask that hides nothing, which programs can see.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archivedb.errors import EncodeError
from archivedb.values import dtypes
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import (
    packing,
    require,
    require_attributes,
    require_keys,
    require_that,
)


def adapters() -> list[Adapter]:
    """Return the adapters of `numpy.ma`."""
    return [
        Adapter("numpy.ma.MaskedArray", np.ma.MaskedArray, _pack, _unpack_array),
        Adapter("numpy.ma.mvoid", np.ma.mvoid, _pack, _unpack_void),
        Adapter("numpy.ma.masked", type(np.ma.masked), _pack_masked, _unpack_masked),
    ]


_FLAGS = {"hard_mask": "_hardmask", "shared_mask": "_sharedmask", "field": "_isfield"}
_INHERITED = ("_optinfo", "_basedict")
"""Where numpy puts the attributes of the array that was masked."""


def _pack(value: Any) -> dict[str, Any]:
    attributes = vars(value)
    data = np.ndarray.view(value, attributes["_baseclass"])
    state: dict[str, Any] = {"data": data}
    mask, fill = attributes.get("_mask", np.ma.nomask), attributes["_fill_value"]
    if mask is not np.ma.nomask:
        state["mask"] = mask
    # Asked for, it would be made up, and then be there.
    if fill is not None:
        state["fill_value"] = _readable(fill, data.dtype)
    for name, attribute in _FLAGS.items():
        if attributes[attribute]:
            state[name] = True
    with packing():
        made = vars(_unpack(type(value), state))
    require_attributes(value, made.keys())
    for name in _INHERITED:
        if not _same(attributes[name], made[name]):
            msg = "a masked array with information of its own; store it beside"
            raise EncodeError(msg)
    return state


def _same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return one.keys() == two.keys() and all(one[key] is two[key] for key in one)


def _readable(fill: Any, dtype: np.dtype[Any]) -> Any:
    """Return a fill value as a scalar if that says all of it."""
    scalar = (
        type(fill) is np.ndarray
        and (fill.shape, fill.dtype) == ((), dtype)
        and dtypes.is_faithful(dtype)
        and dtype.kind not in "VMm"
    )
    if scalar and _filled(fill[()], dtype).tobytes() == fill.tobytes():
        return fill[()]
    return fill


def _filled(item: Any, dtype: np.dtype[Any]) -> Any:
    made = np.empty((), dtype)
    made[()] = item
    return made


def _unpack_array(state: Any) -> Any:
    return _unpack(np.ma.MaskedArray, state)


def _unpack_void(state: Any) -> Any:
    return _unpack(np.ma.mvoid, state)


def _unpack(cls: Any, state: Any) -> Any:
    require_keys(state, {"data"}, {"mask", "fill_value", *_FLAGS})
    data = state["data"]
    masked = isinstance(data, np.ma.MaskedArray)
    require_that(isinstance(data, np.ndarray) and not masked, "no array to mask")
    mask, fill = state.get("mask", np.ma.nomask), state.get("fill_value")
    if mask is not np.ma.nomask:
        require(mask, np.ndarray, np.void)
        good = mask.dtype == np.ma.make_mask_descr(data.dtype)
        require_that(good and mask.shape == data.shape, "a mask of another shape")
    if fill is not None and not isinstance(fill, np.ndarray):
        require_that(isinstance(fill, np.generic), "a fill value that is none")
        fill = _filled(fill, data.dtype)
    made = data.view(cls)
    flags = {
        attribute: require(state.get(name, False), bool)
        for name, attribute in _FLAGS.items()
    }
    vars(made).update(_mask=mask, _fill_value=fill, **flags)
    return made


def _pack_masked(value: Any) -> None:
    if value is not np.ma.masked:
        msg = "another numpy.ma.masked than the one that there is"
        raise EncodeError(msg)


def _unpack_masked(state: Any) -> Any:
    require(state, type(None))
    return np.ma.masked
