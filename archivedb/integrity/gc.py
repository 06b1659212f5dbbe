"""Remove what nothing can need again, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archivedb.errors import CatalogError
from archivedb.outcomes import Collected, Leftover

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.archive import Archive
    from archivedb.archive.keeping.custody import Custody
    from archivedb.archive.keeping.superseding import Judgement

GRACE = timedelta(days=14)


def gc(
    archive: Archive,
    *,
    grace: timedelta = GRACE,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Collected:
    """
    Remove superseded payloads, and temporary files whose writer is gone.

    Args:
        archive: The archive.
        grace: How long each must have lain there as it is.
        dry_run: Say what would be removed, and touch nothing.
        progress: Called with the payloads done, and how many there are.

    Raises:
        ValueError: The grace period is negative.
        ReadOnlyError: The archive must not be written.
        CatalogError: The catalog is damaged, and proves nothing.

    """
    seconds = grace.total_seconds()
    if seconds < 0:
        msg = f"a grace period is not negative, as {grace} is"
        raise ValueError(msg)
    custody = archive.custody("collect garbage")
    if not dry_run:
        custody.require_writable()
    if archive.inspect().catalog_faults():
        msg = (
            f"the catalog of {archive.address} is damaged, and does not prove what is "
            "superseded; run `archivedb reindex` first"
        )
        raise CatalogError(msg)
    judged = custody.leftovers()
    counting = [each.file for each in judged if each.verdict == "counts"]
    indexed = len(counting)
    if counting and not dry_run:
        indexed = custody.index(counting)
        judged = custody.leftovers()
    stays = {each.file: _why_kept(custody, each, grace) for each in judged}
    kept = [
        Leftover(each.file, each.size, why)
        for each in judged
        if (why := stays[each.file]) and not (dry_run and each.verdict == "counts")
    ]
    over = [each for each in judged if stays[each.file] is None]
    removed = []
    for number, each in enumerate(over, 1):
        # One at a time: writers wait for the lock no longer than that.
        if dry_run or custody.remove([each.file]):
            removed.append(Leftover(each.file, each.size, each.why))
        if progress is not None:
            progress(number, len(over))
    removed += [
        Leftover(file, size, "its writer was cut off")
        for file, size in custody.temporaries(seconds, dry_run=dry_run)
    ]
    return Collected(tuple(removed), tuple(kept), indexed, dry_run)


def _why_kept(custody: Custody, each: Judgement, grace: timedelta) -> str | None:
    """Return why a payload stays, or None if it need not."""
    if each.verdict == "counts":
        return "it counts, and only `archivedb reindex` finds its place"
    if each.verdict != "superseded":
        return each.why
    if min(map(custody.age, each.group)) < grace.total_seconds():
        period = str(grace).removesuffix(", 0:00:00")
        return f"{each.why}; it goes once it has lain there for {period}"
    return None
