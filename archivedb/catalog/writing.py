"""
Applying changes: the catalog as a function of the payloads.

`save` and `reindex` both come through `apply`, with the same skeleton's text,
so a rebuilt catalog cannot differ from the one that grew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, literal_column, select, union, update
from sqlalchemy.dialects import sqlite

from archivedb.catalog import arrays, index, tables
from archivedb.catalog.prepared import Prepared
from archivedb.errors import CatalogEntryError, CatalogNewerError
from archivedb.formats.envelope import MAKES_VERSION
from archivedb.values import digest, json

if TYPE_CHECKING:
    from sqlalchemy import CompoundSelect, Connection, Table

    from archivedb.catalog.claims import Claims
    from archivedb.catalog.index import PathIds
    from archivedb.formats.envelope import Entry
    from archivedb.values.facts import ArrayFacts
    from archivedb.values.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class PayloadRow:
    """A payload file, as the catalog knows it."""

    uuid: str
    file: str
    mode: str
    size: int


def _p(name: str) -> Any:
    return bindparam(name)


def _insert(table: Table, *names: str) -> Prepared:
    return Prepared(insert(table), names)


def _ignore(table: Table, *names: str) -> Prepared:
    return Prepared(sqlite.insert(table).on_conflict_do_nothing(), names)


_ADD_PAYLOAD = _insert(tables.payload, "uuid", "file", "mode", "size")
_PAYLOAD_ID = Prepared(
    select(tables.payload.c.id).where(tables.payload.c.uuid == _p("uuid"))
)
_RECORD = Prepared(
    select(
        tables.record.c.id,
        tables.record.c.positions,
        tables.record.c.deleted,
        tables.record.c.name,
    ).where(tables.record.c.uuid == _p("uuid"))
)
_ADD_RECORD = _insert(tables.record, "uuid", "name", "positions", "deleted")
_SET_RECORD = Prepared(
    update(tables.record)
    .where(tables.record.c.id == _p("id"))
    .values(
        positions=_p("to_positions"),
        newest_id=_p("to_newest"),
    )
)
_SET_POSITIONS = Prepared(
    update(tables.record)
    .where(tables.record.c.id == _p("id"))
    .values(positions=_p("to_positions"))
)
_DELETE_RECORD = Prepared(
    update(tables.record)
    .where(tables.record.c.id == _p("id"))
    .values(
        name=_p("to_name"),
        positions=_p("to_positions"),
        newest_id=None,
        deleted=True,
        partly_indexed=False,
    )
)
_NEWEST = Prepared(
    select(tables.version.c.id, tables.version.c.version)
    .join(tables.record, tables.record.c.newest_id == tables.version.c.id)
    .where(tables.record.c.id == _p("id"))
)
_SET_TAGS = Prepared(
    update(tables.version)
    .where(tables.version.c.id == _p("id"))
    .values(tags=_p("to_tags"))
)
_SET_METADATA = Prepared(
    update(tables.version)
    .where(tables.version.c.id == _p("id"))
    .values(metadata=_p("to_metadata"))
)
_ADD_CHANGE = _insert(
    tables.change,
    *("record_id", "position", "kind", "payload_id", "slot", "time", "version"),
    "name_before",
)
_ADD_PROVENANCE = _ignore(tables.provenance, "digest", "facts")
_PROVENANCE_ID = Prepared(
    select(tables.provenance.c.id).where(tables.provenance.c.digest == _p("digest"))
)
_ADD_VERSION = _insert(
    tables.version,
    *("record_id", "version", "mode", "saved_at", "size", "digest"),
    *("metadata", "tags", "provenance_id", "payload_id", "content"),
)
_SET_FACTS = Prepared(
    update(tables.array)
    .where(tables.array.c.version_id == _p("of"), tables.array.c.path == _p("at"))
    .values(facts=_p("to_facts"))
)
_USES = tuple(
    Prepared(select(column).where(column == _p("id")).limit(literal_column("1")))
    for column in (
        tables.change.c.payload_id,
        tables.version.c.payload_id,
        # Of another record, where several came in one payload.
        tables.array.c.payload_id,
    )
)


def add_payload(connection: Connection, row: PayloadRow) -> int:
    """Register a payload file and return its id; a known one keeps its own."""
    found = payload_id(connection, row.uuid)
    if found is not None:
        return found
    cursor = _ADD_PAYLOAD.run(
        connection,
        {"uuid": row.uuid, "file": row.file, "mode": row.mode, "size": row.size},
    )
    return int(cursor.lastrowid)


def payload_id(connection: Connection, uuid: str) -> int | None:
    """Return the id of a payload, or None if the catalog does not know it."""
    row = _PAYLOAD_ID.run(connection, {"uuid": uuid}).fetchone()
    return None if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a change was found.

    Attributes:
        payload: The id of the payload that holds it.
        slot: Its index there.
        content_payload: The id of the payload that holds its content.
        skeleton: The skeleton of its content.
        shared: The ids of the earlier payloads that hold arrays of it, by file.
        facts: What the search index holds of its arrays, by number.

    """

    payload: int
    slot: int
    content_payload: int
    skeleton: Skeleton | None
    shared: dict[str, int] = field(default_factory=dict)
    facts: tuple[ArrayFacts | None, ...] = ()


