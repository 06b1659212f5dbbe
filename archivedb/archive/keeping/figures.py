"""Numbers about an archive, from its catalog."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.catalog import figures
from archivedb.outcomes import Statistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.archive.core import Core

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Figures:
    """
    An open archive, to be counted.

    Args:
        core: The open archive.

    """

    def __init__(self, core: Core) -> None:
        core.require_existing()
        self._core = core

    def needs(self) -> Iterator[tuple[str, int, int]]:
        """Yield name, payload id and its bytes of each payload that a record needs."""
        with self._core.reading() as connection:
            yield from figures.needs(connection)

    def statistics(self, largest: int) -> Statistics:
        """Return all sums, and the largest records."""
        with self._core.reading() as connection:
            found = figures.totals(connection, largest)
        return Statistics(
            records=found.records,
            deleted=found.deleted,
            versions=found.versions,
            changes=found.changes,
            arrays=found.arrays,
            payloads=found.payloads,
            bytes=found.bytes,
            modes=found.modes,
            first=_time(found.first),
            last=_time(found.last),
            largest=tuple(found.largest),
            catalog=catalog_bytes(self._core.address.catalog),
        )


def catalog_bytes(catalog: Path) -> int:
    """Return the bytes of a catalog, its log among them."""
    found = 0
    for ending in ("", "-wal"):
        path = Path(f"{catalog}{ending}")
        found += path.stat().st_size if path.exists() else 0
    return found


def _time(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return _EPOCH + timedelta(microseconds=microseconds)
