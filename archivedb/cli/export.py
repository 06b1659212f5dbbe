"""``archivedb export``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._given import newest
from archivedb.cli._where import reading


def export(
    names: options.Names,
    directory: Annotated[
        str,
        typer.Argument(metavar="DIR", help="A directory that does not exist yet."),
    ],
    *,
    db: options.Db = None,
    null: options.Null = False,
    json: options.Json = False,
) -> None:
    """
    Write records into a new directory, each as one of its own.

    They need no archive: load() of archivedb reads each.  It prints where they
    are.  All of them are written, or nothing.

    Examples:
        archivedb export al/fcc/run-1 al/fcc/run-2 chosen
        archivedb find --tag converged | archivedb export - chosen
    """
    chosen = newest(names, null=null)
    with reading(db) as archive:
        for name in chosen:
            archive.record(name)  # an error if there is none
        done = archive.find("name in chosen", {"chosen": chosen}).export(directory)
    if json:
        output.print_json(done)
    else:
        output.lines(done)
