"""``archivedb stats``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import reading
from archivedb.records import readable_size


def stats(
    *,
    db: options.Db = None,
    largest: Annotated[
        int, typer.Option(min=0, metavar="N", help="Largest records that are named.")
    ] = 5,
    json: options.Json = False,
) -> None:
    """
    Print the archive in numbers.

    Examples:
        archivedb stats
        archivedb stats --json --largest 20
    """
    with reading(db) as archive:
        found = archive.statistics(largest=largest)
    if json:
        output.print_json(output.document(found))
        return
    rows = [
        ("records", f"{found.records:,}"),
        ("deleted", f"{found.deleted:,}"),
        ("versions", f"{found.versions:,}"),
        ("changes", f"{found.changes:,}"),
        ("arrays", f"{found.arrays:,}"),
        ("payloads", f"{found.payloads:,}, {readable_size(found.bytes)}"),
        ("catalog", readable_size(found.catalog)),
    ]
    rows += [(f"mode {mode}", f"{n:,} versions") for mode, n in found.modes.items()]
    if found.first is not None and found.last is not None:
        rows += [
            ("first saved", output.when(found.first)),
            ("last saved", output.when(found.last)),
        ]
    rows += [(f"largest: {name}", readable_size(size)) for name, size in found.largest]
    output.facts(rows)
