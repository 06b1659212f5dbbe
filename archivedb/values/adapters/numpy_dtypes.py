"""
numpy dtypes as states: those with objects, text, titles and metadata, too.

Where `archivedb.values.dtypes` can tell all of a dtype, its state is the same
as there.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from archivedb.errors import DecodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import (
    NotAdaptedError,
    require,
    require_keys,
    require_that,
)
from archivedb.values.dtypes import named_dtype

DType = np.dtype[Any]

_DEEPEST = 32
_LARGEST = 10_000
"""Parts of a dtype: a state may name one part many times, in parts of parts."""


def adapters() -> list[Adapter]:
    """Return one adapter for each class that dtypes have."""
    classes = {getattr(np.dtypes, name) for name in np.dtypes.__all__}
    return [
        Adapter("numpy.dtype", cls, pack_dtype, unpack_dtype)
        for cls in sorted(classes, key=repr)
    ]


def pack_dtype(dtype: DType) -> Any:
    """
    Return the state of a dtype: its text, or a dict.

    Raises:
        NotAdaptedError: It says more than its parts do.

    """
    state = _describe(dtype, 0)
    try:
        built = unpack_dtype(state)
    except (DecodeError, LookupError, TypeError, ValueError) as error:
        msg = f"the dtype {dtype!r:.80} has no description: {error}"
        raise NotAdaptedError(msg) from error
    if facts(built) != facts(dtype):
        msg = f"the dtype {dtype!r:.80} is not all that its description says"
        raise NotAdaptedError(msg)
    return state


def unpack_dtype(state: Any) -> DType:
    """Return the dtype of a state; raises what numpy raises."""
    return _build(state, 0, iter(range(_LARGEST)))


def facts(dtype: DType) -> Any:
    """Return all that tells dtypes apart, their ``==`` being too generous."""
    found: list[Any] = [
        *(type(dtype), dtype.type, dtype.str, dtype.char, dtype.itemsize),
        *(dtype.alignment, dtype.isalignedstruct),
        {key: id(item) for key, item in (dtype.metadata or {}).items()},
    ]
    if dtype.subdtype is not None:
        found.append((facts(dtype.subdtype[0]), dtype.subdtype[1]))
    for name, field in _fields(dtype):
        found.append((name, facts(field[0]), field[1], *map(id, field[2:])))
    if isinstance(dtype, np.dtypes.StringDType):
        found.append(dtype.coerce)
        found += ["nan" if _is_nan(one) else id(one) for one in _missing(dtype)]
    return found


def _fields(dtype: DType) -> list[tuple[str, Any]]:
    fields = dtype.fields
    if fields is None or dtype.names is None:
        return []
    return [(name, fields[name]) for name in dtype.names]


def _missing(dtype: Any) -> list[Any]:
    return [dtype.na_object] if hasattr(dtype, "na_object") else []


# Into a state -----------------------------------------------------------------


def _describe(dtype: DType, depth: int) -> Any:
    if depth > _DEEPEST:
        msg = f"a dtype of more than {_DEEPEST} parts inside each other"
        raise NotAdaptedError(msg)
    state = _plain(dtype, depth)
    if dtype.metadata:
        return {"of": state, "metadata": dict(dtype.metadata)}
    return state


def _plain(dtype: DType, depth: int) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": _describe(base, depth + 1), "shape": list(shape)}
    if isinstance(dtype, np.dtypes.StringDType):
        state: dict[str, Any] = {"coerce": bool(dtype.coerce)}
        for missing in _missing(dtype):
            state["na_object"] = missing
        return state
    if dtype.fields is None:
        name = dtype.str
        if type(np.dtype(name)) is not type(dtype):
            # Two C types may have one size; each has its own letter.
            name = name[0] + dtype.char
        return name
    return _structure(dtype, depth)


def _structure(dtype: DType, depth: int) -> dict[str, Any]:
    fields = [field for _, field in _fields(dtype)]
    state: dict[str, Any] = {
        "names": list(dtype.names or ()),
        "formats": [_describe(field[0], depth + 1) for field in fields],
        "offsets": [field[1] for field in fields],
        "itemsize": dtype.itemsize,
    }
    titles = [field[2] if len(field) > 2 else None for field in fields]  # noqa: PLR2004
    if any(title is not None for title in titles):
        state["titles"] = titles
    if dtype.isalignedstruct:
        state["aligned"] = True
    if dtype.type is np.record:
        state["record"] = True
    elif dtype.kind != "V":
        # A number whose bytes have names.
        state["number"] = dtype.str
    return state


# And back ---------------------------------------------------------------------

_STRUCTURE = {"names", "formats", "offsets", "itemsize"}
_STRUCTURE_MORE = {"titles", "aligned", "record", "number"}


def _dtype(spec: Any, **more: Any) -> DType:
    """Call `numpy.dtype`, whose annotations know a few of its uses only."""
    if type(spec) is str and not more:
        return named_dtype(spec)
    made: DType = np.dtype(spec, **more)
    return made


def _build(state: Any, depth: int, room: Any) -> DType:
    require_that(
        depth <= _DEEPEST and next(room, None) is not None,
        "a dtype of too many parts",
    )
    if type(state) is str:
        return _dtype(state)
    require(state, dict)
    if "of" in state:
        require_keys(state, {"of", "metadata"})
        metadata = require(state["metadata"], dict)
        return _dtype(_build(state["of"], depth + 1, room), metadata=metadata)
    if "base" in state:
        require_keys(state, {"base", "shape"})
        base = _build(state["base"], depth + 1, room)
        return _dtype((base, tuple(require(state["shape"], list))))
    if "coerce" in state:
        return _text_dtype(require_keys(state, {"coerce"}, {"na_object"}))
    return _structured(require_keys(state, _STRUCTURE, _STRUCTURE_MORE), depth, room)


def _text_dtype(state: dict[str, Any]) -> DType:
    more = {}
    if "na_object" in state:
        missing = state["na_object"]
        # The one that people compare with by `is`.
        more["na_object"] = np.nan if _is_nan(missing) else missing
    return np.dtypes.StringDType(coerce=require(state["coerce"], bool), **more)


def _is_nan(missing: Any) -> bool:
    """Return whether a value is as good as `numpy.nan`."""
    if type(missing) is not float:
        return False
    return struct.pack("<d", missing) == struct.pack("<d", np.nan)


def _structured(state: dict[str, Any], depth: int, room: Any) -> DType:
    spec: dict[str, Any] = {
        "names": require(state["names"], list),
        "formats": [
            _build(each, depth + 1, room) for each in require(state["formats"], list)
        ],
        "offsets": require(state["offsets"], list),
        "itemsize": require(state["itemsize"], int),
    }
    if "titles" in state:
        spec["titles"] = require(state["titles"], list)
    made = _dtype(spec, align=bool(state.get("aligned")))
    if "record" in state:
        made = _dtype((np.record, made))
    if "number" in state:
        made = _dtype((_dtype(require(state["number"], str)), made))
    return made
