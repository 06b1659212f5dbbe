"""
What verifying asks of a catalog: its own soundness, its ledger, and its rows.

Rows are read as SQLite has them, with no type between: what is to be judged
may be of any.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from archivedb.catalog import schema
from archivedb.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

FAULTS = 20
"""How many faults of SQLite's own are told; the next step is the same for all."""

_FEW = 500
"""As many parameters as any database takes in one statement."""


# The catalog as a file ------------------------------------------------------


def faults(connection: Connection, *, whole: bool) -> list[str]:
    """
    Return what SQLite itself finds wrong with the file.

    Args:
        connection: An open transaction.
        whole: Whether indexes are compared with their tables, too, which takes
            several times as long.

    """
    check = "integrity_check" if whole else "quick_check"
    rows = connection.exec_driver_sql(f"PRAGMA {check}({FAULTS})").fetchall()
    found = [str(row[0]) for row in rows if row[0] != "ok"]
    lost: Counter[tuple[str, str]] = Counter()
    for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        lost[table, parent] += 1
    for (table, parent), count in lost.items():
        what = "row refers" if count == 1 else "rows refer"
        found.append(f"{count:,} {table} {what} to a missing {parent}")
    return found


# The ledger -----------------------------------------------------------------

LEVELS = ("quick", "full", "deep")
"""How payloads are verified: each proves what those before it do, and more."""

SOUND = "sound"
"""The verdict of a check that found nothing."""


@dataclass(frozen=True, slots=True)
class Checked:
    """
    A payload file that the catalog knows, and when it was found sound.

    Attributes:
        uuid: The payload's.
        file: Its file, below the store.
        size: Its bytes.
        sound_at: When it was last found sound, in microseconds since 1970; or
            None: never, or not since something was wrong with it.

    """

    uuid: str
    file: str
    size: int
    sound_at: int | None


def ledger(connection: Connection, level: str) -> list[Checked]:
    """
    Return every payload file, in the order of the files.

    Args:
        connection: An open transaction.
        level: At which level, or at a higher one, they were to be found sound.

    """
    enough = LEVELS[LEVELS.index(level) :]
    rows = connection.exec_driver_sql(
        # What was altered may be no text, and no time.
        "SELECT coalesce(CAST(p.uuid AS TEXT), ''), coalesce(CAST(p.file AS TEXT), ''),"
        ' p.size, (SELECT max(c.checked_at) FROM "check" c '
        "WHERE c.payload_id = p.id AND typeof(c.checked_at) = 'integer' "
        "AND c.verdict = ? AND c.level IN (SELECT value FROM json_each(?))) "
        "FROM payload p ORDER BY p.file",
        (SOUND, json.dumps(enough)),
    )
    return [Checked(*row) for row in rows]


def known_as(connection: Connection, file: str) -> Checked | None:
    """Return a payload by its file, as one that was never checked."""
    found = connection.exec_driver_sql(
        "SELECT uuid, file, size, NULL FROM payload WHERE file = ?", (file,)
    ).fetchone()
    return None if found is None else Checked(*found)


def knows_file(connection: Connection, file: str) -> bool:
    """Return whether a payload file is in the catalog under this very name."""
    return known_as(connection, file) is not None


def record(
    connection: Connection, level: str, results: Sequence[tuple[str, int, str]]
) -> None:
    """
    Write results into the ledger; a payload that is gone by now has none.

    One that is not sound takes back what was found at any level before.

    Args:
        connection: An open write transaction.
        level: How they were checked.
        results: Payload uuid, time in microseconds, and verdict of each.

    """
    if wrong := [(uuid,) for uuid, _, verdict in results if verdict != SOUND]:
        connection.exec_driver_sql(
            'DELETE FROM "check" WHERE payload_id = '
            "(SELECT id FROM payload WHERE uuid = ?)",
            wrong,
        )
    connection.exec_driver_sql(
        'INSERT OR REPLACE INTO "check" (payload_id, level, checked_at, verdict) '
        "SELECT id, ?, ?, ? FROM payload WHERE uuid = ?",
        [(level, time, verdict, uuid) for uuid, time, verdict in results],
    )


# The rows of a record -------------------------------------------------------

Rows = dict[tuple[Any, ...], tuple[Any, ...]]
"""Rows by what tells them apart."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One table's share of a record: how its rows are asked for, and called."""

    table: str
    keys: int
    columns: tuple[str, ...]
    query: str


