"""
Groups of a backend as a tree of nodes, and changes to them not yet written.

A `Direct` node is a backend's own storage.  An `Overlay` has the same methods
and collects what is changed on top of one, so that reads see it before the
backend does; `Overlay.commit` then makes the backend equal to it.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archivedb.storage.generic import GenericStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["group", "leaf"]

_inside = threading.local()


@contextmanager
def methods_of(storage: GenericStorage) -> Iterator[None]:
    """Let the methods of a backend be the raw ones, in this thread."""
    active = _inside.__dict__.setdefault("active", [])
    active.append(storage)
    try:
        yield
    finally:
        active.pop()


def is_inside(storage: GenericStorage) -> bool:
    """Return whether this thread runs one of a backend's own methods."""
    return any(each is storage for each in _inside.__dict__.get("active", ()))


class Node(ABC):
    """A group, asked for one raw key at a time."""

    @abstractmethod
    def get(self, key: str) -> Any:
        """Return the plain value or the node under a key; `KeyError` if none."""

    @abstractmethod
    def kind(self, key: str) -> Kind | None:
        """Return what is under a key, if anything is."""

    @abstractmethod
    def keys(self) -> list[str]:
        """Return the keys, oldest first."""


class Direct(Node):
    """
    A backend's own storage.

    Args:
        storage: The backend's, of one group.

    """

    def __init__(self, storage: GenericStorage) -> None:
        self._storage = storage

    def get(self, key: str) -> Any:
        """Return the plain value or the node under a key; `KeyError` if none."""
        value = self._get(key)
        if isinstance(value, GenericStorage):
            return Direct(value)
        return value if self._storage.copies_arrays else own(value)

    def _get(self, key: str) -> Any:
        with methods_of(self._storage):
            return self._storage[key]

    def kind(self, key: str) -> Kind | None:
        """Return what is under a key, if anything is."""
        try:
            value = self._get(key)
        except KeyError:
            return None
        return "group" if isinstance(value, GenericStorage) else "leaf"

    def keys(self) -> list[str]:
        """Return the keys, oldest first."""
        with methods_of(self._storage):
            return list(self._storage._keys())  # noqa: SLF001 - the backend's half

    def set(self, key: str, value: Any) -> None:
        """Write a plain value under a key that is new or has one already."""
        with methods_of(self._storage):
            self._storage._set(key, value)  # noqa: SLF001 - the backend's half

    def delete(self, key: str) -> None:
        """Remove a key."""
        with methods_of(self._storage):
            del self._storage[key]

    def create(self, key: str) -> Direct:
        """Make an empty group under a new key."""
        with methods_of(self._storage):
            return Direct(self._storage.create_group(key))


