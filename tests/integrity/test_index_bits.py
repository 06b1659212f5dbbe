"""SQLite takes from an index what is in it: a flipped bit there leads elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive
from archivedb.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INDEXES = ("sqlite_autoindex_version_1", "uq_record_name_live")


def page(catalog: Path, index: str) -> slice:
    """Return where in the file the only page of an index lies."""
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)
        ).fetchone()
    return slice((root - 1) * size, root * size)


@pytest.mark.parametrize("index", INDEXES)
def test_no_bit_of_an_index_leads_to_another_row(tmp_path: Path, index: str) -> None:
    """What is loaded is what was saved under that name and version, or an error."""
    catalog = tmp_path / "runs.db"
    values: dict[tuple[str, int | None], Any] = {}
    with Archive(catalog, durability="relaxed", provenance=False) as archive:
        for number in range(3):
            for version in (1, 2):
                value = {"a": [float(number)] * 5, "v": version}
                archive.save(value, f"r{number}")
                values[f"r{number}", version] = value
            values[f"r{number}", None] = value
    place = page(catalog, index)
    raw = catalog.read_bytes()
    refused = 0
    for at in range(place.start, place.stop):
        for bit in range(at % 2, 8, 2) if raw[at] else ():
            hurt = bytearray(raw)
            hurt[at] ^= 1 << bit
            catalog.write_bytes(hurt)
            refused += not all(exact(catalog, name, values[name]) for name in values)
    assert refused


def exact(catalog: Path, name: tuple[str, int | None], value: dict[str, Any]) -> bool:
    """Return whether a value is exact, and not refused; it must be one of both."""
    try:
        with Archive(catalog, readonly=True) as archive:
            ways: list[Callable[[], Any]] = [
                lambda: archive.load(name[0], version=name[1]) == value
            ]
            if name[1] is None:
                ways.append(lambda: archive[f"{name[0]}/a"] == value["a"])
            for way in ways:
                assert way(), name
    except ArchiveError:
        return False
    return True
