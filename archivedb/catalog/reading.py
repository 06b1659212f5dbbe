"""Versions and arrays, as the catalog has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, and_, bindparam, case, func, null, select

from archivedb.catalog import tables
from archivedb.catalog.arrays import proof
from archivedb.catalog.dialect import ids as ids_parameter
from archivedb.catalog.dialect import numbered
from archivedb.catalog.hierarchy import below
from archivedb.catalog.prepared import Prepared
from archivedb.errors import CatalogDamagedError
from archivedb.formats.envelope import Content
from archivedb.values import json
from archivedb.values.facts import ArrayFacts
from archivedb.values.leaves import whole_path
from archivedb.values.skeleton import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Dialect, FromClause, Select

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
    _require_meant(is_meant, f"{found.name!r} version {found.version}")
    return found


def _require_meant(is_meant: object, what: str) -> None:
    if not is_meant:
        msg = (
            f"the catalog's index leads from {what} to another row: it is damaged; "
            "`archivedb reindex` rebuilds it"
        )
        raise CatalogDamagedError(msg)


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


def direct(connection: Connection, folder: str) -> list[VersionRow]:
    """Return the newest versions of the records directly in a folder, by name."""
    start = len(folder) + 2 if folder else 1
    slash = func.instr(func.substr(record.name, start), "/")
    statement = (
        _versions()
        .where(below(folder), slash == 0, version.id == record.newest_id)
        .order_by(record.name)
    )
    return [_meant(*row) for row in connection.execute(statement)]


def array(connection: Connection, name: str, path: str) -> ArrayRow | None:
    """Return the array at a path in the newest version of a record."""
    row = _ARRAY.run(connection, {"name": name, "path": path}).fetchone()
    if row is None:
        return None
    *values, proven, is_meant = row
    _require_meant(is_meant, repr(name))
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


_BY_IDS: dict[str, Prepared] = {}


def _newest_by_ids(dialect: Dialect) -> Select[Any]:
    given = numbered("given", dialect)
    joined = given.join(tables.record, record.id == given.c.value)
    found = joined.join(tables.version, version.id == record.newest_id)
    return _columns_of_versions(found).where(LIVES).order_by(given.c.key)


def newest_by_ids(connection: Connection, ids: list[int]) -> list[VersionRow]:
    """Return the newest versions of these living records, in their order."""
    dialect = connection.dialect
    if dialect.name not in _BY_IDS:
        _BY_IDS[dialect.name] = Prepared(_newest_by_ids(dialect))
    parameter = {"given": ids_parameter(ids, dialect)}
    rows = _BY_IDS[dialect.name].run(connection, parameter)
    return [_meant(*row) for row in rows]


def versions_below(connection: Connection, folder: str) -> Iterator[VersionRow]:
    """Yield all versions of the records below a folder, newest first."""
    statement = _versions().where(below(folder))
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


def total_versions(connection: Connection) -> int:
    """Return how many versions there are."""
    statement = select(func.count()).select_from(tables.version)
    return int(connection.execute(statement).scalar_one())
