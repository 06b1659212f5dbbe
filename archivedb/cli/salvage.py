"""``archivedb salvage``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import reading
from archivedb.records import counted


def salvage(
    name: options.Name,
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="A directory that is new, or empty.")
    ],
    *,
    db: options.Db = None,
    version: options.Version = None,
    json: options.Json = False,
) -> None:
    """
    Write what is still sound of a damaged record into a new directory.

    The paths that are lost are listed, and the exit code is 1 if there are any.
    The directory is what `archivedb.load` reads, and `archivedb ingest` takes in.

    Examples:
        archivedb salvage al/fcc/run-1 saved/run-1
        archivedb salvage --version 2 al/fcc/run-1 saved/run-1
    """
    with reading(db) as archive:
        record = archive.record(name, version=version)
        done = archive.salvage(record, directory)
    if json:
        output.print_json(output.document(done))
    else:
        output.lines(f"lost {path or 'everything'}" for path in done.lost)
        output.line(
            f"wrote {name} version {done.version} to {done.directory}: "
            f"{counted(done.arrays, 'array')} sound, {len(done.lost):,} lost"
        )
    if done.lost:
        raise typer.Exit(1)
