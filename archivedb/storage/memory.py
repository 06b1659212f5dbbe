"""Storage in memory, for tests and for what is not to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.errors import StorageError
from archivedb.storage.document import Document, State, nothing, owned
from archivedb.storage.group import Group
from archivedb.values.editing import apply
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archivedb.values.dtypes import Bytes
    from archivedb.values.editing import Op
    from archivedb.values.skeleton import Tree


class _Memory(Document):
    """A document that is gone with the process."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._now = nothing()

    @property
    def name(self) -> str:
        return self._name

    def _state(self) -> State:
        return self._now

    def _commit(self, ops: Sequence[Op]) -> None:
        before = self._now
        edited = apply(before.skeleton, before.arrays, map(owned, ops))
        self._now = State(Skeleton(edited.skeleton), edited.arrays)

    def _fetch(self, _state: State, array: Any, node: Tree) -> Bytes:
        msg = f"array {node['$array']} is {array!r}, which is not in memory"
        raise StorageError(msg)

    def _require_trusted(self, state: State) -> None:
        """Trust what this process itself has put there."""


class MemoryStorage(Group):
    """
    A storage in memory.

    It keeps values, not the objects that it was given: what is read is a copy.

    Args:
        name: What it is called.

    Example:
        >>> storage = MemoryStorage()
        >>> storage["inputs/cutoff"] = 500
        >>> storage.load()
        {'inputs': {'cutoff': 500}}

    """

    def __init__(self, name: str = "memory") -> None:
        super().__init__(_Memory(name))
