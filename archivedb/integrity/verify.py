"""
Compare catalog and payloads in both directions, and change nothing.

``quick`` looks at presence and sizes, ``full`` at every byte.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from archivedb.errors import CatalogError, PayloadError, StoreError
from archivedb.records import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archivedb.archive import Archive
    from archivedb.archive.inspection import IndexedFile, Inspection

LEVELS = ("quick", "full")

_ADVICE = {
    "missing": "restore the file from a backup; the record cannot be loaded",
    "truncated": "restore the file from a backup; what is left cannot be trusted",
    "corrupt": "restore the file from a backup; load refuses what is damaged in it",
    "misindexed": "run `archivedb reindex`",
    "unindexed": "run `archivedb reindex`: it counts, and nothing is lost",
    "orphaned": "this archive does not need it",
}


def verify(
    archive: Archive,
    level: str = "full",
    *,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """
    Return a report of every disagreement.

    Args:
        archive: The archive.
        level: ``"quick"`` or ``"full"``.
        jobs: How many files are read at once; one a core if left out.
        progress: Called with the bytes done, and how many there are.

    Raises:
        ValueError: There is no such level.
        ArchiveNotFoundError: There is no archive.

    """
    if level not in LEVELS:
        msg = f"the levels are {', '.join(LEVELS)}, not {level!r}"
        raise ValueError(msg)
    begun = time.monotonic()
    inspection = archive.inspect()
    findings = [
        _finding("misindexed", f"the catalog: {fault}")
        for fault in inspection.catalog_faults()
    ]
    # Rows first: a save writes the file before the row, so every row that is
    # read here has its file already.
    indexed = inspection.indexed()
    total = sum(each.size for each in indexed)
    done = 0
    for size, found in _check_all(inspection, indexed, level, jobs):
        findings += found
        done += size
        if progress is not None:
            progress(done, total)
    for file, kind, detail in inspection.unindexed():
        findings.append(_finding(kind, detail, file=file))
    return Report(
        level=level,
        payloads=len(indexed),
        bytes=done if level == "full" else 0,
        seconds=time.monotonic() - begun,
        findings=tuple(findings),
    )


def _check_all(
    inspection: Inspection, indexed: list[IndexedFile], level: str, jobs: int | None
) -> Iterator[tuple[int, list[Finding]]]:
    if level == "quick":
        for each in indexed:
            yield each.size, _presence(inspection, each)
        return
    workers = jobs or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting: set[Future[tuple[int, list[Finding]]]] = set()
        try:
            for each in indexed:
                waiting.add(pool.submit(_check, inspection, each))
                if len(waiting) > 4 * workers:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        yield future.result()
            for future in waiting:
                yield future.result()
        finally:
            # On Ctrl-C, what has not begun need not begin.
            pool.shutdown(cancel_futures=True)


def _check(inspection: Inspection, each: IndexedFile) -> tuple[int, list[Finding]]:
    found = _presence(inspection, each)
    if found:
        return each.size, found
    try:
        # Read once more before it is called damaged: cables fail, too.
        sound = inspection.is_intact(each.file) or inspection.is_intact(each.file)
        detail = "its bytes are not those that were saved"
    except (PayloadError, StoreError) as error:
        sound, detail = False, str(error)
    if sound or not inspection.still_indexed(each.file):
        return each.size, []
    return each.size, _about(inspection, "corrupt", each.file, detail)


def _presence(inspection: Inspection, each: IndexedFile) -> list[Finding]:
    try:
        size = inspection.stored_size(each.file)
    except CatalogError as error:
        return _about(inspection, "misindexed", each.file, str(error))
    if size == each.size or not inspection.still_indexed(each.file):
        return []
    if size is None:
        return _about(inspection, "missing", each.file, "no file is there")
    detail = f"it has {size} bytes, and had {each.size}"
    kind = "truncated" if size < each.size else "corrupt"
    return _about(inspection, kind, each.file, detail)


def _about(inspection: Inspection, kind: str, file: str, detail: str) -> list[Finding]:
    """Return a finding for each version that a file holds, or one without."""
    holds = inspection.versions_in(file)
    if not holds:
        return [_finding(kind, detail, file=file)]
    found = []
    for name, version, own in holds:
        damaged = []
        if kind == "corrupt":
            damaged = inspection.damaged_paths(file, name, version)
            if not (damaged or own):
                continue  # what it shares with the file is sound
        found += [
            _finding(kind, detail, file=file, record=(name, version), path=path or None)
            for path in damaged or [""]
        ]
    return found or [_finding(kind, detail, file=file)]


def _finding(
    kind: str,
    detail: str,
    *,
    file: str | None = None,
    record: tuple[str, int] | None = None,
    path: str | None = None,
) -> Finding:
    name, version = record or (None, None)
    return Finding(kind, name, version, path, file, detail, _ADVICE[kind])
