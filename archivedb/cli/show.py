"""``archivedb show``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from archivedb.cli import _json
from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import reading
from archivedb.records import readable_size

if TYPE_CHECKING:
    from archivedb.records import Record


def show(
    name: options.Name,
    *,
    db: options.Db = None,
    version: options.Version = None,
    json: options.Json = False,
) -> None:
    """
    Show a record: everything about it but its data.

    Example:
        archivedb show al/fcc/run-1
    """
    with reading(db) as archive:
        record = archive.record(name, version=version)
    if json:
        output.print_json(output.document(record))
    else:
        output.facts(_facts(record))


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "name", record.name
    yield "version", str(record.version)
    yield "mode", record.mode
    yield "saved at", record.saved_at.astimezone().isoformat(" ", "seconds")
    yield "size", f"{readable_size(record.size)} ({record.size:,} bytes)"
    yield "digest", record.digest
    yield "tags", ", ".join(record.tags)
    yield from _nested("metadata", record.metadata)
    yield from _nested("provenance", record.provenance)
    for file in record.files:
        yield "file", file
    yield "uuid", record.uuid


def _nested(label: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a fact a line: packages and their versions are a dict in a dict."""
    for key, value in facts.items():
        if isinstance(value, dict) and value:
            yield from _nested(f"{label}.{key}", value)
        else:
            text = value if isinstance(value, str) else _json.one_line(value)
            yield f"{label}.{key}", text
