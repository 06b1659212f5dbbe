"""
Labelled arrays of xarray: variables, data arrays, datasets and trees.

A dataset's state is its data variables and its coordinates, by name.  An index
over several coordinates stands beside them, since they are made from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from pandas.api.extensions import ExtensionArray
from xarray.core.indexing import (  # nowhere public
    PandasIndexingAdapter,
    PandasMultiIndexingAdapter,
)
from xarray.indexes import PandasIndex, PandasMultiIndex

from archivedb.errors import EncodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require_that
from archivedb.values.adapters.states import expect
from archivedb.values.dtypes import named_dtype


def adapters() -> list[Adapter]:
    """Return the adapters for variables, arrays, datasets and trees."""
    found = [
        Adapter("xarray.Variable", xr.Variable, _variable, _to_variable),
        Adapter("xarray.IndexVariable", xr.IndexVariable, _variable, _to_labels),
        Adapter("xarray.DataArray", xr.DataArray, _data_array, _to_data_array),
        Adapter("xarray.Dataset", xr.Dataset, _dataset, _to_dataset),
    ]
    # It is younger than the others.
    if hasattr(xr, "DataTree"):
        found.append(Adapter("xarray.DataTree", xr.DataTree, _tree, _to_tree))
    return found


# Variables ------------------------------------------------------------------


def _facts(value: Any) -> dict[str, Any]:
    facts = {"attrs": value.attrs, "encoding": value.encoding}
    return {name: fact for name, fact in facts.items() if fact}


def _with_facts(value: Any, state: Any) -> Any:
    value.attrs = expect(state.get("attrs", {}), dict)
    value.encoding = expect(state.get("encoding", {}), dict)
    return value


def _variable(value: Any) -> dict[str, Any]:
    if value.chunks is not None:
        msg = "a lazy array of chunks: call .compute() first, and save what it returns"
        raise EncodeError(msg)
    return {"dims": list(value.dims), **_data(value), **_facts(value)}


def _to_variable(state: Any) -> Any:
    dims, data = expect(state["dims"], list), _to_data(state)
    require_that(hasattr(data, "dtype"), "a variable has an array")
    require_that(np.ndim(data) == len(dims), "each axis has a name")
    # Its own arrays it takes as they are; those of pandas it has to wrap.
    plain = not isinstance(data, ExtensionArray)
    return _with_facts(xr.Variable(dims, data, fastpath=plain), state)


def _to_labels(state: Any) -> Any:
    dims, data = expect(state["dims"], list), _to_data(state)
    expect(data, np.ndarray, PandasIndexingAdapter)
    return _with_facts(xr.IndexVariable(dims, data), state)


def _data(value: Any) -> dict[str, Any]:
    """Return a variable's array, or the index of pandas that says more than it."""
    held = value._data  # noqa: SLF001 - nowhere public
    if not isinstance(held, PandasIndexingAdapter) or _says_it_all(value, held):
        # Of a file that is still open, it is read here.  Not all of pandas's arrays
        # does xarray give back as what they are.
        data = held if isinstance(held, ExtensionArray) else value.data
        if data.dtype != value.dtype:
            msg = f"a variable of {value.dtype} whose array is one of {data.dtype}"
            raise EncodeError(msg)
        return {"data": data}
    state = {"index": held.array}
    if type(held) is PandasMultiIndexingAdapter and held.level is not None:
        state["level"] = held.level
    if _to_data(state).dtype == value.dtype:
        return state
    if not isinstance(value.dtype, np.dtype) or value.dtype.kind == "T":
        msg = f"labels of {value.dtype} over an index of {held.array.dtype}"
        raise EncodeError(msg)
    return state | {"dtype": value.dtype.str}


def _to_data(state: Any) -> Any:
    if "index" not in state:
        return state["data"]
    index = expect(state["index"], pd.Index)
    dtype = expect(state.get("dtype"), str, type(None))
    kind = None if dtype is None else named_dtype(dtype)
    if isinstance(index, pd.MultiIndex):
        level = state.get("level")
        require_that(level is None or level in index.names, "no such level")
        return PandasMultiIndexingAdapter(index, kind, level=level)
    return PandasIndexingAdapter(index, kind)


def _says_it_all(value: Any, held: Any) -> bool:
    """Return whether an array of numpy's gives the same labels and index again."""
    index = held.array
    if type(held) is not PandasIndexingAdapter or not isinstance(value.dtype, np.dtype):
        return False
    # Text is in an index of objects, or of pandas's own text.
    if index.dtype != value.dtype and value.dtype.kind not in "US":
        return False
    made = xr.IndexVariable(value.dims, value.values)
    other = made._data.array  # noqa: SLF001
    return (
        (made.dtype, other.dtype) == (value.dtype, index.dtype)
        and type(other) is type(index)
        and getattr(other, "freq", None) == getattr(index, "freq", None)
        and other.rename(None).identical(index.rename(None))
        and index.dtype != object
    )


# Coordinates ------------------------------------------------------------------


def _coordinates(value: Any) -> dict[str, Any]:
    """Return the coordinates of a dataset or an array, and what indexes them."""
    single, many = [], {}
    for name, index in value.xindexes.items():
        if type(index) is PandasMultiIndex:
            many[id(index)] = index
        elif type(index) is PandasIndex:
            single.append(name)
        else:
            msg = (
                f"the index {type(index).__name__} of {name!r} cannot be stored: "
                f"call .drop_indexes({name!r}) first"
            )
            raise EncodeError(msg)
    made_from = {name for index in many.values() for name in _names(index)}
    coords = {
        name: _facts(one) if name in made_from else one
        for name, one in value.coords.variables.items()
    }
    state: dict[str, Any] = {"coords": coords} if coords else {}
    if set(single) != set(_by_default(coords)):
        state["indexed"] = single
    if many:
        state["indexes"] = [_many(index) for index in many.values()]
    return state


