"""
Which way an object takes into the skeleton, when it is none of JSON's.

The order: `Storable`, an adapter, dataclass, attrs and enum, the reduce
protocol in all its forms, and cloudpickle for what only code can describe.
https://docs.python.org/3/library/pickle.html#object.__reduce__
"""

from __future__ import annotations

import copyreg
import dataclasses
import enum
import io
import types
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from archivedb.errors import EncodeError
from archivedb.values import classes
from archivedb.values.adapters import adapter_for
from archivedb.values.adapters.checks import NotAdaptedError
from archivedb.values.reducing import global_module, reduced
from archivedb.values.route import (
    HEAP_TYPE,
    Route,
    instance,
    reference_to,
    require_portable,
)
from archivedb.values.storable import Storable, stored

if TYPE_CHECKING:
    from archivedb.values.adapters import Adapter

_BY_CODE = frozenset(
    {
        *(types.CodeType, types.CellType, types.ModuleType),
        *(property, classmethod, staticmethod, memoryview, io.TextIOWrapper),
        *(type({}.keys()), type({}.values()), type({}.items())),
        weakref.WeakSet,
    }
)
"""What cloudpickle knows how to take apart, and Python does not; or refuses."""


def find(value: Any) -> Route | None:
    """
    Return the route of an object, or None if only cloudpickle can take it.

    Raises:
        EncodeError: It cannot be stored.

    """
    cls = type(value)
    if any(cls is proxy for proxy in weakref.ProxyTypes):
        # It answers to every question as what it stands for would.
        msg = "it is a weak proxy; store what it stands for"
        raise EncodeError(msg)
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return _named(value)
    if isinstance(value, Storable):
        route = instance(cls, "storable", stored(value))
        route.needs = True
        return route
    adapter = adapter_for(cls)
    if adapter is not None:
        with suppress(NotAdaptedError):
            return _adapted(adapter, value)
    if isinstance(value, enum.Enum):
        return _enum(value, cls)
    fields = _fields_route(cls)
    if fields is not None:
        return instance(cls, fields, attributes(value))
    if cls in _BY_CODE:
        return None
    return reduced(value, cls)


def _named(value: Any) -> Route | None:
    """Return the route of a class or function."""
    if isinstance(value, type):
        from archivedb.values.adapters.builtins import plain_class_name

        plain = plain_class_name(value)
        if plain is not None:
            return Route({"$adapted": "type"}, plain, tracked=False)
    elif _is_bound(value):
        return reduced(value, type(value))
    where = classes.reference(value)
    if where is None and isinstance(value, types.BuiltinFunctionType):
        where = classes.reference(value, global_module(value, value.__qualname__))
    if where is None and isinstance(value, type) and not _is_special(value):
        require_portable(value)
    return None if where is None else reference_to(where)


def _is_special(cls: type) -> bool:
    """Return whether cloudpickle knows a compiled class that has no name."""
    return cls in (type(None), type(...), type(NotImplemented))


def _is_bound(value: Any) -> bool:
    """Return whether a builtin is a method of some object, like ``[].append``."""
    owner = getattr(value, "__self__", None)
    return owner is not None and not isinstance(owner, types.ModuleType)


def _adapted(adapter: Adapter, value: Any) -> Route:
    state = adapter.pack(value)
    return Route(
        {"$adapted": adapter.kind},
        state,
        needs=adapter.make is None,
        tracked=state is not None,  # a kind without a state has one instance
    )


def is_value(cls: type) -> bool:
    """Return whether equal instances of a class are as good as one."""
    own: tuple[Any, Any] = (cls.__hash__, cls.__eq__)
    return own[0] is not None and own[1] is not object.__eq__


def _enum(value: enum.Enum, cls: type[enum.Enum]) -> Route:
    name: Any = value.name  # None for flags that are combined
    named = cls.__members__.get(name) is value
    state = {"name": name} if named else {"value": value.value}
    route = instance(cls, "enum", state)
    route.needs, route.tracked = True, False
    return route


# Attributes -------------------------------------------------------------------

_GENERATED = ("dataclasses", "attr._make", "attrs")


def _fields_route(cls: type) -> str | None:
    """Return how a dataclass or attrs class is called that is all its attributes."""
    # Also of plain classes that derive from one, whose generated methods know
    # nothing of the attributes that came since.
    if hasattr(cls, "__dataclass_fields__"):
        by = "dataclass"
    elif hasattr(cls, "__attrs_attrs__"):
        by = "attrs"
    else:
        return None
    own = {name: _custom(cls, name) for name in _STATE_METHODS}
    return None if any(own.values()) or not is_bare(cls) else by


_STATE_METHODS = (
    *("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__"),
    *("__getnewargs__", "__getnewargs_ex__", "_attrs_cached_hash"),
)


def _custom(cls: type, name: str) -> bool:
    """Return whether a class says itself how its state is kept."""
    method = getattr(cls, name, None)
    if method is None or method is getattr(object, name, None):
        return False
    return getattr(method, "__module__", "") not in _GENERATED


def is_bare(cls: type) -> bool:
    """Return whether ``object.__new__`` makes its instances: no builtin is a base."""
    return all(base.__flags__ & HEAP_TYPE for base in cls.__mro__[:-1])


def attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an instance, those in slots too."""
    found = dict(getattr(value, "__dict__", ()))
    slots: list[str] = copyreg._slotnames(type(value))  # type: ignore[attr-defined]  # noqa: SLF001 - what pickle itself asks
    for name in slots:
        for base in type(value).__mro__:
            slot = vars(base).get(name)
            if isinstance(slot, types.MemberDescriptorType):
                # Not getattr, which may compute what is not there.
                with suppress(AttributeError):
                    found[name] = slot.__get__(value)
                break
    return found


def fill_defaults(cls: Any, value: Any, known: dict[str, Any]) -> None:
    """Give a restored object the fields that its class has grown since."""
    if dataclasses.is_dataclass(cls):
        for field in dataclasses.fields(cls):
            if field.name in known or hasattr(value, field.name):
                continue
            if field.default is not dataclasses.MISSING:
                object.__setattr__(value, field.name, field.default)
            elif field.default_factory is not dataclasses.MISSING:
                object.__setattr__(value, field.name, field.default_factory())
        return
    for each in getattr(cls, "__attrs_attrs__", ()):
        factory = getattr(each.default, "factory", None)
        if each.name in known or repr(each.default) == "NOTHING":
            continue
        if factory is None:
            object.__setattr__(value, each.name, each.default)
        elif not each.default.takes_self:
            object.__setattr__(value, each.name, factory())
