"""
Adapters of the standard library's values: dates, numbers, paths, patterns.

They serve the modules ``datetime``, ``decimal``, ``fractions``, ``ipaddress``,
``pathlib``, ``re``, ``uuid`` and ``zoneinfo``.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import ipaddress
import numbers
import pathlib
import pickle
import re
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any

from archivedb.errors import EncodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require, require_keys, require_that

if TYPE_CHECKING:
    from collections.abc import Callable


def adapters() -> list[Adapter]:
    """Return the adapters of all these modules."""
    return [
        Adapter("datetime.datetime", dt.datetime, _pack_time, _unpack_datetime),
        Adapter(
            "datetime.date", dt.date, dt.date.isoformat, _text(dt.date.fromisoformat)
        ),
        Adapter("datetime.time", dt.time, _pack_time, _unpack_time),
        Adapter("datetime.timedelta", dt.timedelta, _pack_delta, _unpack_delta),
        Adapter("datetime.timezone", dt.timezone, _pack_timezone, _unpack_timezone),
        Adapter("zoneinfo.ZoneInfo", zoneinfo.ZoneInfo, _pack_zone, _unpack_zone),
        Adapter("decimal.Decimal", decimal.Decimal, _pack_decimal, _unpack_decimal),
        Adapter(
            "fractions.Fraction", fractions.Fraction, _pack_fraction, _unpack_fraction
        ),
        *(_path_adapter(kind, cls) for kind, cls in _PATHS.items()),
        Adapter("uuid.UUID", uuid.UUID, _pack_uuid, _unpack_uuid),
        Adapter("re.Pattern", re.Pattern, _pack_pattern, _unpack_pattern),
        *(Adapter(f"ipaddress.{cls.__name__}", cls, str, _text(cls)) for cls in _IPS),
    ]


def _text(unpack: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda state: unpack(require(state, str))


_IPS: tuple[type, ...] = (
    *(ipaddress.IPv4Address, ipaddress.IPv4Interface, ipaddress.IPv4Network),
    *(ipaddress.IPv6Address, ipaddress.IPv6Interface, ipaddress.IPv6Network),
)

# Dates and times --------------------------------------------------------------


def _pack_time(value: Any) -> dict[str, Any]:
    # A tzinfo may be anybody's, and need not even know its offset.
    state = {"iso": value.replace(tzinfo=None).isoformat()}
    if value.tzinfo is not None:
        state["tz"] = value.tzinfo
    if value.fold:
        state["fold"] = value.fold
    return state


def _unpack_datetime(state: Any) -> Any:
    return _zoned(dt.datetime.fromisoformat, state)


def _unpack_time(state: Any) -> Any:
    return _zoned(dt.time.fromisoformat, state)


def _zoned(read: Callable[[str], Any], state: Any) -> Any:
    naive = read(require(require_keys(state, {"iso"}, {"tz", "fold"})["iso"], str))
    require_that(naive.tzinfo is None, "a time zone stands within the time")
    return naive.replace(tzinfo=state.get("tz"), fold=state.get("fold", 0))


def _pack_delta(value: dt.timedelta) -> dict[str, int]:
    return {
        "days": value.days,
        "seconds": value.seconds,
        "microseconds": value.microseconds,
    }


def _unpack_delta(state: Any) -> dt.timedelta:
    require_keys(state, {"days", "seconds", "microseconds"})
    return dt.timedelta(**{unit: require(state[unit], int) for unit in state})


_SECOND = dt.timedelta(seconds=1)


def _pack_timezone(value: dt.timezone) -> dict[str, Any]:
    offset, *name = value.__getinitargs__()  # type: ignore[attr-defined]
    seconds, rest = divmod(offset, _SECOND)
    state: dict[str, Any] = {"seconds": seconds}
    if rest:
        state["microseconds"] = rest.microseconds
    if name:
        # Not tzname(), which makes one up where there is none.
        state["name"] = name[0]
    return state


def _unpack_timezone(state: Any) -> dt.timezone:
    require_keys(state, {"seconds"}, {"microseconds", "name"})
    offset = dt.timedelta(
        seconds=require(state["seconds"], int),
        microseconds=require(state.get("microseconds", 0), int),
    )
    name = [state["name"]] if "name" in state else []
    return dt.timezone(offset, *name)


def _pack_zone(value: zoneinfo.ZoneInfo) -> dict[str, Any]:
    try:
        reduced: Any = value.__reduce__()
    except pickle.PicklingError as error:
        msg = f"{value!r:.80} was read from a file; name the zone by its key"
        raise EncodeError(msg) from error
    key, cached = reduced[1]
    return {"key": key} if cached else {"key": key, "cached": False}


def _unpack_zone(state: Any) -> zoneinfo.ZoneInfo:
    key = require(require_keys(state, {"key"}, {"cached"})["key"], str)
    if state.get("cached", True):
        return zoneinfo.ZoneInfo(key)
    return zoneinfo.ZoneInfo.no_cache(key)


# Numbers ----------------------------------------------------------------------

_STRICT = decimal.Context(traps=[decimal.InvalidOperation])


def _pack_decimal(value: decimal.Decimal) -> str:
    # The current context may want a small e.
    return str(value).replace("e", "E")


def _unpack_decimal(state: Any) -> decimal.Decimal:
    # The current context may take what is no number for a NaN.
    return decimal.Decimal(require(state, str), _STRICT)


def _pack_fraction(value: fractions.Fraction) -> dict[str, Any]:
    state = {"numerator": value.numerator, "denominator": value.denominator}
    made = _unpack_fraction(state)
    for name, part in state.items():
        again = getattr(made, name)
        if type(again) is not type(part) or again != part:
            msg = f"its {name} {part!r:.60} is none that a Fraction would have"
            raise EncodeError(msg)
    return state


def _unpack_fraction(state: Any) -> fractions.Fraction:
    require_keys(state, {"numerator", "denominator"})
    # Texts and decimals would be computed, to any number of digits.
    numbers_only = all(isinstance(part, numbers.Integral) for part in state.values())
    require_that(numbers_only, "a fraction of what are no whole numbers")
    return fractions.Fraction(state["numerator"], state["denominator"])


# Paths ------------------------------------------------------------------------

_CONCRETE = type(pathlib.Path())
_PATHS: dict[str, Any] = {
    "pathlib.PurePosixPath": pathlib.PurePosixPath,
    "pathlib.PureWindowsPath": pathlib.PureWindowsPath,
    # Of the machine that reads it, so that relative paths go anywhere.
    "pathlib.Path": _CONCRETE,
}


def _path_adapter(kind: str, cls: Any) -> Adapter:
    def pack(value: Any) -> str:
        return _pack_path(value, cls)

    return Adapter(kind, cls, pack, _text(cls))


def _pack_path(value: Any, cls: Any) -> str:
    text = value.as_posix()
    # On Python 3.11, what looks like a drive needs to be told from one.
    for spelling in (text, f"./{text}"):
        if _same_path(cls(spelling), value):
            return spelling
    msg = f"no text makes the path {value!r:.80}"
    raise EncodeError(msg)


def _same_path(one: Any, two: Any) -> bool:
    # Windows' paths are equal whatever their letters' case.
    return one.parts == two.parts and (one.drive, one.root) == (two.drive, two.root)


# Identifiers and patterns -----------------------------------------------------


def _pack_uuid(value: uuid.UUID) -> Any:
    if value.is_safe is uuid.SafeUUID.unknown:
        return str(value)
    return {"uuid": str(value), "is_safe": value.is_safe is uuid.SafeUUID.safe}


def _unpack_uuid(state: Any) -> uuid.UUID:
    if type(state) is str:
        return uuid.UUID(state)
    require_keys(state, {"uuid", "is_safe"})
    safe = require(state["is_safe"], bool)
    return uuid.UUID(
        require(state["uuid"], str),
        is_safe=uuid.SafeUUID.safe if safe else uuid.SafeUUID.unsafe,
    )


def _pack_pattern(value: re.Pattern[Any]) -> dict[str, Any]:
    if value.flags & re.DEBUG:
        msg = f"{value!r:.80} has re.DEBUG and would print when it is loaded"
        raise EncodeError(msg)
    return {"pattern": value.pattern, "flags": value.flags}


def _unpack_pattern(state: Any) -> re.Pattern[Any]:
    require_keys(state, {"pattern", "flags"})
    flags = require(state["flags"], int)
    require_that(not flags & re.DEBUG, "a pattern that would print")
    require_that(isinstance(state["pattern"], (str, bytes)), "a pattern of no text")
    return re.compile(state["pattern"], flags)
