"""``archivedb find``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._complete import complete_folder
from archivedb.cli._pairs import format_pairs, parse_pairs
from archivedb.cli._where import reading
from archivedb.errors import RecordNotFoundError


def find(
    facts: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="What the records say; all of it."),
    ] = None,
    *,
    db: options.Db = None,
    under: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Only what lies below this folder.",
            autocompletion=complete_folder,
            callback=options.check_text,
        ),
    ] = "",
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", "-t", metavar="TAG", help="A word that they have."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=0, metavar="N", help="No more than so many."),
    ] = None,
    json: options.Json = False,
) -> None:
    """
    Find records by what they say, the newest first.

    A key is one of the metadata, or else a path inside the data.  A value is
    JSON if it parses, else text.  Into a pipe it prints one name a line.

    Examples:
        archivedb find project=al inputs/cutoff=350 --tag converged
        archivedb find --under al/fcc project=al | xargs -n 1 archivedb show
    """
    wanted = parse_pairs(facts or [], option="KEY=VALUE", compared=True)
    with reading(db) as archive:
        folder = options.folder_of(under)
        if folder and folder not in archive:
            raise RecordNotFoundError(f"there is no folder {folder!r}")
        if tag:
            wanted["tags"] = tag
        found = archive.find(**wanted).below(folder)
        records = list(islice(found, limit))
    if json:
        output.print_json(output.document(records))
    elif output.on_terminal():
        output.table(
            (*output.RECORD_HEADINGS, "metadata"),
            [
                (
                    *output.record_cells(record),
                    output.short(format_pairs(record.metadata)),
                )
                for record in records
            ],
            right=("version", "size"),
        )
    else:
        output.lines(record.name for record in records)
