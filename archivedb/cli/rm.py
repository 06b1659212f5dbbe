"""``archivedb rm``."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._given import newest
from archivedb.cli._names import is_record
from archivedb.cli._where import changing
from archivedb.errors import ArchiveError
from archivedb.records import Deletion

if TYPE_CHECKING:
    from archivedb import Archive


def rm(
    names: options.Names,
    *,
    db: options.Db = None,
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="A folder, and all records below it."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    null: options.Null = False,
    json: options.Json = False,
) -> None:
    """
    Delete records, all their versions, or a folder of them.

    On a terminal it asks before it deletes a folder.  Several are one change,
    all or nothing.

    Examples:
        archivedb rm al/fcc/run-1 al/fcc/run-2
        archivedb rm -r al/fcc
        archivedb find 'status == "failed"' | archivedb rm -
    """
    chosen = newest(names, null=null)
    with changing(db) as archive:
        for name in chosen:
            if not is_record(archive, name):
                _confirm_folder(archive, name, recursive=recursive, yes=yes)
        if len(chosen) == 1:
            done = archive.delete(chosen[0], recursive=recursive)
        else:
            done = _delete_all(archive, chosen, recursive=recursive)
    output.deletion(done, json=json)


def _delete_all(archive: Archive, names: list[str], *, recursive: bool) -> Deletion:
    with archive.batch() as batch:
        found = [archive.delete(name, recursive=recursive).names for name in names]
    return Deletion(tuple(chain.from_iterable(found)), batch.freed)


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
