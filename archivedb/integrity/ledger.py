"""Which payloads are due, and what the ledger is told of them."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archivedb.archive.inspection import Checked, Inspection

LEVELS = ("quick", "full", "deep")
SOUND = "sound"

_SECONDS = 10.0
"""How long results are kept together: each transaction waits for the disk."""
_MANY = 20_000


def last_check(each: Checked, level: str) -> int | None:
    """
    Return when a payload was last found sound at this level or a higher one.

    In microseconds since 1970; None if it never was, or has a finding.
    """
    if each.level not in LEVELS or not isinstance(each.checked_at, int):
        return None
    enough = LEVELS.index(each.level) >= LEVELS.index(level)
    return each.checked_at if enough and each.verdict == SOUND else None


def due(
    known: list[Checked], level: str, part: float | None, max_age: float | None
) -> list[Checked]:
    """
    Return the payloads to be checked, the least recently checked first.

    Args:
        known: All of them.
        level: The level.
        part: Which part of all of them, or None: all that are due.
        max_age: Seconds; those checked since are not due.

    """
    before = math.inf if max_age is None else time.time_ns() // 1000 - max_age * 1e6
    found = [each for each in known if (last_check(each, level) or 0) < before]
    found.sort(key=lambda each: last_check(each, level) or 0)
    return found if part is None else found[: math.ceil(part * len(known))]


class Ledger:
    """
    Collects results, and writes them down in few transactions.

    A check replaces the one before.  So that a weekly deep one survives daily
    full ones, a sound result of a lower level does not replace a sound one of a
    higher level, but where the ledger itself has chosen what was checked.

    Args:
        inspection: The archive.
        level: How it is checked.
        chosen: Whether the ledger chose.

    """

    def __init__(self, inspection: Inspection, level: str, *, chosen: bool) -> None:
        self._inspection, self._level = inspection, level
        self._keeps_higher = level == "quick" or not chosen
        self._results: list[tuple[str, int, str]] = []
        self._written = time.monotonic()
        self._now: dict[str, int] = {}
        self.recorded = inspection.records_results

    def add(self, each: Checked, verdict: str) -> None:
        """Note the verdict about a payload."""
        now = time.time_ns() // 1000
        if verdict == SOUND:
            self._now[each.uuid] = now
        higher = last_check(each, self._level) is not None and each.level != self._level
        if verdict == SOUND and higher and self._keeps_higher:
            return
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
        times = [
            self._now.get(each.uuid) or last_check(each, self._level) for each in known
        ]
        if not times or None in times:
            return None
        oldest = min(when for when in times if when is not None)
        return datetime.fromtimestamp(oldest / 1e6, UTC)
