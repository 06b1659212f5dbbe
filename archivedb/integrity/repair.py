"""Put sound copies in the place of damaged payloads; never delete any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.archive.keeping.sources import Source
from archivedb.outcomes import Repaired
from archivedb.records import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.archive import Archive
    from archivedb.archive.keeping.custody import Custody

DAMAGED = frozenset({"missing", "truncated", "corrupt"})

_FROM = "run `archivedb repair --from SOURCE`: an archive, a backup or an export"


def repair(
    archive: Archive,
    source: Any = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Repaired:
    """
    Mend what `verify` finds, from copies whose bytes are proven first.

    Args:
        archive: The archive.
        source: Another archive, open or by its address; a backup; a directory
            of payload files; an exported zip.  Without one only the catalog is
            mended.
        progress: Called with the bytes read, and how many there are.

    Raises:
        ArchiveNotFoundError: The source is not there.
        StoreError: The file system refused; what was mended stays so.

    """
    custody = archive.custody("repair the archive")
    custody.require_writable()
    copies = None if source is None else Source(source)
    report = archive.verify("full", progress=progress)
    damaged = _damaged(archive, custody, report.findings)
    restored: list[str] = []
    quarantined: list[str] = []
    for file, finding in damaged.items():
        done, kept = (
            (False, None) if copies is None else custody.restore(file, copies, finding)
        )
        if done:
            restored.append(file)
        if kept is not None:
            quarantined.append(kept)
    adopted: list[str] = []
    if copies is not None:
        restored += custody.take_back(copies)
        adopted = custody.take_adopted(copies)
        restored += adopted
    left = [file for file in damaged if file not in restored]
    indexed = _index(archive, custody, mended=not left, again=bool(adopted))
    findings = _remaining(archive, report.findings, left, searched=copies is not None)
    return Repaired(tuple(restored), tuple(quarantined), indexed, findings)


def _damaged(
    archive: Archive, custody: Custody, findings: tuple[Finding, ...]
) -> dict[str, Finding]:
    """Return the damaged payloads, each with the first that was found of it."""
    inspection = archive.inspect()
    found: dict[str, Finding] = {}
    for finding in findings:
        file = finding.file
        if file is None or file in found or not custody.is_payload(file):
            continue
        # What the catalog does not know may be damaged, too: its name proves it.
        if finding.kind in DAMAGED or (
            finding.record is None
            and inspection.stored_size(file) is not None
            and not inspection.is_intact(file)
        ):
            found[file] = finding
    return found


def _index(archive: Archive, custody: Custody, *, mended: bool, again: bool) -> int:
    """Mend the catalog; a rebuild would forget what is still damaged."""
    unknown = [each.file for each in custody.leftovers() if each.verdict == "counts"]
    indexed = custody.index(unknown)
    if mended and (again or unknown or _is_misindexed(archive)):
        # What was there without them may have taken their places in a history, and
        # rows may be wrong: only a rebuild mends both.
        archive.reindex()
        still = [each.file for each in custody.leftovers() if each.verdict == "counts"]
        indexed = len(unknown) - len(still)
    return indexed


def _is_misindexed(archive: Archive) -> bool:
    return any(each.kind == "misindexed" for each in archive.verify("quick").findings)


def _remaining(
    archive: Archive,
    findings: tuple[Finding, ...],
    left: list[str],
    *,
    searched: bool,
) -> tuple[Finding, ...]:
    """Return what is still wrong: what could not be mended, and what is seen now."""
    advice = (
        f"the source has no sound copy; {_FROM}, that has one" if searched else _FROM
    )
    remaining = [_advised(each, advice) for each in findings if each.file in left]
    # Whatever `full` alone sees, other than damage of bytes, is as it was.
    seen = {each.file for each in remaining}
    now = archive.verify("quick").findings
    remaining += [each for each in now if each.file is None or each.file not in seen]
    return tuple(remaining)


def _advised(finding: Finding, advice: str) -> Finding:
    return Finding(
        finding.kind,
        finding.record,
        finding.version,
        finding.path,
        finding.file,
        finding.detail,
        advice,
    )
