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

from archivedb.catalog import arrays, tables
from archivedb.catalog.prepared import Prepared
from archivedb.errors import CatalogEntryError, CatalogNewerError
from archivedb.formats.envelope import MAKES_VERSION
from archivedb.values import digest, json, skeleton
from archivedb.values.leaves import leaves

if TYPE_CHECKING:
    from sqlalchemy import CompoundSelect, Connection, Table

    from archivedb.formats.envelope import Entry
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
        partly_indexed=_p("to_partly"),
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
        positions=_p("to_positions"), newest_id=None, deleted=True, partly_indexed=False
    )
)
_ADD_CHANGE = _insert(
    tables.change,
    *("record_id", "position", "kind", "payload_id", "slot", "time", "version"),
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
_ADD_PATH = _ignore(tables.path, "side", "path")
_PATH_ID = Prepared(
    select(tables.path.c.id).where(
        tables.path.c.side == _p("side"), tables.path.c.path == _p("path")
    )
)
_DROP_LEAVES = Prepared(delete(tables.leaf).where(tables.leaf.c.record_id == _p("id")))
_ADD_LEAF = _ignore(tables.leaf, "record_id", "path_id", "kind", "num", "txt")
_DROP_TAGS = Prepared(delete(tables.tag).where(tables.tag.c.record_id == _p("id")))
_ADD_TAG = _insert(tables.tag, "record_id", "tag")
_USES = tuple(
    Prepared(select(column).where(column == _p("id")).limit(literal_column("1")))
    for column in (tables.change.c.payload_id, tables.version.c.payload_id)
)


class PathIds:
    """
    The ids of interned paths, remembered: they never change and never go.

    Those of a transaction that was rolled back must be forgotten, so they
    are kept aside until `keep`.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], int] = {}
        self._new: dict[tuple[str, str], int] = {}

    def get(self, connection: Connection, side: str, path: str) -> int:
        """Return the id of a path, interning it if need be."""
        key = (side, path)
        found = self._known.get(key) or self._new.get(key)
        if found is None:
            parameters = {"side": side, "path": path}
            row = _PATH_ID.run(connection, parameters).fetchone()
            if row is None:
                _ADD_PATH.run(connection, parameters)
                row = _PATH_ID.run(connection, parameters).fetchone()
            found = self._new[key] = int(row[0])
        return found

    def keep(self) -> None:
        """Remember the new ones: the transaction was committed."""
        self._known.update(self._new)
        self._new.clear()
        if len(self._known) > 1_000_000:  # noqa: PLR2004 - about 200 MB
            self._known.clear()

    def forget(self) -> None:
        """Forget the new ones: the transaction was rolled back."""
        self._new.clear()


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

    """

    payload: int
    slot: int
    content_payload: int
    skeleton: Skeleton | None
    shared: dict[str, int] = field(default_factory=dict)


def apply(connection: Connection, paths: PathIds, entry: Entry, place: Place) -> bool:
    """
    Apply one change.

    Args:
        connection: An open write transaction.
        paths: The interned paths.
        entry: The change.
        place: Where it was found.

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
        record = int(_ADD_RECORD.run(connection, values).lastrowid)
    else:
        record = int(row[0])
    if entry.kind == "delete":
        _delete(connection, record, entry.position)
    elif entry.kind in MAKES_VERSION:
        _save(connection, paths, record, entry, place)
    elif entry.kind == "append":
        arrays.append(connection, record, entry, place)
        _SET_POSITIONS.run(connection, {"id": record, "to_positions": entry.position})
    elif entry.kind == "prune":
        _prune(connection, record, entry)
        _SET_POSITIONS.run(connection, {"id": record, "to_positions": entry.position})
    else:
        msg = (
            f"the history of {entry.name!r} holds a {entry.kind!r}, "
            "which this archivedb is too old for: update it"
        )
        raise CatalogNewerError(msg)
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
        },
    )
    return True


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


def _delete(connection: Connection, record: int, position: int) -> None:
    """Remove everything of a record but that it was deleted."""
    version = tables.version.c
    payloads = list(connection.execute(payloads_of(record)).scalars())
    its_versions = select(version.id).where(version.record_id == record)
    connection.execute(
        delete(tables.array).where(tables.array.c.version_id.in_(its_versions))
    )
    for table in (tables.leaf, tables.tag, tables.version, tables.change):
        connection.execute(delete(table).where(table.c.record_id == record))
    _DELETE_RECORD.run(connection, {"id": record, "to_positions": position})
    for each in payloads:
        drop_unused(connection, each)


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


def drop_unneeded(connection: Connection, payload: int, record: str) -> None:
    """Forget a payload file if nothing of a record, or of others, refers to it."""
    number = connection.execute(
        select(tables.record.c.id).where(tables.record.c.uuid == record)
    ).scalar()
    needed = () if number is None else connection.execute(payloads_of(number)).scalars()
    if payload not in set(needed):
        drop_unused(connection, payload)


def drop_unused(connection: Connection, payload: int) -> None:
    """Forget a payload file if nothing refers to it but arrays of one record."""
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
    _DROP_LEAVES.run(connection, {"id": record})
    of_metadata = skeleton.Skeleton.of(entry.metadata)
    complete = True
    leaf_rows = []
    for side, part in (("metadata", of_metadata), ("data", source)):
        found, whole = leaves(part, groups=side == "metadata")
        complete = complete and whole
        leaf_rows += [
            {
                "record_id": record,
                "path_id": paths.get(connection, side, leaf.path),
                "kind": leaf.kind,
                "num": leaf.num,
                "txt": leaf.txt,
            }
            for leaf in found
        ]
    _ADD_LEAF.run_many(connection, leaf_rows)
    _DROP_TAGS.run(connection, {"id": record})
    if entry.tags:
        tags = ({"record_id": record, "tag": tag} for tag in entry.tags)
        _ADD_TAG.run_many(connection, tags)
    _SET_RECORD.run(
        connection,
        {
            "id": record,
            "to_positions": entry.position,
            "to_newest": version,
            "to_partly": not complete,
        },
    )


def _provenance(connection: Connection, facts: Any) -> int | None:
    if not facts:
        return None
    text = json.dumps(facts)
    values = {"digest": digest.digest(text), "facts": text}
    row = _PROVENANCE_ID.run(connection, values).fetchone()
    if row is None:
        _ADD_PROVENANCE.run(connection, values)
        row = _PROVENANCE_ID.run(connection, values).fetchone()
    return int(row[0])
