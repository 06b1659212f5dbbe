"""What tables of pandas are made of: its scalars, its dtypes and its offsets."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require_that
from archivedb.values.adapters.states import expect, proven
from archivedb.values.dtypes import named_dtype

UNITS = frozenset({"s", "ms", "us", "ns"})
"""The resolutions that pandas has."""

# Those with a calendar of holidays hold a numpy.busdaycalendar, and are left to
# the reduce protocol.
_OFFSETS = (
    *("BHalfYearBegin", "BHalfYearEnd", "BQuarterBegin", "BQuarterEnd"),
    *("BYearBegin", "BYearEnd", "BusinessDay", "BusinessHour", "BusinessMonthBegin"),
    *("BusinessMonthEnd", "DateOffset", "Day", "Easter", "FY5253", "FY5253Quarter"),
    *("HalfYearBegin", "HalfYearEnd", "Hour", "LastWeekOfMonth", "Micro", "Milli"),
    *("Minute", "MonthBegin", "MonthEnd", "Nano", "QuarterBegin", "QuarterEnd"),
    *("Second", "SemiMonthBegin", "SemiMonthEnd", "Week", "WeekOfMonth"),
    *("YearBegin", "YearEnd"),
)

_PLAIN_DTYPES = (
    *("Int8Dtype", "Int16Dtype", "Int32Dtype", "Int64Dtype"),
    *("UInt8Dtype", "UInt16Dtype", "UInt32Dtype", "UInt64Dtype"),
    *("Float32Dtype", "Float64Dtype", "BooleanDtype"),
)


def adapters() -> list[Adapter]:
    """Return the adapters for scalars, dtypes and offsets."""
    return [*_scalars(), *_dtypes(), *_offsets()]


# Time zones ---------------------------------------------------------------


def zone_state(zone: dt.tzinfo | None) -> Any:
    """
    Return a time zone as text, or itself where no text is exact.

    >>> zone_state(ZoneInfo("Europe/Berlin"))
    'Europe/Berlin'
    >>> zone_state(dt.timezone(dt.timedelta(hours=1)))
    '+01:00'
    """
    if type(zone) is ZoneInfo and zone.key is not None:
        # One that was read from a file has a key, too, but is not that zone.
        try:
            return zone.key if ZoneInfo(zone.key) is zone else zone
        except (OSError, ValueError):
            return zone
    if type(zone) is dt.timezone:
        text = dt.datetime(2000, 1, 1, tzinfo=zone).isoformat()[19:]
        return text if repr(_fixed(text)) == repr(zone) else zone
    return zone


def state_zone(state: Any) -> dt.tzinfo | None:
    """Return the time zone of a state."""
    if isinstance(state, str):
        return _fixed(state) if state[:1] in ("+", "-") else ZoneInfo(state)
    zone: dt.tzinfo | None = expect(state, dt.tzinfo, type(None))
    return zone


def _fixed(text: str) -> dt.tzinfo | None:
    return dt.datetime.fromisoformat("2000-01-01T00:00:00" + text).tzinfo


# Scalars ------------------------------------------------------------------


def _scalars() -> list[Adapter]:
    return [
        Adapter("pandas.NaT", type(pd.NaT), _nothing, lambda _: pd.NaT),
        Adapter("pandas.NA", type(pd.NA), _nothing, lambda _: pd.NA),
        Adapter(
            "pandas.Timestamp",
            pd.Timestamp,
            proven(_timestamp, _to_timestamp, _same_timestamp),
            _to_timestamp,
        ),
        Adapter("pandas.Timedelta", pd.Timedelta, _timedelta, _to_timedelta),
        Adapter("pandas.Period", pd.Period, _period, _to_period),
        Adapter("pandas.Interval", pd.Interval, _interval, _to_interval),
    ]


def _nothing(_: Any) -> None:
    return None


def _timestamp(value: Any) -> dict[str, Any]:
    text = str(value.asm8)
    if value.tz is None:
        state = {"time": text, "unit": value.unit}
    else:
        state = {"utc": text, "unit": value.unit, "tz": zone_state(value.tz)}
    # Of a zone's time the instant says it.
    if value.fold and value.tz is None:
        state["fold"] = value.fold
    return state


def _to_timestamp(state: Any) -> Any:
    unit = _unit(state)
    if "time" in state:
        value = pd.Timestamp(np.datetime64(expect(state["time"], str), unit))
        return value.replace(fold=state["fold"]) if "fold" in state else value
    value = pd.Timestamp(np.datetime64(expect(state["utc"], str), unit))
    return value.tz_localize("UTC").tz_convert(state_zone(state["tz"]))


def _same_timestamp(one: Any, two: Any) -> bool:
    return bool(
        _timestamp(one) == _timestamp(two)
        and (one.fold, repr(one.tz)) == (two.fold, repr(two.tz))
    )


def _unit(state: Any) -> Any:
    unit = expect(state["unit"], str)
    require_that(unit in UNITS, f"pandas has no resolution {unit!r}")
    return unit


def _timedelta(value: Any) -> dict[str, Any]:
    return {"value": int(value.asm8.astype("i8")), "unit": value.unit}


def _to_timedelta(state: Any) -> Any:
    value: int = expect(state["value"], int)
    return pd.Timedelta(np.timedelta64(value, _unit(state)))


def _period(value: Any) -> dict[str, Any]:
    return {"ordinal": value.ordinal, "freq": value.freq}


def _to_period(state: Any) -> Any:
    freq = expect(state["freq"], pd.offsets.BaseOffset)
    return pd.Period(ordinal=expect(state["ordinal"], int), freq=freq)


def _interval(value: Any) -> dict[str, Any]:
    return {"left": value.left, "right": value.right, "closed": value.closed}


def _to_interval(state: Any) -> Any:
    return pd.Interval(state["left"], state["right"], closed=state["closed"])


# dtypes -------------------------------------------------------------------


def _dtypes() -> list[Adapter]:
    plain = [getattr(pd, name) for name in _PLAIN_DTYPES]
    return [
        *(
            Adapter(f"pandas.{cls.__name__}", cls, _nothing, _maker(cls))
            for cls in plain
        ),
        Adapter(
            "pandas.CategoricalDtype", pd.CategoricalDtype, _category, _to_category
        ),
        Adapter("pandas.DatetimeTZDtype", pd.DatetimeTZDtype, _zoned, _to_zoned),
        Adapter("pandas.StringDtype", pd.StringDtype, string_state, state_string),
        Adapter("pandas.PeriodDtype", pd.PeriodDtype, _period_dtype, _to_period_dtype),
        Adapter("pandas.IntervalDtype", pd.IntervalDtype, _between, _to_between),
        Adapter("pandas.SparseDtype", pd.SparseDtype, _sparse, _to_sparse),
    ]


def _maker(cls: Any) -> Any:
    return lambda _: cls()


def _category(value: Any) -> dict[str, Any]:
    return {"categories": value.categories, "ordered": value.ordered}


def _to_category(state: Any) -> Any:
    categories = expect(state["categories"], pd.Index, type(None))
    return pd.CategoricalDtype(categories, ordered=state["ordered"])


def _zoned(value: Any) -> dict[str, Any]:
    return {"unit": value.unit, "tz": zone_state(value.tz)}


def _to_zoned(state: Any) -> Any:
    return pd.DatetimeTZDtype(_unit(state), state_zone(state["tz"]))


def string_state(value: Any) -> dict[str, Any]:
    """Return the state of a dtype for text."""
    missing = "NA" if value.na_value is pd.NA else "nan"
    return {"storage": value.storage, "na_value": missing}


def state_string(state: Any) -> Any:
    """Return the dtype for text of a state."""
    missing = {"NA": pd.NA, "nan": np.nan}[state["na_value"]]
    return pd.StringDtype(state["storage"], na_value=missing)


def _period_dtype(value: Any) -> dict[str, Any]:
    return {"freq": value.freq}


def _to_period_dtype(state: Any) -> Any:
    return pd.PeriodDtype(expect(state["freq"], pd.offsets.BaseOffset))


def _between(value: Any) -> dict[str, Any]:
    return {"subtype": _subtype(value.subtype), "closed": value.closed}


def _to_between(state: Any) -> Any:
    return pd.IntervalDtype(_state_subtype(state["subtype"]), state["closed"])


def _sparse(value: Any) -> dict[str, Any]:
    return {"subtype": _subtype(value.subtype), "fill_value": value.fill_value}


def _to_sparse(state: Any) -> Any:
    return pd.SparseDtype(_state_subtype(state["subtype"]), state["fill_value"])


def _subtype(dtype: Any) -> Any:
    return dtype.str if isinstance(dtype, np.dtype) else dtype


def _state_subtype(state: Any) -> Any:
    if isinstance(state, str):
        return named_dtype(state)
    return expect(state, pd.DatetimeTZDtype, type(None))


# Offsets ------------------------------------------------------------------


def _offsets() -> list[Adapter]:
    # Not every version of pandas has every class.
    found = [getattr(pd.offsets, name, None) for name in _OFFSETS]
    return [
        Adapter(
            f"pandas.{cls.__name__}",
            cls,
            proven(_offset, _offset_maker(cls), _same_offset),
            _offset_maker(cls),
        )
        for cls in found
        if cls is not None
    ]


def _offset(value: Any) -> dict[str, Any]:
    state: dict[str, Any] = {"n": value.n}
    if value.normalize:
        state["normalize"] = True
    if value.kwds:
        state["kwds"] = dict(value.kwds)
    return state


def _offset_maker(cls: Any) -> Any:
    def make(state: Any) -> Any:
        kwds = expect(state.get("kwds", {}), dict)
        normalize = expect(state.get("normalize", False), bool)
        return cls(expect(state["n"], int), normalize=normalize, **kwds)

    return make


def _same_offset(one: Any, two: Any) -> bool:
    return bool(one == two and _offset(one) == _offset(two))
