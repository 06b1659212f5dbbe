"""
Classes and functions by name: found again, also where they have moved.

What a payload names is imported, which runs code: nobody calls `find` before
a signature was checked.
"""

from __future__ import annotations

import functools
import sys
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from archivedb.errors import RestoreError
from archivedb.plugins import name_of
from archivedb.values import mainclasses

if TYPE_CHECKING:
    from collections.abc import Callable

_RENAMED: dict[str, Any] = {}
_UPGRADES: dict[type, list[tuple[str, Callable[[Any], Any]]]] = {}


def reference(value: Any, module: str | None = None, name: str = "") -> str | None:
    """
    Return ``module:QualName`` if importing that gives this very object.

    None for what was defined in ``__main__`` or inside a function: another
    process would not find it.

    Args:
        value: A class, a function, or any other object that has a name.
        module: Its module, if it does not know that itself.
        name: Its qualified name there.

    """
    module = module or getattr(value, "__module__", None)
    name = name or getattr(value, "__qualname__", "")
    if module in (None, "__main__", "__mp_main__") or not isinstance(module, str):
        return None
    try:
        found = _lookup(module, name)
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    if found is not value or _is_by_value(module):
        return None
    return f"{module}:{name}"


def _lookup(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module) or import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _is_by_value(module: str) -> bool:
    """Return whether the user asked cloudpickle to take a module along."""
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is None:
        return False
    listed = cloudpickle.list_registry_pickle_by_value()
    return bool(listed) and module in listed


def find(where: str) -> Any:
    """
    Import what a reference names; the caller has checked that it may.

    Raises:
        RestoreError: It is gone.

    """
    if where in _RENAMED:
        return _RENAMED[where]
    module, _, name = where.partition(":")
    try:
        return _lookup(module, name)
    except Exception as error:
        msg = (
            f"{where} is gone: {error}; say where it is now with "
            f'`archivedb.renamed("{where}", NewClass)`, or load everything '
            'around it with objects="stub"'
        )
        raise RestoreError(msg) from error


def present(value: Any) -> Any:
    """Return what a class that was stored along is by now, and all else as it is."""
    if not isinstance(value, type):
        return value
    known = _RENAMED.get(name_of(value))
    return mainclasses.current(value) if known is None else known


def renamed(old: str, new: Any) -> None:
    """
    Say what an old class is called now, so that old records stay readable.

    Args:
        old: ``"module:QualName"`` as it was when the records were saved; what
            `archivedb tree` shows.
        new: The class, or the function, that it has become.

    Example:
        >>> from fractions import Fraction
        >>> renamed("mycode.numbers:Ratio", Fraction)

    """
    module, colon, name = old.partition(":")
    if not (module and colon and name):
        msg = f'an old name is "module:Class", not {old!r}'
        raise ValueError(msg)
    _RENAMED[old] = new


def upgrade(
    cls: type, before: str
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """
    Register what turns an old state of a class into that of today.

    The decorated function is given the state as it was stored, for most
    classes the dict of its attributes, and returns the new one.  Upgrades run
    from the oldest ``before`` to the newest.

    Args:
        cls: The class as it is now.
        before: The version of its package from which on states are as now;
            states without a version are older than any.

    Example:
        >>> class Run: ...
        >>> @upgrade(Run, before="2.0")
        ... def _(state):
        ...     state["energy"] = state.pop("e")
        ...     return state

    """
    from packaging.version import Version

    Version(before)  # an error at once, not when something old is loaded

    def register(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        listed = _UPGRADES.setdefault(cls, [])
        listed.append((before, function))
        listed.sort(key=lambda each: Version(each[0]))
        return function

    return register


def has_upgrades() -> bool:
    """Return whether any class was registered as upgraded or renamed."""
    return bool(_UPGRADES or _RENAMED)


def upgraded(cls: Any, version: str | None, state: Any) -> Any:
    """Return the state of a class as its present code expects it."""
    if not _UPGRADES or not isinstance(cls, type):
        return state
    for each in reversed(cls.__mro__):
        for before, function in _UPGRADES.get(each, ()):
            if _is_older(version, before):
                state = function(state)
    return state


def _is_older(version: str | None, before: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return version is None or Version(version) < Version(before)
    except InvalidVersion:
        return True


def version_of(module: str) -> str | None:
    """Return the version of the package that a module belongs to, if it has one."""
    return _version(module.partition(".")[0])


@functools.cache
def _version(package: str) -> str | None:
    if package in sys.stdlib_module_names or package == "__main__":
        return None
    said = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(said, str):
        return said
    try:
        return metadata.version(package)
    except (metadata.PackageNotFoundError, ValueError):
        return None
