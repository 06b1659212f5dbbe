"""``archivedb rename``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._complete import complete_folder
from archivedb.cli._where import changing


def rename(
    old: options.Name,
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW",
            help="The name that it shall have.",
            autocompletion=complete_folder,
            callback=options.check_text,
        ),
    ],
    *,
    db: options.Db = None,
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="A folder, and all records below it."),
    ] = False,
    json: options.Json = False,
) -> None:
    """
    Give a record another name, or a folder of them.

    It stays the same record: its versions, tags and history move with it.
    Into a pipe it prints the old and the new name, a tab between them.

    Examples:
        archivedb rename al/fcc/run-1 al/fcc/reference
        archivedb rename -r al/fcc al/fcc-2026
    """
    old, new = options.folder_of(old), options.folder_of(new)
    with changing(db) as archive:
        if recursive:
            done = archive.rename(old, new, recursive=True)
        else:
            done = [archive.rename(old, new)]
    if json:
        output.print_json(output.document(done))
        return
    pairs = [(old + each.name.removeprefix(new), each.name) for each in done]
    if output.on_terminal():
        output.lines(f"{before} → {after}" for before, after in pairs)
    else:
        output.columns(pairs)
