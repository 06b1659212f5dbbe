"""
Which payloads nothing can ever need again.

A catalog that does not know a payload is no reason to remove it.  What is: its
record was deleted, its version was pruned, or its batch was cut short.  A row of
the catalog that says so is no proof, since SQLite has no checksums: the payload
that it names must say so.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archivedb.archive.writing.indexing import UNREADABLE, read_envelope
from archivedb.archive.writing.parting import Parting
from archivedb.archive.writing.recovering import unknown
from archivedb.catalog import history, payloads
from archivedb.errors import ArchiveError, ModeError
from archivedb.store import naming, quarantine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from archivedb.archive.core import Core
    from archivedb.formats.envelope import Entry, Envelope
    from archivedb.store.directory import PayloadStore


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    A payload that the catalog does not know.

    Attributes:
        file: The payload.
        size: Its bytes.
        verdict: ``"superseded"``; ``"counts"``; ``"foreign"``, of another
            archive; ``"parted"``, of a copy of this one that was written to;
            ``"unreadable"``; ``"unsupported"``, of a mode that is not
            installed; ``"incomplete"``, of a batch of which a part was lost;
            or ``"doubtful"``, as others need it, or the catalog contradicts
            the payloads.
        why: Why it is so.
        group: The payloads of its batch that are there, itself among them.

    """

    file: str
    size: int
    verdict: str
    why: str
    group: tuple[str, ...]


def judge(
    core: Core,
    files: Iterable[str] | None = None,
    store: PayloadStore | None = None,
) -> list[Judgement]:
    """
    Return what is to be said of payloads that the catalog does not know.

    Args:
        core: The open archive.
        files: Which to look at; all if left out.
        store: Where they lie, if it is another store, as that of a backup.

    """
    store = store or core.store
    with core.reading() as connection:
        found = unknown(connection, store.files() if files is None else files)
        named = payloads.known_files(connection, found)
    read: dict[str, Envelope] = {}
    judged: list[Judgement] = []
    for file in found:
        size = store.size(file)
        if size is None or store.is_pending(file):
            continue
        try:
            with store.open(file) as source:
                envelope = read_envelope(source)
        except ArchiveError as error:
            verdict = "unsupported" if isinstance(error, ModeError) else "unreadable"
            judged.append(Judgement(file, size, verdict, str(error), ()))
            continue
        if envelope.archive != core.uuid:
            why = "it belongs to another archive"
            judged.append(Judgement(file, size, "foreign", why, ()))
            continue
        read[file] = envelope
        if file in named:
            why = "the catalog has it under another uuid: run `archivedb reindex`"
            judged.append(Judgement(file, size, "doubtful", why, (file,)))
            continue
        verdict, why, group = _verdict(core, store, envelope, file)
        judged.append(Judgement(file, size, verdict, why, group))
    parted = _parted(core, read)
    why = "a copy of this archive that was written to has gone its own way with it"
    judged = [
        replace(each, verdict="parted", why=why)
        if each.verdict == "counts" and each.file in parted
        else each
        for each in judged
    ]
    return _keep_needed(judged, read)


def _parted(core: Core, read: dict[str, Envelope]) -> set[str]:
    """Return which payloads contradict what is committed here, oldest first."""
    with core.reading() as connection:
        parting = Parting(connection, core.store)
        return {file for file, envelope in read.items() if parting.has(envelope)}


def _verdict(
    core: Core, store: PayloadStore, envelope: Envelope, file: str
) -> tuple[str, str, tuple[str, ...]]:
    """Return a verdict, why it is so, and the payloads of the batch."""
    batch = {uuid: store.find(uuid) for uuid in envelope.batch}
    group = tuple(sorted({file, *(each for each in batch.values() if each)}))
    with core.reading() as connection:
        known = payloads.payload_uuids(connection, list(envelope.batch))
        evidence = _Evidence(core, connection, envelope.payload)
        reasons = {evidence.of(entry) for entry in envelope.entries}
        if None not in reasons:
            if known:
                why = "others of its batch count only together with it"
                return "doubtful", why, group
            return "superseded", " and ".join(sorted(filter(None, reasons))), group
        if evidence.lacking:
            why = (
                "the catalog says that it is superseded, and no payload does: run "
                "`archivedb verify`, then `archivedb repair` or `archivedb reindex`"
            )
            return "doubtful", why, group
        missing = [uuid for uuid, each in batch.items() if each is None]
        if missing:
            lost = any(quarantine.holds(store, uuid) for uuid in missing)
            if lost or any(_built_upon(connection, e) for e in envelope.entries):
                why = "a part of its batch was lost: `archivedb repair --from` a backup"
                return "incomplete", why, group
            number = envelope.batch.index(envelope.payload) + 1
            part = f"part {number} of {len(envelope.batch)}"
            return "superseded", f"it is {part} of a batch that was cut short", group
    return "counts", "the catalog does not know it", group


