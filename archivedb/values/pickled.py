"""
The last resort: any object as cloudpickle bytes.

The one module that knows cloudpickle.  What it reads back runs code, so the
bytes are signed where they are stored, and nobody calls `loads` before the
signature was checked.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import types
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import EncodeError, RestoreError
from archivedb.plugins import name_of
from archivedb.values import classes, mainclasses
from archivedb.values.dtypes import array_bytes, holds_bytes
from archivedb.values.file import File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROTOCOL = 5


def dumps(
    value: Any,
    buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None,
) -> bytes:
    """
    Pickle a value, functions and classes of ``__main__`` included.

    Raises:
        EncodeError: It is an open file, a generator, a lock or the like.

    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc,name-defined,unused-ignore]
        # cloudpickle would turn an open file into a StringIO of its text: a
        # different thing under the same name.
        dispatch_table = cloudpickle.Pickler.dispatch_table.new_child(
            {io.TextIOWrapper: _refuse_file, memoryview: _refuse_view}
        )

        def reducer_override(self, obj: Any) -> Any:
            if any(type(obj) is proxy for proxy in weakref.ProxyTypes):
                msg = "a weak proxy is not pickled"
                raise pickle.PicklingError(msg)
            if type(obj) is File:
                # Its bytes are an array of the skeleton, and may be many.
                msg = "a File is not pickled"
                raise pickle.PicklingError(msg)
            if isinstance(obj, (np.ndarray, np.generic)):
                return exact_numpy(obj, PROTOCOL)
            if isinstance(obj, BaseException) and type(obj) not in _REGISTERED:
                return whole_exception(obj, obj.__reduce_ex__(PROTOCOL))
            if isinstance(obj, type):
                _identify(obj)
            return _whole_class(obj, super().reducer_override(obj))

    out = io.BytesIO()
    try:
        Pickler(out, protocol=PROTOCOL, buffer_callback=buffer_callback).dump(value)
    except RecursionError as error:
        msg = (
            f"a value of type {name_of(type(value))} is nested too deeply to be pickled"
        )
        raise EncodeError(msg) from error
    except Exception as error:
        msg = f"a value of type {name_of(type(value))} cannot be stored: {said(error)}"
        raise EncodeError(msg) from error
    return out.getvalue()


def said(error: Exception) -> str:
    """Return what an error says, with its type if that alone is not clear."""
    if isinstance(error, (TypeError, pickle.PicklingError, EncodeError)):
        return str(error)
    return f"{type(error).__name__}: {error}"


_REGISTERED = copyreg.dispatch_table


def whole_exception(error: BaseException, parts: Any) -> Any:
    """Add to an exception's reduction what Python's own forgets."""
    cls: Any = type(error)
    own = (cls.__reduce__, cls.__reduce_ex__, cls.__setstate__)
    if any(isinstance(method, types.FunctionType) for method in own):
        return parts
    forgotten: dict[str, Any] = {}
    if error.__cause__ is not None:
        forgotten["__cause__"] = error.__cause__
    elif error.__suppress_context__:
        forgotten["__suppress_context__"] = True
    if isinstance(error, (AttributeError, NameError)) and error.name is not None:
        forgotten["name"] = error.name
    if not forgotten:
        return parts
    call, args, *rest = parts
    state, *more = rest or [None]
    return call, args, {**(state or {}), **forgotten}, *more


