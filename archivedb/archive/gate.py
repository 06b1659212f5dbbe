"""
A gate that is shut while the process forks.

SQLite's own mutexes do not survive a fork: a child in which a thread of the
parent was inside SQLite would wait for it for ever.  So whoever forks waits
until the others have left, and keeps them out meanwhile.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 5.0
"""Seconds to wait for those inside: one may be a search that nobody ends."""


class Gate:
    """Any number may be inside, unless it is shut."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside: dict[int, int] = {}
        self._shut = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be inside, after waiting until the gate is open."""
        me = threading.get_ident()
        with self._changed:
            # Who is inside already must get on, or would never leave.
            while self._shut and not self._inside.get(me):
                self._changed.wait()
            self._inside[me] = self._inside.get(me, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                self._inside[me] -= 1
                if not self._inside[me]:
                    del self._inside[me]
                self._changed.notify_all()

    def shut(self) -> None:
        """Shut the gate, and wait until all other threads have left."""
        me = threading.get_ident()
        with self._changed:
            self._shut = True
            self._changed.wait_for(lambda: not self._inside.keys() - {me}, PATIENCE)

    def open(self) -> None:
        """Open the gate."""
        with self._changed:
            self._shut = False
            self._changed.notify_all()

    def reopen_in_child(self) -> None:
        """Open the gate of a child, in which there are no other threads."""
        me = threading.get_ident()
        self._changed = threading.Condition(threading.Lock())
        self._inside = {who: n for who, n in self._inside.items() if who == me}
        self._shut = False
