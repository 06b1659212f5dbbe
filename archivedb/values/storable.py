"""What a class implements to say itself how it is stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from archivedb.plugins import resolve


class Storable(ABC):
    """
    A class that puts itself into a storage, and takes itself out again.

    Nobody needs to implement it: any object is stored all the same.  It is for
    classes that want to choose what is kept, and under which names.

    Example:
        >>> class Cell(Storable):
        ...     def __init__(self, a):
        ...         self.a = a
        ...     def _store(self, storage):
        ...         storage["a"] = self.a
        ...     @classmethod
        ...     def _restore(cls, storage, version):
        ...         return cls(storage["a"])
        >>> storage = MemoryStorage()
        >>> storage["cell"] = Cell(4.05)
        >>> storage["cell"].a, list(storage.open("cell"))
        (4.05, ['a'])

    """

    @abstractmethod
    def _store(self, storage: Any) -> None:
        """
        Put everything that `_restore` needs into an empty storage.

        Args:
            storage: A `GenericStorage`, which takes any value under any key.

        """

    @classmethod
    @abstractmethod
    def _restore(cls, storage: Any, version: str | None) -> Self:
        """
        Return the object that put itself into a storage.

        Args:
            storage: The `GenericStorage` that `_store` has filled.
            version: The version that the package of the class had then, or
                None if it has none.

        """


def stored(value: Storable) -> dict[str, Any]:
    """Return what an object puts into a storage; its values are its own."""
    # By name, since storage is the layer above.
    live = resolve("archivedb.storage.live:LiveStorage")({})
    value._store(live)  # noqa: SLF001 - the protocol's own method
    data: dict[str, Any] = live.data
    return data


def restored(cls: Any, state: dict[str, Any], version: str | None) -> Any:
    """Return the object whose class put this state into a storage."""
    live = resolve("archivedb.storage.live:LiveStorage")(state)
    return cls._restore(live, version)
