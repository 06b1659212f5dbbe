"""``archivedb show``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from archivedb.cli import _json
from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._given import STDIN, given
from archivedb.cli._where import reading
from archivedb.records import readable_size

if TYPE_CHECKING:
    from archivedb.records import Record


def show(
    names: options.Names,
    *,
    db: options.Db = None,
    version: options.Version = None,
    null: options.Null = False,
    json: options.Json = False,
) -> None:
    """
    Show records: everything about them but their data.

    With --json several are one a line.  A line of standard input is a name, or
    a name, a tab and a version.

    Examples:
        archivedb show al/fcc/run-1
        archivedb find --tag converged | archivedb show - --json
    """
    several = len(names) > 1 or STDIN in names
    with reading(db) as archive:
        for number, each in enumerate(given(names, null=null)):
            asked = version if each.version is None else each.version
            record = archive.record(each.name, version=asked)
            if json:
                output.print_json(output.document(record), on_one_line=several)
            else:
                output.lines([""] * bool(number))
                output.facts(_facts(record))


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "name", record.name
    yield "version", str(record.version)
    yield "mode", record.mode
    yield "saved at", record.saved_at.astimezone().isoformat(" ", "seconds")
    yield "size", f"{readable_size(record.size)} ({record.size:,} bytes)"
    yield "digest", record.digest
    yield "tags", output.tags(record.tags, ", ")
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
            value = output.document(value)  # noqa: PLW2901 - as JSON has it
            text = value if isinstance(value, str) else _json.one_line(value)
            yield f"{label}.{key}", text
