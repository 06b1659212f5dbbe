"""
Classes of ``__main__``, which no other process can import, and are stored whole.

The script that defines such a class is run again, or its cell is: what was
saved before should be of the class that is there now, and saving the same
once more should give the same bytes.
"""

from __future__ import annotations

import enum
import sys
import types
from typing import TYPE_CHECKING, Any

from archivedb.plugins import name_of
from archivedb.values import digest, json

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAIN = ("__main__", "__mp_main__")

# Made anew by the interpreter or by a decorator, or the same for every class.
_NOISE = frozenset(
    {
        *("__dict__", "__weakref__", "__firstlineno__", "__static_attributes__"),
        *("_abc_impl", "__annotations_cache__", "__annotate_func__", "__annotate__"),
        *("__dataclass_fields__", "__dataclass_params__", "__attrs_attrs__"),
        *("__attrs_own_setattr__", "__attrs_props__", "__slotnames__"),
    }
)
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def current(cls: Any) -> Any:
    """
    Return the class that ``__main__`` has by now in the place of a stored one.

    The stored one itself, if there is none of its name, or one of other bases
    or with other attributes: then it is another program's.
    """
    if not isinstance(cls, type) or cls.__module__ not in _MAIN:
        return cls
    found: Any = sys.modules.get("__main__")
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not cls and isinstance(found, type) and _shape(found) == _shape(cls):
        return found
    return cls


def _shape(cls: type) -> Any:
    members = getattr(cls, "__members__", None)
    return (
        name_of(type(cls)),
        [name_of(base) for base in cls.__bases__],
        sorted(set(vars(cls)) - _NOISE),
        list(members) if isinstance(members, types.MappingProxyType) else None,
        list(getattr(cls, "__dataclass_fields__", ())),
    )


def identity(cls: type) -> str | None:
    """
    Return a text that is the same for a class whenever it is defined like this.

    None if it has attributes that no text describes: a second definition might
    differ in them.
    """
    try:
        described = list(_described(cls))
    except (TypeError, ValueError):
        return None
    return digest.digest(json.dumps([name_of(cls), name_of(type(cls)), described]))


def _described(cls: type) -> Iterator[list[Any]]:
    yield ["bases", [name_of(base) for base in cls.__bases__]]
    is_enum = issubclass(cls, enum.Enum)
    if is_enum:
        members = cls.__members__.items()  # type: ignore[attr-defined,unused-ignore]
        yield ["members", [[key, repr(member.value)] for key, member in members]]
    for key, value in sorted(vars(cls).items()):
        # What an enum keeps for itself follows from its members.
        own = key.startswith("_") or key in getattr(cls, "__members__", ())
        if key not in _NOISE and not (is_enum and own):
            yield [key, _text(value)]


def _text(value: Any) -> Any:
    """Return what describes an attribute; raises TypeError if nothing does."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, (types.FunctionType, staticmethod, classmethod, property)):
        return _callable(value)
    if isinstance(value, (tuple, list)):
        return [_text(item) for item in value]
    if isinstance(value, dict):
        return [[_text(key), _text(item)] for key, item in value.items()]
    if isinstance(value, frozenset):
        return sorted(repr(_text(item)) for item in value)
    if isinstance(value, type):
        return name_of(value)
    if isinstance(value, (types.MemberDescriptorType, types.GetSetDescriptorType)):
        return value.__name__
    if name_of(type(value)).startswith(("typing:", "types:GenericAlias", "enum:")):
        return repr(value)
    raise TypeError(value)


def _callable(value: Any) -> Any:
    if isinstance(value, property):
        parts = (value.fget, value.fset, value.fdel)
        return [None if part is None else _text(part) for part in parts]
    if not isinstance(value, types.FunctionType):
        return [type(value).__name__, _text(value.__func__)]
    # A class knows itself through a cell, and a decorator what it decorates.
    cells = [_cell(cell.cell_contents) for cell in value.__closure__ or ()]
    return [_code(value.__code__), _text(value.__defaults__ or ()), cells]


def _cell(value: Any) -> Any:
    return "set()" if value == set() else _text(value)


def _code(code: types.CodeType) -> list[Any]:
    constants = [
        _code(each) if isinstance(each, types.CodeType) else repr(each)
        for each in code.co_consts
    ]
    names = [*code.co_names, *code.co_varnames]
    return [code.co_code.hex(), constants, names]
