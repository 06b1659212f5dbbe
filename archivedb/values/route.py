"""What a route is: how one object is stored, before it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archivedb.values import classes

NOTHING = object()
"""The state of what has none."""


@dataclass(slots=True)
class Route:
    """
    How one object is stored.

    Attributes:
        head: Its node, but for class and state.
        state: What its state is made of: a plain dict, list, array or scalar.
        cls: The class or callable itself, where no name leads to it.
        needs: What of the state must exist before the object does: all of it,
            nothing, or what lies under some keys.
        tracked: Whether a second reference to the object refers to the first.

    """

    head: dict[str, Any]
    state: Any = NOTHING
    cls: Any = None
    needs: bool | frozenset[str] = False
    tracked: bool = True


def instance(cls: Any, by: str, state: Any = NOTHING) -> Route:
    """Return the route of an instance whose class is named, or stored along."""
    where = classes.reference(cls)
    head: dict[str, Any] = {"$object": where or classes.name_of(cls), "by": by}
    version = classes.version_of(str(cls.__module__))
    if version is not None:
        head["version"] = version
    return Route(head, state, None if where else cls)


def reference_to(where: str) -> Route:
    """Return the route of what importing a name gives."""
    return Route({"$object": where, "by": "reference"}, tracked=False)
