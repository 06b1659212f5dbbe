"""What a kind of value is, and how two values of one kind are compared."""

from __future__ import annotations

import copyreg
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archivedb.values.exact import same
from tests.support.exact import difference

Check = Callable[[Any, Any], None]
"""Raises unless the second value, which was loaded, is what the first one is."""


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of value.

    Attributes:
        name: What it is called, here and in ``docs/values.md``.
        make: Returns a fresh value; two calls return equal ones, in any process.
        check: Compares the value with what was loaded.
        large: Whether it is saved at the top only, and not nested in others.

    """

    name: str
    make: Callable[[], Any]
    check: Check
    large: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """
    A kind of value that no mode keeps.

    Attributes:
        name: What it is called.
        make: Returns a fresh one, given a directory of the test's own.

    """

    name: str
    make: Callable[[Any], Any]


def exactly(original: Any, loaded: Any) -> None:
    """Compare by everything that can be told of them, and with `archivedb`'s own."""
    what = difference(original, loaded)
    assert what is None, what
    assert same(original, loaded), "archivedb.values.exact.same says that they differ"


def each(
    makers: Mapping[str, Callable[[], Any]],
    check: Check = exactly,
    prefix: str = "",
    *,
    large: bool = False,
) -> list[Kind]:
    """Return a kind for each maker."""
    return [
        Kind(f"{prefix}{name}", make, check, large) for name, make in makers.items()
    ]


def constants(
    values: Iterable[Any], name: Callable[[Any], str], check: Check = exactly
) -> list[Kind]:
    """Return a kind for each value that nobody can change."""
    return [Kind(name(value), lambda value=value: value, check) for value in values]


def objects(original: Any, loaded: Any) -> None:
    """Compare objects by their class's name and all their attributes."""
    what = difference(_Opened().of(original), _Opened().of(loaded))
    assert what is None, what


def by_attributes(*names: str) -> Check:
    """Return a check of the class and these attributes."""

    def check(original: Any, loaded: Any) -> None:
        assert type(loaded) is type(original)
        for name in names:
            objects(getattr(original, name), getattr(loaded, name))

    return check


def behaving(ask: Callable[[Any], Any]) -> Check:
    """Return a check of type's name, and of what a question to each answers."""

    def check(original: Any, loaded: Any) -> None:
        assert _name(type(loaded)) == _name(type(original))
        what = difference(ask(original), ask(loaded))
        assert what is None, what

    return check


def identical(original: Any, loaded: Any) -> None:
    """Require the very same object, as of a class or a member of an Enum."""
    assert loaded is original


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


_BUILTINS = (
    *(bool, int, float, complex, str, bytes, bytearray),
    *(list, tuple, set, frozenset, dict),
)
_NAMED = (types.FunctionType, types.BuiltinFunctionType, type)


class _Opened:
    """Takes objects apart into plain values, each object once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}

    def of(self, value: Any) -> Any:
        """Return a value with every object in it as a dict."""
        if id(value) in self._known:
            return self._known[id(value)][1]
        if isinstance(value, _NAMED):
            return _name(value)
        if type(value) in (list, tuple, dict) or _is_object_array(value):
            return self._container(value)
        if not _is_object(type(value)):
            return value
        made: dict[str, Any] = {"class": _name(type(value))}
        self._known[id(value)] = value, made
        base = next((base for base in _BUILTINS if isinstance(value, base)), None)
        if base is not None:
            made["value"] = self.of(_plain(base, value))
        made |= {f".{name}": self.of(item) for name, item in _attributes(value)}
        return made

    def _container(self, value: Any) -> Any:
        if type(value) is tuple:
            return tuple(self.of(item) for item in value)
        made: Any = {} if type(value) is dict else []
        self._known[id(value)] = value, made
        if type(value) is dict:
            made |= {key: self.of(item) for key, item in value.items()}
        else:
            made += [self.of(item) for item in value]
        return made


def _is_object_array(value: Any) -> bool:
    return type(value) is np.ndarray and value.dtype == object


def _is_object(cls: type) -> bool:
    """Return whether a class is somebody's own, and not one of a library's."""
    top = cls.__module__.partition(".")[0]
    return top in ("tests", "__main__") or issubclass(cls, BaseException)


def _plain(base: type, value: Any) -> Any:
    if base in (set, frozenset):
        return sorted(value, key=repr)
    if base is dict:
        return {**value}
    if base in (list, tuple):
        return list(base.__iter__(value))
    return base.__new__(base, value)


def _attributes(value: Any) -> Iterable[tuple[str, Any]]:
    found = dict(getattr(value, "__dict__", ()))
    for name in copyreg._slotnames(type(value)):  # type: ignore[attr-defined]
        if hasattr(value, name):
            found[name] = getattr(value, name)
    if isinstance(value, BaseException):
        found |= {
            name: getattr(value, name)
            for name in ("args", "__notes__")
            if hasattr(value, name)
        }
    return sorted(found.items())
