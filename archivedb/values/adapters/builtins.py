"""
Adapters of what needs no import: sets, slices, ranges, namespaces and the like.

They serve the modules ``builtins`` and ``types``.
"""

from __future__ import annotations

import gc
import struct
import types
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from archivedb.errors import DecodeError, EncodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require, require_keys, require_that


def adapters() -> list[Adapter]:
    """Return the adapters of ``builtins`` and ``types``."""
    return [
        Adapter("set", set, _pack_set, make=lambda _: set(), fill=_fill_set),
        Adapter("frozenset", frozenset, _pack_set, _unpack_frozenset),
        Adapter(
            "bytearray",
            bytearray,
            bytes,
            lambda state: bytearray(require(state, bytes)),
        ),
        Adapter("range", range, _pack_ends, lambda state: range(*_ends(state))),
        Adapter("slice", slice, _pack_ends, lambda state: slice(*_ends(state))),
        Adapter("ellipsis", type(...), lambda _: None, lambda _: ...),
        Adapter(
            "NotImplementedType",
            type(NotImplemented),
            lambda _: None,
            lambda _: NotImplemented,
        ),
        Adapter("mappingproxy", types.MappingProxyType, _pack_proxy, _unpack_proxy),
        Adapter("type", type, _pack_class, plain_class),
        Adapter(
            "types.SimpleNamespace",
            types.SimpleNamespace,
            _pack_namespace,
            make=lambda _: types.SimpleNamespace(),
            fill=_fill_namespace,
        ),
    ]


# Sets -------------------------------------------------------------------------

_NUMBERS = frozenset({int, float})


def _pack_set(value: Any) -> list[Any]:
    """
    Return a set's items, sorted where they have an order.

    Text is iterated in another order by each process: sorted, equal sets have
    equal digests.
    """
    items = list(value)
    kinds = set(map(type, items))
    if kinds in ({str}, {bytes}):
        return sorted(items)
    if kinds <= _NUMBERS and all(item == item for item in items):  # noqa: PLR0124 - NaN
        return sorted(items)
    try:
        return sorted(items, key=_rank)
    except _NoRankError:
        return items


class _NoRankError(Exception):
    """An item has no place that any process would give it."""


def _rank(item: Any, *, inside: bool = False) -> tuple[str, Any]:
    """Return what scalars, and tuples or frozensets of them, are sorted by."""
    kind = type(item)
    if kind in (int, bool, str, bytes):
        return kind.__name__, item
    if kind is float:
        return "float", struct.pack(">d", item)
    if kind is complex:
        return "complex", struct.pack(">2d", item.real, item.imag)
    if item is None:
        return "None", 0
    if kind is tuple and not inside:
        return "tuple", tuple(_rank(part, inside=True) for part in item)
    if kind is frozenset and not inside:
        return "frozenset", sorted(_rank(part, inside=True) for part in item)
    raise _NoRankError


def _fill_set(value: set[Any], state: Any) -> None:
    value.update(require(state, list))
    _require_all(value, state)


def _unpack_frozenset(state: Any) -> frozenset[Any]:
    made = frozenset(require(state, list))
    _require_all(made, state)
    return made


def _require_all(made: Any, items: list[Any]) -> None:
    require_that(len(made) == len(items), "two items of a set are equal")


# Ranges and slices ------------------------------------------------------------


def _pack_ends(value: Any) -> dict[str, Any]:
    return {"start": value.start, "stop": value.stop, "step": value.step}


def _ends(state: Any) -> tuple[Any, Any, Any]:
    require_keys(state, {"start", "stop", "step"})
    return state["start"], state["stop"], state["step"]


# Mappings ---------------------------------------------------------------------


def _pack_proxy(value: Any) -> dict[str, Any]:
    # Python tells nobody else what a proxy stands for; a copy would no longer
    # follow the mapping, nor be of its class.
    (mapping,) = gc.get_referents(value)
    if not isinstance(mapping, Mapping):
        msg = f"it is a view of a {type(mapping).__name__}, which is no Mapping"
        raise EncodeError(msg)
    return {"mapping": mapping}


def _unpack_proxy(state: Any) -> Any:
    mapping = require_keys(state, {"mapping"})["mapping"]
    require_that(isinstance(mapping, Mapping), "a mappingproxy of what is no mapping")
    return types.MappingProxyType(mapping)


def _pack_namespace(value: types.SimpleNamespace) -> dict[str, Any]:
    state = dict(vars(value))
    for name in state:
        if type(name) is not str:
            msg = f"it has an attribute {name!r:.60}, which is no text"
            raise EncodeError(msg)
    return state


def _fill_namespace(value: types.SimpleNamespace, state: Any) -> None:
    for name in require(state, dict):
        require(name, str)
    vars(value).update(state)


# Classes ----------------------------------------------------------------------

PLAIN_MODULES = frozenset(
    {
        *("builtins", "collections", "datetime", "decimal", "fractions"),
        *("numpy", "pathlib", "types", "uuid"),
    }
)
"""Top-level modules whose classes are known wherever archivedb runs."""


def plain_class_name(cls: type) -> str | None:
    """
    Return ``module:Name`` of a class that anybody may name, or None.

    Naming it runs no code, so a skeleton that does needs no trust.

    >>> plain_class_name(float)
    'builtins:float'
    """
    module = str(cls.__module__).partition(".")[0]
    name = f"{module}:{cls.__name__}"
    if module in PLAIN_MODULES and _find(name) is cls:
        return name
    if module == "builtins":
        # The classes of None and of functions are said to be builtins, but are
        # found in `types` only, and under other names.
        for attribute, found in vars(types).items():
            if found is cls:
                return f"types:{attribute}"
    return None


def plain_class(name: Any) -> type:
    """
    Return the class that `plain_class_name` named.

    Raises:
        DecodeError: It is none of those that anybody may name.

    """
    found = _find(require(name, str))
    if found is None or plain_class_name(found) != name:
        msg = f"{name!r:.80} is not the name of a plain class"
        raise DecodeError(msg)
    return found


def _find(name: str) -> type | None:
    module, _, attribute = name.partition(":")
    if module not in PLAIN_MODULES:
        return None
    # Not getattr, which might import something.
    found = vars(import_module(module)).get(attribute)
    return found if isinstance(found, type) else None


def _pack_class(cls: type) -> str:
    name = plain_class_name(cls)
    if name is None:
        msg = f"{cls!r:.80} is no plain class"
        raise EncodeError(msg)
    return name
