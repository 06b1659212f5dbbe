"""What objects are made of, for the comparison to look into."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import fractions
import functools
import gc
import ipaddress
import pathlib
import re
import struct
import types
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def facts_of(value: Any) -> list[Any] | None:
    """Return all that can be told of an object, or None if ``==`` tells."""
    look = _table().get(type(value))
    if look is _structure and not value.dtype.hasobject:
        return None
    return None if look is None else [*look(value)]


def _set(value: Any) -> Any:
    # An order that knows 1 from 1.0; equal items of two sets come together.
    return sorted(value, key=lambda item: (repr(type(item)), _spelt(item)))


def _spelt(item: Any) -> str:
    # NaNs of different bits look the same.
    return struct.pack(">d", item).hex() if type(item) is float else repr(item)


def _dict(value: Any) -> Any:
    return {**value}, dict(getattr(value, "__dict__", {}))


def _defaultdict(value: Any) -> Any:
    return {**value}, value.default_factory


def _time(value: Any) -> Any:
    return str(value.replace(tzinfo=None)), value.tzinfo, value.fold


def _zone(value: Any) -> Any:
    return value.__reduce__()[1]


def _fraction(value: Any) -> Any:
    return value.numerator, value.denominator


def _path(value: Any) -> Any:
    return str(value), value.parts, value.drive, value.root, value.anchor


def _dtype(value: Any) -> Any:
    metadata = None if value.metadata is None else dict(value.metadata)
    yield from (value.type, value.str, value.char, value.itemsize, value.alignment)
    yield from (value.isalignedstruct, value.flags, metadata)
    yield from value.subdtype or ()
    for name in value.names or ():
        yield from (name, *value.fields[name])
    if value.kind == "T":
        yield from (value.coerce, getattr(value, "na_object", "none"))


def _structure(value: Any) -> Any:
    held = np.asarray(value)
    return held.dtype, {name: held[name] for name in held.dtype.names or ()}


def _view(value: Any) -> Any:
    return value.dtype, np.asarray(value), dict(value.__dict__)


def _masked(value: Any) -> Any:
    inside = dict(vars(value))
    return np.ndarray.view(value, inside["_baseclass"]), value.dtype, inside


def _attributes(value: Any) -> Any:
    return [dict(vars(value))]


def _bit_generator(value: Any) -> Any:
    return value.state, value.seed_seq


def _random_state(value: Any) -> Any:
    return value.get_state(legacy=False), value._bit_generator


def _seeds(value: Any) -> Any:
    return value.state, value.pool


@functools.cache
def _table() -> dict[type, Callable[[Any], Any]]:
    table: dict[type, Callable[[Any], Any]] = {
        set: _set,
        frozenset: _set,
        slice: lambda value: (value.start, value.stop, value.step),
        range: lambda value: (value.start, value.stop, value.step),
        types.MappingProxyType: gc.get_referents,
        types.SimpleNamespace: _attributes,
        collections.deque: lambda value: (list(value), value.maxlen),
        collections.OrderedDict: _dict,
        collections.Counter: _dict,
        collections.defaultdict: _defaultdict,
        array.array: lambda value: (value.typecode, value.tobytes()),
        dt.datetime: _time,
        dt.time: _time,
        dt.timezone: lambda value: value.__getinitargs__(),
        zoneinfo.ZoneInfo: _zone,
        decimal.Decimal: lambda value: value.as_tuple(),
        fractions.Fraction: _fraction,
        **dict.fromkeys((pathlib.PurePosixPath, pathlib.PureWindowsPath), _path),
        type(pathlib.Path()): _path,
        uuid.UUID: lambda value: (value.int, value.is_safe),
        re.Pattern: lambda value: (value.pattern, value.flags),
        ipaddress.IPv4Interface: lambda value: (str(value), value.network),
        np.void: _structure,
        np.record: _structure,
        np.matrix: _view,
        np.recarray: _view,
        np.char.chararray: _view,
        np.ma.MaskedArray: _masked,
        np.ma.mvoid: _masked,
        np.poly1d: _attributes,
        np.random.Generator: lambda value: [value.bit_generator],
        np.random.RandomState: _random_state,
        np.random.SeedSequence: _seeds,
    }
    for name in np.dtypes.__all__:
        table[getattr(np.dtypes, name)] = _dtype
    for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        table[getattr(np.random, name)] = _bit_generator
    for name in np.polynomial.__all__:
        cls = getattr(np.polynomial, name)
        if isinstance(cls, type):
            table[cls] = _attributes
    return table