def _names(index: Any) -> list[Any]:
    return [index.dim, *index.index.names]


def _by_default(coords: dict[Any, Any]) -> list[Any]:
    """Return the coordinates that xarray gives an index unless it is told not to."""
    return [
        name
        for name, one in coords.items()
        if type(one) is not dict and one.dims == (name,)
    ]


def _many(index: Any) -> dict[str, Any]:
    dtypes = {name: np.dtype(kind) for name, kind in index.level_coords_dtype.items()}
    made = PandasMultiIndex(index.index.copy(), index.dim)
    state = {"dim": index.dim, "index": index.index}
    if dtypes == made.level_coords_dtype:
        return state
    if any(dtype.kind == "T" for dtype in dtypes.values()):
        msg = f"levels of {list(dtypes.values())} over an index of other dtypes"
        raise EncodeError(msg)
    return state | {"dtypes": {name: dtype.str for name, dtype in dtypes.items()}}


def _to_coordinates(state: Any) -> Any:
    coords = dict(expect(state.get("coords", {}), dict))
    indexes: dict[Any, Any] = {}
    for name in expect(state.get("indexed", _by_default(coords)), list):
        variable = expect(coords[name], xr.Variable)
        index = PandasIndex.from_variables({name: variable}, options={})
        coords |= index.create_variables({name: variable})
        indexes[name] = index
    for one in expect(state.get("indexes", []), list):
        index = _to_many(one)
        for name, variable in index.create_variables().items():
            # Replaced where they stand: order is kept.
            coords[name] = _with_facts(variable, expect(coords[name], dict))
            indexes[name] = index
    for name, variable in coords.items():
        expect(variable, xr.Variable)
        require_that(name in indexes or type(variable) is xr.Variable, "no index")
    return xr.Coordinates(coords, indexes)


def _to_many(state: Any) -> Any:
    index = expect(state["index"], pd.MultiIndex)
    if "dtypes" not in state:
        return PandasMultiIndex(index, state["dim"])
    dtypes = expect(state["dtypes"], dict)
    kinds = {name: named_dtype(expect(kind, str)) for name, kind in dtypes.items()}
    return PandasMultiIndex(index, state["dim"], level_coords_dtype=kinds)


# Datasets and arrays ------------------------------------------------------------


def _dataset(value: Any) -> dict[str, Any]:
    named = {name: one.variable for name, one in value.data_vars.items()}
    state = {"data_vars": named, **_coordinates(value), **_facts(value)}
    if list(value.variables) != [*named, *value.coords]:
        state["order"] = list(value.variables)
    return state


def _to_dataset(state: Any) -> Any:
    named = expect(state["data_vars"], dict)
    for variable in named.values():
        expect(variable, xr.Variable)
    made = xr.Dataset(named, coords=_to_coordinates(state))
    order = expect(state.get("order", [*named, *made.coords]), list)
    require_that(set(order) == set(made.variables), "an order of other variables")
    require_that(set(made.data_vars) == set(named), "a variable that is a coordinate")
    return _with_facts(made[order], state)


def _data_array(value: Any) -> dict[str, Any]:
    state = {"name": value.name}
    if type(value.variable) is xr.IndexVariable:
        # The labels of a dimension, as an array of themselves.
        coords = value.coords.variables
        same = [name for name, one in coords.items() if _is(one, value.variable)]
        if not same:
            msg = "labels without their coordinate: call .copy(data=array.values)"
            raise EncodeError(msg)
        own = value.name if value.name in same else same[0]
        return state | {"labels_of": own, **_coordinates(value)}
    return state | _variable(value.variable) | _coordinates(value)


def _is(one: Any, two: Any) -> bool:
    same = type(two) is type(one) and one.identical(two) and one.dtype == two.dtype
    return bool(same and one.encoding == two.encoding)


def _to_data_array(state: Any) -> Any:
    coords = _to_coordinates(state)
    if "labels_of" in state:
        made = xr.Dataset(coords=coords)[state["labels_of"]]
    else:
        variable = _to_variable(state)
        own = "array"
        while own in coords or own in variable.dims:
            own += "_"
        whole = xr.Dataset({own: variable}, coords=coords)
        made = whole[own]
        require_that(set(made.coords) == set(coords), "a coordinate of other axes")
        made.encoding = variable.encoding
    return made.rename(state["name"])


# Trees ----------------------------------------------------------------------


def _tree(value: Any) -> dict[str, Any]:
    if value.parent is not None:
        msg = "a branch of a tree: save the root, or a copy of the branch (.copy())"
        raise EncodeError(msg)
    return {"name": value.name, **_node(value)}


def _node(value: Any) -> dict[str, Any]:
    state: dict[str, Any] = {"dataset": value.to_dataset(inherit=False)}
    if value.children:
        children = value.children.items()
        state["children"] = {name: _node(child) for name, child in children}
    return state


def _to_tree(state: Any) -> Any:
    name = expect(state["name"], str, type(None))
    return xr.DataTree.from_dict(dict(_paths(state, "/")), name=name)


def _paths(state: Any, path: str) -> Any:
    yield path, expect(state["dataset"], xr.Dataset)
    for name, child in expect(state.get("children", {}), dict).items():
        yield from _paths(child, f"{path}{expect(name, str)}/")
