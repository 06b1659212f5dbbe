"""
A catalog of very many records, made directly: no payload is written.

    python tests/benchmarks/catalog.py PATH [RECORDS]

Every record has eight leaves, of the kinds that people ask for; its version
row has the content of a real one, so that the size of the file is that of a
real catalog.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archivedb.catalog import schema
from archivedb.values.leaf import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 1_767_225_600_000_000
"""The first record's time: 2026-01-01, in microseconds."""
STEP = 25_000_000
STRUCTURES = ("fcc", "bcc", "hcp", "sc")
METALS = ("Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt")
PATHS = (
    ("metadata", "project"),
    ("data", "inputs/cutoff"),
    ("data", "inputs/metal"),
    ("data", "inputs/natoms"),
    ("data", "inputs/structure"),
    ("data", "outputs/converged"),
    ("data", "outputs/energy"),
    ("data", "outputs/max_force"),
)
CONTENT = json.dumps(
    {
        "mode": "hdf5",
        "digest": "blake3:" + "0" * 64,
        "size": 2361,
        "skeleton": [4096, 512, "blake3:" + "0" * 64],
        "arrays": [[2048, 768]],
        "facts": [{"range": [-0.5, 0.5, 0.0]}],
    }
).encode()


def leaves(number: int, chance: random.Random) -> list[tuple[int, Any, Any]]:
    """Return kind, number and text of the leaves of a record, in `PATHS`' order."""
    return [
        (Kind.TEXT, None, f"p{number % 50}"),
        (Kind.NUMBER, chance.choice((300, 350, 400, 450, 500, 550)), None),
        (Kind.TEXT, None, chance.choice(METALS)),
        (Kind.NUMBER, chance.choice((1, 2, 4, 8, 32, 108)), None),
        (Kind.TEXT, None, chance.choice(STRUCTURES)),
        (Kind.BOOL, int(chance.random() < 0.9), None),
        (Kind.NUMBER, chance.gauss(-3.7, 1.0), None),
        (Kind.NUMBER, chance.expovariate(20.0), None),
    ]


def make(path: Path, records: int) -> None:
    """Make a catalog of so many records."""
    engine = schema.migration_engine(path, create=True)
    with engine.begin() as connection:
        schema.create(connection, str(uuid.uuid4()), START)
    engine.dispose()
    with closing(sqlite3.connect(path)) as database:
        _fill(database, records)


def _fill(database: sqlite3.Connection, records: int) -> None:
    database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
    indexes = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    # Made at the end: sorting once is much faster than inserting everywhere.
    for name, _ in indexes:
        database.execute(f'DROP INDEX "{name}"')
    chance = random.Random(1)  # noqa: S311 - the same catalog every time

    def uuids() -> Iterator[str]:
        for number in range(records):
            yield str(uuid.UUID(int=(number << 64) | chance.getrandbits(62)))

    names = [f"project-{n % 50}/sweep-{n // 1000}/run-{n:07}" for n in range(records)]
    numbers = range(1, records + 1)
    database.executemany("INSERT INTO path VALUES (?, ?, ?)", _paths())
    database.executemany(
        "INSERT INTO payload (id, uuid, file, mode, size)"
        " VALUES (?, ?, ?, 'hdf5', 4608)",
        (
            (n, u, f"{u[-2:]}/{u}-{'0' * 32}.h5")
            for n, u in zip(numbers, uuids(), strict=True)
        ),
    )
    database.executemany(
        "INSERT INTO record (id, uuid, name, positions, newest_id)"
        " VALUES (?, ?, ?, 1, ?)",
        ((n, u, names[n - 1], n) for n, u in zip(numbers, uuids(), strict=True)),
    )
    database.executemany(
        "INSERT INTO change"
        " (record_id, position, kind, payload_id, slot, time, version)"
        " VALUES (?, 1, 'save', ?, 0, ?, 1)",
        ((n, n, START + n * STEP) for n in numbers),
    )
    database.executemany(
        "INSERT INTO version (id, record_id, version, mode, saved_at, size, digest,"
        " metadata, tags, payload_id, content)"
        " VALUES (?, ?, 1, 'hdf5', ?, 2361, ?, ?, ?, ?, ?)",
        (
            (n, n, START + n * STEP, f"blake3:{n:064x}", b"{}", b"[]", n, CONTENT)
            for n in numbers
        ),
    )
    database.executemany(
        "INSERT INTO leaf VALUES (?, ?, ?, ?, ?)",
        (
            (n, at, int(kind), number, text)
            for n in numbers
            for at, (kind, number, text) in enumerate(leaves(n, chance), 1)
        ),
    )
    database.executemany(
        "INSERT INTO tag VALUES (?, ?)",
        ((n, "converged") for n in numbers if n % 10),
    )
    for _, text in indexes:
        database.execute(text)
    database.commit()


def _paths() -> list[tuple[int, str, str]]:
    return [(number, *path) for number, path in enumerate(PATHS, 1)]


if __name__ == "__main__":
    make(Path(sys.argv[1]), int((sys.argv[2:] or ["1000000"])[0]))
