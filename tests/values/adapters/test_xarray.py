"""Labelled arrays of xarray come back identical, indexes and encoding included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

xr = pytest.importorskip("xarray")
pd = pytest.importorskip("pandas")

from archivedb.errors import EncodeError  # noqa: E402
from tests.support import adapting, exact  # noqa: E402


def _objects(*items: Any) -> Any:
    made = np.empty(len(items), object)
    made[:] = items
    return made


def _stacked() -> Any:
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["l", "n"])
    coords = xr.Coordinates.from_pandas_multiindex(index, "m")
    made = xr.Dataset({"q": ("m", np.arange(4))}, coords=coords)
    made = made.assign_coords(after=("m", [1.0, 2, 3, 4]))
    made.l.attrs["unit"] = "none"
    made["n"].encoding = {"dtype": "i2"}
    return made


def _dataset() -> Any:
    made = xr.Dataset(
        {"energy": (("x", "t"), np.arange(6.0).reshape(2, 3)), ("odd", 1): ((), 5)},
        coords={
            "x": ["fcc", "b"],
            "t": pd.date_range("2020", periods=3, freq="D"),
            "z": ("x", [1, 2]),
            "scalar": 7,
        },
        attrs={"title": "runs", 3: np.arange(2)},
    )
    made["energy"].attrs = {"unit": "eV"}
    made["energy"].encoding = {"dtype": np.dtype("f4"), "zlib": True}
    made["t"].encoding = {"units": "days since 2000"}
    made.encoding = {"source": "a.nc"}
    return made


_COORDS = {"x": np.array([1.5, 2.5], "f4")}

DATASETS = [
    xr.Dataset(),
    xr.Dataset(attrs={"only": "attrs"}),
    _dataset(),
    _stacked(),
    _stacked().unstack("m"),
    _dataset().stack(s=("x", "t")),
    _dataset().drop_indexes("x"),
    _dataset().set_xindex("z"),
    _dataset().drop_indexes("x").set_xindex("z"),
    _dataset().set_coords("energy"),
    _dataset().reset_coords("z"),
    _dataset().rename(x="site"),
    _dataset()[["t", ("odd", 1), "z", "energy", "x"]],
    _dataset().isel(x=slice(0, 0)),
    _stacked().drop_indexes(["m", "l", "n"]),
    xr.Dataset(coords={"p": pd.period_range("2020", periods=2, freq="M")}),
    xr.Dataset(coords={"c": pd.CategoricalIndex(["b", "a"], ordered=True)}),
    xr.Dataset(coords={"i": pd.interval_range(0, 2)}),
    xr.Dataset(coords={"s": pd.Index(["a", "b"]), "u": pd.Index(["a"], dtype=object)}),
    xr.Dataset(coords={"o": _objects("a", 1)}),
    xr.Dataset(coords={"d": pd.timedelta_range("1h", periods=2)}),
    xr.Dataset(coords={"b": [True, False], "r": pd.RangeIndex(0, 6, 2)}),
    xr.Dataset(coords={"k": np.array([b"a", b"bcd"])}),
    xr.Dataset({"e": ("x", pd.array([1, None], dtype="Int64"))}),
    xr.Dataset({"e": ("x", pd.Categorical(["a", "b"]))}),
]


@pytest.mark.parametrize("value", DATASETS, ids=range(len(DATASETS)))
def test_datasets(value: Any) -> None:
    """A dataset keeps variables, coordinates, indexes, attributes and encoding."""
    _same_dataset(adapting.through(value), value)


ARRAYS = [
    xr.DataArray(5.0),
    xr.DataArray(np.eye(2)),
    xr.DataArray([1, 2], dims="x", coords=_COORDS, name="energy", attrs={"a": 1}),
    xr.DataArray([1, 2], dims="array", coords={"array": [0, 1]}, name=("odd", 1)),
    xr.DataArray([1, 2], dims="x", name="x_"),
    xr.DataArray([1, 2], dims=("odd", 1)[:1], coords={"array": 3}),
    xr.DataArray(_objects([1], {"a": 2}), dims="x"),
    xr.DataArray(np.array(["a", "bb"]), dims="x", name=0),
    xr.DataArray(pd.date_range("2020", periods=2)),
    xr.DataArray(pd.period_range("2020", periods=2, freq="M")),
    xr.DataArray(pd.date_range("2020", periods=2, tz="Europe/Berlin")),
    _stacked()["l"],
    _stacked()["q"].drop_indexes(["m", "l", "n"]),
    xr.DataArray(pd.array([True, False])),
    _dataset()["energy"],
    _dataset()["x"],
    _dataset()["t"],
    _dataset()["t"].rename("when"),
    _dataset()["z"],
    _stacked()["q"],
    _stacked()["m"],
    _dataset()["energy"].drop_indexes("t"),
    _dataset()["energy"].isel(x=0),
    xr.DataArray(np.eye(2), dims=("x", "y"), coords={"x": [0, 1], "w": ("y", [1, 2])}),
]


@pytest.mark.parametrize("value", ARRAYS, ids=range(len(ARRAYS)))
def test_data_arrays(value: Any) -> None:
    """So does an array, which may have any name."""
    found = adapting.through(value)
    assert type(found) is xr.DataArray
    xr.testing.assert_identical(found, value)
    assert type(found.name) is type(value.name)
    _same_variable(found.variable, value.variable)
    _same_coordinates(found, value)


VARIABLES = [
    xr.Variable((), 5),
    xr.Variable(
        ("x", "y"), np.arange(4, dtype=">i2").reshape(2, 2), {"a": 1}, {"b": 2}
    ),
    xr.Variable("x", _objects(np.datetime64("2020"), "text")),
    xr.Variable("x", pd.array(["a", "b"], dtype="string")),
    xr.Variable("x", np.array(["2020"], "M8[ms]")),
    *_stacked().variables.values(),
    xr.IndexVariable("x", [1, 2, 3], {"a": 1}, {"b": 2}),
    xr.IndexVariable("x", np.array(["a", "bcd"])),
    xr.IndexVariable("x", pd.Index(["a", "b"], dtype=object)),
    xr.IndexVariable("x", pd.date_range("2020", periods=2, freq="h")),
    xr.IndexVariable("x", pd.period_range("2020", periods=2, freq="M")),
]


@pytest.mark.parametrize("value", VARIABLES, ids=range(len(VARIABLES)))
def test_variables(value: Any) -> None:
    """A variable alone keeps class, dtype and encoding."""
    _same_variable(adapting.through(value), value)


def test_trees() -> None:
    """A tree keeps its branches, and what they inherit is stored once."""
    value = xr.DataTree.from_dict(
        {
            "/": _dataset().drop_vars([("odd", 1)]),
            "/b": xr.Dataset({"f": ("x", [1, 2])}, attrs={"n": 1}),
            "/a/deep": _stacked(),
            "/empty": None,
        },
        name="root",
    )
    found = adapting.through(value)
    assert type(found) is xr.DataTree
    xr.testing.assert_identical(found, value)
    assert [one.path for one in found.subtree] == [one.path for one in value.subtree]
    for one, two in zip(found.subtree, value.subtree, strict=True):
        _same_dataset(one.to_dataset(inherit=False), two.to_dataset(inherit=False))
    branch = value["b"]
    with pytest.raises(EncodeError, match="root"):
        adapting.through(branch)
    xr.testing.assert_identical(adapting.through(branch.copy()), branch.copy())


def test_paths_lead_to_arrays() -> None:
    """Data and coordinates are found by their names."""
    state = adapting.named("xarray.Dataset").pack(_dataset())
    assert list(state) == ["data_vars", "coords", "attrs", "encoding"]
    labels = adapting.named("xarray.IndexVariable").pack(state["coords"]["x"])
    assert labels["data"].tolist() == ["fcc", "b"]
    state = adapting.named("xarray.DataArray").pack(_dataset()["energy"])
    assert type(state["data"]) is np.ndarray


class _Lazy(xr.backends.BackendArray):  # type: ignore[misc]
    """An array in a file."""

    shape = (3,)
    dtype = np.dtype("f8")

    def __getitem__(self, key: Any) -> Any:
        return np.arange(3.0)[key.tuple]


def test_files_are_read() -> None:
    """What is in a file yet is read when it is saved."""
    lazy = xr.core.indexing.LazilyIndexedArray(_Lazy())
    value = xr.Variable("x", lazy)
    assert not value._in_memory
    found = adapting.through(value)
    assert exact.difference(found.values, np.arange(3.0)) is None


class _Chunked:
    """As much of a dask array as xarray asks for."""

    shape, ndim, dtype, chunks = (3,), 1, np.dtype("f8"), ((3,),)

    def __array_function__(self, *_: Any) -> None:
        """Be an array."""

    def __array_ufunc__(self, *_: Any) -> None:
        """Be an array."""


class _OwnIndex(xr.indexes.PandasIndex):  # type: ignore[misc]
    """An index of somebody else."""


def test_refusals() -> None:
    """What would be lost is refused, with a way out."""
    with pytest.raises(EncodeError, match="compute"):
        adapting.through(xr.Variable("x", _Chunked(), fastpath=True))
    value = xr.Dataset({"e": ("x", [1, 2])}, coords={"x": [0, 1]}).drop_indexes("x")
    with pytest.raises(EncodeError, match="drop_indexes"):
        adapting.through(value.set_xindex("x", _OwnIndex))


def _variable() -> Any:
    return xr.Variable("x", [1, 2])


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("Variable", {}),
        ("Variable", {"dims": ["x"], "data": "text"}),
        ("Variable", {"dims": ["x"], "data": [1, 2]}),
        ("Variable", {"dims": ["x", "y"], "data": np.zeros(2)}),
        ("Variable", {"dims": ["x"], "data": np.zeros(2), "attrs": [1]}),
        ("IndexVariable", {"dims": ["x"], "data": np.zeros((2, 2))}),
        ("IndexVariable", {"dims": ["x"], "index": [1]}),
        ("IndexVariable", {"dims": ["x"], "index": pd.Index([1]), "dtype": "os"}),
        ("Dataset", {}),
        ("Dataset", {"data_vars": {"e": [1]}}),
        (
            "Dataset",
            {"data_vars": {"e": _variable(), "f": xr.Variable("x", [1])}},
        ),
        ("Dataset", {"data_vars": {"x": _variable()}}),
        ("Dataset", {"data_vars": {"e": _variable()}, "order": []}),
        ("Dataset", {"data_vars": {}, "coords": {"x": [1, 2]}}),
        ("Dataset", {"data_vars": {}, "coords": {"l": {}}}),
        (
            "Dataset",
            {
                "data_vars": {},
                "coords": {"x": _variable()},
                "indexes": [{"dim": "x", "index": pd.RangeIndex(2)}],
            },
        ),
        (
            "DataArray",
            {
                "name": None,
                "dims": ["x"],
                "data": np.zeros(2),
                "coords": {"y": xr.Variable("y", [1])},
            },
        ),
        ("DataArray", {"name": None, "labels_of": "x"}),
        ("DataTree", {"name": None, "dataset": 1}),
        ("DataTree", {"name": None, "dataset": xr.Dataset(), "children": {"a": 1}}),
    ],
)
def test_hostile_states(kind: str, state: Any) -> None:
    """A state that pack never made raises."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - any error will do
        adapting.unpacked(f"xarray.{kind}", state)


