"""
Which payloads nothing can ever need again.

A catalog that does not know a payload is no reason to remove it.  What is: its
record was deleted, its version was pruned, another change has its place in the
history, or its batch was cut short.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archivedb.archive.writing.indexing import UNREADABLE, read_envelope
from archivedb.archive.writing.recovering import unknown
from archivedb.catalog import reading
from archivedb.errors import ArchiveError, ModeError
from archivedb.store import naming, quarantine

if TYPE_CHECKING:
    from collections.abc import Iterable

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
            archive; ``"unreadable"``; ``"unsupported"``, of a mode that is not
            installed; ``"incomplete"``, of a batch of which a part was lost;
            or ``"doubtful"``, as others need it.
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
        verdict, why, group = _verdict(core, store, envelope, file)
        judged.append(Judgement(file, size, verdict, why, group))
    return _keep_needed(judged, read)


def _verdict(
    core: Core, store: PayloadStore, envelope: Envelope, file: str
) -> tuple[str, str, tuple[str, ...]]:
    """Return a verdict, why it is so, and the payloads of the batch."""
    batch = {uuid: store.find(uuid) for uuid in envelope.batch}
    group = tuple(sorted({file, *(each for each in batch.values() if each)}))
    with core.reading() as connection:
        known = reading.payload_uuids(connection, list(envelope.batch))
        if known:
            why = "others of its batch count only together with it"
            return "doubtful", why, group
        reasons = {_superseded(core, connection, e) for e in envelope.entries}
        if None not in reasons:
            return "superseded", " and ".join(sorted(filter(None, reasons))), group
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
    return reading.positions(connection, entry.record) > entry.position


def _superseded(core: Core, connection: Connection, entry: Entry) -> str | None:
    """Return why a change is nothing any more, or None if it may be something."""
    if reading.is_deleted_after(connection, entry.record, entry.position):
        return "its record was deleted"
    if reading.has_change(connection, entry.record, entry.position):
        return "another change has its place"
    if entry.version is not None:
        for file in reading.prune_files(connection, entry.record, entry.position):
            # A prune that cannot be read proves nothing.
            with suppress(*UNREADABLE), core.store.open(file) as source:
                for other in read_envelope(source).entries:
                    if other.record == entry.record and entry.version in other.drops:
                        return "its version was pruned"
    return None


def _keep_needed(judged: list[Judgement], read: dict[str, Envelope]) -> list[Judgement]:
    """Keep what others that are kept need, and batches that are not all superseded."""
    verdicts = {each.file: each.verdict for each in judged}
    while True:
        needed = {
            naming_of(name)
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
                naming_of(each.file) in needed
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


def naming_of(file: str) -> str:
    """Return the uuid in a payload's name, or the name itself if it has none."""
    parsed = naming.parse(file.rpartition("/")[2])
    return file if parsed is None else parsed.uuid
