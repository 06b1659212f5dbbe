"""Answers from the catalog, as plain frozen rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Integer,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    union,
)

from archivedb.catalog import tables
from archivedb.catalog.arrays import proof
from archivedb.catalog.dialect import ids as ids_parameter
from archivedb.catalog.dialect import numbered
from archivedb.catalog.prepared import Prepared
from archivedb.catalog.writing import payloads_of
from archivedb.errors import CatalogDamagedError
from archivedb.formats.envelope import Content
from archivedb.values import json
from archivedb.values.facts import ArrayFacts
from archivedb.values.leaves import whole_path
from archivedb.values.paths import is_utf8, prefixes
from archivedb.values.skeleton import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ColumnElement, Connection, FromClause, Select

_NONE_PROVENANCE = b"{}"

record, version, payload = tables.record.c, tables.version.c, tables.payload.c

LIVES = tables.LIVES


@dataclass(frozen=True)
class VersionRow:
    """One version of a record, as the catalog has it; JSON is still bytes."""

    id: int
    record_id: int
    uuid: str
    name: str
    version: int
    mode: str
    saved_at: int
    size: int
    digest: str
    metadata: bytes
    tags: bytes
    provenance: bytes
    file: str
    content_text: bytes
    appended: int
    appended_files: str | None

    def is_version(self, other: VersionRow) -> bool:
        """Return whether both are one version, whatever was appended between them."""
        # Not by the id, which a reindex gives to another.
        mine = self.uuid, self.version, self.file
        return mine == (other.uuid, other.version, other.file)

    @cached_property
    def content(self) -> Content:
        """Where its bytes lie."""
        with well_formed("catalog's content"):
            return Content.of(json.loads(self.content_text, "catalog's content"))

    @property
    def files(self) -> tuple[str, ...]:
        """The payload files that it needs, its own first."""
        # Most versions share none, and listing many should not read all of them.
        shared = self.content.files if b'"files":' in self.content_text else ()
        appended = self.appended_files.split(",") if self.appended_files else ()
        return tuple(dict.fromkeys((self.file, *shared, *appended)))


@dataclass(frozen=True, slots=True)
class ArrayRow:
    """What one verified pread of an array needs."""

    name: str
    path: str
    number: int
    file: str
    mode: str
    dtype: Any
    shape: list[int]
    digest: str
    kind: str
    offset: int | None
    length: int
    blocks: int | None


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


_other_payload = tables.payload.alias()
_APPENDED_FILES = (
    select(func.group_concat(_other_payload.c.file.distinct()))
    .join(tables.array, tables.array.c.payload_id == _other_payload.c.id)
    .where(tables.array.c.version_id == version.id, tables.array.c.kind == "appended")
    .correlate(tables.version)
    .scalar_subquery()
)


# Looked for only where there are some.
_FILES = case((version.appended > 0, _APPENDED_FILES), else_=None)


# SQLite has no checksums, and takes from an index what is in it: a flipped bit there
# leads to another row.  So each row is looked up once more by its number, and what
# it says itself is compared with what led to it.
_itself, _its_record = tables.version.alias("itself"), tables.record.alias("its_record")
_MEANT = and_(
    _itself.c.record_id == record.id,
    _itself.c.version == version.version,
    _its_record.c.name == record.name,
    _its_record.c.uuid == record.uuid,
)
_last = tables.version.alias("last")
_IS_LAST = version.version == (
    select(func.max(_last.c.version))
    .where(_last.c.record_id == record.id)
    .correlate(tables.record)
    .scalar_subquery()
)


def _versions(
    files: ColumnElement[Any] = _FILES, meant: ColumnElement[bool] = _MEANT
) -> Select[Any]:
    joined = tables.version.join(tables.record, record.id == version.record_id)
    return _columns_of_versions(joined, files, meant)


def _columns_of_versions(
    joined: FromClause,
    files: ColumnElement[Any] = _FILES,
    meant: ColumnElement[bool] = _MEANT,
) -> Select[Any]:
    return (
        select(
            version.id,
            version.record_id,
            record.uuid,
            record.name,
            version.version,
            version.mode,
            version.saved_at,
            version.size,
            version.digest,
            version.metadata,
            version.tags,
            func.coalesce(tables.provenance.c.facts, _NONE_PROVENANCE),
            payload.file,
            version.content,
            version.appended,
            files,
            meant,
        )
        .select_from(joined)
        .join(_itself, _itself.c.id == version.id)
        .join(_its_record, _its_record.c.id == record.id)
        .join(tables.payload, payload.id == version.payload_id)
        .outerjoin(tables.provenance, tables.provenance.c.id == version.provenance_id)
    )


_NEWEST = Prepared(
    _versions(meant=and_(_MEANT, _IS_LAST)).where(
        record.name == bindparam("name"), LIVES, version.id == record.newest_id
    )
)
_ONE = Prepared(
    _versions().where(
        record.name == bindparam("name"), LIVES, version.version == bindparam("version")
    )
)
_BY_RECORD = Prepared(
    _versions().where(
        record.uuid == bindparam("uuid"), version.version == bindparam("version")
    )
)
# Asked at each use of a group, which must not cost more with each append.
_NEWEST_OF = Prepared(
    _versions(null(), and_(_MEANT, _IS_LAST)).where(
        record.uuid == bindparam("uuid"), LIVES, version.id == record.newest_id
    )
)
_LIVING = Prepared(select(record.id).where(record.name == bindparam("name"), LIVES))
_IN_FOLDER = Prepared(
    select(record.id)
    .where(record.name > bindparam("above"), record.name < bindparam("below"), LIVES)
    .limit(literal_column("1"))
)
_POSITIONS = Prepared(select(record.positions).where(record.uuid == bindparam("uuid")))
_array = tables.array.c
_ARRAY = Prepared(
    select(
        record.name,
        _array.path,
        _array.number,
        payload.file,
        payload.mode,
        _array.dtype,
        _array.shape,
        _array.digest,
        _array.kind,
        _array.offset,
        _array.length,
        _array.blocks_offset,
        _array.proof,
        and_(_MEANT, _IS_LAST),
    )
    .select_from(tables.record)
    .join(tables.version, version.id == record.newest_id)
    .join(_itself, _itself.c.id == version.id)
    .join(_its_record, _its_record.c.id == record.id)
    .join(tables.array, _array.version_id == version.id)
    .join(tables.payload, payload.id == _array.payload_id)
    .where(record.name == bindparam("name"), LIVES, _array.path == bindparam("path"))
)
_ALL = Prepared(
    _versions().where(record.name == bindparam("name"), LIVES).order_by(version.version)
)

_AFTER = Prepared(
    _versions()
    .where(version.id > bindparam("last"))
    .order_by(version.id)
    .limit(bindparam("limit", type_=Integer))
)


def _meant(*row: Any) -> VersionRow:
    *values, is_meant = row
    found = VersionRow(*values)
    if not is_meant:
        msg = (
            f"the catalog's index leads from {found.name!r} version {found.version} to "
            "another row: it is damaged; `archivedb reindex` rebuilds it"
        )
        raise CatalogDamagedError(msg)
    return found


def newest(connection: Connection, name: str) -> VersionRow | None:
    """Return the newest version of a living record."""
    row = _NEWEST.run(connection, {"name": name}).fetchone()
    return None if row is None else _meant(*row)


def newest_of(connection: Connection, uuid: str) -> VersionRow | None:
    """
    Return the newest version of the living record that has this uuid.

    The files of what was appended to it are left out.
    """
    row = _NEWEST_OF.run(connection, {"uuid": uuid}).fetchone()
    return None if row is None else _meant(*row)


def one(connection: Connection, name: str, number: int) -> VersionRow | None:
    """Return a certain version of a living record."""
    row = _ONE.run(connection, {"name": name, "version": number}).fetchone()
    return None if row is None else _meant(*row)


def all_versions(connection: Connection, name: str) -> list[VersionRow]:
    """Return every version of a living record, oldest first."""
    rows = _ALL.run(connection, {"name": name}).fetchall()
    return [_meant(*row) for row in rows]


def versions_after(connection: Connection, last: int, limit: int) -> list[VersionRow]:
    """Return some versions of any records, in the order of their ids."""
    found = _AFTER.run(connection, {"last": last, "limit": limit}).fetchall()
    return [_meant(*row) for row in found]


def living_ids(connection: Connection) -> list[int]:
    """Return the ids of all living records, oldest first."""
    statement = select(record.id).where(LIVES).order_by(record.id)
    return list(connection.execute(statement).scalars())


def unmeasured_versions(connection: Connection) -> list[int]:
    """Return the versions with appended rows of which the index knows nothing."""
    statement = select(_array.version_id).where(
        _array.kind == "appended", _array.facts.is_(None)
    )
    return sorted(set(connection.execute(statement).scalars()))


def by_record(connection: Connection, uuid: str, number: int) -> VersionRow | None:
    """Return a certain version of the record with this uuid."""
    row = _BY_RECORD.run(connection, {"uuid": uuid, "version": number}).fetchone()
    return None if row is None else _meant(*row)


def bare_name(connection: Connection, uuid: str) -> str | None:
    """Return the name of a living record that has no version, or None."""
    statement = select(record.name).where(
        record.uuid == uuid, LIVES, record.newest_id.is_(None)
    )
    found: str | None = connection.execute(statement).scalar()
    return found


def first_record(connection: Connection, names: list[str]) -> str | None:
    """Return which of these names is a living record."""
    # One by one: each is a look-up in an index, and the statement stays one.
    for name in names:
        if _LIVING.run(connection, {"name": name}).fetchone() is not None:
            return name
    return None


def _below(folder: str) -> ColumnElement[bool]:
    """Return the condition for names below a folder; ``0`` comes after ``/``."""
    if not folder:
        return LIVES
    if not is_utf8(folder):
        return false()
    return and_(record.name > f"{folder}/", record.name < f"{folder}0", LIVES)


def is_folder(connection: Connection, name: str) -> bool:
    """Return whether records lie below a name."""
    if not is_utf8(name):
        return False
    between = {"above": f"{name}/", "below": f"{name}0"}
    return _IN_FOLDER.run(connection, between).fetchone() is not None


def conflict(
    connection: Connection, name: str, leaving: AbstractSet[str] = frozenset()
) -> str | None:
    """
    Return why a name cannot become a record's, or None if it can.

    Args:
        connection: An open transaction.
        name: The name.
        leaving: Names of records that will no longer have them.

    """
    above = first_record(connection, [p for p in prefixes(name) if p not in leaving])
    if above is not None:
        return f"{name!r} would lie inside {above!r}, which is a record, not a folder"
    if is_folder(connection, name) and not leaving >= {*names(connection, name)}:
        return f"{name!r} is a folder: records lie below it; choose another name"
    if name not in leaving and first_record(connection, [name]) is not None:
        return f"a record named {name!r} exists"
    return None


def names(connection: Connection, folder: str) -> list[str]:
    """Return the names below a folder, in order."""
    statement = select(record.name).where(_below(folder)).order_by(record.name)
    return list(connection.execute(statement).scalars())


def count(connection: Connection, folder: str = "") -> int:
    """Return how many records lie below a folder."""
    statement = select(func.count()).select_from(tables.record).where(_below(folder))
    return int(connection.execute(statement).scalar_one())


def subfolders(connection: Connection, folder: str) -> list[tuple[str, int]]:
    """Return the folders directly in a folder, and how many records each holds."""
    start = len(folder) + 2 if folder else 1
    rest = func.substr(record.name, start)
    slash = func.instr(rest, "/")
    part = func.substr(rest, 1, slash - 1)
    statement = (
        select(part, func.count())
        .where(_below(folder), slash > 0)
        .group_by(part)
        .order_by(part)
    )
    return [(row[0], row[1]) for row in connection.execute(statement)]


def direct(connection: Connection, folder: str) -> list[VersionRow]:
    """Return the newest versions of the records directly in a folder, by name."""
    start = len(folder) + 2 if folder else 1
    slash = func.instr(func.substr(record.name, start), "/")
    statement = (
        _versions()
        .where(_below(folder), slash == 0, version.id == record.newest_id)
        .order_by(record.name)
    )
    return [_meant(*row) for row in connection.execute(statement)]


def history(connection: Connection, name: str) -> list[ChangeRow]:
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


def array(connection: Connection, name: str, path: str) -> ArrayRow | None:
    """Return the array at a path in the newest version of a record."""
    row = _ARRAY.run(connection, {"name": name, "path": path}).fetchone()
    if row is None:
        return None
    *values, proven, is_meant = row
    if not is_meant:
        msg = (
            f"the catalog's index leads from {name!r} to another row: it is damaged; "
            "`archivedb reindex` rebuilds it"
        )
        raise CatalogDamagedError(msg)
    with well_formed("catalog's array"):
        values[5] = json.loads(values[5].encode(), "catalog's dtype")
        values[6] = json.loads(values[6].encode(), "catalog's shape")
        found = ArrayRow(*values)
        for number in (found.offset, found.length, found.blocks):
            if number is not None and type(number) is not int:
                raise TypeError(number)
        if proof(path, found.dtype, found.shape, found.digest, found.kind) != proven:
            msg = f"the row of {name}/{path} was altered; run `archivedb reindex`"
            raise CatalogDamagedError(msg)
    return found


def newest_by_ids(connection: Connection, ids: list[int]) -> list[VersionRow]:
    """Return the newest versions of these living records, in their order."""
    given = numbered("given", connection.dialect)
    joined = given.join(tables.record, record.id == given.c.value)
    statement = (
        _columns_of_versions(
            joined.join(tables.version, version.id == record.newest_id)
        )
        .where(LIVES)
        .order_by(given.c.key)
    )
    rows = connection.execute(
        statement, {"given": ids_parameter(ids, connection.dialect)}
    )
    return [_meant(*row) for row in rows]


def versions_below(connection: Connection, folder: str) -> Iterator[VersionRow]:
    """Yield all versions of the records below a folder, newest first."""
    statement = _versions().where(_below(folder))
    statement = statement.order_by(version.saved_at.desc(), version.id.desc())
    for row in connection.execute(statement):
        yield _meant(*row)


def archive_uuid(connection: Connection) -> str:
    """Return which archive this is."""
    found = connection.execute(select(tables.archive.c.uuid)).scalars().all()
    if len(found) != 1:
        msg = (
            "the catalog does not say whose it is: it is damaged; "
            "`archivedb reindex` rebuilds it from the payloads"
        )
        raise CatalogDamagedError(msg)
    return str(found[0])


def payload_files(connection: Connection) -> list[tuple[int, str, int]]:
    """Return id, file and size of every payload, in the order of the files."""
    statement = select(payload.id, payload.file, payload.size).order_by(payload.file)
    return [(row[0], row[1], row[2]) for row in connection.execute(statement)]


def payload_uuids(connection: Connection, uuids: list[str]) -> set[str]:
    """Return which of these payloads the catalog knows."""
    known: set[str] = set()
    for start in range(0, len(uuids), 500):
        some = uuids[start : start + 500]
        statement = select(payload.uuid).where(payload.uuid.in_(some))
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
    shares = select(_array.version_id).where(_array.payload_id == its)
    statement = (
        select(record.name, version.version, version.payload_id == its)
        .select_from(tables.version)
        .join(tables.record, record.id == version.record_id)
        .where(version.id.in_(own.union(shares)))
        .order_by(record.name, version.version)
    )
    return [(row[0], row[1], bool(row[2])) for row in connection.execute(statement)]


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


def files_of(connection: Connection, uuid: str) -> list[str]:
    """Return the payload files that hold a record's changes and versions."""
    found = connection.execute(select(record.id).where(record.uuid == uuid)).scalar()
    if found is None:
        return []
    used = payloads_of(found).subquery()
    statement = select(payload.file).where(payload.id.in_(select(used)))
    return sorted(connection.execute(statement).scalars())


