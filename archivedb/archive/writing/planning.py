"""What a change makes of a record: the entry for the envelope, and what is then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archivedb.archive.core import now
from archivedb.archive.rows import moment, provenance_of, record_of
from archivedb.catalog import history, reading
from archivedb.formats import uuids
from archivedb.formats.envelope import Entry
from archivedb.records import Record
from archivedb.values import json
from archivedb.values.decode import decode_inline
from archivedb.values.encode import encode_inline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from archivedb.archive.writing.saving import Facts
    from archivedb.values.encode import Encoded


@dataclass(frozen=True, slots=True)
class Known:
    """
    What a change must know of a record.

    Attributes:
        record: Its newest version.
        metadata: The metadata of that, encoded inline.
        positions: The length of its history.

    """

    record: Record
    metadata: Any
    positions: int

    @classmethod
    def of(cls, connection: Connection, row: reading.VersionRow) -> Known:
        """Return what the catalog says of a record whose newest version this is."""
        metadata = json.loads(row.metadata, "catalog's metadata")
        length = history.positions(connection, row.uuid)
        return cls(record_of(row), metadata, length)

    def after(self, entry: Entry) -> Known:
        """Return what is known after a change that makes no version."""
        record = self.record
        if entry.kind == "tag":
            record = replace(record, tags=entry.tags)
        elif entry.kind == "annotate":
            record = replace(record, metadata=decode_inline(entry.metadata))
            return Known(record, entry.metadata, entry.position)
        elif entry.kind == "rename":
            record = replace(record, name=entry.name)
        return Known(record, self.metadata, entry.position)

    def equals(self, value: Encoded, said: Facts) -> bool:
        """Return whether saving a value would change nothing."""
        return (
            self.record.digest == value.digest
            and self.record.tags == said.tags
            and same_tree(self.metadata, said.metadata)
        )

    def _entry(self, kind: str, **facts: Any) -> Entry:
        return Entry(
            **{"name": self.record.name, **facts},
            kind=kind,
            record=self.record.uuid,
            position=self.positions + 1,
            time=now(),
        )

    def tagged(self, add: Iterable[str], remove: Iterable[str]) -> Entry | None:
        """Return the change that adds and removes tags, if it changes anything."""
        tags = tuple(sorted({*self.record.tags, *add} - {*remove}))
        if tags == self.record.tags:
            return None
        return self._entry("tag", version=self.record.version, tags=tags)

    def annotated(
        self, facts: Mapping[str, Any], remove: Iterable[str]
    ) -> Entry | None:
        """Return the change that merges facts into the metadata, if it changes any."""
        before = decode_inline(self.metadata)
        merged = {**before, **facts}
        for key in remove:
            merged.pop(key, None)
        tree = encode_inline(merged, "metadata")
        if same_tree(tree, self.metadata):
            return None
        return self._entry("annotate", version=self.record.version, metadata=tree)

    def renamed(self, new: str) -> Entry | None:
        """Return the change that gives it another name, if it is another."""
        old = self.record.name
        return None if new == old else self._entry("rename", name=new, name_before=old)

    def deleted(self, files: Iterable[str], origins: Iterable[str] = ()) -> Entry:
        """Return the change that deletes it, and frees files."""
        return self._entry("delete", frees=tuple(files), origins=tuple(origins))


def saved(known: Known | None, name: str, said: Facts) -> Entry:
    """Return the change that saves the next version of a record, or the first."""
    return Entry(
        kind="save",
        record=uuids.uuid7() if known is None else known.record.uuid,
        name=name,
        position=1 if known is None else known.positions + 1,
        time=now(),
        version=1 if known is None else known.record.version + 1,
        metadata=said.metadata,
        tags=said.tags,
        provenance=said.provenance,
    )


def known_after(entry: Entry, value: Encoded, mode: str) -> Known:
    """Return what is known of a record after a save that is not written yet."""
    record = Record(
        name=entry.name,
        version=entry.version or 0,
        mode=mode,
        saved_at=moment(entry.time),
        size=value.size,
        digest=value.digest,
        metadata=decode_inline(entry.metadata),
        tags=entry.tags,
        provenance=provenance_of(entry.provenance),
        files=(),
        uuid=entry.record,
    )
    return Known(record, entry.metadata, entry.position)


def same_tree(one: Any, other: Any) -> bool:
    """Return whether two encoded trees say the same, in whatever order."""
    return json.dumps_sorted(one) == json.dumps_sorted(other)
