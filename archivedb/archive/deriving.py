"""
What payloads say of records, beside what the catalog says of them.

Each record's rows are derived from its payloads once more, by the very code that
indexes them, into a catalog that is thrown away, and compared row by row.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archivedb.archive.writing.indexing import UNREADABLE, Indexer, read_envelope
from archivedb.catalog import checks, index, payloads, writing
from archivedb.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from archivedb.archive.core import Core
    from archivedb.catalog.checks import Difference, Portrait
    from archivedb.store.directory import PayloadStore


@dataclass(frozen=True, slots=True)
class Misindexed:
    """A record of which catalog and payloads say different things."""

    name: str | None
    differences: tuple[Difference, ...]


@dataclass(slots=True)
class Comparison:
    """
    What came of comparing some records.

    Attributes:
        compared: The uuids of those that were compared.
        misindexed: Those of which the catalog is wrong.
        unreadable: The payload files without which some could not be compared.

    """

    compared: set[str] = field(default_factory=set)
    misindexed: list[Misindexed] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Target:
    """What is indexed into: the archive's payloads, and numbers of its own."""

    store: PayloadStore
    uuid: str
    paths: index.PathIds = field(default_factory=index.PathIds)


def compare(core: Core, payloads: Sequence[str], known: set[str]) -> Comparison:
    """
    Compare all that some payloads tell of with what the catalog says of it.

    Args:
        core: The open archive.
        payloads: The uuids of the payloads.
        known: Records that have been compared already.

    """
    told = _told_of(core, payloads)
    with core.reading() as connection:
        told |= checks.records_of(connection, payloads)
    return compare_records(core, told - known)


def compare_records(core: Core, records: set[str]) -> Comparison:
    """Compare what the catalog says of some records with their payloads."""
    first = _compare(core, records)
    if not first.misindexed and not first.unreadable:
        return first
    # Somebody may have pruned or deleted what was just being read.
    return _compare(core, records)


def _told_of(core: Core, payloads: Sequence[str]) -> set[str]:
    """Return the records of which payloads tell, whatever the catalog says."""
    found: set[str] = set()
    for uuid in payloads:
        # One that cannot be read has a finding of its own.
        with suppress(*UNREADABLE):
            file = core.store.find(uuid)
            if file is not None:
                with core.store.open(file) as source:
                    envelope = read_envelope(source)
                if envelope.archive == core.uuid and not _is_guest(core, uuid):
                    found.update(entry.record for entry in envelope.entries)
    return found


def _is_guest(core: Core, uuid: str) -> bool:
    with core.reading() as connection:
        return checks.is_guest(connection, uuid)


def _compare(core: Core, records: set[str]) -> Comparison:
    done = Comparison()
    if not records:
        return done
    files: dict[str, set[str]] = {}
    # One state of the catalog: whatever is saved meanwhile is not in question.
    with core.reading() as connection:
        said = {uuid: checks.portrait(connection, uuid) for uuid in records}
        for uuid in records:
            for file in payloads.files_of(connection, uuid):
                files.setdefault(file, set()).add(uuid)
    right, unreadable = _derived(core, sorted(files, key=_age), records)
    done.unreadable = unreadable
    damaged = {uuid for file in unreadable for uuid in files[file]}
    for uuid in sorted(records - damaged):
        done.compared.add(uuid)
        wrong = tuple(checks.differences(said[uuid], right[uuid]))
        if wrong:
            name = said[uuid].name or right[uuid].name
            done.misindexed.append(Misindexed(name, wrong))
    return done


def _age(file: str) -> str:
    return file.rpartition("/")[2]


def _derived(
    core: Core, files: list[str], records: set[str]
) -> tuple[dict[str, Portrait], set[str]]:
    """Return what payload files say of records, and which cannot be read."""
    void: frozenset[tuple[str, int]] = frozenset()
    with checks.scratch(core.uuid) as connection:
        while True:
            target = _Target(core.store, core.uuid)
            indexer = Indexer(target, connection, void, core.store.find, records)
            unreadable = _fill(indexer, files)
            more = indexer.void()
            if more is None:
                return _portraits(connection, records), unreadable
            void = more
            writing.clear(connection)


def _fill(indexer: Indexer, files: list[str]) -> set[str]:
    unreadable = set()
    for file in files:
        try:
            indexer.add(file)
        except ArchiveError:
            unreadable.add(file)
    indexer.finish()
    return unreadable


def _portraits(connection: Connection, records: set[str]) -> dict[str, Portrait]:
    return {uuid: checks.portrait(connection, uuid) for uuid in records}
