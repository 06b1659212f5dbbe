"""A backend as one place: the edit that is open on it, and the values inside."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from archivedb.storage.document import Document, State, owned
from archivedb.storage.nodes import Direct, Node, Overlay
from archivedb.storage.tagged import Tagged, tag
from archivedb.values import paths
from archivedb.values.arrays import StoredArray
from archivedb.values.editing import apply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archivedb.storage.generic import GenericStorage
    from archivedb.values.dtypes import Bytes
    from archivedb.values.editing import Op
    from archivedb.values.skeleton import Tree


class Place:
    """
    A backend's outermost storage, and the edit that is open on it.

    Args:
        storage: The backend's.

    """

    def __init__(self, storage: GenericStorage) -> None:
        self.storage = storage
        self._open: Overlay | None = None
        self._before: list[Overlay] = []

    @property
    def is_open(self) -> bool:
        """Whether an edit is."""
        return self._open is not None

    def top(self) -> Node:
        """Return the outermost group as it is now, open edit included."""
        return Direct(self.storage) if self._open is None else self._open

    @property
    def copies(self) -> bool:
        """Whether arrays must be copied when they are set."""
        return self._open is not None or not self.storage.copies_arrays

    def begin(self) -> None:
        """Begin an edit, or a part of the one that is open."""
        if self._open is None:
            self._open = Overlay(Direct(self.storage))
        self._before.append(self._open.snapshot())

    def end(self, *, keep: bool) -> None:
        """End what was begun last; with the outermost, change the backend."""
        before = self._before.pop()
        changes = self._open if keep else before
        self._open = changes if self._before else None
        if self._open is None and keep and changes is not None:
            changes.commit()

    @contextmanager
    def edit(self) -> Iterator[Overlay]:
        """Change the open edit, or else the backend once the block is done."""
        changes = self._open or Overlay(Direct(self.storage))
        yield changes
        if self._open is None:
            changes.commit()


def place_of(storage: GenericStorage) -> Place:
    """Return the one place of a backend's storage."""
    # Not made by __init__: a backend need not call the base's.
    place: Place | None = vars(storage).get("_archivedb_place")
    if place is None:
        place = vars(storage)["_archivedb_place"] = Place(storage)
    return place


class TaggedDocument(Document):
    """
    A value in a tagged group, to be changed in parts.

    Args:
        place: The backend.
        tokens: The path of the group in it.

    """

    def __init__(self, place: Place, tokens: tuple[str, ...]) -> None:
        super().__init__()
        self._place = place
        self._tokens = tokens

    @property
    def name(self) -> str:
        """The last key of the path; of the outermost group, what it is called."""
        return self._tokens[-1] if self._tokens else self._place.storage.name

    @property
    def path(self) -> str:
        """The path in the backend."""
        return paths.join(self._tokens)

    # An edit is one of the whole backend: there are no others.

    @property
    def in_session(self) -> bool:
        """Whether edits are collected at present."""
        return self._place.is_open

    def begin(self) -> None:
        """Begin an edit of the backend, or a part of the one that is open."""
        self._place.begin()

    def end(self, *, keep: bool) -> None:
        """End what was begun last."""
        self._place.end(keep=keep)

    def _state(self) -> State:
        node = self._place.top()
        for token in self._tokens:
            node = node.get(token)
        tagged = Tagged(node, self.path)
        return State(tagged.skeleton, range(len(tagged.names)), tagged)

    def _commit(self, ops: Sequence[Op]) -> None:
        state = self._state()
        tagged: Tagged = state.origin
        edited = apply(state.skeleton, state.arrays, map(owned, ops))
        before = tagged.arrays()
        arrays = [
            (each.path, each.values) if isinstance(each, StoredArray) else before[each]
            for each in edited.arrays
        ]
        # Whoever changes a part does not vouch for what a stranger has put beside.
        signs = edited.executable and tagged.is_trusted()
        made = tag(edited.skeleton, arrays, executable=signs)
        with self._place.edit() as top:
            top.replace(self._tokens, made)

    def _fetch(self, state: State, number: int, node: Tree) -> Bytes:
        tagged: Tagged = state.origin
        return tagged.fetch(number, node)

    def _require_trusted(self, state: State) -> None:
        tagged: Tagged = state.origin
        tagged.require_trusted()