class Overlay(Node):
    """
    A group with changes that its backend has not seen.

    Args:
        below: The group as the backend has it, or None for a new one.

    """

    def __init__(self, below: Direct | None = None) -> None:
        self.below = below
        self.gone: dict[str, None] = {}
        # A changed key is in one of the two: in its old place, or behind all.
        self.placed: dict[str, Any] = {}
        self.added: dict[str, Any] = {}
        self.was: dict[str, Kind] = {}

    def _held(self, key: str) -> dict[str, Any] | None:
        for held in (self.added, self.placed):
            if key in held:
                return held
        return None

    def get(self, key: str) -> Any:
        """Return the plain value or the node under a key; `KeyError` if none."""
        held = self._held(key)
        if held is not None:
            return own(held[key])
        if self.below is None or key in self.gone:
            raise KeyError(key)
        value = self.below.get(key)
        if isinstance(value, Direct):
            value = self.placed[key] = Overlay(value)
            self.was[key] = "group"
        return value

    def kind(self, key: str) -> Kind | None:
        """Return what is under a key, if anything is."""
        held = self._held(key)
        if held is not None:
            return "group" if isinstance(held[key], Overlay) else "leaf"
        if self.below is None or key in self.gone:
            return None
        return self.below.kind(key)

    def keys(self) -> list[str]:
        """Return the keys, oldest first."""
        return [*self._kept(), *self.added]

    def _kept(self) -> list[str]:
        below = [] if self.below is None else self.below.keys()
        return [key for key in below if key not in self.gone]

    def set(self, key: str, value: Any) -> None:
        """Put a plain value, or a new group, in the place of what is there."""
        held = self._held(key)
        if held is None:
            was = self.kind(key)
            held = self.added if was is None else self.placed
            if was is not None:
                self.was[key] = was
        held[key] = value

    def delete(self, key: str) -> None:
        """Remove a key that is there."""
        if self.added.pop(key, self) is self:
            self.placed.pop(key, None)
            self.gone[key] = None

    def create(self, key: str) -> Overlay:
        """Make an empty group in the place of what is there."""
        made = Overlay()
        self.set(key, made)
        return made

    def replace(self, tokens: tuple[str, ...], value: Any) -> None:
        """Put a plain value, or a new group, at a path; make the groups above it."""
        if not tokens:
            for key in reversed(self.keys()):
                self.delete(key)
            for key in value.keys():  # noqa: SIM118 - a node is no dict
                self.set(key, value.get(key))
            return
        self.make(tokens[:-1]).set(tokens[-1], value)

    def make(self, tokens: tuple[str, ...]) -> Overlay:
        """Return the group at a path, made if nothing is there, with its parents."""
        node = self
        for token in tokens:
            node = node.create(token) if node.kind(token) is None else node.get(token)
        return node

    def snapshot(self) -> Overlay:
        """Return the same changes once more, not affected by further ones."""
        copy = Overlay(self.below)
        todo = [(self, copy)]
        while todo:
            source, target = todo.pop()
            target.gone = dict(source.gone)
            target.was = dict(source.was)
            for held, into in (
                (source.placed, target.placed),
                (source.added, target.added),
            ):
                for key, value in held.items():
                    into[key] = value
                    if isinstance(value, Overlay):
                        into[key] = below = Overlay(value.below)
                        todo.append((value, below))
        return copy

    # Writing ------------------------------------------------------------

    def commit(self) -> None:
        """
        Make the backend's group equal to this one, order included.

        A leaf in the place of a group, or the other way round, has to be made
        anew, and what stands behind it too: a backend adds at the end.
        """
        assert self.below is not None  # noqa: S101 - a new one is part of another
        # No recursion: groups may be nested deeper than Python's stack.
        todo = [(self, self.below)]
        while todo:
            overlay, target = todo.pop()
            todo += overlay.write_level(target)

    def write_level(self, target: Direct) -> list[tuple[Overlay, Direct]]:
        """Write the keys of this group; return the groups in it, and their places."""
        placed, added, gone = self.placed, self.added, list(self.gone)
        if any(self._changes_kind(key) for key in placed):
            kept = self._kept()
            first = next(n for n, key in enumerate(kept) if self._changes_kind(key))
            anew = kept[first:]
            gone += anew
            added = {key: _copy(self.get(key)) for key in anew} | added
            placed = {key: placed[key] for key in kept[:first] if key in placed}
        for key in gone:
            target.delete(key)
        groups = []
        for key, value in placed.items():
            if not isinstance(value, Overlay):
                target.set(key, value)
            elif value.below is not None:
                groups.append((value, value.below))
            else:
                child = target.get(key)
                # The last first: a tagged group without its mark would be another.
                for inner in reversed(child.keys()):
                    child.delete(inner)
                groups.append((value, child))
        for key, value in added.items():
            if isinstance(value, Overlay):
                groups.append((value, target.create(key)))
            else:
                target.set(key, value)
        return groups

    def _changes_kind(self, key: str) -> bool:
        if key not in self.placed:
            return False
        group = isinstance(self.placed[key], Overlay)
        return group != (self.was[key] == "group")


def _copy(value: Any) -> Any:
    """Return a value, or a group as a new one with all that is in it."""
    if not isinstance(value, Overlay):
        return value
    made = Overlay()
    todo = [(value, made)]
    while todo:
        source, target = todo.pop()
        for key in source.keys():  # noqa: SIM118 - a node is no dict
            item = source.get(key)
            if isinstance(item, Overlay):
                todo.append((item, target.create(key)))
            else:
                target.set(key, item)
    return made


def own(value: Any) -> Any:
    """Return an array as one that nobody else has, and anything else as it is."""
    return value.copy() if isinstance(value, np.ndarray) else value
