"""``archivedb init``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli._output import line, print_json


def init(
    where: Annotated[
        str | None,
        typer.Argument(
            metavar="DB",
            help="A file, a directory for an archive.db, or a URL; here if left out.",
        ),
    ] = None,
    *,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """
    Create an empty archive.

    The first save would create it as well; this says where.  The payload
    files of runs.db lie beside it, in runs.payloads.

    Example:
        archivedb init runs.db
    """
    from archivedb import Archive
    from archivedb.cli._where import CATALOG

    with Archive(where or db or CATALOG) as archive:
        archive.create()
        if json:
            print_json({"archive": archive.address})
        else:
            line(f"created the archive {archive.address}")
