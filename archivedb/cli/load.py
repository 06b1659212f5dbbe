"""``archivedb load``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archivedb.cli import _names
from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._complete import complete_path
from archivedb.cli._given import Given, given
from archivedb.cli._where import reading

if TYPE_CHECKING:
    from archivedb import Archive


def load(
    names: options.Paths,
    *,
    db: options.Db = None,
    version: options.Version = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a .json, .h5 or .pkl file instead, all of it or nothing.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="PATH",
            help="Of the record, read this path alone; several times, too.",
            autocompletion=complete_path,
        ),
    ] = None,
    stub: Annotated[
        bool,
        typer.Option("--stub", help="Show what objects were stored as; run nothing."),
    ] = False,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Run the code in it, whoever signed it or nobody."
        ),
    ] = False,
    null: options.Null = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print it on one line, for programs.")
    ] = False,
) -> None:
    """
    Print a record, or what stands at a path inside one, as JSON.

    Of several records it prints one document after the other, in the order of
    their names, and with --json one a line.  A line of standard input is a
    name, or a name, a tab and a version.

    Every byte is checked on the way.  Arrays, tuples and sets come out as
    lists.  What JSON has no word for is an object with a $:

        {"$float": "nan"}      nan, inf, -inf
        {"$complex": [1, 2]}   a complex number
        {"$bytes": "YWI="}     bytes, in base64; $str for text with surrogates
        {"$dict": [[1, 2]]}    a dict with keys that are not text
        {"$ref": "a/b"}        a dict or list inside itself: where it begins
        {"$object": "a:B"}     anything else, with its repr; with --stub, what
                               it was stored as

    A key of yours that begins with $ gets one $ more.

    Examples:
        archivedb load al/fcc/run-1
        archivedb load al/fcc/run-1/outputs/energy
        archivedb load al/fcc/run-1 --only inputs --only outputs/energy
        archivedb load al/fcc/run-1 --version 2 -o run.h5
        archivedb find 'energy < -3.7' | archivedb load - --json --only inputs
    """
    if file is not None:
        from archivedb.cli._writers import check_suffix

        check_suffix(file)
    chosen: Iterable[Given] = given(names, null=null)
    if file is not None:
        chosen = [_only_one(chosen)]
    with reading(db, trust=True if trust else None) as archive:
        for each in chosen:
            value = _value(archive, each, version, only, "stub" if stub else "restore")
            if file is None:
                output.print_json(value, on_one_line=json)
            else:
                from archivedb.cli._writers import write

                write(file, value)


def _value(
    archive: Archive,
    each: Given,
    version: int | None,
    only: list[str] | None,
    objects: str,
) -> Any:
    number = version if each.version is None else each.version
    if only:
        return archive.load(each.name, version=number, only=only, objects=objects)
    return _names.load(archive, each.name, number, objects)


def _only_one(chosen: Iterable[Given]) -> Given:
    first = list(islice(chosen, 2))
    if len(first) != 1:
        number = "several" if first else "no"
        raise typer.BadParameter(
            f"writes one record, and {number} names were given", param_hint="'--output'"
        )
    return first[0]
