"""Tables as pandas has them, and arrays as xarray has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import QueryError
from archivedb.values.cells import array_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pandas import DataFrame

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NONE = type(None)
_WHOLE_IN_DOUBLE = 1 << 53


def optional(library: str, what: str) -> Any:
    """
    Import a library that only some installations have.

    Raises:
        ModuleNotFoundError: This one has not; says how to get it.

    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        msg = f"{what} needs {library}: python -m pip install {library}"
        raise ModuleNotFoundError(msg, name=library) from None


def frame(
    pandas: Any, labels: Sequence[str], values: Sequence[list[Any]], index: str | None
) -> DataFrame:
    """
    Return columns as a frame.

    Args:
        pandas: The library.
        labels: What the columns are called; may be called the same.
        values: Those of each column.
        index: What the first column is called, if it is the index.

    """
    made = [_typed(pandas, each) for each in values]
    rows = pandas.RangeIndex(len(values[0]) if values else 0)
    if index is not None:
        rows = pandas.Index(made.pop(0), name=index)
    found = pandas.DataFrame(dict(enumerate(made)), index=rows, copy=False)
    found.columns = pandas.Index(list(labels), dtype=object)
    return found


def _typed(pandas: Any, values: list[Any]) -> Any:
    """Return a column with the type that holds its values as they are."""
    types = set(map(type, values))
    missing = _NONE in types
    types.discard(_NONE)
    if types == {bool} and not missing:
        return np.array(values, bool)
    if types and types <= {int, float}:
        return _numbers(values, types, missing=missing)
    if types == {datetime}:
        micros = [None if v is None else (v - _EPOCH) // _MICROSECOND for v in values]
        times = np.array(micros, "datetime64[us]")
        return pandas.DatetimeIndex(times).tz_localize("UTC")
    if types == {timedelta}:
        micros = [None if v is None else v // _MICROSECOND for v in values]
        return np.array(micros, "timedelta64[us]")
    if types == {str}:
        return pandas.Series(values).array
    column = np.empty(len(values), object)
    column[:] = values  # item by item: lists stay lists
    return column


def _numbers(values: list[Any], types: set[type], *, missing: bool) -> Any:
    whole = types == {int} and not missing
    try:
        if whole:
            return np.array(values, np.int64)
    except OverflowError:
        pass
    ints = (abs(v) for v in values if type(v) is int) if int in types else ()
    if not whole and max(ints, default=0) <= _WHOLE_IN_DOUBLE:
        return np.array(values, np.float64)  # None becomes NaN
    column = np.empty(len(values), object)
    column[:] = values
    return column


def stacked(
    xarray: Any,
    path: str,
    dims: Iterable[str] | None,
    found: Sequence[tuple[str, Any]],
    coords: dict[str, list[Any]],
) -> Any:
    """
    Return arrays of equal shape along a dimension ``record``.

    Args:
        xarray: The library.
        path: Where they stand.
        dims: What their axes are called.
        found: A label and an array of each record.
        coords: Coordinates of the records.

    Raises:
        QueryError: They differ in shape or dtype, or the axes are not so many.

    """
    arrays = [_array(label, path, value) for label, value in found]
    first = arrays[0] if arrays else np.empty(0)
    for (label, _), array in zip(found, arrays, strict=True):
        if array.shape != first.shape or _kind(array) != _kind(first):
            msg = (
                f"`{path}` is {_words(array)} in {label!r}, but {_words(first)} in "
                f"{found[0][0]!r}: arrays of one shape and dtype can be stacked"
            )
            raise QueryError(msg)
    names = _dims(path, dims, first.ndim if arrays else None)
    data = np.stack(arrays) if arrays else np.empty((0,) * (1 + len(names)))
    columns = {
        name: ("record", np.asarray(_coordinate(values)))
        for name, values in coords.items()
    }
    return xarray.DataArray(data, dims=("record", *names), coords=columns, name=path)


def _coordinate(values: list[Any]) -> Any:
    types = set(map(type, values))
    if types <= {int, float} or (len(types) == 1 and types <= {bool, str}):
        return values
    if types == {datetime}:
        return np.array(
            [value.replace(tzinfo=None) for value in values], "datetime64[us]"
        )
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _array(label: str, path: str, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    try:
        found = np.asarray(value) if isinstance(value, _STACKED) else None
    except ValueError:  # lists of several lengths
        found = None
    if found is None or found.dtype.hasobject:
        msg = f"`{path}` is neither array nor number in {label!r}: {value!r:.60}"
        raise QueryError(msg)
    return found


_STACKED = (bool, int, float, complex, str, list, tuple, np.generic)


def _kind(array: Any) -> Any:
    # Texts of several lengths are alike.
    return "U" if array.dtype.kind == "U" else array.dtype


def _words(array: Any) -> str:
    return array_words(str(array.dtype), array.shape)


def _dims(path: str, dims: Iterable[str] | None, axes: int | None) -> list[str]:
    if dims is None:
        return [f"axis_{axis}" for axis in range(axes or 0)]
    names = [dims] if isinstance(dims, str) else list(dims)
    if axes is not None and len(names) != axes:
        msg = f"`{path}` has {axes} axes, and dims names {len(names)}: {names}"
        raise QueryError(msg)
    return names
