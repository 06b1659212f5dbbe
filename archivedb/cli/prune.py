"""``archivedb prune``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import changing


def prune(
    name: options.Name,
    *,
    db: options.Db = None,
    keep: Annotated[
        int,
        typer.Option("--keep", "-k", min=1, metavar="N", help="Newest versions kept."),
    ] = 1,
    json: options.Json = False,
) -> None:
    """
    Remove the old versions of a record for good.

    What the kept versions share with them stays.

    Examples:
        archivedb prune al/fcc/run-1
        archivedb prune --keep 3 al/fcc/run-1
    """
    with changing(db) as archive:
        done = archive.prune(name, keep=keep)
    output.deletion(done, json=json)