_PARTS = (
    _Part(
        "record",
        0,
        ("name", "deleted", "positions", "partly_indexed", "newest", "has a newest"),
        "SELECT r.name, r.deleted, r.positions, r.partly_indexed, v.version, "
        "r.newest_id IS NOT NULL FROM record r LEFT JOIN version v "
        "ON v.id = r.newest_id AND v.record_id = r.id WHERE r.uuid = ?",
    ),
    _Part(
        "change",
        1,
        ("position", "kind", "payload", "slot", "time", "version", "name_before"),
        "SELECT c.position, c.kind, p.uuid, c.slot, c.time, c.version, c.name_before "
        "FROM change c JOIN record r ON r.id = c.record_id "
        "LEFT JOIN payload p ON p.id = c.payload_id WHERE r.uuid = ?",
    ),
    _Part(
        "version",
        1,
        (
            *("version", "mode", "saved_at", "size", "digest", "metadata", "tags"),
            *("payload", "content", "appended", "provenance", "provenance digest"),
            "has provenance",
        ),
        "SELECT v.version, v.mode, v.saved_at, v.size, v.digest, v.metadata, v.tags, "
        "p.uuid, v.content, v.appended, o.facts, o.digest, "
        "v.provenance_id IS NOT NULL FROM version v "
        "JOIN record r ON r.id = v.record_id LEFT JOIN payload p ON p.id = v.payload_id"
        " LEFT JOIN provenance o ON o.id = v.provenance_id WHERE r.uuid = ?",
    ),
    _Part(
        "array",
        2,
        (
            *("version", "path", "number", "payload", "dtype", "shape", "digest"),
            *("kind", "offset", "length", "blocks_offset", "proof", "facts"),
        ),
        "SELECT v.version, a.path, a.number, p.uuid, a.dtype, a.shape, a.digest, "
        'a.kind, a."offset", a.length, a.blocks_offset, a.proof, a.facts FROM array a '
        "JOIN version v ON v.id = a.version_id JOIN record r ON r.id = v.record_id "
        "LEFT JOIN payload p ON p.id = a.payload_id WHERE r.uuid = ?",
    ),
    _Part(
        "leaf",
        2,
        ("side", "path", "kind", "num", "txt"),
        "SELECT h.side, h.path, l.kind, l.num, l.txt FROM leaf l "
        "JOIN record r ON r.id = l.record_id LEFT JOIN path h ON h.id = l.path_id "
        "WHERE r.uuid = ?",
    ),
    _Part(
        "tag",
        1,
        ("tag",),
        "SELECT t.tag FROM tag t JOIN record r ON r.id = t.record_id WHERE r.uuid = ?",
    ),
    _Part(
        "payload",
        1,
        ("uuid", "file", "mode", "size"),
        "SELECT p.uuid, p.file, p.mode, p.size FROM record r, payload p WHERE "
        "r.uuid = ? AND p.id IN (SELECT payload_id FROM change WHERE record_id = r.id "
        "UNION SELECT payload_id FROM version WHERE record_id = r.id UNION "
        "SELECT a.payload_id FROM array a JOIN version v ON v.id = a.version_id "
        "WHERE v.record_id = r.id)",
    ),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """
    What two catalogs say differently of one record.

    Attributes:
        version: Of which version, or None: of the record.
        path: At which path inside it, or None.
        text: What one says, and what the other.

    """

    version: int | None
    path: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything that a catalog says of one record, free of its own numbers."""

    parts: tuple[Rows, ...]

    @property
    def exists(self) -> bool:
        """Whether the catalog knows the record."""
        return bool(self.parts[0])

    @property
    def name(self) -> str | None:
        """The record's name."""
        return str(self.parts[0][()][0]) if self.exists else None

    @property
    def newest(self) -> int | None:
        """Its newest version."""
        found = self.parts[0][()][4] if self.exists else None
        return found if isinstance(found, int) else None


def portrait(connection: Connection, uuid: str) -> Portrait:
    """Return everything that a catalog says of one record."""
    found = []
    for part in _PARTS:
        rows = connection.exec_driver_sql(part.query, (uuid,))
        found.append({tuple(row[: part.keys]): tuple(row[part.keys :]) for row in rows})
    return Portrait(tuple(found))


def differences(said: Portrait, right: Portrait) -> Iterator[Difference]:
    """
    Yield what is wrong in a portrait.

    Args:
        said: What the catalog says.
        right: What the payloads say.

    """
    if not said.exists:
        yield Difference(right.newest, None, "the catalog does not know the record")
        return
    if not right.exists:
        yield Difference(said.newest, None, "no payload tells of this record")
        return
    for part, mine, its in zip(_PARTS, said.parts, right.parts, strict=True):
        if repr(mine) == repr(its):  # which tells 1 from 1.0, and -0.0 from 0.0
            continue
        for key in sorted(mine.keys() | its.keys(), key=repr):
            text = _difference(part, key, mine.get(key), its.get(key))
            if text is not None:
                version, path = _place(part, key, right.newest)
                yield Difference(version, path, text)


def _place(
    part: _Part, key: tuple[Any, ...], newest: int | None
) -> tuple[int | None, str | None]:
    if part.table == "version":
        return _number(key[0]), None
    if part.table == "array":
        return _number(key[0]), str(key[1])
    if part.table == "leaf":
        return newest, str(key[1]) if key[0] == "data" else None
    return (newest if part.table == "tag" else None), None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _difference(
    part: _Part,
    key: tuple[Any, ...],
    mine: tuple[Any, ...] | None,
    its: tuple[Any, ...] | None,
) -> str | None:
    which = " ".join([part.table, *(_short(each) for each in key)])
    if mine is None:
        return f"the catalog lacks {which}"
    if its is None:
        return f"the catalog has {which}, of which no payload tells"
    names = part.columns[part.keys :]
    wrong = [
        f"{name} is {_short(one)}, and {_short(other)} in the payloads"
        for name, one, other in zip(names, mine, its, strict=True)
        if repr(one) != repr(other)
    ]
    return f"{which}: {'; '.join(wrong)}" if wrong else None


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - a line


# Which records --------------------------------------------------------------


def records_of(connection: Connection, payloads: Sequence[str]) -> set[str]:
    """Return the records that need any of these payloads, by the catalog."""
    found: set[str] = set()
    for start in range(0, len(payloads), _FEW):
        some = tuple(payloads[start : start + _FEW])
        marks = ", ".join("?" * len(some))
        its = f"(SELECT id FROM payload WHERE uuid IN ({marks}))"  # noqa: S608 - marks
        for query in (
            f"SELECT record_id FROM change WHERE payload_id IN {its}",  # noqa: S608
            f"SELECT record_id FROM version WHERE payload_id IN {its}",  # noqa: S608
            f"SELECT v.record_id FROM version v WHERE v.id IN (SELECT version_id FROM array WHERE payload_id IN {its})",  # noqa: S608, E501
        ):
            rows = connection.exec_driver_sql(
                f"SELECT uuid FROM record WHERE id IN ({query})",  # noqa: S608
                some,
            )
            found.update(row[0] for row in rows)
    return found


def is_guest(connection: Connection, uuid: str) -> bool:
    """Return whether a payload is here as others need it, and tells nothing itself."""
    its = "payload_id = (SELECT id FROM payload WHERE uuid = :uuid)"
    found = connection.exec_driver_sql(
        f"SELECT NOT EXISTS (SELECT 1 FROM change WHERE {its}) AND "  # noqa: S608
        f"(EXISTS (SELECT 1 FROM version WHERE {its}) OR "
        f"EXISTS (SELECT 1 FROM array WHERE {its}))",
        {"uuid": uuid},
    )
    return bool(found.scalar())


def records_of_nothing(connection: Connection) -> set[str]:
    """Return the uuids of records of which no payload tells that is known."""
    rows = connection.exec_driver_sql(
        "SELECT r.uuid FROM record r WHERE NOT EXISTS (SELECT 1 FROM change c "
        "JOIN payload p ON p.id = c.payload_id WHERE c.record_id = r.id)"
    )
    return {row[0] for row in rows}


# A catalog to compare with --------------------------------------------------


@contextmanager
def scratch(archive: str) -> Iterator[Connection]:
    """
    Open an empty catalog that nobody else sees, and that is gone afterwards.

    Args:
        archive: The archive's uuid.

    """
    # Without a name, SQLite keeps in a temporary file what grows large.
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(
            "", isolation_level=None, check_same_thread=False
        ),
        poolclass=StaticPool,
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    try:
        with engine.connect() as connection, connection.begin():
            schema.create(connection, archive, 0)
            yield connection
    except DBAPIError as error:
        msg = (
            f"cannot write what to compare the catalog with: {schema.cause(error)}; "
            "make room for temporary files, or let TMPDIR name another place"
        )
        raise StoreError(msg) from error
    finally:
        engine.dispose()
