"""``archivedb paths``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._complete import complete_list
from archivedb.cli._sheet import written
from archivedb.cli._where import reading

if TYPE_CHECKING:
    from archivedb.archive.finding.surveying import PathFacts

HEADINGS = ("path", "side", "type", "records", "values")


def paths(
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN",
            help="A path, for what is at and below it; or one with * and ?.",
            autocompletion=complete_list,
            callback=options.check_text,
        ),
    ] = "",
    *,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """
    Show which paths the records have, as find takes them, and what is there.

    For each its types, in how many records it is, and the range of its numbers
    or some of its texts.  Into a pipe it prints this with tabs in between.

    Examples:
        archivedb paths
        archivedb paths outputs
        archivedb paths '*energy*' --json
    """
    with reading(db) as archive:
        found = archive.paths(pattern)
        if pattern and not found:
            _ = archive.paths()[pattern]  # raises, and says what is near
    if json:
        output.print_json_list(map(_document, found))
    elif output.on_terminal():
        rows = [each.cells() for each in found]
        output.table(HEADINGS, rows, right=("records",))
    else:
        output.columns(map(_columns, found))
    if found.note:
        output.note(found.note)


def _columns(each: PathFacts) -> tuple[str, ...]:
    """Return a path as a row for programs."""
    path, side, types, _, words = each.cells()
    return path, side, types, str(each.count), words


def _document(each: PathFacts) -> dict[str, Any]:
    made: dict[str, Any] = output.document(each)
    for key in ("least", "largest"):
        made[key] = written(made[key])
    return made
