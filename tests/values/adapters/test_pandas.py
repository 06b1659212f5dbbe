"""Tables of pandas come back as they are, or are refused."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas")

from archivedb.errors import EncodeError  # noqa: E402
from tests.support import adapting  # noqa: E402

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
FIXED = dt.timezone(dt.timedelta(hours=5, minutes=30, seconds=1))
NAMED = dt.timezone(dt.timedelta(hours=1), "here")
NAN = float("nan")


def _objects(*items: Any) -> Any:
    made = np.empty(len(items), object)
    made[:] = items
    return made


def _sparse_block() -> Any:
    return pd.arrays.SparseArray([0, 0, 1, 2, 0, 3], kind="block", fill_value=0)


ARRAYS = [
    pd.array([1, None, -3], dtype="Int64"),
    pd.array([1, None], dtype="UInt8"),
    pd.array([], dtype="Int16"),
    pd.array([1.5, None, -0.0], dtype="Float32"),
    pd.arrays.FloatingArray(np.array([NAN, 1.0]), np.array([False, True])),
    pd.arrays.IntegerArray(np.array([7, 8]), np.array([True, False])),
    pd.array([True, None, False], dtype="boolean"),
    pd.array(["a", None, "é\0", ""], dtype="str"),
    pd.array(["a", None, "\ud800"], dtype=pd.StringDtype("python")),
    pd.array([], dtype="str"),
    pd.Categorical(["b", None, "a"], categories=["b", "a", "c"], ordered=True),
    pd.Categorical([2, 1, 2]),
    pd.Categorical([]),
    pd.Categorical(pd.date_range("2020", periods=3, tz=BERLIN)),
    pd.Categorical.from_codes([0], categories=pd.Index(["x"], name="n", dtype=object)),
    *(
        pd.array(["2020-03-29T01:30", None], dtype=f"M8[{unit}]")
        for unit in ("s", "ms", "us", "ns")
    ),
    pd.date_range("2020", periods=3, freq="2D").array,
    pd.DatetimeIndex(["2020-10-25T00:30Z", None, "2020-10-25T01:30Z"])
    .tz_convert(BERLIN)
    .array,
    pd.date_range("2020-03-28", periods=4, freq="D", tz=BERLIN).array,
    pd.date_range("2020", periods=3, tz=FIXED, unit="s").array,
    pd.date_range("2020", periods=3, tz=NAMED).array,
    pd.date_range("2020", periods=3, tz=dt.UTC).array,
    pd.date_range("2020", periods=3, tz="UTC").array,
    pd.array([1, None], dtype="m8[ms]"),
    pd.timedelta_range("1h", periods=3, freq="90min").array,
    pd.array([pd.Period("2020-01", "M"), pd.NaT]),
    pd.period_range("2020", periods=2, freq="W-WED").array,
    pd.arrays.IntervalArray.from_tuples([(0, 1), (1, 5)], closed="both"),
    pd.arrays.IntervalArray.from_tuples([(0.0, 1.0), np.nan], closed="left"),
    pd.interval_range(pd.Timestamp("2020", tz=BERLIN), periods=3).array,
    pd.arrays.SparseArray([0, 0, 1, 2]),
    pd.arrays.SparseArray([NAN, 1.0]),
    pd.arrays.SparseArray([True, False], fill_value=True),
    pd.arrays.SparseArray([], dtype="Sparse[int8]"),
    pd.arrays.SparseArray(["a", "b"], fill_value="a", dtype=object),
    _sparse_block(),
    pd.arrays.NumpyExtensionArray(np.array([1, 2], "i2")),
]

INDEXES = [
    pd.RangeIndex(0),
    pd.RangeIndex(5, -5, -2, name="r"),
    pd.Index([]),
    pd.Index(["a", "b"]),
    pd.Index(["a", "b"], dtype=object, name=("x", 1)),
    pd.Index(["a", "a", None], name="s"),
    pd.Index([1, 2, 3], dtype="i1", name=0),
    pd.Index([1.5, NAN], dtype="f4"),
    pd.Index([True, False]),
    pd.Index([1 + 2j]),
    pd.Index(_objects((1, 2), (3,)), tupleize_cols=False),
    pd.Index(_objects(pd.Timestamp("2020"), 1, None, pd.NA, NAN), dtype=object),
    pd.Index(_objects(pd.Timestamp("2020"), pd.NaT), dtype=object),
    pd.Index(_objects(1, 2), dtype=object),
    pd.Index(pd.array([1, None], dtype="Int64")),
    pd.Index(pd.arrays.SparseArray([0, 1])),
    pd.date_range("2020", periods=3, freq="MS", name="t"),
    pd.date_range("2020", periods=3, freq=pd.DateOffset(months=1, days=2)),
    pd.date_range("2020", periods=0, freq="h", tz=BERLIN),
    pd.DatetimeIndex(["2020-01-01", "2021-05-05"], tz=FIXED),
    pd.DatetimeIndex([], dtype="M8[s]"),
    pd.timedelta_range("1D", periods=2, name="d"),
    pd.TimedeltaIndex([pd.NaT]),
    pd.period_range("2020Q1", periods=3, freq="Q-NOV", name="p"),
    pd.interval_range(0, 3, name="i"),
    pd.IntervalIndex.from_tuples([], closed="neither"),
    pd.CategoricalIndex(["a", "b", "a"], ordered=True, name="c"),
    pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]),
    pd.MultiIndex.from_tuples([("a", NAN), (None, 2.0)], names=["x", "x"]),
    pd.MultiIndex.from_product([["a", "b"], pd.date_range("2020", periods=2)])[1:2],
    pd.MultiIndex.from_arrays([[], []], names=[("odd", 1), 2]),
    pd.MultiIndex(
        levels=[["z", "a"], [1]],
        codes=[[1, -1], [0, -1]],
        names=["l", "n"],
        sortorder=0,
    ),
]

INDEXES[-1].name = "the whole"

SCALARS = [
    pd.Timestamp("2020-01-01T00:00:00.123456789"),
    pd.Timestamp("2020-01-01", tz=BERLIN).as_unit("s"),
    pd.Timestamp("2020-10-25T00:30", tz="UTC").tz_convert(BERLIN),
    pd.Timestamp("2020-10-25T01:30", tz="UTC").tz_convert(BERLIN),
    pd.Timestamp("2020-10-25T02:30").replace(fold=1),
    pd.Timestamp("2020", tz=FIXED),
    pd.Timestamp("2020", tz=NAMED),
    pd.Timestamp("2020", tz=dt.UTC),
    pd.Timestamp(np.datetime64("20000-01-01", "s")),
    pd.Timestamp.min,
    pd.Timestamp.max,
    pd.Timedelta(-1, "ns"),
    pd.Timedelta(np.timedelta64(5, "s")),
    pd.Timedelta.max,
    pd.Timedelta(0).as_unit("ms"),
    pd.Period("2020-01", "M"),
    pd.Period("2020-01-01T05", "3h"),
    pd.Period("2020", "Y-MAR"),
    pd.Interval(0, 1),
    pd.Interval(0.0, 1.5, closed="both"),
    pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"), closed="neither"),
    pd.DateOffset(months=1, weekday=2, hour=3),
    pd.DateOffset(3, normalize=True),
    pd.offsets.Day(-2),
    pd.offsets.Nano(5),
    pd.offsets.Week(weekday=3),
    pd.offsets.Week(),
    pd.offsets.BusinessHour(2, start="08:00", end="12:30"),
    pd.offsets.BusinessHour(start=["08:00", "14:00"], end=["12:00", "17:00"]),
    pd.offsets.BusinessDay(offset=dt.timedelta(hours=1)),
    pd.offsets.FY5253Quarter(weekday=1, startingMonth=3, qtr_with_extra_week=2),
    pd.offsets.LastWeekOfMonth(weekday=4),
    pd.offsets.SemiMonthEnd(day_of_month=20),
    pd.offsets.QuarterEnd(startingMonth=2, normalize=True),
]

DTYPES = [
    pd.Int8Dtype(),
    pd.UInt64Dtype(),
    pd.Float32Dtype(),
    pd.BooleanDtype(),
    pd.CategoricalDtype(),
    pd.CategoricalDtype(["b", "a"], ordered=True),
    pd.DatetimeTZDtype("s", BERLIN),
    pd.DatetimeTZDtype("ns", FIXED),
    pd.StringDtype("python"),
    pd.StringDtype("python", na_value=np.nan),
    pd.PeriodDtype("M"),
    pd.IntervalDtype("f4", "left"),
    pd.IntervalDtype(pd.DatetimeTZDtype("us", dt.UTC), "both"),
    pd.IntervalDtype(),
    pd.SparseDtype("i4", 3),
    pd.SparseDtype("f8"),
]


def _frame_with_flags() -> Any:
    frame = pd.DataFrame({"energy": [1.0, 2.0], "label": ["a", None]})
    frame.attrs = {"unit": "eV", ("odd", 1): np.arange(3)}
    return frame.set_flags(allows_duplicate_labels=False)


FRAMES = [
    _frame_with_flags(),
    pd.DataFrame(),
    pd.DataFrame(index=[1, 2]),
    pd.DataFrame(columns=["a", "b"]),
    pd.DataFrame(columns=["a", "a"], dtype="f4"),
    pd.DataFrame({"z": [1], "a": [2.0], "m": [True]}),
    pd.DataFrame(np.arange(6, dtype=">i2").reshape(2, 3)),
    pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=["x", "y", "x"]),
    pd.DataFrame([[1, "a"], [2, "b"]], columns=["x", "x"], dtype=object),
    pd.DataFrame([["a", "b"]], columns=[0, 1], dtype=object),
    pd.DataFrame([[1, 2.5, "s"]], columns=["x", "x", 3]),
    pd.DataFrame(
        np.eye(2), columns=pd.MultiIndex.from_product([["a"], [1, 2]]), index=["x", "y"]
    ),
    pd.DataFrame(
        [[1, 2.5, "c", 4]],
        columns=pd.Index(["a/b", "", "$array", "\ud800"], dtype=object),
    ),
    pd.DataFrame({"a": [1]}, columns=pd.Index(["a"], dtype=object, name="cols")),
    pd.DataFrame({None: [1], NAN: [2]}),
    pd.DataFrame({"t": pd.date_range("2020", periods=2)}),
    pd.DataFrame(pd.date_range("2020", periods=2), columns=[7]),
    pd.DataFrame({0: pd.date_range("2020", periods=2), 1: pd.NaT}),
    pd.DataFrame(
        {
            "o": _objects(pd.Timestamp("2020"), [1, {"deep": pd.NA}]),
            "only_times": pd.Series(
                _objects(pd.Timestamp("2020"), pd.NaT), dtype=object
            ),
            "only_texts": pd.Series(["a", "b"], dtype=object),
            "none": pd.Series([None, NAN], dtype=object),
            "half": np.array([1, 2], "f2"),
            "c": np.array([1j, 2]),
            "d": np.array([1, 2], "m8[s]"),
        },
        index=pd.DatetimeIndex(["2020", "2021"], name="when"),
    ),
    pd.DataFrame({f"c{at}": array[:0] for at, array in enumerate(ARRAYS)}),
    pd.DataFrame(
        {f"c{at}": array[[1, 0]] for at, array in enumerate(ARRAYS) if len(array) > 1}
    ),
]

SERIES = [
    pd.Series([1.0, 2.0], name="energy"),
    pd.Series([], dtype=object, name=("a", 1)),
    pd.Series([1, 2], index=["a", "a"], name=pd.Timestamp("2020")),
    pd.Series(["a", "b"], dtype=object),
    pd.Series(["a", None]),
    pd.Series(pd.date_range("2020", periods=2, tz=BERLIN)),
    pd.Series(pd.Categorical(["a", "b"])),
    pd.Series([1, 2], index=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
    pd.Series([(1, 2), [3], {"a": pd.NaT}]),
    pd.Series([1]).set_flags(allows_duplicate_labels=False),
    *(pd.Series(array) for array in ARRAYS),
]


@pytest.mark.parametrize("value", FRAMES, ids=range(len(FRAMES)))
def test_frames(value: Any) -> None:
    """A frame keeps values, dtypes, both indexes, attributes and flags."""
    found = adapting.through(value)
    assert type(found) is pd.DataFrame
    pd.testing.assert_frame_equal(
        found,
        value,
        check_exact=True,
        check_index_type="exact",
        check_column_type="exact",
    )
    _same_index(found.index, value.index)
    _same_index(found.columns, value.columns)
    for at in range(len(value.columns)):
        _same_series(found.iloc[:, at], value.iloc[:, at])
    _same_facts(found, value)


@pytest.mark.parametrize("value", SERIES, ids=range(len(SERIES)))
def test_series(value: Any) -> None:
    """So does a series, with its name."""
    found = adapting.through(value)
    assert type(found) is pd.Series
    _same_series(found, value)
    _same_index(found.index, value.index)
    _same_facts(found, value)


@pytest.mark.parametrize("value", INDEXES, ids=range(len(INDEXES)))
def test_indexes(value: Any) -> None:
    """An index keeps its class, names, dtype and frequency."""
    _same_index(adapting.through(value), value)


@pytest.mark.parametrize("value", ARRAYS, ids=range(len(ARRAYS)))
def test_arrays(value: Any) -> None:
    """An array keeps what is under its mask, too."""
    _same_array(adapting.through(value), value)


@pytest.mark.parametrize("value", SCALARS, ids=range(len(SCALARS)))
def test_scalars_and_offsets(value: Any) -> None:
    """Scalars keep unit, zone and fold."""
    found = adapting.through(value)
    assert type(found) is type(value)
    assert (found == value, repr(found)) == (True, repr(value))
    for name in ("unit", "fold", "closed", "kwds", "freq"):
        assert getattr(found, name, None) == getattr(value, name, None)
    if isinstance(value, pd.Interval):
        assert type(found.left) is type(value.left)
    assert repr(getattr(found, "tz", None)) == repr(getattr(value, "tz", None))


@pytest.mark.parametrize("value", DTYPES, ids=range(len(DTYPES)))
def test_dtypes(value: Any) -> None:
    """A dtype is the same object of pandas's."""
    found = adapting.through(value)
    assert (type(found), repr(found), found) == (type(value), repr(value), value)