def _built_upon(connection: Connection, entry: Entry) -> bool:
    """Return whether a history goes on after a change that is not in it."""
    return history.positions(connection, entry.record) > entry.position


class _Evidence:
    """
    Looks for payloads that say that the changes of another are superseded.

    Args:
        core: The open archive.
        connection: An open transaction.
        suspect: The uuid of the payload that may be superseded.

    Attributes:
        lacking: Whether the catalog said so where no payload does.

    """

    def __init__(self, core: Core, connection: Connection, suspect: str) -> None:
        self._core = core
        self._connection = connection
        self._suspect = suspect
        self.lacking = False

    def of(self, entry: Entry) -> str | None:
        """Return why a change is nothing any more, or None if it may be something."""
        record, place, version = entry.record, entry.position, entry.version
        said = False
        if history.is_deleted_after(self._connection, record, place):
            said = True
            if any(e.kind == "delete" for e in self._others(record, place, "delete")):
                return "its record was deleted"
        if not any(o.position == place for o in self._others(record, place)):
            said = said or bool(history.change_files(self._connection, record, place))
        if version is not None and any(
            version in other.drops for other in self._others(record, place, "prune")
        ):
            return "its version was pruned"
        self.lacking = self.lacking or said
        return None

    def _others(
        self, record: str, start: int, kind: str | None = None
    ) -> Iterator[Entry]:
        """Yield what other payloads say of a record's changes; see `change_files`."""
        for file in history.change_files(self._connection, record, start, kind):
            # What cannot be read proves nothing.
            with suppress(*UNREADABLE), self._core.store.open(file) as source:
                envelope = read_envelope(source)
                if envelope.payload == self._suspect:
                    continue
                for entry in envelope.entries:
                    if entry.record == record and entry.position >= start:
                        yield entry


def adopted_and_lost(core: Core) -> set[str]:
    """Return the files that are not there though a change that counts adopts them."""
    store = core.store
    lost: list[tuple[Entry, list[str]]] = []
    dropped: set[tuple[str, int]] = set()
    ends: dict[str, int] = {}
    for file in store.files():
        with suppress(*UNREADABLE), store.open(file) as source:
            envelope = read_envelope(source)
            for entry in envelope.entries if envelope.archive == core.uuid else ():
                dropped.update((entry.record, number) for number in entry.drops)
                if entry.kind == "delete":
                    ends[entry.record] = max(entry.position, ends.get(entry.record, 0))
                if entry.adopted is not None and entry.content is not None:
                    names = (entry.adopted, *entry.content.files)
                    gone = [name for name in names if store.size(name) is None]
                    lost += [(entry, gone)] if gone else []
    return {
        file
        for entry, gone in lost
        if (entry.record, entry.version) not in dropped
        and entry.position > ends.get(entry.record, 0)
        for file in gone
    }


def _keep_needed(judged: list[Judgement], read: dict[str, Envelope]) -> list[Judgement]:
    """Keep what others that are kept need, and batches that are not all superseded."""
    verdicts = {each.file: each.verdict for each in judged}
    while True:
        needed = {
            naming.uuid_of(name)
            for file, envelope in read.items()
            if verdicts[file] != "superseded"
            for entry in envelope.entries
            for name in (
                *(entry.content.files if entry.content else ()),
                *filter(None, [entry.adopted]),
            )
        }
        kept = [
            each.file
            for each in judged
            if verdicts[each.file] == "superseded"
            and (
                naming.uuid_of(each.file) in needed
                or any(
                    verdicts.get(o, "superseded") != "superseded" for o in each.group
                )
            )
        ]
        if not kept:
            break
        verdicts.update(dict.fromkeys(kept, "doubtful"))
    why = "another payload that may count needs it"
    return [
        each
        if verdicts[each.file] == each.verdict
        else Judgement(each.file, each.size, "doubtful", why, each.group)
        for each in judged
    ]