def apply(
    connection: Connection, paths: PathIds, entry: Entry, place: Place, claims: Claims
) -> bool:
    """
    Apply one change.

    Args:
        connection: An open write transaction.
        paths: The interned paths.
        entry: The change.
        place: Where it was found.
        claims: Gives records their names.

    Returns:
        Whether it counts: False if a later change superseded it.

    Raises:
        CatalogError: The change is of a kind that this archivedb lacks.

    """
    row = _RECORD.run(connection, {"uuid": entry.record}).fetchone()
    if row is not None and (row[2] or row[1] >= entry.position):
        return False
    if row is None:
        values = {
            "uuid": entry.record,
            "name": entry.name,
            "positions": 0,
            # The name may be another record's by now.
            "deleted": entry.kind == "delete",
        }
        if entry.kind != "delete":
            values["name"] = claims.name_for(entry.record, entry.name)
        record = int(_ADD_RECORD.run(connection, values).lastrowid)
    else:
        record = int(row[0])
    if entry.kind == "delete":
        _delete(connection, record, entry)
        claims.give_up(entry.record)
    elif entry.kind in MAKES_VERSION:
        _save(connection, paths, record, entry, place)
    else:
        _change(connection, paths, record, entry, place)
        if entry.kind == "rename" and row is not None:
            claims.rename(entry.record, entry.name)
        _SET_POSITIONS.run(connection, {"id": record, "to_positions": entry.position})
    _ADD_CHANGE.run(
        connection,
        {
            "record_id": record,
            "position": entry.position,
            "kind": entry.kind,
            "payload_id": place.payload,
            "slot": place.slot,
            "time": entry.time,
            "version": entry.version,
            "name_before": entry.name_before,
        },
    )
    return True


def _change(
    connection: Connection, paths: PathIds, record: int, entry: Entry, place: Place
) -> None:
    """Apply a change that makes no version."""
    if entry.kind == "append":
        arrays.append(connection, paths, record, entry, place)
    elif entry.kind == "prune":
        _prune(connection, record, entry)
    elif entry.kind == "tag":
        newest = _newest_id(connection, record, entry)
        tags = json.dumps(entry.tags)
        _SET_TAGS.run(connection, {"id": newest, "to_tags": tags})
        index.set_tags(connection, record, entry.tags)
    elif entry.kind == "annotate":
        newest = _newest_id(connection, record, entry)
        metadata = json.dumps(entry.metadata)
        _SET_METADATA.run(connection, {"id": newest, "to_metadata": metadata})
        index.index_metadata(connection, paths, record, entry.metadata)
    elif entry.kind != "rename":
        msg = (
            f"the history of {entry.name!r} holds a {entry.kind!r}, "
            "which this archivedb is too old for: update it"
        )
        raise CatalogNewerError(msg)


