"""Which payloads are due, and what the ledger is told of them."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from archivedb.archive.inspection import SOUND

if TYPE_CHECKING:
    from archivedb.archive.inspection import Checked, Inspection

_SECONDS = 10.0
"""How long results are kept together: each transaction waits for the disk."""
_MANY = 20_000


def due(
    known: list[Checked], part: float | None, max_age: float | None
) -> list[Checked]:
    """
    Return the payloads to be checked, the least recently checked first.

    Args:
        known: All of them.
        part: Which part of all of them, or None: all that are due.
        max_age: Seconds; those checked since are not due.

    """
    before = math.inf if max_age is None else time.time_ns() // 1000 - max_age * 1e6
    found = [each for each in known if (each.sound_at or 0) < before]
    # Of equals in the order of the files, which is that of the directories.
    found.sort(key=lambda each: each.sound_at or 0)
    return found if part is None else found[: math.ceil(part * len(known))]


class Ledger:
    """
    Collects results, and writes them down in few transactions.

    Each level has a row of its own: a weekly deep check and daily full ones do not
    hide each other.

    Args:
        inspection: The archive.
        level: How it is checked.

    """

    def __init__(self, inspection: Inspection, level: str) -> None:
        self._inspection, self._level = inspection, level
        self._results: list[tuple[str, int, str]] = []
        self._written = time.monotonic()
        self._now: dict[str, int] = {}
        self.recorded = inspection.records_results

    def add(self, each: Checked, verdict: str) -> None:
        """Note the verdict about a payload."""
        now = time.time_ns() // 1000
        if verdict == SOUND:
            self._now[each.uuid] = now
        self._results.append((each.uuid, now, verdict))
        if len(self._results) >= _MANY or time.monotonic() > self._written + _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write down what was noted."""
        if self._results and self.recorded:
            self.recorded = self._inspection.record(self._level, self._results)
        self._results.clear()
        self._written = time.monotonic()

    def oldest(self, known: list[Checked]) -> datetime | None:
        """Return when the one was checked whose check is the longest ago."""
        times = [self._now.get(each.uuid) or each.sound_at for each in known]
        if not times or None in times:
            return None
        oldest = min(when for when in times if when is not None)
        return datetime.fromtimestamp(oldest / 1e6, UTC)
