"""
The way back for objects: from a state to an instance.

Importing a class and calling it runs code, so whoever reads decides through
`Objects` whether that may happen, before anything of it does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archivedb.errors import DecodeError, PayloadError, RestoreError
from archivedb.values import classes, storable
from archivedb.values.routes import fill_defaults

if TYPE_CHECKING:
    from archivedb.values.skeleton import Tree

Walk = Generator[Any, Any, Any]
"""A part of the decoding: yields nodes, and is sent their values."""


def _refuse() -> None:
    msg = "an object stands where none can be"
    raise DecodeError(msg)


@dataclass(frozen=True, slots=True)
class Objects:
    """
    What becomes of objects when a skeleton is decoded.

    Attributes:
        stub: Put a `Stub` in the place of each, and run nothing.
        stub_missing: Put one where an adapter is not there: metadata of one
            record must not keep all from being listed.
        require: Called before the first is restored; raises unless it may be.

    """

    stub: bool = False
    stub_missing: bool = False
    require: Callable[[], None] = _refuse


@dataclass(frozen=True, slots=True, eq=False)
class Stub:
    """
    What stands where an object was not restored.

    Each is equal to itself alone, so that they can be the items of a set and
    the keys of a dict, as the objects were.

    Attributes:
        class_name: ``module:QualName`` of its class.
        route: How it was stored: ``"reduce"``, ``"dataclass"``, ``"cloudpickle"``
            …; or ``"adapter"``, if what that needs is not installed.
        state: The plain dict, or whatever else it was stored as; None if it is
            a pickle.
        size: Bytes that its pickle takes; 0 if it is none.
        digest: The pickle's.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"origin": collections.abc.Sized}, "al/run-1")
        >>> stub = archive.load("al/run-1", objects="stub")["origin"]
        >>> stub.class_name, stub.route
        ('collections.abc:Sized', 'reference')

    """

    class_name: str
    route: str = "cloudpickle"
    state: Any = None
    size: int = 0
    digest: str = ""


def pickle_stub(node: Tree) -> Stub:
    """Return the stub for a ``$array`` node that stands for a pickle."""
    return Stub(
        str(node["class"]), size=int(node["shape"][0]), digest=str(node["digest"])
    )


_THROUGH = (PayloadError, RestoreError)


class _Failing:
    """Turns what a class raises into a `RestoreError` that names it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        # A storage's own errors too: a key that is missing in the state is not
        # one that is missing where the object is asked for.
        if isinstance(error, Exception) and not isinstance(error, _THROUGH):
            msg = (
                f"{self._name} refuses what was stored of it: "
                f"{type(error).__name__}: {error}; load what is around it with "
                'objects="stub", or see `archivedb.upgrade`'
            )
            raise RestoreError(msg) from error


def restore(node: Tree, made: Callable[[Any], None]) -> Walk:
    """
    Restore an ``$object``.

    Args:
        node: Its node.
        made: Called with the object as soon as it exists.

    """
    name, by = str(node["$object"]), node["by"]
    route = _ROUTES.get(by)
    if route is None:
        msg = f"the skeleton holds an object by {by!r}: update archivedb"
        raise DecodeError(msg)
    cls = None
    if "class" in node:
        cls = yield node["class"]
    elif by != "reduce" or "call" not in node["state"]:
        cls = classes.find(name)
    return (yield from route(_Job(name, node, cls, made)))


@dataclass(slots=True)
class _Job:
    """One object on its way back."""

    name: str
    node: Tree
    cls: Any
    made: Callable[[Any], None]

    @property
    def version(self) -> str | None:
        version = self.node.get("version")
        return None if version is None else str(version)

    def upgraded(self, state: Any) -> Any:
        with _Failing(self.name):
            return classes.upgraded(self.cls, self.version, state)


def _reference(job: _Job) -> Walk:
    return job.cls
    yield


def _enum(job: _Job) -> Walk:
    state = yield job.node["state"]
    state = job.upgraded(state)
    with _Failing(job.name):
        return job.cls[state["name"]] if "name" in state else job.cls(state["value"])


def _storable(job: _Job) -> Walk:
    state = yield job.node["state"]
    state = job.upgraded(state)
    with _Failing(job.name):
        return storable.restored(job.cls, state, job.version)


def _fields(job: _Job) -> Walk:
    with _Failing(job.name):
        value = object.__new__(job.cls)
    job.made(value)
    known = job.upgraded((yield job.node["state"]))
    with _Failing(job.name):
        for name, item in known.items():
            object.__setattr__(value, name, item)
        fill_defaults(job.cls, value, known)
    return value


def _state(job: _Job) -> Walk:
    with _Failing(job.name):
        value = job.cls.__new__(job.cls)
    job.made(value)
    state = yield job.node["state"]
    _set_state(job, value, job.upgraded(state))
    return value


def _reduce(job: _Job) -> Walk:
    parts = job.node["state"]
    args = (yield parts["args"]) if "args" in parts else []
    kwargs = (yield parts["kwargs"]) if "kwargs" in parts else {}
    if "call" in parts:
        call = yield parts["call"]
        with _Failing(job.name):
            value = call(*args, **kwargs)
    else:
        cls = (yield parts["class"]) if "class" in parts else job.cls
        with _Failing(job.name):
            value = cls.__new__(cls, *args, **kwargs)
    job.made(value)
    items = (yield parts["items"]) if "items" in parts else None
    pairs = (yield parts["pairs"]) if "pairs" in parts else None
    setter = (yield parts["setter"]) if "setter" in parts else None
    state = (yield parts["state"]) if "state" in parts else None
    with _Failing(job.name):
        _extend(value, items, pairs)
    if state is None:
        return value
    known = job.upgraded(state)
    if setter is None:
        _set_state(job, value, known)
    else:
        with _Failing(job.name):
            setter(value, known)
    return value


def _extend(value: Any, items: Any, pairs: Any) -> None:
    if items is not None:
        if hasattr(type(value), "extend"):
            value.extend(items)
        else:
            for item in items:
                value.append(item)
    if pairs is not None:
        for key, item in pairs.items() if isinstance(pairs, dict) else pairs:
            value[key] = item


def _set_state(job: _Job, value: Any, state: Any) -> None:
    """Do what unpickling does with a state."""
    with _Failing(job.name):
        # Of the class: a __getattr__ may need the state that is not there yet.
        if getattr(type(value), "__setstate__", None) is not None:
            value.__setstate__(state)
            return
        slots = None
        if isinstance(state, tuple) and len(state) == 2:  # noqa: PLR2004 - pickle's pair
            state, slots = state
        if state:
            value.__dict__.update(state)
        for name, item in (slots or {}).items():
            # Past a __setattr__ that freezes: it was set once, and is again.
            object.__setattr__(value, name, item)


_ROUTES: dict[str, Callable[[_Job], Walk]] = {
    "reference": _reference,
    "enum": _enum,
    "storable": _storable,
    "dataclass": _fields,
    "attrs": _fields,
    "state": _state,
    "reduce": _reduce,
}
