"""A walk in small: values through their adapters and back, as `encode` does it."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import zoneinfo
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from archivedb.values.adapters.base import Adapter

_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, slice),
    *(dt.date, dt.datetime, dt.time, dt.timedelta, dt.timezone, zoneinfo.ZoneInfo),
    *(decimal.Decimal, fractions.Fraction),
)
_LIBRARIES = ("ase", "pandas", "pint", "scipy", "xarray")


def adapter_of(cls: type) -> Adapter | None:
    """Return the adapter of a class of one of the libraries."""
    package = cls.__module__.partition(".")[0]
    if package not in _LIBRARIES:
        return None
    module = import_module(f"archivedb.values.adapters.{package}")
    special = getattr(module, "adapter_of", lambda _: None)(cls)
    if special is not None:
        found: Adapter = special
        return found
    return {one.cls: one for one in module.adapters()}.get(cls)


def named(kind: str) -> Adapter:
    """Return the adapter of a kind."""
    package = kind.partition(".")[0]
    module = import_module(f"archivedb.values.adapters.{package}")
    return {one.kind: one for one in module.adapters()}[kind]


def unpacked(kind: str, state: Any) -> Any:
    """Return what a kind makes of a state."""
    unpack = named(kind).unpack
    assert unpack is not None
    return unpack(state)


def through(value: Any) -> Any:
    """Return a value as it comes back, everything inside of it adapted, too."""
    kind = type(value)
    if kind is dict:
        return {through(key): through(item) for key, item in value.items()}
    if kind in (list, tuple):
        return kind(through(item) for item in value)
    if kind is np.ndarray:
        return _array(value)
    adapter = adapter_of(kind)
    if adapter is not None:
        state = adapter.pack(value)
        assert isinstance(state, (dict, list, np.ndarray, *_PLAIN))
        assert type(state) is not dict or all(type(key) is str for key in state)
        return unpacked(adapter.kind, through(state))
    assert kind in _PLAIN or isinstance(value, (np.generic, np.dtype)), kind
    return value


def _array(value: Any) -> Any:
    # Neither a view nor in another order than what is read from a file.
    made = np.empty(value.shape, value.dtype)
    made[...] = value
    if value.dtype == object:
        for at in np.ndindex(value.shape):
            made[at] = through(value[at])
    return made
