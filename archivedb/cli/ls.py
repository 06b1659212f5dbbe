"""``archivedb ls``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._names import is_record, listing
from archivedb.cli._where import reading
from archivedb.errors import RecordNotFoundError

if TYPE_CHECKING:
    from archivedb import Archive
    from archivedb.records import Record


def ls(
    folder: options.Folder = "",
    *,
    db: options.Db = None,
    long: Annotated[
        bool,
        typer.Option("--long", "-l", help="Version, mode, size, time and tags too."),
    ] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="All records below, no folders.")
    ] = False,
    json: options.Json = False,
) -> None:
    """
    List the folders and records in a folder.

    Into a pipe it prints one name a line, folders with a slash at their end;
    with --long, tab-separated columns.

    Examples:
        archivedb ls
        archivedb ls -l al/fcc
        archivedb ls -r al | wc -l
    """
    folder = options.folder_of(folder)
    with reading(db) as archive:
        if recursive and not long and not json:
            output.lines(_names(archive, folder))
            return
        folders, records = _listing(archive, folder, recursive=recursive)
        if json:
            output.print_json(
                {
                    "folders": [{"name": n, "records": count} for n, count in folders],
                    "records": output.document(records),
                }
            )
        elif long:
            _print_long(folders, records)
        else:
            _print_names(folders, records)


def _names(archive: Archive, folder: str) -> Iterable[str]:
    if folder and is_record(archive, folder):
        return [folder]
    if folder:
        archive.listing(folder)  # an error if there is no such folder
    return archive.names(folder)


def _listing(
    archive: Archive, folder: str, *, recursive: bool
) -> tuple[list[tuple[str, int]], list[Record]]:
    if recursive:
        return [], [archive.record(name) for name in _names(archive, folder)]
    try:
        return listing(archive, folder)
    except RecordNotFoundError:
        # `ls FILE` names the file, too.
        if is_record(archive, folder):
            return [], [archive.record(folder)]
        raise


def _print_names(folders: list[tuple[str, int]], records: list[Record]) -> None:
    names = [f"{name}/" for name, _ in folders]
    if output.on_terminal():
        width = max(map(len, names), default=0)
        output.lines(
            f"{name:<{width}}  {count:>6,} record{'' if count == 1 else 's'}"
            for name, (_, count) in zip(names, folders, strict=True)
        )
    else:
        output.lines(names)
    output.lines(record.name for record in records)


def _print_long(folders: list[tuple[str, int]], records: list[Record]) -> None:
    if not output.on_terminal():
        output.columns((f"{name}/", "", "", "", "", "") for name, _ in folders)
        output.columns(map(output.record_columns, records))
        return
    rows = [
        (f"{name}/", "", "", f"{count:,} records", "", "") for name, count in folders
    ]
    output.table(
        output.RECORD_HEADINGS,
        rows + [output.record_cells(record) for record in records],
        right=("version", "size"),
    )
