"""Sums over the catalog: what how many bytes belong to, and how much there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, union

from archivedb.catalog import hierarchy, payloads, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_record, _version = tables.record.c, tables.version.c
_change, _payload, _array = tables.change.c, tables.payload.c, tables.array.c


def needs(connection: Connection) -> Iterator[tuple[str, int, int]]:
    """Yield name, payload id and its bytes of each payload that a record needs."""
    pairs = union(
        select(_version.record_id.label("record"), _version.payload_id.label("file")),
        select(_change.record_id, _change.payload_id),
        select(_version.record_id, _array.payload_id).join(
            tables.version, _version.id == _array.version_id
        ),
    ).subquery()
    statement = (
        select(_record.name, _payload.id, _payload.size)
        .join(pairs, pairs.c.record == _record.id)
        .join(tables.payload, _payload.id == pairs.c.file)
        .where(tables.LIVES)
        .order_by(_record.name)
    )
    for row in connection.execute(statement):
        yield row[0], row[1], row[2]


@dataclass(frozen=True, slots=True)
class Totals:
    """How much an archive holds; times in microseconds since 1970."""

    records: int
    deleted: int
    versions: int
    changes: int
    arrays: int
    payloads: int
    bytes: int
    modes: dict[str, int]
    first: int | None
    last: int | None
    largest: list[tuple[str, int]]


def totals(connection: Connection, largest: int) -> Totals:
    """Return all sums, and the largest records."""

    def count(table: object) -> int:
        statement = select(func.count()).select_from(table)  # type: ignore[arg-type]
        return int(connection.execute(statement).scalar_one())

    records = hierarchy.count(connection)
    first, last = connection.execute(
        select(func.min(_version.saved_at), func.max(_version.saved_at))
    ).one()
    modes = connection.execute(
        select(_version.mode, func.count()).group_by(_version.mode).order_by("mode")
    )
    size = func.sum(_version.size)
    big = connection.execute(
        select(_record.name, size)
        .join(tables.version, _version.record_id == _record.id)
        .where(tables.LIVES)
        .group_by(_record.id)
        .order_by(size.desc(), _record.name)
        .limit(largest)
    )
    stored = connection.execute(select(func.sum(_payload.size))).scalar()
    return Totals(
        records,
        count(tables.record) - records,
        count(tables.version),
        count(tables.change),
        count(tables.array),
        count(tables.payload),
        int(stored or 0),
        {str(mode): int(number) for mode, number in modes},
        first,
        last,
        [(str(name), int(number)) for name, number in big],
    )


def facts(connection: Connection) -> tuple[str, str | None]:
    """Return the journal mode, and the uuid of the newest payload."""
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    return str(mode), payloads.newest_payload(connection)
