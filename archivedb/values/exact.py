"""
Exact equality: types, the bits of floats, dtypes, the bytes of arrays.

``==`` says that 1 is True, that NaN differs from itself and that an array has
no truth; what was stored deserves a better answer.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from archivedb.errors import EncodeError
from archivedb.values import dtypes, json

_EXTENDED_MANTISSA = 63
_EXTENDED = (slice(0, 10), slice(6, 16))
"""The bytes of an 80-bit float that count, little and big endian."""


def same(a: Any, b: Any) -> bool:
    """
    Return whether two values are the same, and not merely equal.

    The order of a dict's keys does not count, as for ``==``.  Nor does it
    matter which parts are one object.  Values may contain themselves, and be
    nested as deep as they like.

    >>> same({"x": [1.0, float("nan")], "y": 2}, {"y": 2, "x": [1.0, float("nan")]})
    True
    >>> same([1], [True]), same(0.0, -0.0)
    (False, False)
    """
    todo = [(a, b)]
    # What is being compared already is the same unless that finds otherwise.
    # Holding each object keeps its id from being taken by another.
    seen: dict[tuple[int, int], tuple[Any, Any]] = {}
    while todo:
        one, two = todo.pop()
        below = _parts(one, two)
        if below is None:
            return False
        if below and (id(one), id(two)) not in seen:
            seen[id(one), id(two)] = one, two
            todo += below
    return True


def _parts(one: Any, two: Any) -> list[tuple[Any, Any]] | None:
    """Return what remains to be compared, or None if there is a difference."""
    kind = _kind(one)
    if kind is not _kind(two):
        return None
    if kind is dict:
        return _pairs(one, two)
    if kind is list or kind is tuple:
        return _zipped(one, two)
    if kind is np.ndarray:
        if one.shape != two.shape or not _same_dtype(one.dtype, two.dtype):
            return None
        if one.dtype == object or one.dtype.kind == "T":
            # tolist would make lists of arrays inside.
            return _zipped(list(one.reshape(-1)), list(two.reshape(-1)))
        if one.dtype.hasobject and one.dtype.names is not None:
            return [(one[name], two[name]) for name in one.dtype.names]
        return _truth(same=_same_bytes(one, two))
    if _same_leaf(kind, one, two):
        return []
    if kind is set or kind is frozenset:
        # The order of their items is anyone's guess.
        return _pairs(dict.fromkeys(one), dict.fromkeys(two))
    return None


def _kind(value: Any) -> type:
    # A memory map is an array that happens to lie in a file.
    return np.ndarray if type(value) is np.memmap else type(value)


def _truth(*, same: bool) -> list[Any] | None:
    return [] if same else None


def _zipped(one: Any, two: Any) -> list[tuple[Any, Any]] | None:
    return list(zip(one, two, strict=True)) if len(one) == len(two) else None


def _pairs(one: dict[Any, Any], two: dict[Any, Any]) -> list[tuple[Any, Any]] | None:
    if len(one) != len(two):
        return None
    if all(type(key) is str for key in one):
        # A text key finds no key of another type, but for a class of its own.
        if any(key not in two for key in one) or any(type(k) is not str for k in two):
            return None
        return [(item, two[key]) for key, item in one.items()]
    mine, theirs = _spelt(one), _spelt(two)
    if mine.keys() != theirs.keys():
        return None
    return [
        pair
        for spelling, (key, item) in mine.items()
        for pair in ((key, theirs[spelling][0]), (item, theirs[spelling][1]))
    ]


def _spelt(mapping: dict[Any, Any]) -> dict[Any, tuple[Any, Any]]:
    """Return keys and items by what tells keys apart: 1, 1.0 and True do differ."""
    from archivedb.values.encode import encode_key

    found: dict[Any, tuple[Any, Any]] = {}
    for key, item in mapping.items():
        spelling: Any
        try:
            spelling = json.dumps(encode_key(key)), 0
        except EncodeError:
            # Objects know which other they are equal to.
            spelling = key
        while spelling in found:  # two NaNs are two keys
            spelling = spelling[0], spelling[1] + 1
        found[spelling] = key, item
    return found


def _same_leaf(kind: type, one: Any, two: Any) -> bool:
    if one is two:
        return True
    if kind is float:
        return _bits(one) == _bits(two)
    if kind is complex:
        return _bits(one.real, one.imag) == _bits(two.real, two.imag)
    if kind in (np.str_, np.bytes_):
        # numpy strips the NULs at the end where it compares.
        return len(one) == len(two) and bool(one == two)
    if isinstance(one, np.generic):
        if not _same_dtype(one.dtype, two.dtype) or one.dtype.hasobject:
            return bool(one == two)
        return _same_bytes(np.asarray(one), np.asarray(two))
    if kind in (type(None), bool, int, str, bytes):
        return bool(one == two)
    return _same_object(one, two)


def _bits(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def _same_dtype(one: np.dtype[Any], two: np.dtype[Any]) -> bool:
    if one.hasobject or two.hasobject:
        return one == two
    # Equality overlooks that records are not voids.  Two C types of one size
    # are one dtype, though.
    records = one.kind == "V" and one.type is not two.type
    trees = dtypes.dtype_tree(one), dtypes.dtype_tree(two)
    return one == two and not records and trees[0] == trees[1]


def _same_bytes(one: Any, two: Any) -> bool:
    """Compare arrays of one dtype, but not the bytes between their fields."""
    dtype = one.dtype
    if dtype.hasobject or not dtypes.holds_bytes(dtype):
        return bool(np.array_equal(one, two))
    if dtype.names is not None:
        return all(_same_bytes(one[name], two[name]) for name in dtype.names)
    raw = dtypes.array_bytes(one), dtypes.array_bytes(two)
    if dtype.kind in "fc" and np.finfo(dtype).nmant == _EXTENDED_MANTISSA:
        little = dtype.newbyteorder("=") == dtype
        used = _EXTENDED[0] if little else _EXTENDED[1]
        raw = raw[0].reshape(-1, 16)[:, used], raw[1].reshape(-1, 16)[:, used]
    return bool(np.array_equal(*raw))


def _same_object(one: Any, two: Any) -> bool:
    """Compare objects by what would be stored of them."""
    from archivedb.values.encode import encode

    try:
        stored = encode(one), encode(two)
    except EncodeError:
        return _equal(one, two)
    if stored[0].digest == stored[1].digest:
        return True
    # Equal objects may be pickled in two ways; what is not pickled has one.
    return stored[0].executable and _equal(one, two)


def _equal(one: Any, two: Any) -> bool:
    try:
        return (one == two) is True
    except Exception:  # noqa: BLE001 - whatever somebody's __eq__ raises
        return False
