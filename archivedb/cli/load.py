"""``archivedb load``."""

from __future__ import annotations

from typing import Annotated

import typer

from archivedb.cli import _names
from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import reading


def load(
    name: options.Path,
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
    json: Annotated[
        bool, typer.Option("--json", help="Print it on one line, for programs.")
    ] = False,
) -> None:
    """
    Print a record, or what stands at a path inside one, as JSON.

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
    """
    if file is not None:
        from archivedb.cli._writers import check_suffix

        check_suffix(file)
    with reading(db, trust=True if trust else None) as archive:
        objects = "stub" if stub else "restore"
        if only:
            value = archive.load(name, version=version, only=only, objects=objects)
        else:
            value = _names.load(archive, name, version, objects)
    if file is None and json:
        output.print_json(value, on_one_line=True)
    elif file is None:
        output.print_json(value)
    else:
        from archivedb.cli._writers import write

        write(file, value)
