"""``archivedb ingest``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import address


def ingest(
    directories: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DIR]...", help="Also what archivedb.save put below these."
        ),
    ] = None,
    *,
    db: options.Db = None,
    payloads: Annotated[
        str | None,
        typer.Option(
            "--payloads", metavar="DIR", help="The payloads, if not beside the catalog."
        ),
    ] = None,
    under: Annotated[
        str,
        typer.Option(
            "--under",
            metavar="FOLDER",
            help="A folder here that these come into.",
            callback=options.check_text,
        ),
    ] = "",
    json: options.Json = False,
) -> None:
    """
    Index what was spooled, or copied into the store by hand.

    It gets its versions thereby.  Doing it twice adds nothing.  The exit code
    is 1 if something was left.

    Examples:
        archivedb ingest
        archivedb ingest results/ --under old
        archivedb ingest --db /local/runs.db --payloads /lustre/runs.payloads
    """
    from archivedb import Archive

    folder = options.folder_of(under)
    with (
        Archive(address(db), payloads=payloads) as archive,
        progress("ingesting", "versions") as report,
    ):
        done = archive.ingest(*(directories or ()), under=folder, progress=report)
    output.taken("ingested", done, json=json)
    if not done.ok:
        raise typer.Exit(1)
