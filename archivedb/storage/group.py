"""A group of a document: a place in its skeleton, read and changed in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from archivedb.errors import EncodeError, KeyNotFoundError, NotAGroupError
from archivedb.storage.generic import GenericStorage, Key, loaded, steps_of
from archivedb.storage.lazy import LazyArray, parts_of
from archivedb.values import outline, paths, skeleton
from archivedb.values.editing import Append, Assign, MakeGroup, Remove
from archivedb.values.encode import encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from archivedb.storage.document import Document, State
    from archivedb.values.editing import Steps
    from archivedb.values.skeleton import Tree


class Group(GenericStorage, raw=False):
    """
    A dict inside a document.

    It holds a path and looks along it at each use, so it never shows what is
    no longer there.

    Args:
        document: The file, record or memory that the group is part of.
        tokens: Where in it the group stands.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> run = archive.create_group("al/run-1")
        >>> with run:
        ...     run["inputs/cutoff"] = 500
        ...     run["outputs/energy"] = -3.7
        >>> run["outputs"]
        <Group 'al/run-1/outputs', 1 key>
          energy: -3.7

    """

    def __init__(self, document: Document, tokens: Steps = ()) -> None:
        self._document = document
        self._tokens = tokens

    @property
    def name(self) -> str:
        """The last key of the path; of the outermost group, what it is called."""
        return self._tokens[-1] if self._tokens else self._document.name

    @property
    def path(self) -> str:
        """The path from the outermost group to this one."""
        above = self._document.path
        return paths.join((above, *self._tokens) if above else self._tokens)

    # Reading ------------------------------------------------------------

    def __getitem__(self, key: Key) -> Any:
        """Return the group or the value at a path."""
        state, node, tokens = self._find(steps_of(key))
        if skeleton.is_group(node):
            return Group(self._document, tokens)
        if self._document.maps and "$parts" in node:
            return LazyArray(self._document, tokens)  # no map holds several files
        return self._document.read(state, node)

    def __contains__(self, key: object) -> bool:
        """Return whether anything stands at a path; nothing is read for it."""
        if not isinstance(key, (str, tuple)):
            return False
        try:
            self._find(steps_of(key))
        except (KeyNotFoundError, NotAGroupError, EncodeError):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, oldest first; what changes meanwhile is not seen."""
        return iter([token for token, _ in skeleton.children(self._here()[1])])

    def __len__(self) -> int:
        """Return how many keys there are."""
        return sum(1 for _ in skeleton.children(self._here()[1]))

    def load(self) -> Any:
        """Return the whole group as a plain dict, or the object it was made of."""
        return self._document.read(*self._here())

    def open(self, key: Key) -> Any:
        """Return what a value was stored as, without making the value."""
        _, node, tokens = self._find(steps_of(key))
        if skeleton.is_container(node):
            return Group(self._document, tokens)
        body = skeleton.body(node)
        if parts_of(body):
            below = tokens if body is node else (*tokens, skeleton.STATE)
            return LazyArray(self._document, below)
        msg = f"{paths.join(tokens)!r} is a leaf: get it with []"
        raise NotAGroupError(msg)

    # Changing -----------------------------------------------------------

    def __setitem__(self, key: Key, value: Any) -> None:
        """Keep a value at a path, in the place of what is there."""
        tokens = self._place(key)
        encoded = encode(loaded(value), at=tokens)
        self._document.change(Assign(tokens, encoded))

    def __delitem__(self, key: Key) -> None:
        """Remove a value, or a group with all in it."""
        self._document.change(Remove(self._place(key)))

    def create_group(self, key: Key) -> Group:
        """Return the group at a path, made if nothing is there, with its parents."""
        steps = steps_of(key)
        tokens = self._document.spell((*self._tokens, *steps))
        # What is there already is no change.
        if self._document.in_session or not self._is_group(tokens):
            self._document.change(MakeGroup(tokens))
        return Group(self._document, tokens)

    def append(self, key: Key, rows: Any) -> None:
        """Extend an array along its first axis; see `GenericStorage.append`."""
        tokens = self._place(key)
        if type(rows) not in (np.ndarray, np.memmap):
            path = paths.join(tokens)
            msg = f"{path}: rows are an array, not {type(rows).__name__}"
            raise EncodeError(msg)
        self._document.change(Append(tokens, encode(rows, at=tokens)))

    def __enter__(self) -> Self:
        """Begin one edit; a ``with`` inside of another joins it."""
        self._document.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what was changed since `__enter__`, or nothing on an exception."""
        self._document.end(keep=kind is None)

    def __reduce__(self) -> Any:
        """Refuse to be pickled, copied or stored: it is a view of something."""
        what = self.path or self.name
        msg = f"a group is no value: store its content, {what!r}, by .load()"
        raise EncodeError(msg)

    # Inside -------------------------------------------------------------

    def _place(self, key: Key) -> Steps:
        """Return the tokens of what is to be changed."""
        steps = steps_of(key)
        if not steps:
            msg = "name a key: a group is no part of itself"
            raise EncodeError(msg)
        return self._document.spell((*self._tokens, *steps))

    def _find(self, steps: tuple[Any, ...]) -> tuple[State, Tree, Steps]:
        state = self._document.state()
        node, tokens = state.skeleton.walk((*self._tokens, *steps))
        return state, state.skeleton.resolve(node), tokens

    def _here(self) -> tuple[State, Tree]:
        """Return the group's node, which may have become that of another value."""
        state, node, tokens = self._find(())
        if not skeleton.is_container(node):
            msg = f"{paths.join(tokens)!r} is no group any more"
            raise NotAGroupError(msg)
        return state, node

    def _is_group(self, tokens: Steps) -> bool:
        source = self._document.state().skeleton
        try:
            return skeleton.is_group(source.resolve(source.at(tokens)))
        except (KeyNotFoundError, NotAGroupError):
            return False

    def _lines(self) -> Iterator[str]:
        """Yield a line for each key; no array is read and nothing is run for it."""
        state, node = self._here()
        for token, child in skeleton.children(node):
            kind, text = outline.describe(state.skeleton.resolve(child))
            yield f"{token}: {text if kind == 'value' else f'{kind}, {text}'}"
