"""``archivedb gc``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import changing, reading
from archivedb.records import counted, readable_size

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def gc(
    *,
    db: options.Db = None,
    grace: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="How long each must have lain there: 12h, 14d, 2w."
        ),
    ] = "14d",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove; without it, say what would be.")
    ] = False,
    json: options.Json = False,
) -> None:
    """
    Remove what nothing can need again; without --yes, only say what that is.

    That is what was deleted or pruned, batches that were cut short, and what
    killed writers left unfinished.  A payload that the catalog merely does not
    know is indexed.

    Examples:
        archivedb gc
        archivedb gc --yes --grace 30d
    """
    period = duration(grace)
    # What only says what would be works on a read-only directory, too.
    opened = changing(db) if yes else reading(db)
    with opened as archive, progress("collecting", "payloads") as report:
        done = archive.gc(grace=period, dry_run=not yes, progress=report)
    if json:
        output.print_json({"freed": done.freed} | output.document(done))
        return
    verb = "would remove" if done.dry_run else "removed"
    output.lines(
        f"{verb} {each.file} ({readable_size(each.size)}): {each.why}"
        for each in done.removed
    )
    output.lines(f"kept {each.file}: {each.why}" for each in done.kept)
    if done.indexed:
        verb_index = "would index" if done.dry_run else "indexed"
        output.line(f"{verb_index} {counted(done.indexed, 'payload')}")
    output.line(
        f"{verb} {counted(len(done.removed), 'file')}, {readable_size(done.freed)}"
    )
    if done.dry_run and done.removed:
        output.note("run `archivedb gc --yes` to remove them")


def duration(text: str) -> timedelta:
    """
    Return the time that a text like ``14d`` means.

    >>> duration("36h").days
    1
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        message = f"{text!r} is no time; write 12h, 14d or 2w"
        raise typer.BadParameter(message, param_hint="'--grace'")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError:
        message = f"{text!r} is longer than anything lasts"
        raise typer.BadParameter(message, param_hint="'--grace'") from None
