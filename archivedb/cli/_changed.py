"""Changes of what is known of records, all that were named as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from archivedb.cli import _output as output
from archivedb.cli._given import newest
from archivedb.cli._where import changing

if TYPE_CHECKING:
    from archivedb import Archive
    from archivedb.records import Record


def change(
    names: Sequence[str],
    apply: Callable[[Archive, str], Record],
    shown: Callable[[Record], str],
    *,
    db: str | None,
    null: bool,
    json: bool,
) -> None:
    """
    Apply a change to each of the records, and print them as they are then.

    Args:
        names: Names, or ``-`` for those on standard input.
        apply: What changes one of them.
        shown: What is printed of one beside its name.
        db: What ``--db`` says.
        null: Whether a zero byte ends each name on standard input.
        json: Whether to print JSON.

    Raises:
        ArchiveError: One of them cannot be changed, and so none was.

    """
    # Read to their end first: the find that writes them has seen all it wants.
    chosen = newest(names, null=null)
    with changing(db) as archive:
        done = _applied(archive, chosen, apply)
    if json:
        output.print_json(output.document(done))
    else:
        output.columns((record.name, shown(record)) for record in done)


def _applied(
    archive: Archive, names: Sequence[str], apply: Callable[[Archive, str], Record]
) -> list[Record]:
    if len(names) == 1:
        return [apply(archive, names[0])]
    with archive.batch():
        return [apply(archive, name) for name in names]


def tags_of(record: Record) -> str:
    """Return the tags of a record as they are printed."""
    return output.tags(record.tags)
