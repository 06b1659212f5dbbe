"""The kinds of storage, archivedb's own and those of other packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.errors import ModeError
from archivedb.plugins import PluginTable

if TYPE_CHECKING:
    from archivedb.storage.generic import GenericStorage

STORAGES: PluginTable[GenericStorage] = PluginTable(
    "archivedb.storages",
    {
        "memory": "archivedb.storage.memory:MemoryStorage",
        "hdf5": "archivedb.storage.files:HDF5Storage",
        "json": "archivedb.storage.files:JSONStorage",
        "cloudpickle": "archivedb.storage.files:PickleStorage",
    },
)
"""Kind → class; other packages add theirs by an entry point of this group."""


def get_storage(kind: str, *args: Any, **options: Any) -> GenericStorage:
    """
    Return a storage of some kind.

    Args:
        kind: ``"memory"``, ``"hdf5"``, ``"json"``, ``"cloudpickle"``, or what
            another package calls its own.
        args: What the class of that kind takes: for files, the path.
        options: Likewise.

    Raises:
        ModeError: There is no such kind.

    Example:
        >>> storage = get_storage("memory")
        >>> storage["inputs/cutoff"] = 500
        >>> storage.load()
        {'inputs': {'cutoff': 500}}

    """
    try:
        cls = STORAGES.load(kind)
    except KeyError:
        known = ", ".join(STORAGES.names())
        msg = f"no kind of storage is called {kind!r}; there are {known}"
        raise ModeError(msg) from None
    made: GenericStorage = cls(*args, **options)
    return made