def test_every_offset() -> None:
    """Each class on the list can be made and comes back."""
    from archivedb.values.adapters import pandas_scalars

    for adapter in pandas_scalars._offsets():
        for value in (adapter.cls(), adapter.cls(n=-3)):
            found = adapting.through(value)
            assert (type(found), found) == (type(value), value)


def test_singletons() -> None:
    """There is one NaT and one NA."""
    assert adapting.through(pd.NaT) is pd.NaT
    assert adapting.through([pd.NA])[0] is pd.NA


def test_an_odd_zone_is_left_to_the_walk() -> None:
    """A zone that no text names stands in the state itself."""
    zone = zoneinfo.ZoneInfo.no_cache("Europe/Berlin")
    state = adapting.named("pandas.Timestamp").pack(pd.Timestamp("2020", tz=zone))
    assert state["tz"] is zone
    found = adapting.unpacked("pandas.Timestamp", state)
    assert found.tz is zone


def test_paths_lead_to_columns() -> None:
    """Where names are different texts, they are keys."""
    state = adapting.named("pandas.DataFrame").pack(FRAMES[0])
    assert list(state) == [
        *("columns", "index", "data", "attrs", "allows_duplicate_labels")
    ]
    assert list(state["data"]) == ["energy", "label"]
    assert type(state["data"]["energy"]) is np.ndarray
    # One table of numbers is one array.
    state = adapting.named("pandas.DataFrame").pack(pd.DataFrame(np.eye(2)))
    assert type(state["data"]) is np.ndarray


