"""
An archive manager for the dicts that computational scientists save.

A SQLite catalog records every saved dict, its mode, hierarchy and checksums;
the payloads are immutable HDF5, JSON or cloudpickle files.

`Archive` is what most programs need: it saves, loads, finds, edits, verifies.
`File` and `Storable` are for what goes into it; `renamed`, `upgrade` and `Stub` for
objects whose classes have changed or gone.  `save` and `load` keep one dict in a
directory.  `MemoryStorage`, `HDF5Storage`, `JSONStorage` and `PickleStorage` are
groups without an archive; `GenericStorage` and `Adapter` are for those who add
storages and types.  `errors` has every error, below `ArchiveError`.

Example:
    >>> from archivedb import Archive
    >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
    >>> record = archive.save({"energy": -3.7}, "al/fcc/run-1")
    >>> archive["al/fcc/run-1/energy"]
    -3.7
    >>> archive.open("al/fcc/run-1")["converged"] = True
    >>> archive.load("al/fcc/run-1")
    {'energy': -3.7, 'converged': True}

"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archivedb import errors
    from archivedb.archive import Archive, Folder, RecordSet, load, save
    from archivedb.archive.comparing.differing import Diff, Difference
    from archivedb.archive.finding.grouping import Summary
    from archivedb.archive.finding.surveying import PathFacts, Paths
    from archivedb.archive.running.run import Run
    from archivedb.archive.taking.outcome import Left, Taken
    from archivedb.archive.writing.batching import Batch
    from archivedb.errors import ArchiveError
    from archivedb.outcomes import (
        BackedUp,
        Collected,
        Diagnosis,
        Leftover,
        Repaired,
        Salvage,
        Share,
        Statistics,
        Symptom,
        Usage,
    )
    from archivedb.records import (
        Acceptance,
        Change,
        Deletion,
        Exported,
        Finding,
        Migration,
        Node,
        Record,
        Reindexing,
        Report,
        Signer,
        Stubbed,
    )
    from archivedb.storage.files import HDF5Storage, JSONStorage, PickleStorage
    from archivedb.storage.generic import GenericStorage
    from archivedb.storage.group import Group
    from archivedb.storage.memory import MemoryStorage
    from archivedb.values.adapters.base import Adapter
    from archivedb.values.classes import renamed, upgrade
    from archivedb.values.file import File
    from archivedb.values.objects import Stub
    from archivedb.values.storable import Storable

__version__ = "0.1.0"

_HOMES = {
    "BackedUp": "archivedb.outcomes",
    "Collected": "archivedb.outcomes",
    "Diagnosis": "archivedb.outcomes",
    "Leftover": "archivedb.outcomes",
    "Repaired": "archivedb.outcomes",
    "Share": "archivedb.outcomes",
    "Statistics": "archivedb.outcomes",
    "Symptom": "archivedb.outcomes",
    "Usage": "archivedb.outcomes",
    "Acceptance": "archivedb.records",
    "Archive": "archivedb.archive",
    "ArchiveError": "archivedb.errors",
    "Batch": "archivedb.archive.writing.batching",
    "Change": "archivedb.records",
    "Deletion": "archivedb.records",
    "Diff": "archivedb.archive.comparing.differing",
    "Difference": "archivedb.archive.comparing.differing",
    "Exported": "archivedb.records",
    "Finding": "archivedb.records",
    "Folder": "archivedb.archive",
    "Adapter": "archivedb.values.adapters.base",
    "File": "archivedb.values.file",
    "GenericStorage": "archivedb.storage.generic",
    "HDF5Storage": "archivedb.storage.files",
    "JSONStorage": "archivedb.storage.files",
    "MemoryStorage": "archivedb.storage.memory",
    "PickleStorage": "archivedb.storage.files",
    "Storable": "archivedb.values.storable",
    "Group": "archivedb.storage.group",
    "renamed": "archivedb.values.classes",
    "upgrade": "archivedb.values.classes",
    "Left": "archivedb.archive.taking.outcome",
    "Migration": "archivedb.records",
    "Node": "archivedb.records",
    "PathFacts": "archivedb.archive.finding.surveying",
    "Paths": "archivedb.archive.finding.surveying",
    "Record": "archivedb.records",
    "RecordSet": "archivedb.archive",
    "Reindexing": "archivedb.records",
    "Report": "archivedb.records",
    "Run": "archivedb.archive.running.run",
    "Salvage": "archivedb.outcomes",
    "Signer": "archivedb.records",
    "Stub": "archivedb.values.objects",
    "Stubbed": "archivedb.records",
    "Summary": "archivedb.archive.finding.grouping",
    "Taken": "archivedb.archive.taking.outcome",
    "load": "archivedb.archive",
    "save": "archivedb.archive",
}

__all__ = [
    "Acceptance",
    "Adapter",
    "Archive",
    "ArchiveError",
    "BackedUp",
    "Batch",
    "Change",
    "Collected",
    "Deletion",
    "Diagnosis",
    "Diff",
    "Difference",
    "Exported",
    "File",
    "Finding",
    "Folder",
    "GenericStorage",
    "Group",
    "HDF5Storage",
    "JSONStorage",
    "Left",
    "Leftover",
    "MemoryStorage",
    "Migration",
    "Node",
    "PathFacts",
    "Paths",
    "PickleStorage",
    "Record",
    "RecordSet",
    "Reindexing",
    "Repaired",
    "Report",
    "Run",
    "Salvage",
    "Share",
    "Signer",
    "Statistics",
    "Storable",
    "Stub",
    "Stubbed",
    "Summary",
    "Symptom",
    "Taken",
    "Usage",
    "errors",
    "load",
    "renamed",
    "save",
    "upgrade",
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
