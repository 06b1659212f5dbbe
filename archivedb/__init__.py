"""
An archive manager for the dicts that computational scientists save.

A SQLite catalog records every saved dict, its mode, hierarchy and checksums;
the payloads are immutable HDF5, JSON or cloudpickle files.

Example:
    >>> from archivedb import Archive
    >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
    >>> record = archive.save({"energy": -3.7}, "al/fcc/run-1")
    >>> archive["al/fcc/run-1/energy"]
    -3.7

"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archivedb import errors
    from archivedb.archive import Archive, Folder, RecordSet, load, save
    from archivedb.errors import ArchiveError
    from archivedb.records import (
        Change,
        Deletion,
        Finding,
        Migration,
        Node,
        Record,
        Reindexing,
        Report,
    )
    from archivedb.storage.group import Group
    from archivedb.values.decode import Stub

__version__ = "0.1.0"

_HOMES = {
    "Archive": "archivedb.archive",
    "ArchiveError": "archivedb.errors",
    "Change": "archivedb.records",
    "Deletion": "archivedb.records",
    "Finding": "archivedb.records",
    "Folder": "archivedb.archive",
    "Group": "archivedb.storage.group",
    "Migration": "archivedb.records",
    "Node": "archivedb.records",
    "Record": "archivedb.records",
    "RecordSet": "archivedb.archive",
    "Reindexing": "archivedb.records",
    "Report": "archivedb.records",
    "Stub": "archivedb.values.decode",
    "load": "archivedb.archive",
    "save": "archivedb.archive",
}

__all__ = [
    "Archive",
    "ArchiveError",
    "Change",
    "Deletion",
    "Finding",
    "Folder",
    "Group",
    "Migration",
    "Node",
    "Record",
    "RecordSet",
    "Reindexing",
    "Report",
    "Stub",
    "errors",
    "load",
    "save",
]


def __getattr__(name: str) -> Any:
    # SQLAlchemy takes longer to import than many a script to run.
    if name == "errors":
        return import_module("archivedb.errors")
    home = _HOMES.get(name)
    if home is None:
        msg = f"module 'archivedb' has no attribute {name!r}"
        raise AttributeError(msg)
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
