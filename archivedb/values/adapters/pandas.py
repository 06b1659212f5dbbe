"""
Tables of pandas: frames, series, indexes, and the arrays that they hold.

A frame's state is its index, its columns, and the values of each column: under
the column's name where all names are different texts, so that a path leads to
the column's array; else as one array where all columns have one dtype of
numpy's; else as a list.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas._libs.sparse import BlockIndex, IntIndex  # nowhere public
from pandas.api.extensions import ExtensionArray

from archivedb.errors import EncodeError
from archivedb.values.adapters import pandas_scalars as scalars
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require_attributes, require_that
from archivedb.values.adapters.states import expect


def adapters() -> list[Adapter]:
    """Return the adapters for what pandas is made of."""
    return [
        Adapter("pandas.DataFrame", pd.DataFrame, _frame, _to_frame),
        Adapter("pandas.Series", pd.Series, _series, _to_series),
        *_indexes(),
        *_arrays(),
        *scalars.adapters(),
    ]


# Frames and series --------------------------------------------------------


def _frame(value: Any) -> dict[str, Any]:
    columns = value.columns
    dtypes = set(value.dtypes)
    state = {"columns": columns, "index": value.index}
    if _are_names(columns):
        values = (_values(value.iloc[:, at]) for at in range(len(columns)))
        state["data"] = dict(zip(columns, values, strict=True))
    elif len(dtypes) == 1 and _plain(next(iter(dtypes))):
        state["data"] = value.to_numpy()
    else:
        state["data"] = [_values(value.iloc[:, at]) for at in range(len(columns))]
    return state | _facts(value)


def _to_frame(state: Any) -> Any:
    columns = expect(state["columns"], pd.Index)
    index = expect(state["index"], pd.Index)
    data = expect(state["data"], dict, list, np.ndarray)
    if isinstance(data, np.ndarray):
        require_that(
            data.shape == (len(index), len(columns)), "a table of another shape"
        )
        made = pd.DataFrame(data, dtype=data.dtype, copy=False)
        made.index = index
    else:
        if isinstance(data, dict):
            require_that(
                list(data) == list(columns), "a table's columns have other names"
            )
            data = list(data.values())
        require_that(len(data) == len(columns), "a table of more or fewer columns")
        # Values without dtype would be guessed; a series keeps its own.
        whole = {at: _filled(values, index) for at, values in enumerate(data)}
        made = pd.DataFrame(whole, index=index)
    made.columns = columns
    return _with_facts(made, state)


def _are_names(columns: Any) -> bool:
    if type(columns) is not pd.Index or not columns.is_unique:
        return False
    return all(type(name) is str for name in columns)


def _series(value: Any) -> dict[str, Any]:
    state = {"name": value.name, "index": value.index, "values": _values(value)}
    return state | _facts(value)


def _to_series(state: Any) -> Any:
    index = expect(state["index"], pd.Index)
    made = _filled(state["values"], index)
    made.name = state["name"]
    return _with_facts(made, state)


def _filled(values: Any, index: Any) -> Any:
    # pandas would repeat a scalar as often as the index says.
    expect(values, np.ndarray, ExtensionArray)
    require_that(
        values.shape == (len(index),), "a column is longer or shorter than its index"
    )
    made = pd.Series(values, index=index, dtype=values.dtype, copy=False)
    require_that(made.dtype == values.dtype, f"pandas has no columns of {values.dtype}")
    return made


def _plain(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype)


def _values(series: Any) -> Any:
    """Return a column as numpy's array where it is one, else as pandas's."""
    if not _plain(series.dtype):
        return series.array
    if series.dtype.kind not in "biufcmMO":
        raise EncodeError(
            f"a column of {series.dtype} cannot be kept: use astype(object)"
        )
    return series.to_numpy()


def _facts(value: Any) -> dict[str, Any]:
    require_attributes(value, {name for name in vars(value) if name[0] == "_"})
    facts: dict[str, Any] = {}
    if value.attrs:
        facts["attrs"] = value.attrs
    if not value.flags.allows_duplicate_labels:
        facts["allows_duplicate_labels"] = False
    return facts


def _with_facts(value: Any, state: Any) -> Any:
    if "attrs" in state:
        value.attrs = expect(state["attrs"], dict)
    if "allows_duplicate_labels" in state:
        allowed = expect(state["allows_duplicate_labels"], bool)
        value.flags.allows_duplicate_labels = allowed
    return value


# Indexes ------------------------------------------------------------------


def _indexes() -> list[Adapter]:
    return [
        Adapter("pandas.Index", pd.Index, _index, _to_index),
        Adapter("pandas.RangeIndex", pd.RangeIndex, _range, _to_range),
        Adapter("pandas.MultiIndex", pd.MultiIndex, _multi, _to_multi),
        _over(pd.DatetimeIndex, _times, _to_times),
        _over(pd.TimedeltaIndex, _spans, _to_spans),
        _over(pd.PeriodIndex, _periods, _to_periods),
        _over(pd.IntervalIndex, _intervals, _to_intervals),
        _over(pd.CategoricalIndex, _categorical, _to_categorical),
    ]


def _index(value: Any) -> dict[str, Any]:
    values = value.to_numpy() if _plain(value.dtype) else value.array
    return {"name": value.name, "values": values}


def _to_index(state: Any) -> Any:
    values = expect(state["values"], np.ndarray, ExtensionArray)
    # Labels that are tuples are labels all the same.
    made = pd.Index(
        values, dtype=values.dtype, name=state["name"], copy=False, tupleize_cols=False
    )
    require_that(
        type(made) is pd.Index, f"an index of {values.dtype} has its own class"
    )
    return made


def _range(value: Any) -> dict[str, Any]:
    return {
        "name": value.name,
        "start": value.start,
        "stop": value.stop,
        "step": value.step,
    }


def _to_range(state: Any) -> Any:
    ends = (expect(state[name], int) for name in ("start", "stop", "step"))
    return pd.RangeIndex(*ends, name=state["name"])


def _multi(value: Any) -> dict[str, Any]:
    state = {
        "names": list(value.names),
        "levels": list(value.levels),
        "codes": [np.asarray(codes) for codes in value.codes],
    }
    if value.sortorder is not None:
        state["sortorder"] = value.sortorder
    # It is not that of a level; xarray sets it.
    if value.name is not None:
        state["name"] = value.name
    # Made with verify_integrity=False it may be one that cannot be made again.
    try:
        made = _to_multi(state)
    except ValueError as error:
        raise EncodeError(f"an inconsistent MultiIndex: {error}") from error
    if not all(map(np.array_equal, made.codes, value.codes)):
        raise EncodeError("a MultiIndex with codes of missing values, which are -1")
    return state


def _to_multi(state: Any) -> Any:
    levels = [expect(level, pd.Index) for level in state["levels"]]
    codes = [expect(codes, np.ndarray) for codes in state["codes"]]
    made = pd.MultiIndex(
        levels=levels,
        codes=codes,
        names=expect(state["names"], list),
        sortorder=state.get("sortorder"),
    )
    if "name" in state:
        made.name = state["name"]
    return made


def _over(cls: Any, pack: Any, unpack: Any) -> Adapter:
    """Return the adapter of an index that has the state of its array, and a name."""

    def pack_index(value: Any) -> dict[str, Any]:
        return {"name": value.name, **pack(value)}

    def unpack_index(state: Any) -> Any:
        return cls(unpack(state), name=state["name"])

    return Adapter(f"pandas.{cls.__name__}", cls, pack_index, unpack_index)


# Arrays -------------------------------------------------------------------


def _arrays() -> list[Adapter]:
    known = pd.arrays
    masked = known.IntegerArray, known.FloatingArray, known.BooleanArray
    made = [
        (known.Categorical, _categorical, _to_categorical),
        (known.DatetimeArray, _times, lambda state: _to_times(state).array),
        (known.TimedeltaArray, _spans, lambda state: _to_spans(state).array),
        (known.PeriodArray, _periods, _to_periods),
        (known.IntervalArray, _intervals, _to_intervals),
        (known.SparseArray, _sparse, _to_sparse),
        (known.StringArray, _texts, _to_texts),
        (known.ArrowStringArray, _texts, _to_texts),
        (known.NumpyExtensionArray, np.asarray, _to_wrapped),
        *((cls, _masked, _masked_maker(cls)) for cls in masked),
    ]
    return [Adapter(f"pandas.{cls.__name__}", cls, *pair) for cls, *pair in made]


def _flat(value: Any) -> Any:
    """Return an array that is not one of the two-dimensional ones inside frames."""
    if value.ndim != 1:
        raise EncodeError(f"a {type(value).__name__} with {value.ndim} axes")
    return value


def _ints(value: Any) -> Any:
    array = expect(value, np.ndarray)
    require_that(array.dtype.kind == "i" and array.ndim == 1, "codes are integers")
    return array


def _categorical(value: Any) -> dict[str, Any]:
    return {
        "categories": value.categories,
        "codes": np.asarray(_flat(value).codes),
        "ordered": value.ordered,
    }


def _to_categorical(state: Any) -> Any:
    dtype = pd.CategoricalDtype(
        expect(state["categories"], pd.Index), expect(state["ordered"], bool)
    )
    return pd.Categorical.from_codes(_ints(state["codes"]), dtype=dtype)


def _times(value: Any) -> dict[str, Any]:
    state = {"values": _flat(value).asi8.view(f"M8[{value.unit}]")}
    if value.tz is not None:
        state["tz"] = scalars.zone_state(value.tz)
    return _and_freq(value, state, _to_times)


def _to_times(state: Any) -> Any:
    values = _moments(state["values"], "M")
    index = pd.DatetimeIndex(values, copy=False)
    if "tz" in state:
        index = index.tz_localize("UTC").tz_convert(scalars.state_zone(state["tz"]))
    return _with_freq(index, state)


def _spans(value: Any) -> dict[str, Any]:
    state = {"values": _flat(value).asi8.view(f"m8[{value.unit}]")}
    return _and_freq(value, state, _to_spans)


def _to_spans(state: Any) -> Any:
    return _with_freq(pd.TimedeltaIndex(_moments(state["values"], "m")), state)


def _moments(values: Any, kind: str) -> Any:
    array = expect(values, np.ndarray)
    require_that(array.dtype.kind == kind, f"{array.dtype} is no time of pandas")
    unit, count = np.datetime_data(array.dtype)
    require_that(
        unit in scalars.UNITS and count == 1, f"{array.dtype} is none of pandas's"
    )
    return array


def _and_freq(value: Any, state: dict[str, Any], unpack: Any) -> dict[str, Any]:
    # Since pandas 3.1 only an index has one.
    freq = getattr(value, "freq", None)
    if freq is None:
        return state
    state["freq"] = freq
    # pandas checks a frequency against the values, but not always when it sets it.
    try:
        unpack(state)
    except ValueError as error:
        msg = f"its freq is not that of its values: {error}"
        raise EncodeError(msg) from error
    return state


def _with_freq(index: Any, state: Any) -> Any:
    if "freq" in state:
        index.freq = expect(state["freq"], pd.offsets.BaseOffset)
    return index


def _periods(value: Any) -> dict[str, Any]:
    return {"ordinals": _flat(value).asi8, "freq": value.freq}


def _to_periods(state: Any) -> Any:
    dtype = pd.PeriodDtype(expect(state["freq"], pd.offsets.BaseOffset))
    return pd.arrays.PeriodArray(_ints(state["ordinals"]), dtype=dtype)


def _intervals(value: Any) -> dict[str, Any]:
    return {"left": value.left, "right": value.right, "closed": value.closed}


def _to_intervals(state: Any) -> Any:
    left, right = (expect(state[side], pd.Index) for side in ("left", "right"))
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=state["closed"])


def _sparse(value: Any) -> dict[str, Any]:
    state = {
        "values": value.sp_values,
        "length": len(value),
        "fill_value": value.fill_value,
    }
    where = value.sp_index
    if isinstance(where, BlockIndex):
        return state | {"starts": where.blocs, "lengths": where.blengths}
    return state | {"positions": where.indices}


def _to_sparse(state: Any) -> Any:
    values, length = expect(state["values"], np.ndarray), expect(state["length"], int)
    if "positions" in state:
        where = IntIndex(length, _ints(state["positions"]))
    else:
        where = BlockIndex(length, _ints(state["starts"]), _ints(state["lengths"]))
    require_that(
        values.shape == (where.npoints,), "a sparse array's values are not all there"
    )
    dtype = pd.SparseDtype(values.dtype, state["fill_value"])
    # The constructor no longer takes positions, and `from_indices` is new in 3.1.
    return pd.arrays.SparseArray._simple_new(values, where, dtype)  # noqa: SLF001


def _texts(value: Any) -> dict[str, Any]:
    texts = [item if isinstance(item, str) else None for item in _flat(value)]
    return {"values": texts, **scalars.string_state(value.dtype)}


def _to_texts(state: Any) -> Any:
    texts = expect(state["values"], list)
    for text in texts:
        expect(text, str, type(None))
    return pd.array(np.array(texts, object), dtype=scalars.state_string(state))


def _to_wrapped(state: Any) -> Any:
    return pd.arrays.NumpyExtensionArray(expect(state, np.ndarray))


def _masked(value: Any) -> dict[str, Any]:
    # What is under the mask is kept as well; only the private names reach it.
    return {"values": _flat(value)._data, "mask": value._mask}  # noqa: SLF001


def _masked_maker(cls: Any) -> Any:
    def make(state: Any) -> Any:
        values, mask = (expect(state[name], np.ndarray) for name in ("values", "mask"))
        require_that(
            values.shape == mask.shape and values.ndim == 1, "a mask that fits not"
        )
        return cls(values, mask)

    return make
