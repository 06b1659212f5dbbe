"""Copies of a catalog as it is at one moment, with SQLite's backup API."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archivedb.catalog import schema
from archivedb.errors import CatalogDamagedError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def copy(connection: Connection, target: Path) -> list[tuple[str, int]]:
    """
    Copy the catalog of an open transaction, durably.

    Args:
        connection: The transaction; the copy is what it sees.
        target: The file; one that is there is replaced.

    Returns:
        File and bytes of each payload that the copy knows.

    Raises:
        CatalogError: SQLite refused.

    """
    raw: Any = connection.connection.dbapi_connection
    target.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(target)) as made:
            made.execute("PRAGMA synchronous=FULL")
            # In one step, so that no writer makes it begin again.
            raw.backup(made)
            # One file, which can be read where nothing can be written.
            made.execute("PRAGMA journal_mode=DELETE")
            rows = made.execute("SELECT file, size FROM payload ORDER BY file")
            found = list(map(_payload, rows))
    except sqlite3.Error as error:
        raise schema.unusable(str(target), error) from error
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return found


def _payload(row: tuple[Any, Any]) -> tuple[str, int]:
    file, size = row
    if not (isinstance(file, str) and isinstance(size, int)):
        msg = f"the row of the payload {file!r} was altered; run `archivedb reindex`"
        raise CatalogDamagedError(msg)
    return file, size


def replace(new: Path, old: Path) -> None:
    """
    Put a catalog in another's place; the caller holds the writers' lock.

    The old one's log is folded into it first: a log that met another database
    would spoil it.
    """
    log = Path(f"{old}-wal")
    if old.exists() and log.exists():
        try:
            with closing(sqlite3.connect(old)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # a damaged one, of which nothing is needed
    for ending in ("-wal", "-shm"):
        Path(f"{old}{ending}").unlink(missing_ok=True)
    new.replace(old)
