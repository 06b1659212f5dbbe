"""``archivedb paths``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._complete import complete_list
from archivedb.cli._sheet import written
from archivedb.cli._where import reading
from archivedb.errors import ArchiveError
from archivedb.records import counted

if TYPE_CHECKING:
    from archivedb import Archive
    from archivedb.archive.surveying import PathFacts

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
        found, partly = _found(archive, pattern)
    if pattern and not found:
        raise ArchiveError(
            f"no record has a path like {pattern!r}; `archivedb paths` lists all"
        )
    if json:
        output.print_json_list(map(_document, found))
    elif output.on_terminal():
        rows = [each.cells() for each in found]
        output.table(HEADINGS, rows, right=("records",))
    else:
        output.columns(map(_columns, found))
    if partly:
        output.note(
            f"of {counted(partly, 'record')} with more than 1,000 leaves, the deeper "
            "paths are not listed"
        )


def _found(archive: Archive, pattern: str) -> tuple[list[PathFacts], int]:
    if not any(wild in pattern for wild in "*?"):
        asked = archive.paths(pattern or None)
        return list(asked), asked.partly
    every = archive.paths()
    # A bracket is part of a path here, and no set of characters.
    wanted = pattern.replace("[", "[[]")
    return [each for each in every if fnmatchcase(each.path, wanted)], every.partly


def _columns(each: PathFacts) -> tuple[str, ...]:
    """Return a path as a row for programs."""
    path, side, types, _, words = each.cells()
    return path, side, types, str(each.count), words


def _document(each: PathFacts) -> dict[str, Any]:
    made: dict[str, Any] = output.document(each)
    for key in ("least", "largest"):
        made[key] = written(made[key])
    return made
