"""
The one payload that a record leaves an archive as.

It is the archive's own file where that stands alone and says what holds now:
so its name and its digest stay.  Where it does not, or says what shall not be
told, one is made, whose uuid follows from what it holds.
"""

from __future__ import annotations

import hashlib
import uuid as stdlib_uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archivedb.archive.loading import reader_of
from archivedb.archive.writing.editing import standing_alone
from archivedb.archive.writing.planning import same_tree
from archivedb.errors import PayloadCorruptError
from archivedb.formats import get_format
from archivedb.formats.base import Draft
from archivedb.formats.envelope import Entry
from archivedb.records import Stubbed
from archivedb.store import naming
from archivedb.values import digest, json, skeleton
from archivedb.values.paths import prefixes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archivedb.archive.core import Core
    from archivedb.archive.taking.history import Envelopes
    from archivedb.catalog.reading import VersionRow
    from archivedb.formats.envelope import Envelope
    from archivedb.store.files import PayloadFile
    from archivedb.values.skeleton import Skeleton, Tree

TOLD = frozenset({"python", "platform", "packages", "git"})
"""Provenance that says how something was made, and neither where nor by whom."""

RUNS = frozenset({"status", "started", "host", "pid"})
"""What all runs say of themselves in their metadata."""

WHEREABOUTS = frozenset({"host", "pid", "slurm"})
"""What of that says where they ran."""

PIECE = 1 << 20


def entry_of(row: VersionRow, *, provenance: bool) -> Entry:
    """
    Return what the payload of a version says of it, as the first of a record.

    Args:
        row: The version.
        provenance: Whether it says on which machine it was made, and by whom.

    """
    facts = json.loads(row.provenance, "catalog's provenance")
    metadata = json.loads(row.metadata, "catalog's metadata")
    return Entry(
        kind="save",
        record=row.uuid,
        name=row.name,
        position=1,
        time=row.saved_at,
        version=1,
        metadata=metadata if provenance else discreet_metadata(metadata),
        tags=tuple(json.loads(row.tags, "catalog's tags")),
        provenance=facts if provenance else discreet(facts),
    )


def discreet(facts: dict[str, Any]) -> dict[str, Any]:
    """Return provenance without user, host, argv, directory and environment."""
    # Whatever a later archivedb gathers is kept back until somebody has judged it.
    return {key: facts[key] for key in facts if key in TOLD}


def discreet_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """
    Return metadata without what a run has written there of its machine.

    What else a user calls ``host`` is the user's own word.
    """
    if not metadata.keys() >= RUNS:
        return metadata
    kept = {key: metadata[key] for key in metadata if key not in WHEREABOUTS}
    error = kept.get("error")
    if type(error) is dict and "traceback" in error:
        # Its lines name the directories of the program.
        kept["error"] = {key: error[key] for key in error if key != "traceback"}
    return kept


def stubs(name: str, source: Skeleton) -> list[Stubbed]:
    """
    Return what of a record a stranger sees as stubs, by path.

    What lies inside of an object is part of its stub.
    """
    made: dict[str, str] = {}
    with skeleton.well_formed("skeleton"):
        for path, node in source.places():
            found = _class(node)
            if found is not None:
                made[path] = found
    return [
        Stubbed(name, path, made[path])
        for path in sorted(made)
        if made.keys().isdisjoint({"", *prefixes(path)} - {path})
    ]


def _class(node: Tree) -> str | None:
    tag = skeleton.tag_of(node)
    if tag == "$object":
        return str(node[tag])
    if tag == "$array" and node.get("as") == "pickle":
        return str(node.get("class"))
    return None


@dataclass(frozen=True, slots=True)
class Packed:
    """
    A payload, ready to be copied.

    Attributes:
        file: Its name, without a directory.
        size: Its bytes.
        pieces: The bytes, each piece once; they are compared with the name.
        stubs: What of it needs trust.
        entry: What it says of the record.

    """

    file: str
    size: int
    pieces: Iterator[Any]
    stubs: list[Stubbed]
    entry: Entry


@contextmanager
def packed(
    core: Core,
    row: VersionRow,
    envelopes: Envelopes,
    scratch: Path,
    *,
    provenance: bool,
) -> Iterator[Packed]:
    """
    Yield the payload of a version.

    Args:
        core: The open archive.
        row: The version.
        envelopes: What the store's payloads say, so that those of batches are
            not read again for each of their records.
        scratch: A file that may be written meanwhile.
        provenance: As for `entry_of`.

    Raises:
        PayloadError: The archive's payload is damaged or gone.
        UntrustedPayloadError: It cannot be left as it is, and holds objects of
            a stranger, which whoever writes them would sign.

    """
    entry = entry_of(row, provenance=provenance)
    with ExitStack() as opened:
        reader = opened.enter_context(reader_of(core, row))
        found = stubs(row.name, reader.skeleton)
        if not row.appended and _stands_alone(envelopes.of(row.file), row, entry):
            source = opened.enter_context(core.store.open(row.file))
            name = naming.parse(row.file.rpartition("/")[2])
            assert name is not None  # noqa: S101 - the store has looked
            pieces = _checked(source, row, name.digits)
            yield Packed(str(name), source.size, pieces, found, entry)
            return
        value = standing_alone(core, row, reader)
        form = get_format(row.mode)
        uuid = _uuid_of(entry, value.digest)
        image = form.build(None, uuid, [Draft(entry, value)], str(scratch))
        data = [memoryview(part).cast("B") for _, part in image.segments]
        made = naming.FileName(uuid, digest.name_digits(data), form.suffix)
        yield Packed(str(made), image.size, iter(data), found, entry)
        scratch.unlink(missing_ok=True)


def _stands_alone(envelope: Envelope, row: VersionRow, wanted: Entry) -> bool:
    """Return whether a file holds a version, all of it, and what is said of it now."""
    if len(envelope.entries) != 1 or len(envelope.batch) > 1:
        return False
    (entry,) = envelope.entries
    content = entry.content
    return (
        content is not None
        and content.digest == row.digest
        and not content.files
        and entry.kind in {"save", "edit"}
        and entry.name == wanted.name
        and entry.tags == wanted.tags
        and same_tree(entry.metadata, wanted.metadata)
        and same_tree(entry.provenance, wanted.provenance)
    )


def _checked(source: PayloadFile, row: VersionRow, digits: str) -> Iterator[Any]:
    """Yield a file in pieces, and raise at its end if it is not what its name says."""
    hashed = digest.NameDigits()
    for start in range(0, source.size, PIECE):
        piece = source.read(start, min(PIECE, source.size - start)).data
        hashed.update(piece)
        yield piece
    if hashed.digits() != digits:
        msg = (
            f"the payload {row.file} of {row.name!r} is damaged, so nothing was "
            "exported; run `archivedb verify`"
        )
        raise PayloadCorruptError(msg)


def _uuid_of(entry: Entry, hashed: str) -> str:
    """Return a version 7 UUID that follows from what a payload says and holds."""
    said = json.dumps_sorted({**entry.tree(), "digest": hashed})
    number = int.from_bytes(hashlib.sha256(said).digest()[:16], "big")
    number &= (1 << 80) - 1
    number |= (entry.time // 1000) << 80
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(0b11 << 62) | 0b10 << 62
    return str(stdlib_uuid.UUID(int=number))
