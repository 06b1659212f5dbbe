"""``archivedb history``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import reading

if TYPE_CHECKING:
    from archivedb.records import Change

HEADINGS = ("position", "change", "version", "at", "name")


def history(
    name: options.Name, *, db: options.Db = None, json: options.Json = False
) -> None:
    """
    Show every change of a record, the oldest first.

    A change of its tags, its metadata or its name makes no version.  Into a
    pipe the last column is the name until then, of a rename.

    Example:
        archivedb history al/fcc/run-1
    """
    with reading(db) as archive:
        changes = archive.history(name)
    if json:
        output.print_json(output.document(changes))
        return
    people = output.on_terminal()
    rows = [
        (
            str(change.position),
            change.kind,
            "" if change.version is None else str(change.version),
            output.when(change.time) if people else change.time.isoformat(),
            *_names(change, people=people),
        )
        for change in changes
    ]
    if people:
        output.table(HEADINGS, rows, right=("position", "version"))
    else:
        output.columns(rows)


def _names(change: Change, *, people: bool) -> tuple[str, ...]:
    before = change.name_before
    if people:
        return (change.name if before is None else f"{before} → {change.name}",)
    return change.name, before or ""
