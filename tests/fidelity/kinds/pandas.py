"""pandas: tables, indexes, extension arrays and scalars."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd

from tests.fidelity.kind import each, exactly, identical
from tests.support.exact import difference

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NAN = float("nan")


def _objects(*items: Any) -> Any:
    made = np.empty(len(items), object)
    for index, item in enumerate(items):
        made[index] = item
    return made


def _rich() -> Any:
    made = pd.DataFrame(
        {
            "energy": [1.5, NAN, -0.0],
            "n": np.array([1, 2, 3], "i2"),
            "symbol": ["Al", None, "é\0"],
            "kind": pd.Categorical(
                ["b", None, "a"], categories=["b", "a"], ordered=True
            ),
            "count": pd.array([1, None, 3], dtype="Int64"),
            "done": pd.array([True, None, False], dtype="boolean"),
            "when": pd.date_range("2026", periods=3, tz=BERLIN),
            "took": pd.to_timedelta([1, None, 3], unit="s"),
            3: [{"a": 1}, [2], None],
        },
        index=pd.Index(["x", "y", "x"], name="run"),
    )
    made.attrs = {"title": "runs", "nested": {"a": [1]}}
    return made


def _multi() -> Any:
    return pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["l", None])


FRAMES: dict[str, Any] = {
    "of all kinds": _rich,
    "empty": pd.DataFrame,
    "without rows": lambda: _rich().iloc[:0],
    "without columns": lambda: pd.DataFrame(index=pd.RangeIndex(3)),
    "of one dtype": lambda: pd.DataFrame(
        np.arange(6.0).reshape(3, 2), columns=["a", "b"]
    ),
    "with doubled columns": lambda: pd.DataFrame(np.eye(2), columns=["a", "a"]),
    "with a MultiIndex": lambda: pd.DataFrame({"x": range(4)}, index=_multi()),
    "with MultiIndex columns": lambda: pd.DataFrame(np.eye(4), columns=_multi()),
    "with a DatetimeIndex": lambda: pd.DataFrame(
        {"x": [1, 2]}, index=pd.date_range("2026", periods=2, freq="D")
    ),
    "transposed": lambda: pd.DataFrame({"a": [1, 2], "b": [3, 4]}).T,
    "strided": lambda: pd.DataFrame(np.arange(12).reshape(4, 3))[::2],
    "of arrays": lambda: pd.DataFrame({"x": _objects(np.arange(3), np.eye(2))}),
    "with flags": lambda: pd.DataFrame({"a": [1]}).set_flags(
        allows_duplicate_labels=False
    ),
    "sparse": lambda: pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}),
    "big-endian": lambda: pd.DataFrame({"a": np.array([1.5, 2], ">f8")}),
    "of 10,000 rows": lambda: pd.DataFrame({"a": range(10_000), "b": 0.5}),
}
SERIES: dict[str, Any] = {
    "of floats": lambda: pd.Series([1.5, NAN, -0.0], name="energy"),
    "of ints": lambda: pd.Series([1, 2], dtype="u1"),
    "of text": lambda: pd.Series(["a", None, "é"]),
    "of objects": lambda: pd.Series(_objects(1, "a", None, [2]), dtype=object),
    "of bools": lambda: pd.Series([True, False], name=("a", 1)),
    "categorical": lambda: pd.Series(["a", "b", "a"], dtype="category"),
    "nullable Int8": lambda: pd.Series([1, None], dtype="Int8"),
    "nullable UInt64": lambda: pd.Series([2**64 - 1, None], dtype="UInt64"),
    "nullable Float32": lambda: pd.Series([1.5, None], dtype="Float32"),
    "nullable boolean": lambda: pd.Series([True, None], dtype="boolean"),
    "string[python]": lambda: pd.Series(["a", None], dtype="string[python]"),
    "tz-aware": lambda: pd.Series(pd.date_range("2026", periods=2, tz=BERLIN)),
    "in UTC": lambda: pd.Series(pd.date_range("2026", periods=2, tz="UTC")),
    "with a fixed offset": lambda: pd.Series(
        pd.date_range("2026", periods=2, tz=dt.timezone(dt.timedelta(hours=5)))
    ),
    "of datetime64[s] with NaT": lambda: pd.Series(["2026", None], dtype="M8[s]"),
    "of timedelta64[ms]": lambda: pd.Series([1, None], dtype="m8[ms]"),
    "of periods": lambda: pd.Series(pd.period_range("2026", periods=2, freq="M")),
    "of intervals": lambda: pd.Series(pd.interval_range(0, 2)),
    "of complex": lambda: pd.Series([1j, complex(NAN, -0.0)]),
    "sparse": lambda: pd.Series(pd.arrays.SparseArray([NAN, 1.0])),
    "empty": lambda: pd.Series([], dtype="f4"),
    "with doubled labels": lambda: pd.Series([1, 2], index=["a", "a"]),
    "with a MultiIndex": lambda: pd.Series(range(4), index=_multi()),
}
INDEXES: dict[str, Any] = {
    "RangeIndex": lambda: pd.RangeIndex(5, -5, -2, name="r"),
    "Index of ints": lambda: pd.Index([3, 1], dtype="i4"),
    "Index of floats": lambda: pd.Index([1.5, NAN], name=("a", 1)),
    "Index of text": lambda: pd.Index(["a", "b", None]),
    "Index of objects": lambda: pd.Index(_objects(1, "a", (2, 3)), dtype=object),
    "Index of bools": lambda: pd.Index([True, False]),
    "Index, empty": lambda: pd.Index([], dtype=object),
    "Index, nullable": lambda: pd.Index(pd.array([1, None], dtype="Int64")),
    "MultiIndex": _multi,
    "MultiIndex with missing": lambda: pd.MultiIndex.from_arrays(
        [["a", None], pd.to_datetime(["2026", None])], names=["x", "y"]
    ),
    "MultiIndex, empty": lambda: _multi()[:0],
    "CategoricalIndex": lambda: pd.CategoricalIndex(["b", "a"], ordered=True),
    "DatetimeIndex": lambda: pd.date_range("2026", periods=3, freq="h"),
    "DatetimeIndex, tz-aware": lambda: pd.date_range(
        "2026-03-28", periods=3, tz=BERLIN
    ),
    "TimedeltaIndex": lambda: pd.timedelta_range("1h", periods=2, freq="90min"),
    "PeriodIndex": lambda: pd.period_range("2026", periods=2, freq="W-WED"),
    "IntervalIndex": lambda: pd.interval_range(0, 3, closed="both"),
}
EXTENSIONS: dict[str, Any] = {
    "Categorical": lambda: pd.Categorical(["b", None, "a"], ordered=True),
    "Categorical of ints": lambda: pd.Categorical([2, 1, 2], categories=[3, 2, 1]),
    "IntegerArray": lambda: pd.array([1, None], dtype="Int64"),
    "FloatingArray with NaN and NA": lambda: pd.arrays.FloatingArray(
        np.array([NAN, 1.0, 2.0]), np.array([False, True, False])
    ),
    "BooleanArray": lambda: pd.array([True, None], dtype="boolean"),
    "StringArray": lambda: pd.array(["a", None], dtype=pd.StringDtype("python")),
    "DatetimeArray": lambda: pd.array(["2026", None], dtype="M8[us]"),
    "PeriodArray": lambda: pd.array([pd.Period("2026-01", "M"), pd.NaT]),
    "IntervalArray": lambda: pd.arrays.IntervalArray.from_tuples([(0, 1), (1, 5)]),
    "SparseArray": lambda: pd.arrays.SparseArray([0, 0, 1], fill_value=0),
}
SCALARS: dict[str, Any] = {
    "Timestamp": lambda: pd.Timestamp("2026-01-02T03:04:05.123456789"),
    "Timestamp, tz-aware": lambda: pd.Timestamp("2026-07-01", tz=BERLIN),
    "Timestamp with fold": lambda: pd.Timestamp(
        year=2026, month=10, day=25, hour=2, minute=30, tz=BERLIN, fold=1
    ),
    "Timestamp of seconds": lambda: pd.Timestamp("2026").as_unit("s"),
    "Timestamp of the year 5000": lambda: pd.Timestamp("5000-01-01"),
    "Timedelta": lambda: pd.Timedelta(-1, "ns"),
    "Timedelta of ms": lambda: pd.Timedelta(days=3).as_unit("ms"),
    "Period": lambda: pd.Period("2026Q1", "Q-MAR"),
    "Interval": lambda: pd.Interval(0, 1.5, closed="left"),
    "Interval of Timestamps": lambda: pd.Interval(
        pd.Timestamp("2026"), pd.Timestamp("2027")
    ),
    "DateOffset": lambda: pd.DateOffset(months=2, days=-1),
    "offset MonthEnd": lambda: pd.offsets.MonthEnd(3),
    "offset Hour": lambda: pd.offsets.Hour(-2),
}
DTYPES: dict[str, Any] = {
    "CategoricalDtype": lambda: pd.CategoricalDtype(["b", "a"], ordered=True),
    "DatetimeTZDtype": lambda: pd.DatetimeTZDtype("s", BERLIN),
    "Int64Dtype": pd.Int64Dtype,
    "StringDtype": lambda: pd.StringDtype("python"),
    "PeriodDtype": lambda: pd.PeriodDtype("M"),
    "IntervalDtype": lambda: pd.IntervalDtype("f8", "left"),
    "SparseDtype": lambda: pd.SparseDtype("f4", -1),
}


def _labels(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    pd.testing.assert_index_equal(loaded, original, exact=True)
    assert loaded.dtype == original.dtype
    exactly(list(original.names), list(loaded.names))
    assert getattr(loaded, "freq", None) == getattr(original, "freq", None)
    if isinstance(original, pd.MultiIndex):
        for one, two in zip(original.levels, loaded.levels, strict=True):
            _labels(one, two)
        for one, two in zip(original.codes, loaded.codes, strict=True):
            assert difference(np.asarray(one), np.asarray(two)) is None
    elif isinstance(original.dtype, np.dtype):
        assert difference(original.to_numpy(), loaded.to_numpy()) is None


def _columns(original: Any, loaded: Any) -> None:
    assert loaded.dtype == original.dtype
    assert repr(loaded.dtype) == repr(original.dtype)
    if isinstance(original.dtype, np.dtype):
        one, two = original.to_numpy(), loaded.to_numpy()
        assert one.dtype.str == two.dtype.str
        assert difference(one, two) is None
    else:
        pd.testing.assert_extension_array_equal(loaded.array, original.array)


def _tables(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    compare: Any = (
        pd.testing.assert_frame_equal
        if isinstance(original, pd.DataFrame)
        else pd.testing.assert_series_equal
    )
    compare(loaded, original, check_exact=True, check_freq=True, check_flags=True)
    _labels(original.index, loaded.index)
    exactly(original.attrs, loaded.attrs)
    if isinstance(original, pd.Series):
        exactly(original.name, loaded.name)
        _columns(original, loaded)
        return
    _labels(original.columns, loaded.columns)
    for column in range(original.shape[1]):
        _columns(original.iloc[:, column], loaded.iloc[:, column])


def _extensions(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert loaded.dtype == original.dtype
    pd.testing.assert_extension_array_equal(loaded, original)
    for name in ("_data", "_mask", "_ndarray", "_codes", "sp_values"):
        part = getattr(original, name, None)
        if isinstance(part, np.ndarray) and part.dtype != object:
            what = difference(part, getattr(loaded, name))
            assert what is None, what


def _scalars(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert loaded == original
    for name in ("unit", "tz", "fold", "nanosecond", "freq", "closed", "n", "kwds"):
        assert getattr(loaded, name, None) == getattr(original, name, None)
    assert repr(loaded) == repr(original)


KINDS = [
    *each(FRAMES, _tables, "pandas DataFrame "),
    *each(SERIES, _tables, "pandas Series "),
    *each(INDEXES, _labels, "pandas "),
    *each(EXTENSIONS, _extensions, "pandas "),
    *each(SCALARS, _scalars, "pandas "),
    *each({"NaT": lambda: pd.NaT, "NA": lambda: pd.NA}, identical, "pandas "),
    *each(DTYPES, _scalars, "pandas "),
]
