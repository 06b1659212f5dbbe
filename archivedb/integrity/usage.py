"""Where the bytes of an archive are, and how much of everything there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.errors import RecordNotFoundError
from archivedb.outcomes import Share, Statistics, Usage

if TYPE_CHECKING:
    from archivedb.archive import Archive


def usage(archive: Archive, name: str = "") -> Usage:
    """
    Return which records and folders the bytes of payloads belong to.

    Args:
        archive: The archive.
        name: A folder or a record; all if empty.

    Raises:
        RecordNotFoundError: There is neither.

    """
    name = name.rstrip("/")
    prefix = f"{name}/" if name else ""
    sizes: dict[int, int] = {}
    users: dict[int, set[str]] = {}
    names: dict[str, set[str]] = {}
    needs: dict[str, set[int]] = {}
    for record, payload, size in archive.figures().needs():
        if record == name or record.startswith(prefix):
            rest = record[len(prefix) :] if record != name else ""
            child = prefix + rest.partition("/")[0] if rest else record
            sizes[payload] = size
            names.setdefault(child, set()).add(record)
            needs.setdefault(child, set()).add(payload)
        else:
            child = "/"  # nobody can be called so
        users.setdefault(payload, set()).add(child)
    if name and not names:
        msg = f"there is no record or folder {name!r}; see `archivedb ls`"
        raise RecordNotFoundError(msg)
    shares = [
        Share(
            child,
            below != {child},
            len(below),
            sum(sizes[each] for each in needs[child]),
            sum(sizes[each] for each in needs[child] if users[each] == {child}),
        )
        for child, below in names.items()
    ]
    shares.sort(key=lambda share: (-share.bytes, share.name))
    records = sum(share.records for share in shares)
    return Usage(name, sum(sizes.values()), records, tuple(shares))


def statistics(archive: Archive, *, largest: int = 5) -> Statistics:
    """
    Return an archive in numbers.

    Args:
        archive: The archive.
        largest: How many of the largest records are named.

    """
    return archive.figures().statistics(largest)
