"""Names that stand for classes, imported when they are first asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def resolve(reference: str) -> Any:
    """Import what ``"module:name"`` refers to."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def name_of(value: Any) -> str:
    """
    Return ``"module:QualName"`` of a class or function, which `resolve` may find.

    >>> name_of(PluginTable)
    'archivedb.plugins:PluginTable'
    """
    return f"{value.__module__}:{value.__qualname__}"


class PluginTable(Generic[T]):
    """
    A table from names to instances of classes.

    Args:
        group: The entry-point group where third parties add to it.
        builtin: Name → ``"module:Class"``.  Built-ins win over entry points,
            and work in a checkout that nobody has installed.

    """

    def __init__(self, group: str, builtin: dict[str, str]) -> None:
        self._group = group
        self._builtin = builtin
        self._made: dict[str, T] = {}

    def names(self) -> list[str]:
        """Return every name, built-ins first; imports nothing of them."""
        others = {point.name for point in entry_points(group=self._group)}
        return [*self._builtin, *sorted(others - set(self._builtin))]

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a name; imports nothing of it."""
        # Asking for entry points reads every installed package's metadata.
        return name in self._builtin or name in self.names()

    def load(self, name: str) -> Any:
        """
        Return what a name stands for, imported but not called.

        Raises:
            KeyError: There is none of this name.

        """
        reference = self._builtin.get(name)
        if reference is not None:
            return resolve(reference)
        points = entry_points(group=self._group, name=name)
        if not points:
            raise KeyError(name)
        return next(iter(points)).load()

    def get(self, name: str) -> T:
        """
        Return the instance of this name, made at the first call.

        Raises:
            KeyError: There is none of this name.

        """
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self.load(name)()
        return made