def _newest_id(connection: Connection, record: int, entry: Entry) -> int:
    newest = _NEWEST.run(connection, {"id": record}).fetchone()
    if newest is None or newest[1] != entry.version:
        msg = (
            f"a {entry.kind} of {entry.name!r} version {entry.version}, "
            "which is not its newest"
        )
        raise CatalogEntryError(msg)
    return int(newest[0])


def claim_at(
    connection: Connection, record: str, position: int
) -> tuple[int, str, str, int] | None:
    """Return change id, kind, payload uuid and slot of what is at a position."""
    change, payload = tables.change.c, tables.payload.c
    row = connection.execute(
        select(change.id, change.kind, payload.uuid, change.slot)
        .join(tables.record, tables.record.c.id == change.record_id)
        .join(tables.payload, payload.id == change.payload_id)
        .where(tables.record.c.uuid == record, change.position == position)
    ).first()
    return None if row is None else (row[0], row[1], row[2], row[3])


def retract(connection: Connection, change_id: int) -> None:
    """Undo the last change of a record, which made a version of it."""
    change, version = tables.change.c, tables.version.c
    found = connection.execute(
        select(
            change.record_id, change.position, change.version, change.payload_id
        ).where(change.id == change_id)
    ).one()
    its_versions = select(version.id).where(
        version.record_id == found.record_id, version.version == found.version
    )
    connection.execute(
        delete(tables.array).where(tables.array.c.version_id.in_(its_versions))
    )
    connection.execute(
        delete(tables.version).where(version.id.in_(its_versions.scalar_subquery()))
    )
    connection.execute(delete(tables.change).where(change.id == change_id))
    connection.execute(
        update(tables.record)
        .where(tables.record.c.id == found.record_id)
        .values(positions=found.position - 1)
    )
    drop_unused(connection, found.payload_id)


def _delete(connection: Connection, record: int, entry: Entry) -> None:
    """Remove everything of a record but that it was deleted."""
    payloads = _clear(connection, record)
    values = {"id": record, "to_positions": entry.position, "to_name": entry.name}
    _DELETE_RECORD.run(connection, values)
    for each in payloads:
        drop_unused(connection, each)


def forget(connection: Connection, uuid: str) -> None:
    """Remove a record as if nothing had ever been heard of it."""
    row = _RECORD.run(connection, {"uuid": uuid}).fetchone()
    if row is not None:
        payloads = _clear(connection, row[0])
        connection.execute(delete(tables.record).where(tables.record.c.id == row[0]))
        for each in payloads:
            drop_unused(connection, each)


def _clear(connection: Connection, record: int) -> list[int]:
    """Remove all that a record consists of; return the payloads that held it."""
    version = tables.version.c
    payloads = list(connection.execute(payloads_of(record)).scalars())
    its_versions = select(version.id).where(version.record_id == record)
    connection.execute(
        delete(tables.array).where(tables.array.c.version_id.in_(its_versions))
    )
    index.drop(connection, record)
    for table in (tables.version, tables.change):
        connection.execute(delete(table).where(table.c.record_id == record))
    return payloads


def payloads_of(record: int) -> CompoundSelect[Any]:
    """Return the query for the ids of the payloads that a record needs."""
    version, change, array = tables.version.c, tables.change.c, tables.array.c
    return union(
        select(version.payload_id).where(version.record_id == record),
        select(change.payload_id).where(change.record_id == record),
        select(array.payload_id)
        .join(tables.version, version.id == array.version_id)
        .where(version.record_id == record),
    )


