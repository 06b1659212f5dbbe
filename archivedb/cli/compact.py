"""``archivedb compact``."""

from __future__ import annotations

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import changing


def compact(
    name: options.Name, *, db: options.Db = None, json: options.Json = False
) -> None:
    """
    Make the newest version of a record stand alone in one payload.

    Arrays that were appended to become one piece, and what was shared with
    older versions is copied; `archivedb prune` then frees what only those need.

    Example:
        archivedb compact md/run-1
    """
    with changing(db) as archive:
        record = archive.compact(name)
    if json:
        output.print_json(output.document(record))
    else:
        output.lines([f"{record.name} version {record.version}"])
