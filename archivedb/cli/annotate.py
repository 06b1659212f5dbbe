"""``archivedb annotate``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli._changed import change
from archivedb.cli._complete import complete_key, complete_name
from archivedb.cli._pairs import format_pairs, parse_pairs


def annotate(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The record; - reads names from standard input, one a line.",
            autocompletion=complete_name,
            callback=options.check_text,
        ),
    ],
    facts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="What its metadata shall say; JSON if it parses, else text.",
            autocompletion=complete_key,
        ),
    ] = None,
    *,
    db: options.Db = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove",
            metavar="KEY",
            help="A key to take out of the metadata. Repeat it.",
            autocompletion=complete_key,
            callback=options.check_texts,
        ),
    ] = None,
    null: options.Null = False,
    json: options.Json = False,
) -> None:
    """
    Add facts to the metadata of records, and take some out.

    A key that is there gets the new value.  It makes no version.  What is said
    of many records is one change, all or nothing.

    Examples:
        archivedb annotate al/fcc/run-1 quality=good reviewed=true
        archivedb annotate al/fcc/run-1 --remove draft
        archivedb find --under al | archivedb annotate - project=aluminium
    """
    said = parse_pairs(facts or [], option="KEY=VALUE")
    if not said and not remove:
        raise typer.BadParameter(
            "say what to add, or what to --remove", param_hint="'KEY=VALUE'"
        )
    change(
        [name],
        lambda archive, each: archive.annotate(each, said, remove=remove or ()),
        lambda record: format_pairs(record.metadata),
        db=db,
        null=null,
        json=json,
    )
