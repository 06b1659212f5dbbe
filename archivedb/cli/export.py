"""``archivedb export``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._given import newest
from archivedb.cli._progress import progress
from archivedb.cli._where import reading
from archivedb.records import counted

if TYPE_CHECKING:
    from archivedb.records import Exported

SHOWN = 20
"""How many stubs are listed; the zip's README.txt has all."""


def export(
    names: options.Names,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="A directory, or a .zip, that does not exist yet."
        ),
    ],
    *,
    db: options.Db = None,
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance/--no-provenance",
            help="Say who made them, where, in which directory, with which words.",
        ),
    ] = True,
    license: Annotated[  # noqa: A002 - the word for it
        str | None,
        typer.Option(
            "--license",
            metavar="LICENSE",
            help="How a zip may be used: CC-BY-4.0, an address or a text.",
            callback=options.check_optional,
        ),
    ] = None,
    authors: Annotated[
        list[str] | None,
        typer.Option(
            "--author",
            metavar="NAME",
            help="Who made what is in a zip: 'Ada Lovelace <ORCID>'. Repeat it.",
            callback=options.check_texts,
        ),
    ] = None,
    null: options.Null = False,
    json: options.Json = False,
) -> None:
    """
    Write records into one new zip, or into a new directory.

    A zip is a BagIt bag with RO-Crate metadata, to be published or sent;
    archivedb import reads it.  In a directory, each record is one of its own,
    and needs no archive: load() of archivedb reads it.  It prints where they
    are.  All of them are written, or nothing.

    What runs code when it is loaded, others see as stubs only, until they
    trust your key: what that is about is listed on stderr.

    Examples:
        archivedb export al/fcc/run-1 al/fcc/run-2 chosen
        archivedb find --tag converged | archivedb export - runs.zip
        archivedb export paper/fig-3 fig-3.zip --no-provenance --license CC-BY-4.0
    """
    chosen = newest(names, null=null)
    is_zip = path.lower().endswith(".zip")
    if not is_zip and (license is not None or authors):
        raise typer.BadParameter("are written into a zip: name a PATH that ends so")
    with reading(db) as archive, progress("exporting", "records") as report:
        for name in chosen:
            archive.record(name)  # an error if there is none
        done = archive.find("name in chosen", {"chosen": chosen}).export(
            path,
            provenance=provenance,
            license=license,
            authors=authors or (),
            progress=report,
        )
    if json:
        output.print_json([*done])
    else:
        output.lines(done)
    _say_stubs(done)


def _say_stubs(done: Exported) -> None:
    if not done.stubs:
        return
    count = counted(len(done.stubs), "object")
    output.note(f"{count} that others see as stubs, until they trust your key:")
    for each in done.stubs[:SHOWN]:
        where = f"{each.name}/{each.path}" if each.path else each.name
        output.note(f"  {where}  {each.class_name}")
    if len(done.stubs) > SHOWN:
        output.note(f"  … and {len(done.stubs) - SHOWN:,} more")
