"""
Adapters: what knows the classes of one library, and is imported with it.

`adapter_for` asks by a value's class when it is saved, `adapter_named` by the
kind in a skeleton when it is loaded.  A library that nobody uses is never
imported, and neither is its adapter.
"""

from __future__ import annotations

import functools
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from archivedb.errors import RestoreError
from archivedb.values.adapters.base import Adapter

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Adapter", "adapter_for", "adapter_named"]

GROUP = "archivedb.adapters"
"""The entry-point group: a top-level package → its function ``adapters``."""

_HERE = "archivedb.values.adapters"
_BUILTIN = {
    **dict.fromkeys(("builtins", "types"), f"{_HERE}.builtins"),
    **dict.fromkeys(("array", "collections"), f"{_HERE}.containers"),
    **dict.fromkeys(
        (
            *("datetime", "decimal", "fractions", "ipaddress", "pathlib", "re"),
            *("uuid", "zoneinfo"),
        ),
        f"{_HERE}.stdlib",
    ),
    "archivedb": f"{_HERE}.own",
    "ase": f"{_HERE}.ase",
    "numpy": f"{_HERE}.numpy",
    "pandas": f"{_HERE}.pandas",
    "pint": f"{_HERE}.pint",
    "scipy": f"{_HERE}.scipy",
    "xarray": f"{_HERE}.xarray",
}


class _Library:
    """The adapters of one module."""

    def __init__(
        self, adapters: list[Adapter], special: Callable[[type], Adapter | None] | None
    ) -> None:
        self._by_class = {adapter.cls: adapter for adapter in adapters}
        self.by_kind = {adapter.kind: adapter for adapter in adapters}
        self._special = special

    def of(self, cls: type) -> Adapter | None:
        """Return the adapter of exactly this class."""
        found = self._by_class.get(cls)
        if found is None and self._special is not None:
            found = self._special(cls)
        return found


@functools.cache
def _others() -> dict[str, Any]:
    # Asking for entry points reads every installed package's metadata.
    return {point.name: point for point in entry_points(group=GROUP)}


@functools.cache
def _library(package: str) -> _Library | None:
    """Return the adapters of a top-level package, importing them."""
    where = _BUILTIN.get(package)
    if where is not None:
        module = import_module(where)
        return _Library(module.adapters(), getattr(module, "adapter_of", None))
    point = _others().get(package)
    return None if point is None else _Library(list(point.load()()), None)


def adapter_for(cls: type) -> Adapter | None:
    """Return the adapter of exactly this class, or None."""
    library = _library(str(cls.__module__).partition(".")[0])
    return None if library is None else library.of(cls)


def adapter_named(kind: str) -> Adapter:
    """
    Return the adapter that a skeleton names.

    Raises:
        RestoreError: Its library is not installed, or too old.

    """
    package = kind.partition(".")[0] if "." in kind else "builtins"
    try:
        library = _library(package)
    except ImportError as error:
        msg = (
            f"restoring a {kind} needs {package}, which cannot be imported: {error}; "
            'install it, or load what is around it with objects="stub"'
        )
        raise RestoreError(msg) from error
    if library is None or kind not in library.by_kind:
        msg = (
            f"no adapter here knows a {kind}; update archivedb or install what "
            f'provides it for {package}, or load with objects="stub"'
        )
        raise RestoreError(msg)
    return library.by_kind[kind]
