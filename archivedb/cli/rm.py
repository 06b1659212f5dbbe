"""``archivedb rm``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._names import is_record
from archivedb.cli._where import changing
from archivedb.errors import ArchiveError

if TYPE_CHECKING:
    from archivedb import Archive


def rm(
    name: options.Name,
    *,
    db: options.Db = None,
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="A folder, and all records below it."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: options.Json = False,
) -> None:
    """
    Delete a record, all its versions, or a folder of them.

    On a terminal it asks before it deletes a folder.

    Examples:
        archivedb rm al/fcc/run-1
        archivedb rm -r al/fcc
    """
    name = options.folder_of(name)
    with changing(db) as archive:
        if not is_record(archive, name):
            _confirm_folder(archive, name, recursive=recursive, yes=yes)
        done = archive.delete(name, recursive=recursive)
    output.deletion(done, json=json)


def _confirm_folder(archive: Archive, name: str, *, recursive: bool, yes: bool) -> None:
    """
    Refuse to delete a folder, unless that is what was asked for.

    Raises:
        ArchiveError: It was not, or the answer is no.

    """
    folders, records = archive.listing(name)
    count = len(records) + sum(below for _, below in folders)
    what = f"{name} is a folder with {count:,} record{'' if count == 1 else 's'}"
    if not recursive:
        raise ArchiveError(f"{what}; remove them all with `archivedb rm -r {name}`")
    if yes or not sys.stdin.isatty():
        return
    if not typer.confirm(output.printable(f"{what}; remove them all?"), err=True):
        raise ArchiveError("nothing was removed")
