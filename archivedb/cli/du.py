"""``archivedb du``."""

from __future__ import annotations

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import reading
from archivedb.records import readable_size


def du(
    name: options.Holder = "",
    *,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """
    Print how many bytes of payload files folders and records need.

    A file that several share is counted once in each sum.  OWN is what nothing
    else needs: what deleting it would free.

    Examples:
        archivedb du
        archivedb du al/fcc
    """
    with reading(db) as archive:
        used = archive.usage(name)
    if json:
        output.print_json(output.document(used))
        return
    if output.on_terminal():
        rows = [
            (
                share.name + ("/" if share.folder else ""),
                f"{share.records:,}",
                readable_size(share.bytes),
                readable_size(share.own),
            )
            for share in used.shares
        ]
        headings = ("name", "records", "size", "own")
        output.table(headings, rows, right=headings[1:])
        output.line(str(used))
        return
    output.columns(
        (
            share.name + ("/" if share.folder else ""),
            str(share.records),
            str(share.bytes),
            str(share.own),
        )
        for share in used.shares
    )
