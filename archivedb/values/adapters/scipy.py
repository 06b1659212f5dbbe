"""
Sparse matrices and arrays of scipy, entry by entry as they are.

Explicit zeros, duplicates, the order of entries and the dtype of the indices
stay; so does what an array remembers of its own order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from archivedb.errors import EncodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require_attributes, require_that
from archivedb.values.adapters.states import expect

_FLAGS = ("has_sorted_indices", "has_canonical_format")
_PRINTED = 50
"""Entries that scipy prints unless it is told otherwise."""


def adapters() -> list[Adapter]:
    """Return the adapters for every class of ``scipy.sparse``."""
    return [
        Adapter(f"scipy.sparse.{name}", cls, pack, _maker(cls, unpack))
        for layout, pack, unpack in _LAYOUTS
        for name in (f"{layout}_array", f"{layout}_matrix")
        for cls in (getattr(scipy.sparse, name),)
    ]


def _maker(cls: Any, unpack: Any) -> Any:
    def make(state: Any) -> Any:
        made = unpack(cls, state)
        if "maxprint" in state:
            made.maxprint = expect(state["maxprint"], int)
        return made

    return make


def _state(value: Any, *names: str) -> dict[str, Any]:
    """Return what all have in common, and their arrays by name."""
    known = {"_shape", "dtype", "maxprint", "_dict", "rows", "data", "coords"}
    known |= {*names, *_FLAGS, *(f"_{flag}" for flag in _FLAGS)}
    require_attributes(value, known)
    if value.dtype.kind not in "biufc":
        msg = f"a sparse array of {value.dtype} cannot be kept"
        raise EncodeError(msg)
    state = {"shape": list(value.shape)}
    state |= {name: getattr(value, name) for name in names}
    if value.maxprint != _PRINTED:
        state["maxprint"] = value.maxprint
    return state


def _shape(state: Any) -> tuple[int, ...]:
    shape = tuple(expect(length, int) for length in expect(state["shape"], list))
    require_that(shape and min(shape) >= 0, "a sparse array has a shape")
    return shape


def _array(state: Any, name: str) -> Any:
    return expect(state[name], np.ndarray)


def _indices(state: Any, name: str) -> Any:
    array = _array(state, name)
    require_that(array.dtype.kind in "iu", f"{name} are integers")
    return array


# Compressed rows, columns and blocks ----------------------------------------


def _compressed(value: Any) -> dict[str, Any]:
    state = _state(value, "data", "indices", "indptr")
    # To ask would be to compute, and to remember.
    for flag in _FLAGS:
        known = vars(value).get(f"_{flag}")
        if known is not None:
            state[flag] = bool(known)
    return state


def _to_compressed(cls: Any, state: Any) -> Any:
    names = ("data", "indices", "indptr")
    arrays = _array(state, "data"), *(_indices(state, name) for name in names[1:])
    made = cls(arrays, shape=_shape(state))
    made.check_format(full_check=True)
    # The constructor narrows indices and cuts off what is beyond the last entry.
    for name, array in zip(names, arrays, strict=True):
        setattr(made, name, array)
    for flag in _FLAGS:
        if hasattr(made, f"_{flag}"):
            delattr(made, f"_{flag}")
        if flag in state:
            setattr(made, f"_{flag}", expect(state[flag], bool))
    return made


# The others -------------------------------------------------------------------


def _coordinates(value: Any) -> dict[str, Any]:
    state = _state(value, "data")
    state["coords"] = list(value.coords)
    if value.has_canonical_format:
        state["has_canonical_format"] = True
    return state


def _to_coordinates(cls: Any, state: Any) -> Any:
    data, coords = _array(state, "data"), tuple(expect(state["coords"], list))
    for index in coords:
        expect(index, np.ndarray)
        require_that(index.dtype.kind in "iu", "coordinates are integers")
        require_that(index.shape == data.shape, "each entry has its coordinates")
    made = cls((data, coords), shape=_shape(state))
    made.coords = coords
    made.has_canonical_format = expect(state.get("has_canonical_format", False), bool)
    return made


def _diagonals(value: Any) -> dict[str, Any]:
    return _state(value, "data", "offsets")


def _to_diagonals(cls: Any, state: Any) -> Any:
    data, offsets = _array(state, "data"), _indices(state, "offsets")
    made = cls((data, offsets), shape=_shape(state))
    made.data, made.offsets = data, offsets
    return made


def _rows(value: Any) -> dict[str, Any]:
    # The lists of a lil_array hold Python's numbers and numpy's, as it comes.
    lengths = [len(row) for row in value.rows]
    if lengths != [len(row) for row in value.data]:
        raise EncodeError("a row of a sparse array with more columns than values")
    return _state(value) | {
        "data": _joined(value.data, value.dtype),
        "columns": _joined(value.rows, np.dtype("i8")),
        "lengths": np.array(lengths, "i8"),
    }


def _joined(rows: Any, dtype: Any) -> Any:
    return np.array([item for row in rows for item in row], dtype)


def _to_rows(cls: Any, state: Any) -> Any:
    shape = _shape(state)
    data, columns = _array(state, "data"), _indices(state, "columns")
    lengths = _indices(state, "lengths")
    # One list a row is made: the state must have that many.
    require_that(lengths.shape == shape[:1], "each row has a length")
    require_that(not (lengths < 0).any(), "a row's length is no negative number")
    require_that(data.shape == columns.shape == (lengths.sum(),), "a row is cut short")
    require_that(((columns >= 0) & (columns < shape[1])).all(), "a column is outside")
    made = cls(shape, dtype=data.dtype)
    ends = np.cumsum(lengths).tolist()
    numbers, places = data.tolist(), columns.tolist()
    for row, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        made.data[row] = numbers[start:end]
        made.rows[row] = places[start:end]
    return made


def _keys(value: Any) -> dict[str, Any]:
    keys = np.array(list(value.keys()), "i8").reshape(-1, value.ndim)
    return _state(value) | {
        "data": np.array(list(value.values()), value.dtype),
        "coords": [keys[:, axis].copy() for axis in range(value.ndim)],
    }


def _to_keys(cls: Any, state: Any) -> Any:
    shape, data = _shape(state), _array(state, "data")
    coords = expect(state["coords"], list)
    require_that(len(coords) == len(shape), "each axis has its coordinates")
    for index, length in zip(coords, shape, strict=True):
        expect(index, np.ndarray)
        require_that(index.shape == data.shape, "each entry has its coordinates")
        require_that(((index >= 0) & (index < length)).all(), "an entry is outside")
    made = cls(shape, dtype=data.dtype)
    places = [index.tolist() for index in coords]
    keys = places[0] if len(places) == 1 else zip(*places, strict=True)
    # Assigning items would leave out zeros.
    for key, item in zip(keys, data, strict=True):
        made.setdefault(key, item)
    return made


_LAYOUTS = (
    ("csr", _compressed, _to_compressed),
    ("csc", _compressed, _to_compressed),
    ("bsr", _compressed, _to_compressed),
    ("coo", _coordinates, _to_coordinates),
    ("dia", _diagonals, _to_diagonals),
    ("lil", _rows, _to_rows),
    ("dok", _keys, _to_keys),
)
