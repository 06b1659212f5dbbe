"""Which payload files a catalog knows, and what needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, or_, select, union

from archivedb.catalog import tables
from archivedb.catalog.prepared import Prepared
from archivedb.catalog.writing import payloads_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection

record, version, payload = tables.record.c, tables.version.c, tables.payload.c
array = tables.array.c


def payload_files(connection: Connection) -> list[tuple[int, str, int]]:
    """Return id, file and size of every payload, in the order of the files."""
    statement = select(payload.id, payload.file, payload.size).order_by(payload.file)
    return [(row[0], row[1], row[2]) for row in connection.execute(statement)]


def count(connection: Connection) -> int:
    """Return how many payloads there are."""
    statement = select(func.count()).select_from(tables.payload)
    return connection.execute(statement).scalar_one()


def payload_uuids(connection: Connection, uuids: list[str]) -> set[str]:
    """Return which of these payloads the catalog knows."""
    return _known(connection, payload.uuid, uuids)


def known_files(connection: Connection, files: list[str]) -> set[str]:
    """Return which payload files the catalog names, by reading all of them."""
    return _known(connection, payload.file, files)


def _known(
    connection: Connection, column: ColumnElement[str], asked: list[str]
) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(asked), 500):
        statement = select(column).where(column.in_(asked[start : start + 500]))
        known.update(connection.execute(statement).scalars())
    return known


def versions_in(connection: Connection, file: str) -> list[tuple[str, int, bool]]:
    """
    Return name and version of everything that needs a payload file.

    Each comes with whether the file is its own, or holds some arrays only.
    """
    # The second reads all rows of arrays; who asks has found damage.
    its = select(payload.id).where(payload.file == file).scalar_subquery()
    own = select(version.id).where(version.payload_id == its)
    shares = select(array.version_id).where(array.payload_id == its)
    statement = (
        select(record.name, version.version, version.payload_id == its)
        .select_from(tables.version)
        .join(tables.record, record.id == version.record_id)
        .where(version.id.in_(own.union(shares)))
        .order_by(record.name, version.version)
    )
    return [(row[0], row[1], bool(row[2])) for row in connection.execute(statement)]


def files_of(connection: Connection, uuid: str) -> list[str]:
    """Return the payload files that hold a record's changes and versions."""
    found = connection.execute(select(record.id).where(record.uuid == uuid)).scalar()
    if found is None:
        return []
    used = payloads_of(found).subquery()
    statement = select(payload.file).where(payload.id.in_(select(used)))
    return sorted(connection.execute(statement).scalars())


def files_only_of(connection: Connection, uuid: str, dropped: list[int]) -> list[str]:
    """Return the payload files that nothing but some versions of a record needs."""
    change = tables.change.c
    its = select(record.id).where(record.uuid == uuid).scalar_subquery()
    kept = union(
        select(version.payload_id).where(
            version.record_id == its, version.version.not_in(dropped)
        ),
        select(change.payload_id).where(
            change.record_id == its,
            or_(change.version.is_(None), change.version.not_in(dropped)),
        ),
        select(array.payload_id)
        .join(tables.version, version.id == array.version_id)
        .where(version.record_id == its, version.version.not_in(dropped)),
    ).subquery()
    needed = set(
        connection.execute(
            select(payload.file).where(payload.id.in_(select(kept)))
        ).scalars()
    )
    return [file for file in files_of(connection, uuid) if file not in needed]


def newest_payload(connection: Connection) -> str | None:
    """Return the uuid of the payload that was made last."""
    found: str | None = connection.execute(select(func.max(payload.uuid))).scalar()
    return found


_SLOTS_TOLD = Prepared(
    select(tables.change.c.slot)
    .join(tables.payload, payload.id == tables.change.c.payload_id)
    .where(payload.uuid == bindparam("uuid"))
)


def slots_told(connection: Connection, uuid: str) -> list[int]:
    """Return the slots of the changes that are made by what a payload says."""
    return [row[0] for row in _SLOTS_TOLD.run(connection, {"uuid": uuid}).fetchall()]


def named_payloads(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield uuid and file of every payload that the catalog names."""
    statement = select(payload.uuid, payload.file).order_by(payload.file)
    for row in connection.execute(statement.execution_options(yield_per=1000)):
        yield row[0], row[1]
