"""A progress bar on stderr, where a person may see it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Literal

Report = Callable[[int, int], None]

PATIENCE = 0.3
"""Seconds, before which nobody misses a bar; rich takes as long to import."""
INTERVAL = 0.05
"""Seconds between two updates: a payload may take less than drawing one."""


@contextmanager
def progress(
    label: str, unit: Literal["bytes", "payloads", "records", "versions"]
) -> Iterator[Report | None]:
    """
    Yield what takes (done, total) and shows it with its rate and what is left.

    Yields None where stderr is no terminal: whoever would count need not.
    """
    if not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(label, unit)
    try:
        yield bar.report
    finally:
        bar.stop()


class _Bar:
    """A bar that appears once the work has taken a while."""

    def __init__(self, label: str, unit: str) -> None:
        self._label = label
        self._unit = unit
        self._due = time.monotonic() + PATIENCE
        # Workers report from their own threads.
        self._lock = Lock()
        self._shown: Any = None
        self._task: Any = None

    def report(self, done: int, total: int) -> None:
        """Show how far the work is."""
        with self._lock:
            now = time.monotonic()
            if now < self._due:
                return
            self._due = now + INTERVAL
            if self._shown is None:
                self._shown = self._start()
                self._task = self._shown.add_task(self._label, total=total)
            self._shown.update(self._task, completed=done, total=total)

    def stop(self) -> None:
        """Take the bar away."""
        with self._lock:
            if self._shown is not None:
                self._shown.stop()
            # A worker that is still on its way shows no new one.
            self._due = float("inf")

    def _start(self) -> Any:
        from rich import progress as shown
        from rich.console import Console

        amount: tuple[shown.ProgressColumn, ...] = (
            (shown.DownloadColumn(), shown.TransferSpeedColumn())
            if self._unit == "bytes"
            else (shown.MofNCompleteColumn(), _Rate())
        )
        made = shown.Progress(
            shown.TextColumn("{task.description}"),
            shown.BarColumn(),
            *amount,
            shown.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        made.start()
        return made


def _Rate() -> Any:  # noqa: N802 - it makes a column, like those beside it
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    return Rate()
