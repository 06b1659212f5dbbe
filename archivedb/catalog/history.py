"""The changes of records, as the catalog has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, func, or_, select

from archivedb.catalog import tables
from archivedb.catalog.prepared import Prepared

if TYPE_CHECKING:
    from sqlalchemy import Connection

record, payload = tables.record.c, tables.payload.c
LIVES = tables.LIVES


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One entry of a record's history."""

    position: int
    kind: str
    name: str
    version: int | None
    time: int
    file: str
    name_before: str | None


_POSITIONS = Prepared(select(record.positions).where(record.uuid == bindparam("uuid")))


def changes(connection: Connection, name: str) -> list[ChangeRow]:
    """Return the changes of a living record, oldest first, named as it was then."""
    change = tables.change.c
    statement = (
        select(
            change.position,
            change.kind,
            record.name,
            change.version,
            change.time,
            payload.file,
            change.name_before,
        )
        .join(tables.record, record.id == change.record_id)
        .join(tables.payload, payload.id == change.payload_id)
        .where(record.name == name, LIVES)
        .order_by(change.position.desc())
    )
    found = []
    for row in connection.execute(statement):
        each = ChangeRow(*row)
        found.append(replace(each, name=name))
        if each.name_before is not None:
            name = each.name_before
    found.reverse()
    return found


def deleted_at(connection: Connection, uuid: str, name: str) -> int | None:
    """Return when a record, or another of its name, was last deleted, or None."""
    change = tables.change.c
    statement = (
        select(func.max(change.time))
        .join(tables.record, record.id == change.record_id)
        .where(or_(record.uuid == uuid, record.name == name), change.kind == "delete")
    )
    found: int | None = connection.execute(statement).scalar()
    return found


def positions(connection: Connection, uuid: str) -> int:
    """Return the length of a record's history, deleted or not; 0 if unknown."""
    row = _POSITIONS.run(connection, {"uuid": uuid}).fetchone()
    return 0 if row is None else int(row[0])


def newest_change(connection: Connection) -> int:
    """Return the id of the change that was committed last; 0 if there is none."""
    found = connection.exec_driver_sql("SELECT max(id) FROM change").scalar()
    return int(found or 0)


def is_deleted_after(connection: Connection, uuid: str, position: int) -> bool:
    """Return whether a record was deleted at a position, or after it."""
    statement = select(record.id).where(
        record.uuid == uuid, record.deleted, record.positions >= position
    )
    return connection.execute(statement).first() is not None


def change_files(
    connection: Connection, uuid: str, start: int, kind: str | None = None
) -> list[str]:
    """
    Return the payloads of a record's changes.

    Args:
        connection: An open transaction.
        uuid: The record's.
        start: The position of the first.
        kind: Of which kind; if left out, the change at that position alone.

    """
    change = tables.change.c
    where = change.position == start
    if kind is not None:
        where = and_(change.position >= start, change.kind == kind)
    statement = (
        select(payload.file)
        .join(tables.change, change.payload_id == payload.id)
        .join(tables.record, record.id == change.record_id)
        .where(record.uuid == uuid, where)
    )
    return list(connection.execute(statement).scalars())
