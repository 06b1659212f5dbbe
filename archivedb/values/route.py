"""What a route is: how one object is stored, before it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archivedb.errors import EncodeError
from archivedb.plugins import name_of
from archivedb.values import classes

HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE, of CPython's object.h: a class that is made at run time."""

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


def instance(
    cls: Any, by: str, state: Any = NOTHING, *, needs_class: bool = True
) -> Route:
    """
    Return the route of an instance whose class is named, or stored along.

    Raises:
        EncodeError: The class is needed, and can be neither.

    """
    where = classes.reference(cls)
    if where is None and needs_class:
        require_portable(cls)
    head: dict[str, Any] = {"$object": where or name_of(cls), "by": by}
    version = classes.version_of(str(cls.__module__))
    if version is not None:
        head["version"] = version
    by_value = cls if where is None and needs_class else None
    return Route(head, state, by_value)


def require_portable(cls: Any) -> None:
    """
    Raise unless a class that has no name to be imported by can be pickled.

    Raises:
        EncodeError: It is compiled into the interpreter, or made by ctypes.

    """
    compiled = hasattr(cls, "n_sequence_fields") or not cls.__flags__ & HEAP_TYPE
    if compiled or type(cls).__module__ == "_ctypes":
        msg = (
            f"the class {name_of(cls)} cannot be stored: it can neither be "
            "imported by its name nor taken along"
        )
        raise EncodeError(msg)


def reference_to(where: str) -> Route:
    """Return the route of what importing a name gives."""
    return Route({"$object": where, "by": "reference"}, tracked=False)
