"""Rows of the catalog, and entries of envelopes, as the values that users hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from archivedb.records import Change, Record
from archivedb.values import json
from archivedb.values.decode import decode_inline

if TYPE_CHECKING:
    from archivedb.catalog import history, reading
    from archivedb.formats.envelope import Entry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Return a time of the catalog's as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def record_of(row: reading.VersionRow) -> Record:
    """Return a row of the catalog as the user's value."""
    return Record(
        name=row.name,
        version=row.version,
        mode=row.mode,
        saved_at=moment(row.saved_at),
        size=row.size,
        digest=row.digest,
        metadata=decode_inline(json.loads(row.metadata, "catalog's metadata")),
        tags=tuple(json.loads(row.tags, "catalog's tags")),
        provenance=decode_inline(json.loads(row.provenance, "catalog's provenance")),
        files=row.files,
        uuid=row.uuid,
    )


def new_record(entry: Entry, file: str) -> Record:
    """Return a version that was just committed as the user's value."""
    content = entry.content
    assert content is not None  # noqa: S101 - a version has one
    return Record(
        name=entry.name,
        version=entry.version or 0,
        mode=content.mode,
        saved_at=moment(entry.time),
        size=content.size,
        digest=content.digest,
        metadata=decode_inline(entry.metadata),
        tags=entry.tags,
        provenance=provenance_of(entry.provenance),
        files=(file, *content.files),
        uuid=entry.record,
    )


def provenance_of(tree: Any) -> Any:
    """Return encoded provenance as the user's value, which is the user's own."""
    global _last  # noqa: PLW0603 - save after save has the same
    known = _last
    if known is None or known[0] is not tree:
        text = json.dumps(tree)
        known = _last = tree, None if b'"$' in text else text
    if known[1] is None:
        return decode_inline(tree)
    return json.loads(known[1], "provenance")


_last: tuple[Any, bytes | None] | None = None


def change_of(row: history.ChangeRow) -> Change:
    """Return a row of a history as the user's value."""
    return Change(
        row.position,
        row.kind,
        row.name,
        row.version,
        moment(row.time),
        row.file,
        row.name_before,
    )
