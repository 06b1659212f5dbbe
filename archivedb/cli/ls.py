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
        if not long and not json:
            names = _names(archive, folder)
            if recursive:
                output.lines(names)
            else:
                _print_names(*_directly_in(folder, names))
            return
        folders, records = _listing(archive, folder, recursive=recursive)
    if json:
        output.print_json(
            {
                "folders": [{"name": n, "records": count} for n, count in folders],
                "records": output.document(records),
            }
        )
    else:
        _print_long(folders, records)


def _names(archive: Archive, folder: str) -> list[str]:
    if folder and is_record(archive, folder):
        return [folder]
    names = list(archive.names(folder))
    if folder and not names:
        archive.listing(folder)  # raises: there is no such folder
    return names


def _directly_in(
    folder: str, names: Iterable[str]
) -> tuple[list[tuple[str, int]], list[str]]:
    """
    Return the subfolders with their counts, and the records, of a folder.

    From names alone, a tenth of the work of asking for whole records.
    """
    start = len(folder) + 1 if folder else 0
    counts: dict[str, int] = {}
    records = []
    for name in names:
        end = name.find("/", start)
        if end < 0:
            records.append(name)
        else:
            counts[name[:end]] = counts.get(name[:end], 0) + 1
    return sorted(counts.items()), records


def _listing(
    archive: Archive, folder: str, *, recursive: bool
) -> tuple[list[tuple[str, int]], list[Record]]:
    if recursive and not (folder and is_record(archive, folder)):
        # One question for all of them, and not one for each.
        records = sorted(archive.find().below(folder), key=lambda record: record.name)
        if folder and not records:
            archive.listing(folder)  # raises: there is no such folder
        return [], records
    try:
        return listing(archive, folder)
    except RecordNotFoundError:
        # `ls FILE` names the file, too.
        if is_record(archive, folder):
            return [], [archive.record(folder)]
        raise


def _print_names(folders: list[tuple[str, int]], records: list[str]) -> None:
    names = [f"{name}/" for name, _ in folders]
    if output.on_terminal():
        width = max(map(len, names), default=0)
        output.lines(
            f"{name:<{width}}  {count:>6,} record{'' if count == 1 else 's'}"
            for name, (_, count) in zip(names, folders, strict=True)
        )
    else:
        output.lines(names)
    output.lines(records)


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
