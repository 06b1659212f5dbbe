"""``archivedb reindex``."""

from __future__ import annotations

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import address


def reindex(*, db: options.Db = None, json: options.Json = False) -> None:
    """
    Rebuild the catalog from the payload files alone.

    A catalog that is too damaged to be opened is set aside first.

    The exit code is 1 if there are payloads that cannot be read.

    Example:
        archivedb reindex --db runs.db
    """
    from archivedb import Archive

    with progress("indexing", "payloads") as report:
        done = Archive.reindex_catalog(address(db), progress=report)
    if json:
        output.print_json(output.document(done))
    else:
        output.findings(done.findings)
        output.line(
            f"indexed {done.payloads:,} payloads: {done.records:,} records, "
            f"{done.versions:,} versions"
        )
    if done.findings:
        raise typer.Exit(1)
