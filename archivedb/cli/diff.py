"""``archivedb diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._complete import complete_name
from archivedb.cli._where import reading

if TYPE_CHECKING:
    from archivedb.archive.comparing.differing import Diff, Difference

HEADINGS = ("", "path", "before", "after", "how far apart")

Other = Annotated[
    str | None,
    typer.Argument(
        metavar="OTHER",
        help="Another record; the same one if left out.",
        autocompletion=complete_name,
        callback=lambda text: text if text is None else options.check_text(text),
    ),
]


def diff(
    name: options.Name,
    other: Other = None,
    *,
    db: options.Db = None,
    before: Annotated[
        int | None,
        typer.Option(
            "--from", min=1, metavar="N", help="This version of the first record."
        ),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option("--to", min=1, metavar="N", help="This version of the second."),
    ] = None,
    json: options.Json = False,
) -> None:
    """
    Show what differs between two records, or two versions of one.

    Of one record, its newest version is compared with the one before it,
    unless --from and --to say otherwise.  Arrays that are equal are not read,
    and nothing of what is compared is run.

    The exit code is 0 if nothing differs, and 1 if something does.

    Examples:
        archivedb diff al/fcc/run-1 al/fcc/run-2
        archivedb diff al/fcc/run-1
        archivedb diff al/fcc/run-1 --from 1 --to 3
    """
    with reading(db) as archive:
        found = archive.diff(name, other, versions=(before, after))
    if json:
        output.print_json(_document(found))
    elif output.on_terminal():
        _print_table(found)
    else:
        output.columns(map(_columns, found))
    if found:
        raise typer.Exit(1)


def _document(found: Diff) -> dict[str, Any]:
    sides = {"before": found.before, "after": found.after}
    return {
        **{
            side: {"name": record.name, "version": record.version}
            for side, record in sides.items()
        },
        "differences": output.document(found.differences),
        "notes": list(found.notes),
    }


def _columns(each: Difference) -> tuple[str, ...]:
    """Return a difference as a row for programs."""
    numbers = each.elements, each.maximum
    return (
        each.kind,
        each.side,
        each.path,
        each.before or "",
        each.after or "",
        *("" if number is None else str(number) for number in numbers),
    )


def _print_table(found: Diff) -> None:
    if found:
        rows = [
            (each.sign, each.label, each.before or "", each.after or "", each.apart)
            for each in found
        ]
        output.table(HEADINGS, rows)
    else:
        output.line(f"nothing differs: {found.title}")
    for each in found.notes:
        output.note(each)
