"""Which archive a command means, and how it is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.errors import ArchiveNotFoundError

if TYPE_CHECKING:
    from archivedb import Archive

CATALOG = "archive.db"
PAYLOADS = ".payloads"


def address(db: str | None) -> str:
    """
    Return the address of the archive that a command means.

    Args:
        db: What ``--db`` or ``ARCHIVEDB`` says; without it, the nearest
            catalog upward from the current directory is meant.

    Raises:
        ArchiveNotFoundError: None is, or which one is not clear.

    """
    if db is not None:
        if not db:
            raise ArchiveNotFoundError("--db names no archive: it is empty")
        return db
    here = Path.cwd()
    for directory in (here, *here.parents):
        found = _catalogs(directory)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ArchiveNotFoundError(
                f"{directory} has several archives: {names}; choose one with --db"
            )
        if found:
            return str(found[0])
    raise ArchiveNotFoundError(
        f"there is no archive in {here} or above it; create one with "
        "`archivedb init`, or name one with --db"
    )


def _catalogs(directory: Path) -> list[Path]:
    """Return the catalogs of the archives in one directory."""
    try:
        names = set(os.listdir(directory))  # noqa: PTH208 - names are what is compared
    except OSError:  # nobody may look in there, so nothing of theirs is
        return []
    if CATALOG in names:
        return [directory / CATALOG]
    stores = sorted(name for name in names if name.endswith(PAYLOADS))
    wanted = [name.removesuffix(PAYLOADS) + ".db" for name in stores]
    # Payloads whose catalog is gone are an archive too: `reindex` brings it back.
    present = [name for name in wanted if name in names] or wanted
    return [directory / name for name in present]


@contextmanager
def reading(db: str | None, *, trust: bool | None = None) -> Iterator[Archive]:
    """
    Open an archive that is there, to read it.

    Raises:
        ArchiveNotFoundError: It is not there.

    """
    where = address(db)
    # Writable where it can be, so that what a crash left is indexed.
    with _opened(where, trust=trust, readonly=not _is_writable(where)) as archive:
        yield archive


@contextmanager
def changing(db: str | None) -> Iterator[Archive]:
    """
    Open an archive that is there, to change it.

    Raises:
        ArchiveNotFoundError: It is not there.

    """
    with _opened(address(db)) as archive:
        yield archive


@contextmanager
def _opened(
    where: str, *, trust: bool | None = None, readonly: bool = False
) -> Iterator[Archive]:
    from archivedb import Archive

    with Archive(where, trust=trust, readonly=readonly) as archive:
        if not archive.spools and not archive.exists:
            raise ArchiveNotFoundError(
                f"there is no archive at {where}; create one with "
                f"`archivedb init {where}`"
            )
        yield archive


def _is_writable(where: str) -> bool:
    if "://" in where:
        return True
    path = Path(where)
    directory, catalog = (
        (path, path / CATALOG) if path.is_dir() else (path.parent, path)
    )
    return os.access(directory, os.W_OK) and (
        not catalog.exists() or os.access(catalog, os.W_OK)
    )