def _prune(connection: Connection, record: int, entry: Entry) -> None:
    """Remove old versions of a record, and what made them."""
    version = tables.version.c
    before = set(connection.execute(payloads_of(record)).scalars())
    dropped = select(version.id).where(
        version.record_id == record, version.version.in_(entry.drops)
    )
    connection.execute(
        delete(tables.array).where(tables.array.c.version_id.in_(dropped))
    )
    for table in (tables.version, tables.change):
        connection.execute(
            delete(table).where(
                table.c.record_id == record, table.c.version.in_(entry.drops)
            )
        )
    after = set(connection.execute(payloads_of(record)).scalars())
    for each in sorted(before - after):
        drop_unused(connection, each)


def set_facts(
    connection: Connection, version: int, path: str, facts: ArrayFacts | None
) -> None:
    """Store what the index holds of appended rows."""
    text = None if facts is None else json.dumps(facts.tree())
    _SET_FACTS.run(connection, {"of": version, "at": path, "to_facts": text})


def drop_unneeded(connection: Connection, payload: int, record: str) -> None:
    """Forget a payload file if nothing of a record, or of others, refers to it."""
    number = connection.execute(
        select(tables.record.c.id).where(tables.record.c.uuid == record)
    ).scalar()
    needed = () if number is None else connection.execute(payloads_of(number)).scalars()
    if payload not in set(needed):
        drop_unused(connection, payload)


def drop_unused(connection: Connection, payload: int) -> None:
    """Forget a payload file if nothing refers to it."""
    if any(used.run(connection, {"id": payload}).fetchone() for used in _USES):
        return
    connection.execute(delete(tables.check).where(tables.check.c.payload_id == payload))
    connection.execute(delete(tables.payload).where(tables.payload.c.id == payload))


def clear(connection: Connection) -> None:
    """Empty the catalog of all that can be rebuilt, before it is."""
    for table in reversed(tables.metadata.sorted_tables):
        # Other processes remember the ids of paths, which must stay true.
        if table not in (tables.archive, tables.path):
            connection.execute(delete(table))


def _save(
    connection: Connection, paths: PathIds, record: int, entry: Entry, place: Place
) -> None:
    content, source = entry.content, place.skeleton
    if content is None or source is None:
        msg = f"a {entry.kind} of {entry.name!r} has no content"
        raise CatalogEntryError(msg)
    cursor = _ADD_VERSION.run(
        connection,
        {
            "record_id": record,
            "version": entry.version,
            "mode": content.mode,
            "saved_at": entry.time,
            "size": content.size,
            "digest": content.digest,
            "metadata": json.dumps(entry.metadata),
            "tags": json.dumps(entry.tags),
            "provenance_id": _provenance(connection, entry.provenance),
            "payload_id": place.content_payload,
            "content": json.dumps(content.tree()),
        },
    )
    version = int(cursor.lastrowid)
    if content.arrays:
        rows = arrays.array_rows(version, place, content, source)
        arrays.ADD.run_many(connection, rows)
    index.index_version(connection, paths, record, entry.metadata, source, place.facts)
    index.set_tags(connection, record, entry.tags)
    _SET_RECORD.run(
        connection,
        {
            "id": record,
            "to_positions": entry.position,
            "to_newest": version,
        },
    )


_last: tuple[Any, dict[str, Any]] | None = None


def _provenance(connection: Connection, facts: Any) -> int | None:
    if not facts:
        return None
    global _last  # noqa: PLW0603 - save after save has the same
    known = _last
    if known is None or known[0] is not facts:
        text = json.dumps(facts)
        known = _last = facts, {"digest": digest.digest(text), "facts": text}
    values = known[1]
    row = _PROVENANCE_ID.run(connection, values).fetchone()
    if row is None:
        _ADD_PROVENANCE.run(connection, values)
        row = _PROVENANCE_ID.run(connection, values).fetchone()
    return int(row[0])
