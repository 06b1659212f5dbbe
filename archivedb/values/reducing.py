"""
The reduce protocol: what pickle asks an object, put into parts with names.

https://docs.python.org/3/library/pickle.html#object.__reduce__
"""

from __future__ import annotations

import collections
import copyreg
import inspect
import pickle
import types
from typing import Any

import numpy as np

from archivedb.errors import EncodeError
from archivedb.plugins import name_of
from archivedb.values import classes, pickled
from archivedb.values.route import Route, instance, reference_to

PROTOCOL = 4
"""Of ``__reduce_ex__``: from 5 on, some hand out buffers instead of bytes."""

BEFORE = frozenset({"call", "args", "kwargs"})
"""Of an object's parts, those that are needed before it exists."""

_MOST_PARTS = 6

# What object.__reduce_ex__ returns as the callable: ``cls.__new__(cls, *args)``,
# and the same with keywords.
_NEW: Any = copyreg.__dict__["__newobj__"]
_NEW_EX: Any = copyreg.__dict__["__newobj_ex__"]


def reduced(value: Any, cls: type) -> Route:
    """
    Return the route of an object that says itself how it is made again.

    Raises:
        EncodeError: It says that it cannot be, or nothing that makes sense.

    """
    parts = _reduce(value, cls)
    if isinstance(parts, str):
        where = classes.reference(value, global_module(value, parts), parts)
        if where is None:
            msg = f"it says that it is the global {parts!r}, which is not there"
            raise EncodeError(msg)
        return reference_to(where)
    if not isinstance(parts, tuple) or not 2 <= len(parts) <= _MOST_PARTS:  # noqa: PLR2004 - callable and arguments
        msg = f"its __reduce__ returned {parts!r:.60}, not two to six parts"
        raise EncodeError(msg)
    call, args, *rest = parts
    _require_makes(call, args, cls)
    state, items, pairs, setter = (*rest, None, None, None, None)[:4]
    made = _made_by(call, args, cls)
    bare = not made and items is pairs is setter is None
    if bare and _is_attributes(state) and not hasattr(cls, "__setstate__"):
        return instance(cls, "state", state)
    if state is not None:
        made["state"] = state
    if items is not None:
        made["items"] = list(items)
    if pairs is not None:
        made["pairs"] = _pairs(list(pairs))
    if setter is not None:
        made["setter"] = setter
    # Whatever is called knows the class.
    route = instance(cls, "reduce", made, needs_class="call" not in made)
    route.needs = BEFORE
    return route


def _require_makes(call: Any, args: Any, cls: type) -> None:
    """
    Raise if it can be seen that an object would not be made again as it is.

    Nothing is called for it: that could write over a file, or use up what the
    object holds.
    """
    said = None
    kwargs: Any = {}
    target: Any = None
    if cls in _ITERATORS:
        said = "it would come back as an iterator over a list"
    elif call is _NEW or call is _NEW_EX:
        owner, *args = args
        if call is _NEW_EX:
            args, kwargs = args
        target, args = owner.__new__, (owner, *args)
    elif isinstance(call, type) and type(call) is type:
        target, args = call.__init__, (None, *args)  # type: ignore[misc]
        if call in _PLAIN and call is not cls:
            said = f"it would come back as a {name_of(call)}"
    if isinstance(target, types.FunctionType):
        try:
            inspect.signature(target).bind(*args, **kwargs)
        except (TypeError, ValueError) as error:
            said = f"what its __reduce__ says would not make it again: {error}"
    if said is not None:
        msg = f"a value of type {name_of(cls)} cannot be stored: {said}"
        raise EncodeError(msg)


_PLAIN = frozenset(
    {bytearray, bytes, complex, dict, float, frozenset, int, list, set, str, tuple}
)

_ITERATORS: frozenset[type] = frozenset(
    {
        *(type(iter({})), type(iter({}.values())), type(iter({}.items()))),
        *(type(reversed({})), type(reversed({}.values()))),
        *(type(reversed({}.items())), type(iter(set()))),
        type(iter(collections.OrderedDict())),
    }
)
"""Which of Python's own iterators turn into others when they are reduced."""


def global_module(value: Any, name: str) -> str:
    """Return the module in which pickle would look for a global."""
    module: str = pickle.whichmodule(value, name)  # type: ignore[attr-defined]
    return module


def _made_by(call: Any, args: Any, cls: type) -> dict[str, Any]:
    """Return the parts that make the object, empty; nothing for a bare instance."""
    made: dict[str, Any] = {}
    if call is _NEW:
        owner, *args = args
        kwargs: Any = None
    elif call is _NEW_EX:
        owner, args, kwargs = args
    else:
        return {"call": call, "args": list(args)}
    if owner is not cls:
        made["class"] = owner
    if args:
        made["args"] = list(args)
    if kwargs:
        made["kwargs"] = kwargs
    return made


def _is_attributes(state: Any) -> bool:
    return type(state) is dict and all(type(key) is str for key in state)


def _pairs(pairs: list[tuple[Any, Any]]) -> Any:
    # Under their own names, where they have some; one may come twice.
    if all(type(key) is str for key, _ in pairs) and len(dict(pairs)) == len(pairs):
        return dict(pairs)
    return [list(pair) for pair in pairs]


def _reduce(value: Any, cls: type) -> Any:
    reducer = copyreg.dispatch_table.get(cls)
    try:
        if reducer is not None:
            return reducer(value)
        if isinstance(value, (np.ndarray, np.generic)):
            exact = pickled.exact_numpy(value, PROTOCOL)
            if exact is not NotImplemented:
                return exact
        if isinstance(value, BaseException) and _is_plain_exception(cls):
            # Its class may want other arguments than it tells its base.
            parts = _NEW, (cls, *value.args), dict(value.__dict__) or None
            return pickled.whole_exception(value, parts)
        if isinstance(value, BaseException):
            return pickled.whole_exception(value, value.__reduce_ex__(PROTOCOL))
        if cls is types.MethodType and not _is_found(value):
            return cls, (value.__func__, value.__self__)
        return value.__reduce_ex__(PROTOCOL)
    except EncodeError:
        raise
    except Exception as error:
        said = pickled.said(error)
        msg = f"a value of type {name_of(cls)} cannot be stored: {said}"
        raise EncodeError(msg) from error


def _is_found(method: types.MethodType) -> bool:
    """Return whether its owner's class has a method under its own name."""
    owner, name = method.__self__, getattr(method.__func__, "__name__", None)
    if type(name) is not str:
        return False
    if isinstance(owner, type):
        return getattr(owner, name, None) == method
    # What was put onto the owner itself is there only once it is whole.
    hidden = name in getattr(owner, "__dict__", ())
    return not hidden and getattr(type(owner), name, None) is method.__func__


def _is_plain_exception(cls: type[BaseException]) -> bool:
    """Return whether an exception is its arguments and attributes, and no more."""
    return (
        cls.__reduce__ is BaseException.__reduce__
        and isinstance(cls.__init__, types.FunctionType)
        and not isinstance(cls.__new__, types.FunctionType)
        and not issubclass(cls, _PARSING)
    )


_PARSING = (
    *(AttributeError, BaseExceptionGroup, ImportError, NameError, OSError),
    *(StopIteration, SyntaxError, SystemExit, UnicodeError),
)
"""Exceptions that keep fields of their own, which their ``__init__`` sets."""
