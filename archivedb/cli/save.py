"""``archivedb save``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._pairs import parse_pairs
from archivedb.errors import ModeError


def save(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A .json, .h5, .hdf5 or .pkl file; - is standard input.",
        ),
    ],
    name: options.Name,
    *,
    db: options.Db = None,
    mode: Annotated[
        str,
        typer.Option(
            metavar="MODE", help="How to store it: hdf5, json or cloudpickle."
        ),
    ] = "hdf5",
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata",
            "-m",
            metavar="KEY=VALUE",
            help="A fact about the record; JSON if it parses, else text. Repeat it.",
        ),
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option(
            "--tag", "-t", metavar="TAG", help="A word to find it by. Repeat it."
        ),
    ] = None,
    on_exists: Annotated[
        Literal["version", "error", "skip"],
        typer.Option(help="What to do if the name is taken."),
    ] = "version",
    source: Annotated[
        Literal["json", "hdf5", "pickle"] | None,
        typer.Option("--from", help="What FILE holds, if its suffix does not say."),
    ] = None,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle", help="Run the code that reading a pickle file runs."
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """
    Save a file's dict as a record.

    Groups of an HDF5 file become dicts, datasets become arrays and numpy
    scalars; its attributes are left out, and named on stderr.  Integers in
    JSON are kept exactly, NaN and Infinity too.

    Examples:
        archivedb save run.json al/fcc/run-1 -m project=al -m cutoff=350 -t converged
        archivedb save out.h5 al/fcc/run-2
        ./simulate | archivedb save - al/fcc/run-3 --mode json
    """
    from archivedb import Archive
    from archivedb.cli._readers import read
    from archivedb.cli._where import address

    facts = parse_pairs(metadata or [], option="--metadata")
    where = address(db)
    data: Any = read(file, source, allow_pickle=allow_pickle)
    with Archive(where) as archive:
        try:
            record = archive.save(
                data,
                name,
                mode=mode,
                metadata=facts or None,
                tags=tuple(tags or ()),
                on_exists=on_exists,
            )
        except ModeError as error:
            raise typer.BadParameter(str(error), param_hint="'--mode'") from error
    if json:
        output.print_json(output.document(record))
    else:
        output.line(output.record_line(record))
