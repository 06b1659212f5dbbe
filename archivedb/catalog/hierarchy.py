"""Which names and folders the records of a catalog have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, false, func, literal_column, select

from archivedb.catalog import tables
from archivedb.catalog.prepared import Prepared
from archivedb.values.paths import is_utf8, prefixes

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ColumnElement, Connection

record, LIVES = tables.record.c, tables.LIVES

_LIVING = Prepared(select(record.id).where(record.name == bindparam("name"), LIVES))
_IN_FOLDER = Prepared(
    select(record.id)
    .where(record.name > bindparam("above"), record.name < bindparam("below"), LIVES)
    .limit(literal_column("1"))
)


def living_ids(connection: Connection) -> list[int]:
    """Return the ids of all living records, oldest first."""
    statement = select(record.id).where(LIVES).order_by(record.id)
    return list(connection.execute(statement).scalars())


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


def below(folder: str) -> ColumnElement[bool]:
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
    statement = select(record.name).where(below(folder)).order_by(record.name)
    return list(connection.execute(statement).scalars())


def count(connection: Connection, folder: str = "") -> int:
    """Return how many records lie below a folder."""
    statement = select(func.count()).select_from(tables.record).where(below(folder))
    return int(connection.execute(statement).scalar_one())


def subfolders(connection: Connection, folder: str) -> list[tuple[str, int]]:
    """Return the folders directly in a folder, and how many records each holds."""
    start = len(folder) + 2 if folder else 1
    rest = func.substr(record.name, start)
    slash = func.instr(rest, "/")
    part = func.substr(rest, 1, slash - 1)
    statement = (
        select(part, func.count())
        .where(below(folder), slash > 0)
        .group_by(part)
        .order_by(part)
    )
    return [(row[0], row[1]) for row in connection.execute(statement)]
