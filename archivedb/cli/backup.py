"""``archivedb backup``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import reading
from archivedb.records import counted, readable_size


def backup(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="Where the backup lies, or will.")
    ],
    *,
    db: options.Db = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read what lies there already, too.")
    ] = False,
    json: options.Json = False,
) -> None:
    """
    Bring a copy of the archive up to date, while others write.

    Only what is new is copied, each payload proven by its digest.  The copy is
    an archive of its own: every command takes it as --db.

    The exit code is 1 if something is damaged, and so not in the backup.

    Examples:
        archivedb backup /backup/runs
        archivedb backup --verify /backup/runs
        archivedb verify --db /backup/runs
    """
    with reading(db) as archive, progress("copying", "bytes") as report:
        done = archive.backup(directory, verify=verify, progress=report)
    if json:
        output.print_json({"ok": done.ok} | output.document(done))
    else:
        output.findings(done.findings)
        text = (
            f"{done.directory}: {counted(done.payloads, 'payload')}, "
            f"{done.copied:,} copied ({readable_size(done.bytes)})"
        )
        if done.retired:
            text += f", {done.retired:,} set aside: deleted since the last backup"
        output.line(text)
    if not done.ok:
        raise typer.Exit(1)
