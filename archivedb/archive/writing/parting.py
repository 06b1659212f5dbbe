"""
Payloads of a copy of this archive that was written to, and so has parted from it.

A copy says of what it writes that it is this archive's.  Where both went on from
one change, each has a next one at the same place in a history.  What was committed
here stays; the other's changes are as foreign as those of another archive, and
come in by being adopted.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from archivedb.archive.writing.indexing import UNREADABLE, read_envelope
from archivedb.catalog import history, writing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from archivedb.formats.envelope import Entry, Envelope
    from archivedb.store.directory import PayloadStore


class Parting:
    """
    Tells such payloads from others; they are to be asked for oldest first.

    Args:
        connection: An open transaction.
        store: The payloads of what is committed.

    Attributes:
        settled: The id of the newest change that was committed until now; what
            it adds by itself is no reason to part from anything.

    """

    def __init__(self, connection: Connection, store: PayloadStore) -> None:
        self._connection = connection
        self._store = store
        self.settled = history.newest_change(connection)
        self._since: dict[str, int] = {}

    def has(self, envelope: Envelope) -> bool:
        """Return whether a payload that the catalog does not know has parted."""
        entries = envelope.entries
        if not any(self.follows(e) or self._contradicts(envelope, e) for e in entries):
            return False
        # A payload counts as a whole, and what comes after it builds upon it.
        for entry in entries:
            since = self._since.get(entry.record, entry.position)
            self._since[entry.record] = min(since, entry.position)
        return True

    def follows(self, entry: Entry) -> bool:
        """Return whether a change comes after one that has parted."""
        return entry.position >= self._since.get(entry.record, entry.position + 1)

    def _contradicts(self, envelope: Envelope, entry: Entry) -> bool:
        if entry.position > history.positions(self._connection, entry.record):
            return False
        claim = writing.claim_at(self._connection, entry.record, entry.position)
        if claim is None:
            return False  # what was there is deleted
        change, _, payload, _ = claim
        if payload == envelope.payload or change > self.settled:
            return False
        # A row of the catalog may be damaged; what the payload says is proof.
        return self._says(payload, entry)

    def _says(self, payload: str, entry: Entry) -> bool:
        """Return whether another payload says that it has the place of a change."""
        file = self._store.find(payload)
        if file is None:
            return False
        with suppress(*UNREADABLE), self._store.open(file) as source:
            return any(
                (each.record, each.position) == (entry.record, entry.position)
                for each in read_envelope(source).entries
            )
        return False
