"""Pulling: the records of another archive, with their histories, into this one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from archivedb.archive.address import locate
from archivedb.archive.core import Core
from archivedb.archive.finding.query import Finder
from archivedb.archive.finding.recordset import RecordSet, query_of
from archivedb.archive.taking.adopting import Adopter
from archivedb.archive.taking.history import Envelopes, History
from archivedb.archive.writing.current import refuse_in_batch
from archivedb.catalog import adopted
from archivedb.errors import CatalogError, QueryError
from archivedb.values.paths import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from archivedb.archive.taking.outcome import Taken

PAGE = 100
"""How many records are asked for at once."""

Other = str | os.PathLike[str] | Core | RecordSet


def pull(
    core: Core,
    other: Other,
    question: str | None,
    *,
    under: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Taken:
    """Take in what another archive holds; see `Archive.pull`."""
    core.require_writable()
    core.require_catalog()
    refuse_in_batch(core, "pull from other archives")
    if under:
        check_name(under)
    if isinstance(other, RecordSet):
        if question is not None:
            msg = "a selection is pulled as it is: narrow it down with where()"
            raise QueryError(msg)
        return _pull(core, other.core, other, under, progress)
    source = other if isinstance(other, Core) else _opened(other)
    try:
        chosen = None
        if question is not None:
            chosen = RecordSet(source, query_of(question, None, {}))
        return _pull(core, source, chosen, under, progress)
    finally:
        if source is not other:
            source.close()


def _opened(other: str | os.PathLike[str]) -> Core:
    return Core(
        locate(other, None), readonly=True, durable=True, trust=False, migrate=False
    )


def _pull(
    core: Core,
    source: Core,
    chosen: RecordSet | None,
    under: str,
    progress: Callable[[int, int], None] | None,
) -> Taken:
    source.require_existing()
    if _is_same(core.store.root, source.store.root):
        msg = f"{core.address} cannot pull from itself: name another archive"
        raise CatalogError(msg)
    core.create()
    done, total = 0, 0

    def count(changes: int) -> None:
        nonlocal done
        done += changes
        if progress is not None:
            progress(done, max(done, total))

    with source.reading() as connection:
        records = adopted.living(connection)
        if chosen is not None:
            wanted = _uuids(chosen)
            records = [each for each in records if each[1] in wanted]
        total = adopted.count_changes(connection, [each[0] for each in records])

    def find(file: str) -> Path | None:
        # What another catalog says may be anything, and leads nowhere else.
        there = source.store.size(file) is not None
        return source.store.resolve(file) if there else None

    adopter = Adopter(core, find, progress=count)
    adopter.adopt(_histories(source, records, under))
    return adopter.tally.taken()


def _is_same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def _uuids(chosen: RecordSet) -> set[str]:
    with chosen.core.reading() as connection:
        rows = Finder(chosen.core, connection, chosen.query).rows()
        return {row.uuid for row in rows}


def _histories(
    source: Core, records: list[tuple[int, str, str]], under: str
) -> Iterator[History]:
    envelopes = Envelopes(source.store)
    for start in range(0, len(records), PAGE):
        page = records[start : start + PAGE]
        with source.reading() as connection:
            found = adopted.histories(connection, [each[0] for each in page])
        for number, uuid, name in page:
            if number in found:  # not deleted meanwhile
                here = f"{under}/{name}" if under else name
                yield History(uuid, here, found[number], envelopes.entry)
