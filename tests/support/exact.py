"""Equality as archivedb promises it: types, bits, order and identity."""

from __future__ import annotations

import array
import struct
from collections import OrderedDict, defaultdict, deque
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from tests.support.facts import facts_of

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_CONTAINERS = (
    *(list, dict, set, bytearray, array.array, deque, OrderedDict, defaultdict),
    *(SimpleNamespace, MappingProxyType),
    *(np.ndarray, np.matrix, np.recarray, np.ma.MaskedArray),
    *(np.random.Generator, np.random.PCG64, np.random.SeedSequence),
)


def difference(left: Any, right: Any) -> str | None:
    """
    Return where two values differ first and how, or None if they are the same.

    Floats are compared by their bits, dicts in their order.  What is one object
    on the left must be one object on the right, and the other way round.  There
    is no recursion, so values may be nested as deep as they like.
    """
    return _Comparison().run(left, right)


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)


def _shareable(value: Any) -> bool:
    """Return whether anybody could see that a value is one object, not two."""
    if type(value) is tuple:
        # The compiler and the interpreter share these as they please.
        return not all(type(item) in _PLAIN for item in value)
    return type(value) in _CONTAINERS


class _Comparison:
    def __init__(self) -> None:
        self._partner: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._todo: list[tuple[Any, Any, str, bool]] = []
        # Facts are made for the comparison: kept, lest another take their id.
        self._facts: list[Any] = []

    def run(self, left: Any, right: Any) -> str | None:
        self._todo.append((left, right, "", True))
        while self._todo:
            one, two, where, shared = self._todo.pop()
            what = self._compare(one, two, where, shared=shared)
            if what is not None:
                return f"at {where or 'the top'}: {what}"
        return None

    def _compare(self, one: Any, two: Any, where: str, *, shared: bool) -> str | None:
        kind = type(one)
        if kind is not type(two):
            return f"{kind} became {type(two)}"
        if shared and (_shareable(one) or _shareable(two)):
            there, back = self._partner
            known = there.get(id(one)), back.get(id(two))
            if known == (id(two), id(one)):
                return None
            if known != (None, None):
                return "what was one object is two, or what were two is one"
            there[id(one)], back[id(two)] = id(two), id(one)
        if kind in (list, tuple):
            return self._items(one, two, where, shared=shared)
        if kind is dict:
            return self._dicts(one, two, where)
        if kind is np.ndarray:
            return self._arrays(one, two, where)
        facts = facts_of(one), facts_of(two)
        if facts[0] is not None and facts[1] is not None:
            self._facts += facts
            return self._items(*facts, where, shared=shared)
        return _leaf(one, two)

    def _items(self, one: Any, two: Any, where: str, *, shared: bool) -> str | None:
        if len(one) != len(two):
            return f"{len(one)} items became {len(two)}"
        for index, pair in enumerate(zip(one, two, strict=True)):
            self._todo.append((*pair, f"{where}[{index}]", shared))
        return None

    def _dicts(self, one: Any, two: Any, where: str) -> str | None:
        if len(one) != len(two):
            return f"{len(one)} keys became {len(two)}"
        for keys in zip(one, two, strict=True):
            # Keys are compared by value; nobody modifies them.
            self._todo.append((*keys, f"{where} key {keys[0]!r:.40}", False))
        for key, *items in zip(one, one.values(), two.values(), strict=True):
            self._todo.append((*items, f"{where}[{key!r:.40}]", True))
        return None

    def _arrays(self, one: Any, two: Any, where: str) -> str | None:
        if one.shape != two.shape:
            return f"shape {one.shape} became {two.shape}"
        if one.dtype == object and two.dtype == object:
            # ndarray.flat and tolist would turn arrays inside into lists.
            pair = list(one.reshape(-1)), list(two.reshape(-1))
            return self._items(*pair, where, shared=True)
        if one.dtype.kind == "T":
            pair = [[each.dtype, *each.reshape(-1).tolist()] for each in (one, two)]
            return self._items(*pair, where, shared=False)
        if one.dtype.names and (one.dtype.hasobject or two.dtype.hasobject):
            pair = [[each.dtype, *_columns(each)] for each in (one, two)]
            self._facts += pair
            return self._items(*pair, where, shared=True)
        return _dtypes(one.dtype, two.dtype) or _array_bits(one, two)


def _columns(array: Any) -> list[Any]:
    return [array[name] for name in array.dtype.names]


def _leaf(one: Any, two: Any) -> str | None:
    if one is two:
        return None  # NaT and NA, of which there is one, equal nothing
    kind = type(one)
    if kind is float:
        same = _bits(one) == _bits(two)
    elif kind is complex:
        same = (_bits(one.real), _bits(one.imag)) == (_bits(two.real), _bits(two.imag))
    elif kind in (np.str_, np.bytes_):
        same = one.tobytes() == two.tobytes() and one == two and len(one) == len(two)
    elif isinstance(one, np.generic):
        return _dtypes(one.dtype, two.dtype) or _array_bits(
            np.asarray(one), np.asarray(two)
        )
    else:
        same = one == two
    return None if same else f"{one!r:.80} became {two!r:.80}"


def _dtypes(one: np.dtype[Any], two: np.dtype[Any]) -> str | None:
    if _dtype_facts(one) == _dtype_facts(two) and one == two:
        return None
    return f"{one!r} became {two!r}"


def _dtype_facts(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return _dtype_facts(base), shape
    if dtype.fields is None:
        return dtype.str
    fields = [
        (name, _dtype_facts(dtype.fields[name][0]), *dtype.fields[name][1:])
        for name in dtype.names or ()
    ]
    return dtype.type, dtype.itemsize, dtype.isalignedstruct, fields


def _array_bits(one: Any, two: Any) -> str | None:
    """Compare bits, but not those between fields or inside of a longdouble."""
    if one.dtype.names is not None:
        for name in one.dtype.names:
            what = _array_bits(one[name], two[name])
            if what is not None:
                return f"in the field {name!r}: {what}"
        return None
    if one.tobytes() == two.tobytes():
        return None
    if one.dtype.kind in "fc" and np.finfo(one.dtype).nmant == 63:
        # 80 bits in 16 bytes, of which 6 are whatever was there before.
        views = [np.frombuffer(x.tobytes(), "u1").reshape(-1, 16) for x in (one, two)]
        little = one.dtype.newbyteorder("=") == one.dtype
        used = slice(0, 10) if little else slice(6, 16)
        if (views[0][:, used] == views[1][:, used]).all():
            return None
    return f"{one!r:.80} became {two!r:.80}"
