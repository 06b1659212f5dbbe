"""Rebuild the catalog from the payloads alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.errors import ModeError, NameConflictError, PayloadMissingError
from archivedb.records import Finding, Reindexing

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.archive import Archive
    from archivedb.errors import ArchiveError

_FROM_A_COPY = "run `archivedb repair --from PATH`, a backup or another archive"


def reindex(
    archive: Archive, *, progress: Callable[[int, int], None] | None = None
) -> Reindexing:
    """
    Rebuild the catalog in place, under the writers' lock.

    Args:
        archive: The archive.
        progress: Called with the payloads done, and how many there are.

    Returns:
        What was rebuilt, the payloads that could not be read, and the versions
        that the catalog knew and of which no payload is there any more.

    """
    inspection = archive.inspect()
    done = inspection.rebuild(progress)
    records, versions = inspection.totals()
    gone = {file for file, _, _ in done.lost}
    findings = [_finding(*each) for each in done.damaged if each[0] not in gone]
    findings += [_lost(*each) for each in done.lost]
    return Reindexing(done.payloads, records, versions, tuple(findings))


def _lost(file: str, name: str | None, version: int | None) -> Finding:
    detail = "the old catalog knew it, and no file is there"
    return Finding("missing", name, version, None, file, detail, _FROM_A_COPY)


def _finding(file: str, error: ArchiveError) -> Finding:
    if isinstance(error, NameConflictError):
        # Sound, but two cannot have one name: see which is wanted.
        kind = "unindexed"
        advice = "`archivedb ingest` takes in what it holds, as new versions"
    elif isinstance(error, PayloadMissingError):
        kind = "missing"
        advice = _FROM_A_COPY
    elif isinstance(error, ModeError):
        kind = "unindexed"
        advice = "then run `archivedb reindex` again: nothing is lost"
    else:
        kind = "corrupt"
        advice = "restore the file from a backup, then run `archivedb reindex` again"
    return Finding(kind, None, None, None, file, str(error), advice)
