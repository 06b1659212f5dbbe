"""``archivedb history``."""

from __future__ import annotations

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import reading

HEADINGS = ("position", "change", "version", "at", "name")


def history(
    name: options.Name, *, db: options.Db = None, json: options.Json = False
) -> None:
    """
    Show every change of a record, the oldest first.

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
            change.name,
        )
        for change in changes
    ]
    if people:
        output.table(HEADINGS, rows, right=("position", "version"))
    else:
        output.columns(rows)
