"""``archivedb import``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import address


def import_(
    path: Annotated[
        str, typer.Argument(metavar="ZIP", help="What archivedb export has written.")
    ],
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
    Take the records of an exported zip into this archive.

    Every byte is proven before the first is taken in.  Twice adds nothing; a
    name that is taken here gets the next version.  Nothing is signed: what
    strangers signed stays untrusted until you trust them.  With --db, the
    archive is made if it is not there.  The exit code is 1 if something was
    left out.

    Examples:
        archivedb import runs.zip
        archivedb import alice.zip --under alice --db mine.db
    """
    from archivedb import Archive

    folder = options.folder_of(under)
    with (
        Archive(address(db)) as archive,
        progress("proving", "bytes") as report,
    ):
        done = archive.unpack(path, under=folder, progress=report)
    output.taken("imported", done, json=json)
    if not done.ok:
        raise typer.Exit(1)