def _same_dataset(found: Any, value: Any) -> None:
    assert type(found) is xr.Dataset
    xr.testing.assert_identical(found, value)
    assert list(found.variables) == list(value.variables)
    assert list(found.data_vars) == list(value.data_vars)
    assert found.encoding == value.encoding
    for name, one in value.variables.items():
        _same_variable(found.variables[name], one)
    _same_coordinates(found, value)


def _same_coordinates(found: Any, value: Any) -> None:
    assert list(found.coords) == list(value.coords)
    assert set(found.xindexes) == set(value.xindexes)
    for name, one in value.coords.variables.items():
        _same_variable(found.coords.variables[name], one)
    for name, index in value.xindexes.items():
        other = found.xindexes[name]
        assert type(other) is type(index)
        assert other.dim == index.dim
        assert other.coord_dtype == index.coord_dtype
        _same_index(other.index, index.index)
        levels = [getattr(one, "level_coords_dtype", None) for one in (other, index)]
        assert levels[0] == levels[1]
    groups = [
        {frozenset(names) for _, names in one.xindexes.group_by_index()}
        for one in (found, value)
    ]
    assert groups[0] == groups[1]


def _same_index(found: Any, value: Any) -> None:
    assert type(found) is type(value)
    assert found.name == value.name
    pd.testing.assert_index_equal(found, value, exact=True, check_exact=True)
    assert getattr(found, "freq", None) == getattr(value, "freq", None)


def _same_variable(found: Any, value: Any) -> None:
    assert type(found) is type(value)
    xr.testing.assert_identical(found, value)
    assert (found.dims, found.dtype) == (value.dims, value.dtype)
    if type(value) is xr.IndexVariable:
        assert type(found._data) is type(value._data)
    assert exact.difference(found.attrs, value.attrs) is None
    assert exact.difference(found.encoding, value.encoding) is None
    if isinstance(value._data, np.ndarray) and value.dtype != object:
        assert exact.difference(found._data, value._data) is None
    if isinstance(value._data, xr.core.indexing.PandasIndexingAdapter):
        _same_index(found.to_index(), value.to_index())
    if isinstance(value.data, pd.api.extensions.ExtensionArray):
        assert type(found.data) is type(value.data)