def _identify(cls: type) -> None:
    """Give a class that is pickled by value a name of its own that lasts."""
    # cloudpickle would draw lots, so that no two runs of a script would give
    # the same bytes; where it keeps its lots is its own affair, and may move.
    import cloudpickle.cloudpickle as inside

    known = getattr(inside, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", None)
    by_name = getattr(inside, "_DYNAMIC_CLASS_TRACKER_BY_ID", None)
    lock = getattr(inside, "_DYNAMIC_CLASS_TRACKER_LOCK", None)
    if known is None or by_name is None or lock is None or cls in known:
        return
    if classes.reference(cls) is not None:
        return  # it will be imported
    name = mainclasses.identity(cls)
    if name is not None:
        with lock:
            by_name.setdefault(name, cls)
            known[cls] = name


def _whole_class(value: Any, reduced: Any) -> Any:
    """Add to a class that is pickled by value its slots, and its whole name."""
    # Of cloudpickle's, which makes a class of name, bases and these keywords
    # first, and then sets all other attributes.
    if not isinstance(value, type) or not isinstance(reduced, tuple):
        return reduced
    call, args, *rest = reduced
    if rest and isinstance(rest[0], tuple) and isinstance(rest[0][0], dict):
        # copyreg's own note, made when the first instance is taken apart.
        rest[0][0].pop("__slotnames__", None)
    if getattr(call, "__name__", "") != "_make_skeleton_class":
        return reduced
    more: dict[str, Any] = {"__qualname__": value.__qualname__}
    if "__slots__" in vars(value):
        more["__slots__"] = vars(value)["__slots__"]
    return call, (*args[:3], {**args[3], **more}, *args[4:]), *rest


def exact_numpy(value: Any, protocol: int) -> Any:
    """Reduce, or refuse, what numpy's own pickling would not bring back."""
    kind = type(value)
    if _forgets(value, kind):
        msg = (
            f"numpy does not pickle all of a {name_of(type(value))}: define __reduce__"
        )
        raise pickle.PicklingError(msg)
    if kind is np.memmap:
        return np.asarray(value).__reduce_ex__(protocol)
    if isinstance(value, np.generic):
        # On one platform two C types have one size, and one dtype.
        name = value.dtype.str
        if value.dtype.kind in "iu" and np.dtype(name).type is not type(value):
            return type(value), (int(value),)
    elif kind is np.ndarray and not value.dtype.isnative and holds_bytes(value.dtype):
        # Some would become native on the way: strided ones, and dates.
        name = value.dtype.str if value.dtype.fields is None else value.dtype
        raw = pickle.PickleBuffer(array_bytes(value).data)
        return np.ndarray, (value.shape, name, raw)
    return NotImplemented


def _forgets(value: Any, kind: type) -> bool:
    """Return whether numpy would forget a scalar's class, or attributes."""
    inherited: Any = kind.__reduce__
    numpys: tuple[Any, ...] = (np.ndarray.__reduce__, np.generic.__reduce__)
    if kind.__module__.partition(".")[0] == "numpy" or inherited not in numpys:
        return False
    return isinstance(value, np.generic) or bool(getattr(value, "__dict__", None))


def _refuse_view(view: memoryview) -> tuple[Any, ...]:
    msg = f"{view!r} is a view of memory; store its bytes"
    raise pickle.PicklingError(msg)


def _refuse_file(file: io.TextIOWrapper) -> tuple[Any, ...]:
    msg = f"{file!r} is an open file; store its text, or its path"
    raise pickle.PicklingError(msg)


_CLASSES: weakref.WeakValueDictionary[str, type] = weakref.WeakValueDictionary()


def remember(hashed: str, value: Any) -> None:
    """Remember what a pickle holds, if that is a class; the digest is its own."""
    if isinstance(value, type):
        _CLASSES[hashed] = value


def remembered(hashed: str) -> type | None:
    """
    Return the class that a pickle holds, if it is there already.

    Unpickling it would set every attribute of that very class anew.
    """
    return _CLASSES.get(hashed)


def loads(data: bytes | memoryview, buffers: Iterable[Any] = ()) -> Any:
    """
    Unpickle; the caller has checked that someone trusted signed these bytes.

    Raises:
        RestoreError: A class is gone, or refused to be restored.

    """
    try:
        return pickle.loads(data, buffers=buffers)  # noqa: S301 - signed, see above
    except Exception as error:
        msg = (
            f"an object cannot be restored: {error}; "
            'objects="stub" loads everything around it'
        )
        raise RestoreError(msg) from error
