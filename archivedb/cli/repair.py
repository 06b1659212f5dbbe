"""``archivedb repair``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import changing
from archivedb.records import counted


def repair(
    *,
    db: options.Db = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="An archive, a backup, a directory of payloads, or an exported zip.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """
    Put sound copies in the place of damaged payloads; index what is not.

    Each copy is proven by its digest first.  What was damaged goes to the
    quarantine of the payload store, with the reason; nothing is deleted.

    The exit code is 1 if something is left to be done.

    Examples:
        archivedb repair --from /backup/runs
        archivedb repair --from ../other/runs.db
    """
    with changing(db) as archive, progress("repairing", "bytes") as report:
        done = archive.repair(source, progress=report)
    if json:
        output.print_json({"ok": done.ok} | output.document(done))
    else:
        output.lines(f"restored {file}" for file in done.restored)
        output.lines(f"kept the damaged one as {file}" for file in done.quarantined)
        output.findings(done.findings)
        left = counted(len(done.findings), "finding")
        output.line(
            f"restored {counted(len(done.restored), 'payload')}, indexed "
            f"{done.indexed:,}: {'sound' if done.ok else f'{left} left'}"
        )
    if not done.ok:
        raise typer.Exit(1)
