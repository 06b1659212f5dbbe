"""``archivedb pull``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import changing


def pull(
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="The archive to pull from.")
    ],
    question: Annotated[
        str | None,
        typer.Argument(
            metavar="QUESTION",
            help="Only records that match, as find finds them.",
            callback=options.check_optional,
        ),
    ] = None,
    *,
    db: options.Db = None,
    under: Annotated[
        str,
        typer.Option(
            "--under",
            metavar="FOLDER",
            help="A folder here that they come into.",
            callback=options.check_text,
        ),
    ] = "",
    json: options.Json = False,
) -> None:
    """
    Merge the records of another archive into this one.

    Twice adds nothing; a name that is taken here gets the next versions.
    Nothing is signed: what strangers signed stays untrusted until you trust
    them.  The exit code is 1 if something was left there.

    Examples:
        archivedb pull /mnt/usb/runs.db
        archivedb pull ../alice/runs.db "'converged' in tags" --under alice
    """
    folder = options.folder_of(under)
    with changing(db) as archive, progress("pulling", "versions") as report:
        done = archive.pull(other, question, under=folder, progress=report)
    output.taken("pulled", done, json=json)
    if not done.ok:
        raise typer.Exit(1)
