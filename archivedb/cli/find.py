"""``archivedb find``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli import _question as question
from archivedb.cli._complete import complete_condition, complete_list
from archivedb.cli._sheet import Sheet
from archivedb.cli._where import reading
from archivedb.errors import RecordNotFoundError

if TYPE_CHECKING:
    from archivedb import Archive, RecordSet

MOST_SHOWN = 1000
"""Rows that a terminal is shown, if it was not said how many."""
_MANY = 1 << 60
"""More than there can be, and still a number that every counter takes."""


def find(
    wanted: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONDITION",
            help="Expressions, and KEY=VALUE; all of it must hold.",
            autocompletion=complete_condition,
        ),
    ] = None,
    *,
    db: options.Db = None,
    under: options.Under = "",
    tag: options.WantedTags = None,
    order_by: Annotated[
        list[str] | None,
        typer.Option(
            "--order-by",
            metavar="KEY",
            help="Sort by a path or an expression; -KEY for the largest first. "
            "Repeat it for what ties.",
            autocompletion=complete_list,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=0, metavar="N", help="No more than so many."),
    ] = None,
    offset: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Leave out so many of the first."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            "-c",
            metavar="A,B,...",
            help="What to print of each: paths and expressions. May be repeated.",
            autocompletion=complete_list,
        ),
    ] = None,
    all_versions: Annotated[
        bool,
        typer.Option(
            "--all-versions", help="Older versions, too; this reads their files."
        ),
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, with a line of headings.")
    ] = False,
    count: Annotated[
        bool, typer.Option("--count", help="Print how many there are, and no more.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print how they are searched for.")
    ] = False,
    null: options.Null = False,
    json: options.Json = False,
) -> None:
    """
    Find records by what they say, the newest first.

    An expression is as in Python: comparisons of paths with values, joined by
    and, or, not.  In KEY=VALUE the value is JSON if it parses, else text.  A
    path means the metadata, or else the data; archivedb paths lists them.

    Into a pipe it prints one name a line (with --all-versions, a tab and the
    version behind it), and the --columns with a tab between them.

    Examples:
        archivedb find project=al inputs.cutoff=350 --tag converged
        archivedb find 'outputs.energy < -3.7 and inputs.structure == "fcc"'
        archivedb find 'saved_at > now() - days(30)' --order-by outputs.energy -n 10
        archivedb find 'inputs.cutoff > 450' -c name,outputs.energy --csv > low.csv
        archivedb find 'outputs.forces.max < 0.01' | archivedb tag - -t converged
    """
    _require_one({"--json": json, "--csv": csv, "--explain": explain, "-0": null})
    _require_one({"--csv": csv, "--count": count, "--explain": explain, "-0": null})
    shown = question.listed(columns or [])
    if columns and not shown:
        raise typer.BadParameter("names no column", param_hint="'--columns'")
    expressions, facts = question.conditions(wanted or [])
    with reading(db) as archive:
        found = question.matching(archive, expressions, facts)
        if tag:
            found = found.where(tags=tag)
        found = _below(archive, found, options.folder_of(under))
        if all_versions:
            found = found.all_versions()
        found = found.order_by(*question.listed(order_by or []))
        found = found.offset(min(offset or 0, _MANY))
        found = found if limit is None else found.limit(min(limit, _MANY))
        if explain:
            output.lines(found.explain().splitlines())
            return
        if count:
            any_found = bool(number := found.count())
            output.line(str(number))
        else:
            sheet = Sheet(found, shown, versions=all_versions)
            form = "json" if json else "csv" if csv else "null" if null else ""
            _print(sheet, form, MOST_SHOWN if limit is None else None)
            any_found = sheet.printed
        if not any_found:
            _note_unknown(archive, facts)


def _print(sheet: Sheet, form: str, most: int | None) -> None:
    if form == "json":
        sheet.print_json()
    elif form == "csv":
        sheet.print_csv()
    elif form == "null":
        sheet.print_null()
    elif output.on_terminal():
        sheet.print_table(most)
    else:
        sheet.print_lines()


def _require_one(wanted: dict[str, bool]) -> None:
    given = [name for name, is_given in wanted.items() if is_given]
    if len(given) > 1:
        raise typer.BadParameter(
            f"{' and '.join(given)} ask for different output; give one",
            param_hint=f"'{given[1]}'",
        )


def _below(archive: Archive, found: RecordSet, folder: str) -> RecordSet:
    if not folder:
        return found
    if folder not in archive:
        raise RecordNotFoundError(f"there is no folder {folder!r}")
    return found.below(folder)


def _note_unknown(archive: Archive, facts: Iterable[str]) -> None:
    """Say which keys no record has: a typing error finds nothing, too."""
    for sentence in question.unknown(archive, facts):
        output.note(sentence)