def test_what_comes_back_can_be_changed() -> None:
    """No array is left that cannot be written."""
    found = adapting.through(pd.DataFrame({"a": [1.0], "b": [2]}))
    found.loc[0, "a"] = 5.0
    series = adapting.through(pd.Series([1.0]))
    series.iloc[0] = 2.0
    assert (found.loc[0, "a"], series.iloc[0]) == (5.0, 2.0)


def test_refusals() -> None:
    """What would be lost is refused."""
    series = pd.Series([1])
    series.unit = "eV"
    with pytest.raises(EncodeError, match="unit"):
        adapting.through(series)
    index = pd.MultiIndex(levels=[["a", "a"]], codes=[[0]], verify_integrity=False)
    with pytest.raises(EncodeError, match="inconsistent"):
        adapting.through(index)
    for cls in (pd.offsets.CustomBusinessDay, pd.core.groupby.DataFrameGroupBy):
        assert adapting.adapter_of(cls) is None


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("DataFrame", {}),
        ("DataFrame", None),
        ("DataFrame", {"columns": ["a"], "index": [0], "data": {"a": [1]}}),
        (
            "DataFrame",
            {
                "columns": pd.Index(["a"]),
                "index": pd.RangeIndex(10**15),
                "data": {"a": 1.0},
            },
        ),
        (
            "DataFrame",
            {
                "columns": pd.Index(["a"]),
                "index": pd.RangeIndex(2),
                "data": {"b": np.zeros(2)},
            },
        ),
        (
            "DataFrame",
            {
                "columns": pd.RangeIndex(10**15),
                "index": pd.RangeIndex(1),
                "data": np.zeros((1, 1)),
            },
        ),
        ("Series", {"name": None, "index": pd.RangeIndex(10**15), "values": 0}),
        ("Series", {"name": None, "index": pd.RangeIndex(3), "values": np.zeros(2)}),
        ("Series", {"name": [], "index": pd.RangeIndex(2), "values": np.zeros(2)}),
        (
            "Series",
            {"name": None, "index": pd.RangeIndex(1), "values": np.array(["a"])},
        ),
        ("Index", {"name": None, "values": "abc"}),
        ("Index", {"name": None, "values": np.zeros(2, "M8[s]")}),
        ("RangeIndex", {"name": None, "start": "0", "stop": 1, "step": 1}),
        ("RangeIndex", {"name": None, "start": 0, "stop": 1, "step": 0}),
        ("MultiIndex", {"names": ["a"], "levels": [["x"]], "codes": [np.array([0])]}),
        (
            "MultiIndex",
            {"names": ["a"], "levels": [pd.Index(["x"])], "codes": [np.array([5])]},
        ),
        (
            "Categorical",
            {
                "categories": pd.Index(["a"]),
                "codes": np.array([1], "i1"),
                "ordered": False,
            },
        ),
        ("DatetimeArray", {"values": np.zeros(1, "M8[D]")}),
        ("DatetimeArray", {"values": np.zeros(1, "M8[s]"), "tz": "../../etc/passwd"}),
        ("DatetimeArray", {"values": np.zeros(1, "M8[s]"), "tz": "No/Where"}),
        ("DatetimeArray", {"values": np.zeros(1, "M8[s]"), "freq": "D"}),
        ("DatetimeIndex", {"name": None, "values": np.zeros(2, "i8")}),
        ("TimedeltaArray", {"values": np.zeros(1, "M8[s]")}),
        ("PeriodArray", {"ordinals": np.zeros(1, "i8"), "freq": "M"}),
        ("IntervalArray", {"left": [0], "right": [1], "closed": "left"}),
        (
            "IntervalArray",
            {"left": pd.Index([2]), "right": pd.Index([1]), "closed": "left"},
        ),
        (
            "SparseArray",
            {
                "values": np.zeros(1),
                "length": 10**15,
                "fill_value": 0.0,
                "positions": np.array([0, 1], "i4"),
            },
        ),
        (
            "SparseArray",
            {
                "values": np.zeros(1),
                "length": 2,
                "fill_value": 0.0,
                "positions": np.array([5], "i4"),
            },
        ),
        ("StringArray", {"values": [1], "storage": "python", "na_value": "NA"}),
        ("StringArray", {"values": ["a"], "storage": "os", "na_value": "NA"}),
        ("IntegerArray", {"values": np.zeros(2, "i8"), "mask": np.zeros(1, "?")}),
        ("IntegerArray", {"values": np.zeros(2), "mask": np.zeros(2, "?")}),
        ("Timestamp", {"time": "now it is", "unit": "s"}),
        ("Timestamp", {"time": "2020", "unit": "D"}),
        ("Timestamp", {"time": 5, "unit": "s"}),
        ("Timedelta", {"value": 10**30, "unit": "s"}),
        ("Period", {"ordinal": 1, "freq": "M"}),
        ("Interval", {"left": 2, "right": 1, "closed": "left"}),
        ("Interval", {"left": 1, "right": 2, "closed": "os"}),
        ("Day", {"n": "1"}),
        ("DateOffset", {"n": 1, "kwds": {"__class__": 1}}),
        ("CategoricalDtype", {"categories": ["a"], "ordered": False}),
        ("DatetimeTZDtype", {"unit": "s", "tz": 5}),
        ("IntervalDtype", {"subtype": 5, "closed": "left"}),
        ("SparseDtype", {"subtype": "os", "fill_value": 0}),
    ],
)
def test_hostile_states(kind: str, state: Any) -> None:
    """A state that pack never made raises, and makes nothing large."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - any error will do
        adapting.unpacked(f"pandas.{kind}", state)


def _same_facts(found: Any, value: Any) -> None:
    assert found.flags == value.flags
    assert list(found.attrs) == list(value.attrs)
    np.testing.assert_equal(found.attrs, value.attrs)


def _same_series(found: Any, value: Any) -> None:
    pd.testing.assert_series_equal(
        found, value, check_exact=True, check_freq=True, check_flags=True
    )
    assert type(found.name) is type(value.name)
    if isinstance(value.dtype, np.dtype):
        _same_numpy(found.to_numpy(), value.to_numpy())
    else:
        _same_array(found.array, value.array)


def _same_numpy(found: Any, value: Any) -> None:
    assert (found.dtype, found.dtype.str) == (value.dtype, value.dtype.str)
    if value.dtype != object:
        assert found.tobytes() == value.tobytes()
        return
    for one, two in zip(found.reshape(-1), value.reshape(-1), strict=True):
        assert type(one) is type(two)
        assert one is two or repr(one) == repr(two)


def _same_index(found: Any, value: Any) -> None:
    assert type(found) is type(value)
    assert found.identical(value)
    pd.testing.assert_index_equal(found, value, exact=True, check_exact=True)
    assert found.dtype == value.dtype
    assert found.name == value.name
    assert list(map(type, found.names)) == list(map(type, value.names))
    assert getattr(found, "freq", None) == getattr(value, "freq", None)
    if isinstance(value, pd.MultiIndex):
        assert found.sortorder == value.sortorder
        for one, two in zip(found.levels, value.levels, strict=True):
            _same_index(one, two)
        for one, two in zip(found.codes, value.codes, strict=True):
            _same_numpy(np.asarray(one), np.asarray(two))
    elif isinstance(value, pd.RangeIndex):
        assert (found.start, found.stop) == (value.start, value.stop)
    elif isinstance(value.dtype, np.dtype):
        _same_numpy(found.to_numpy(), value.to_numpy())
    else:
        _same_array(found.array, value.array)


def _same_array(found: Any, value: Any) -> None:
    assert type(found) is type(value)
    assert (found.dtype, repr(found.dtype)) == (value.dtype, repr(value.dtype))
    pd.testing.assert_extension_array_equal(found, value, check_exact=True)
    for name in ("freq", "tz", "unit", "closed", "ordered", "fill_value"):
        assert repr(getattr(found, name, None)) == repr(getattr(value, name, None))
    for name in ("_data", "_mask", "_ndarray", "sp_values", "codes"):
        if hasattr(value, name):
            _same_numpy(getattr(found, name), getattr(value, name))
    if isinstance(value, pd.Categorical):
        _same_index(found.categories, value.categories)
    if isinstance(value, pd.arrays.IntervalArray):
        _same_index(found.left, value.left)
        _same_index(found.right, value.right)
    if isinstance(value, pd.arrays.SparseArray):
        assert type(found.sp_index) is type(value.sp_index)
        assert found.sp_index.equals(value.sp_index)
