"""Histories of records that lie elsewhere, change by change."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archivedb.archive.writing.indexing import read_envelope
from archivedb.errors import CatalogEntryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archivedb.catalog.adopted import Past
    from archivedb.formats.envelope import Entry, Envelope
    from archivedb.store.directory import PayloadStore

_KEPT = 8
"""How many envelopes are kept: those of batches are long, and come often."""


class Envelopes:
    """
    What payloads say of themselves, each read once.

    Args:
        store: The store that they lie in.

    """

    def __init__(self, store: PayloadStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, Envelope] = OrderedDict()

    def of(self, file: str) -> Envelope:
        """Return what a payload says of itself."""
        found = self._kept.pop(file, None)
        if found is None:
            with self._store.open(file) as source:
                found = read_envelope(source)
        self._kept[file] = found
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    def entry(self, past: Past) -> Entry:
        """
        Return a change, as its payload has it.

        Raises:
            CatalogEntryError: The catalog says something else.

        """
        entries = self.of(past.file).entries
        if past.slot >= len(entries) or entries[past.slot].kind != past.kind:
            msg = f"{past.file} does not hold what its catalog says; reindex it"
            raise CatalogEntryError(msg)
        return entries[past.slot]


@dataclass
class History:
    """
    The history of a record that lies elsewhere.

    Attributes:
        uuid: The record's.
        name: The name that it is to have here.
        past: Its changes, oldest first.
        entry: Returns one of them, as its payload has it.
        target: The record here that has taken some of it, once there is one.
        end: How far it can be taken in: up to what is damaged.

    """

    uuid: str
    name: str
    past: Sequence[Past]
    entry: Callable[[Past], Entry]
    target: str | None = None
    end: int = field(default=-1)

    def __post_init__(self) -> None:
        """Count the changes."""
        if self.end < 0:
            self.end = len(self.past)

    def adoption(self, index: int) -> Entry:
        """
        Return one of its changes as one that says where its content lies.

        What a stranger may have put beside that is left out.
        """
        past = self.past[index]
        entry = self.entry(past)
        appends = entry.kind == "append"
        adopted = None if entry.content is None else entry.adopted or past.file
        return replace(
            entry,
            kind="adopt" if entry.content is not None and not appends else entry.kind,
            adopted=adopted,
            own=(),
            path=entry.path if appends else None,
            drops=(),
            frees=(),
            name_before=None,
            origins=(),
        )


@dataclass(frozen=True)
class Part:
    """Some changes of a history that follow each other."""

    history: History
    start: int
    stop: int