@dataclass(frozen=True, slots=True)
class AppendedRow:
    """Rows that were appended to an array of a version; `key` is the row's own."""

    key: str
    path: str
    file: str
    dtype: Any
    shape: list[int]
    digest: str
    offset: int
    length: int
    blocks: int | None
    facts: ArrayFacts | None


def appended(connection: Connection, version_id: int) -> list[AppendedRow]:
    """Return the parts that a version's arrays have got since, in their order."""
    statement = (
        select(
            _array.path,
            payload.file,
            _array.dtype,
            _array.shape,
            _array.digest,
            _array.offset,
            _array.length,
            _array.blocks_offset,
            _array.facts,
            _array.proof,
        )
        .join(tables.payload, payload.id == _array.payload_id)
        .where(_array.version_id == version_id, _array.kind == "appended")
        .order_by(_array.number)
    )
    found = []
    for path, file, dtype, shape, *rest, known, proven in connection.execute(statement):
        hashed, offset, length, blocks = rest
        with well_formed("catalog's array"):
            row = AppendedRow(
                path,
                whole_path(path),
                file,
                json.loads(dtype.encode(), "catalog's dtype"),
                json.loads(shape.encode(), "catalog's shape"),
                hashed,
                offset,
                length,
                blocks,
                _facts(known),
            )
        if proof(path, row.dtype, row.shape, row.digest, "appended") != proven:
            msg = f"the row of {path!r} was altered; run `archivedb reindex`"
            raise CatalogDamagedError(msg)
        found.append(row)
    return found


def _facts(text: bytes | None) -> ArrayFacts | None:
    return None if text is None else ArrayFacts.of(json.loads(text, "catalog's facts"))


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
        select(_array.payload_id)
        .join(tables.version, version.id == _array.version_id)
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


def positions(connection: Connection, uuid: str) -> int:
    """Return the length of a record's history, deleted or not; 0 if unknown."""
    row = _POSITIONS.run(connection, {"uuid": uuid}).fetchone()
    return 0 if row is None else int(row[0])


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


def named_payloads(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield uuid and file of every payload that the catalog names."""
    statement = select(payload.uuid, payload.file).order_by(payload.file)
    for row in connection.execute(statement.execution_options(yield_per=1000)):
        yield row[0], row[1]


def known_files(connection: Connection, files: list[str]) -> set[str]:
    """Return which payload files the catalog names, by reading all of them."""
    known: set[str] = set()
    for start in range(0, len(files), 500):
        some = files[start : start + 500]
        statement = select(payload.file).where(payload.file.in_(some))
        known.update(connection.execute(statement).scalars())
    return known


def total_versions(connection: Connection) -> int:
    """Return how many versions there are."""
    statement = select(func.count()).select_from(tables.version)
    return int(connection.execute(statement).scalar_one())
