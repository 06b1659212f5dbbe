"""
What two archives have in common: the contents of versions, by where they lie.

The *origin* of a content is the payload that holds it and where its skeleton
begins there: ``<uuid>:<offset>``.  Payloads are copied unchanged, so it stays
what it is in whatever archive the content is adopted.  That of appended rows is
their payload alone, which holds nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, literal_column, select

from archivedb.catalog import tables
from archivedb.catalog.prepared import Prepared
from archivedb.formats.envelope import MAKES_VERSION
from archivedb.values import json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

_record, _change, _version = tables.record.c, tables.change.c, tables.version.c
_payload, _array = tables.payload.c, tables.array.c

_PAGE = 500

_ADOPTS = Prepared(
    select(_change.id)
    .join(tables.record, _record.id == _change.record_id)
    .where(_record.uuid == bindparam("uuid"), _change.kind == "adopt")
    .limit(literal_column("1"))
)


@dataclass(frozen=True, slots=True)
class Past:
    """
    A change of a record, and what of it other archives may know.

    Attributes:
        kind: The kind of change.
        time: Microseconds since 1970, UTC.
        version: The version that it made, or changed.
        file: The payload that says it.
        slot: Its index there.
        origin: That of its content, or None where it has none.

    """

    kind: str
    time: int
    version: int | None
    file: str
    slot: int
    origin: str | None


def origin_of(payload: str, offset: int) -> str:
    """Return the origin of a content, by the uuid of its payload."""
    return f"{payload}:{offset}"


def living(connection: Connection) -> list[tuple[int, str, str]]:
    """Return id, uuid and name of every living record, oldest first."""
    statement = select(_record.id, _record.uuid, _record.name)
    rows = connection.execute(statement.where(tables.LIVES).order_by(_record.id))
    return [(row[0], row[1], row[2]) for row in rows]


def histories(connection: Connection, records: Sequence[int]) -> dict[int, list[Past]]:
    """Return the changes of some records, by their ids, oldest first."""
    contents = _contents(connection, records)
    rows = _rows(connection, records)
    found: dict[int, list[Past]] = defaultdict(list)
    statement = (
        select(
            *(_change.record_id, _change.kind, _change.time, _change.version),
            *(_payload.file, _change.slot),
        )
        .join(tables.payload, _payload.id == _change.payload_id)
        .where(_change.record_id.in_(records))
        .order_by(_change.record_id, _change.position)
    )
    for record, kind, time, version, file, slot in connection.execute(statement):
        origin = None
        if kind in MAKES_VERSION:
            origin = contents.get((record, version))
        elif kind == "append":
            # As many as there are changes, in their order.
            origin = next(rows[record, version], None)
        found[record].append(Past(kind, time, version, file, slot, origin))
    return found


def history(connection: Connection, uuid: str) -> list[Past]:
    """Return the changes of a record, oldest first; none if it is unknown."""
    statement = select(_record.id).where(_record.uuid == uuid)
    found = connection.execute(statement).scalar()
    return [] if found is None else histories(connection, [found])[found]


def _contents(
    connection: Connection, records: Sequence[int]
) -> dict[tuple[int, int], str]:
    statement = (
        select(_version.record_id, _version.version, _payload.uuid, _version.content)
        .join(tables.payload, _payload.id == _version.payload_id)
        .where(_version.record_id.in_(records))
    )
    return {
        (record, version): origin_of(uuid, _offset(content))
        for record, version, uuid, content in connection.execute(statement)
    }


def _rows(
    connection: Connection, records: Sequence[int]
) -> dict[tuple[int, int], Iterator[str]]:
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    statement = (
        select(_version.record_id, _version.version, _payload.uuid)
        .join(tables.array, _array.version_id == _version.id)
        .join(tables.payload, _payload.id == _array.payload_id)
        .where(
            _version.record_id.in_(records),
            _version.appended > 0,
            _array.kind == "appended",
        )
        .order_by(_version.id, _array.number)
    )
    for record, version, uuid in connection.execute(statement):
        found[record, version].append(uuid)
    return defaultdict(lambda: iter(()), {k: iter(v) for k, v in found.items()})


def _offset(content: bytes) -> int:
    tree: Any = json.loads(content, "catalog's content")
    return int(tree["skeleton"][0])


def known(
    connection: Connection, origins: Iterable[str]
) -> dict[str, list[tuple[str, int]]]:
    """Return which records and versions hold contents, by their origins."""
    wanted = set(origins)
    uuids = sorted({origin.partition(":")[0] for origin in wanted})
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for start in range(0, len(uuids), _PAGE):
        some = uuids[start : start + _PAGE]
        of = (
            select(_record.uuid, _version.version, _payload.uuid, _version.content)
            .join(tables.version, _version.payload_id == _payload.id)
            .join(tables.record, _record.id == _version.record_id)
            .where(_payload.uuid.in_(some))
        )
        for record, version, uuid, content in connection.execute(of):
            origin = origin_of(uuid, _offset(content))
            if origin in wanted:
                found[origin].append((record, version))
        added = (
            select(_record.uuid, _version.version, _payload.uuid)
            .join(tables.array, _array.payload_id == _payload.id)
            .join(tables.version, _version.id == _array.version_id)
            .join(tables.record, _record.id == _version.record_id)
            .where(_payload.uuid.in_(some), _array.kind == "appended")
        )
        for record, version, uuid in connection.execute(added):
            if uuid in wanted:
                found[uuid].append((record, version))
    return found


def moments(connection: Connection, uuid: str) -> set[tuple[str, int]]:
    """Return kind and time of the changes of a record that have no content."""
    statement = (
        select(_change.kind, _change.time)
        .join(tables.record, _record.id == _change.record_id)
        .where(_record.uuid == uuid, _change.kind.in_(("tag", "annotate")))
    )
    return {(row[0], row[1]) for row in connection.execute(statement)}


def removals(connection: Connection) -> list[tuple[str, int, str]]:
    """Return file, slot and kind of all that has removed something."""
    statement = (
        select(_payload.file, _change.slot, _change.kind)
        .join(tables.payload, _payload.id == _change.payload_id)
        .where(_change.kind.in_(("delete", "prune")))
        .order_by(_payload.file, _change.slot)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(statement)]


def adopted_origins(connection: Connection, uuid: str) -> tuple[str, ...]:
    """Return the origins of a record's contents, if any came from elsewhere."""
    if _ADOPTS.run(connection, {"uuid": uuid}).fetchone() is None:
        return ()
    return origins_of(connection, uuid)


def origins_of(
    connection: Connection, uuid: str, versions: Sequence[int] | None = None
) -> tuple[str, ...]:
    """Return the origins of a record's contents, or of those of some versions."""
    past = history(connection, uuid)
    wanted = None if versions is None else set(versions)
    return tuple(
        each.origin
        for each in past
        if each.origin is not None and (wanted is None or each.version in wanted)
    )


def count_changes(connection: Connection, records: Sequence[int]) -> int:
    """Return how many changes some records have, by their ids."""
    total = 0
    for start in range(0, len(records), _PAGE):
        some = records[start : start + _PAGE]
        statement = select(func.count()).where(_change.record_id.in_(some))
        total += connection.execute(statement).scalar_one()
    return total
