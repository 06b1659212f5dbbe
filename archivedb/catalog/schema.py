"""
The schema's revision: create it, check it, upgrade it.

A new catalog is made from `tables` and stamped with `HEAD`; an older one is
upgraded by Alembic, which nothing but `upgrade` imports.  A test proves that
both ways lead to the same schema.
"""

from __future__ import annotations

import functools
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    URL,
    Column,
    MetaData,
    NullPool,
    PrimaryKeyConstraint,
    String,
    Table,
    create_engine,
    create_mock_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

from archivedb.catalog import tables
from archivedb.errors import (
    ArchiveNotFoundError,
    CatalogDamagedError,
    CatalogError,
    CatalogNewerError,
    CatalogOutdatedError,
    MigrationsNotFoundError,
)
from archivedb.records import Migration

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine
    from sqlalchemy.schema import ExecutableDDLElement

KNOWN = ("0001", "0002")
"""Every revision that this archivedb knows, oldest first."""

HEAD = KNOWN[-1]
"""The revision that this archivedb reads and writes."""

_PACKAGE = Path(__file__).resolve().parents[1]

# Exactly the table that Alembic keeps, so that a catalog created without
# Alembic is one that Alembic can upgrade.  Not in `tables.metadata`: Alembic
# leaves its own table out when it compares a catalog with the models.
_alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

# Alembic's `op` and `context` are globals of the process.
_alembic = threading.Lock()


def migrations_dir() -> Path:
    """
    Return the folder of migration scripts: the wheel's, or the checkout's.

    Raises:
        MigrationsNotFoundError: The installation lacks them.

    """
    shipped = _PACKAGE / "migrations"
    if (shipped / "env.py").is_file():
        return shipped
    # Only a checkout has pyproject.toml here; in site-packages a sibling
    # called "migrations" would be somebody else's.
    root = _PACKAGE.parent
    if (root / "pyproject.toml").is_file() and (root / "migrations/env.py").is_file():
        return root / "migrations"
    raise MigrationsNotFoundError(
        f"the migration scripts are missing from {_PACKAGE}; install archivedb again"
    )


def create(connection: Connection, uuid: str, created_at: int) -> None:
    """
    Create every table in an empty database, and say which archive this is.

    All of it happens in the caller's transaction, so that no reader ever sees
    half a schema, or one without its revision.

    Args:
        connection: A connection with an open transaction.
        uuid: The archive's id.
        created_at: The time, in the unit of ``archive.created_at``.

    """
    for definition in _definitions(connection.dialect.name):
        connection.exec_driver_sql(definition)
    connection.execute(insert(_alembic_version).values(version_num=HEAD))
    connection.execute(insert(tables.archive).values(uuid=uuid, created_at=created_at))


@functools.cache
def _definitions(dialect: str) -> tuple[str, ...]:
    """Return what creates each table, which takes longer to say than to do."""
    said: list[str] = []

    def keep(definition: ExecutableDDLElement, *_: object, **__: object) -> None:
        said.append(str(definition.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{dialect}://", keep)
    for metadata in (tables.metadata, _alembic_version.metadata):
        # `checkfirst` would look each table up before creating it.
        metadata.create_all(engine, checkfirst=False)
    return tuple(said)


def revision(connection: Connection) -> str | None:
    """Return the schema's revision, or None where no schema is stamped."""
    statement = select(_alembic_version.c.version_num)
    try:
        return connection.execute(statement).scalar()
    except DBAPIError:
        # Asked only now, so that opening a catalog takes one statement.  A
        # locked or damaged file fails here again, and is not called empty.
        if inspect(connection).has_table(_alembic_version.name):
            raise
        return None


def require_current(connection: Connection) -> None:
    """
    Do nothing if this archivedb can use the catalog, else say why it cannot.

    Raises:
        CatalogOutdatedError: It must be migrated first.
        CatalogNewerError: Only a newer archivedb can read it.
        CatalogError: It is no catalog, or cannot be read at all.

    """
    found = _recognise(connection)
    if found != HEAD:
        raise CatalogOutdatedError(
            f"{_address(connection)} was made by an older archivedb (its schema is "
            f"revision {found}, this one needs {HEAD}); run `archivedb migrate`, "
            "which backs it up first, or open it with migrate=True"
        )


def no_rows(_connection: Connection) -> None:
    """Fill in nothing, for a catalog that holds no records."""


def upgrade(path: Path, fill: Callable[[Connection], None] = no_rows) -> Migration:
    """
    Back a catalog up and upgrade it to `HEAD`: all of it, or nothing.

    The caller holds the writers' lock.  The backup lies beside the catalog,
    as ``<name>.before-<revision>-<time>.db``; a failed upgrade leaves it there.

    Args:
        path: The SQLite file.
        fill: Called, in the same transaction, to index what was saved before.

    Returns:
        Both revisions, equal if there was nothing to do, and the backup.

    Raises:
        ArchiveNotFoundError: There is no file.
        CatalogNewerError: Only a newer archivedb can read it.
        MigrationsNotFoundError: The installation lacks the scripts.
        CatalogError: It is no catalog, or it could not be upgraded and is as
            it was.

    """
    if not path.is_file():
        raise ArchiveNotFoundError(f"there is no archive at {path}")
    engine = migration_engine(path)
    backup: Path | None = None
    try:
        # One transaction from the first look to the last check: nobody else
        # can write between the backup and the upgrade.
        with engine.begin() as connection:
            before = _recognise(connection)
            if before == HEAD:
                return Migration(before, before, None)
            # Before the backup, which may take minutes and would be for nothing.
            scripts = migrations_dir()
            backup = _back_up(path)
            _run_migrations(connection, scripts)
            fill(connection)
            _require_parents(connection)
    # A migration is a program, and may fail in any way that programs do.
    except Exception as error:
        if backup is None and isinstance(error, CatalogError):
            raise
        reason = error.orig if isinstance(error, DBAPIError) else error
        copy = f"; its backup is {backup}" if backup else ""
        raise CatalogError(
            f"{path} could not be migrated to revision {HEAD}, and is as it was"
            f"{copy}: {reason}"
        ) from error
    finally:
        engine.dispose()
    return Migration(before, HEAD, str(backup))


def migration_engine(path: Path, *, create: bool = False) -> Engine:
    """
    Return an engine on which a migration is atomic and deletes nothing.

    Each connection is new, its transactions include DDL and exclude other
    writers, and foreign keys are not enforced.

    Args:
        path: The SQLite file.
        create: Make an empty file if there is none.

    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=lambda: _connect(path, create=create),
        poolclass=NullPool,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        # The engine says BEGIN.  sqlite3 would only do so before it writes rows,
        # and a failed migration's tables, made before, would stay.
        isolation_level=None,
    )
    # A migration rebuilds a table by dropping the old one; with enforcement on,
    # that deletes the rows that refer to it.  Not to be changed in a transaction.
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def cause(error: BaseException) -> BaseException:
    """Return what SQLite said first: where the disk is full, more fails after it."""
    first = error
    while error.__context__ is not None:
        error = error.__context__
        if isinstance(error, (DBAPIError, sqlite3.Error)):
            first = error
    return first.orig or first if isinstance(first, DBAPIError) else first


def unusable(address: str, error: BaseException) -> CatalogError:
    """Return the error for a catalog that SQLite cannot use."""
    error = cause(error)
    # The low byte is the error, the rest says more of it.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    damaged = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    if damaged or isinstance(error, UnicodeDecodeError):
        return CatalogDamagedError(
            f"the catalog {address} is damaged: {error}; "
            "`archivedb reindex` rebuilds it from the payloads"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return CatalogError(
            f"the catalog {address} cannot be written here: {error}; to read it, open "
            "it with readonly=True; `archivedb doctor` says what is in the way"
        )
    return CatalogError(f"the catalog {address} cannot be used: {error}")


def is_empty(connection: Connection) -> bool:
    """Return whether a database has no tables: its creator was killed."""
    return not inspect(connection).get_table_names()


def _address(connection: Connection) -> str:
    """Return what to call the catalog in a message."""
    return connection.engine.url.database or "this database"


def _recognise(connection: Connection) -> str:
    """Return the revision if it is a known one, else raise the reason."""
    address = _address(connection)
    try:
        found = revision(connection)
        # An unknown revision may also be that of another program's database.
        ours = found in KNOWN or inspect(connection).has_table(tables.archive.name)
    except DBAPIError as error:
        raise unusable(address, error) from error
    if found is None or not ours:
        raise CatalogError(f"{address} is not an archivedb catalog")
    if found not in KNOWN:
        raise CatalogNewerError(
            f"{address} was made by a newer archivedb (its schema is revision "
            f"{found}, this one knows none after {HEAD}); upgrade archivedb to use it"
        )
    return found


def _back_up(path: Path) -> Path:
    """Copy a catalog durably, whatever its journal mode, and return the copy."""
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    backup = path.with_name(f"{path.name}.before-{HEAD}-{time}.db")
    # Renamed when complete: what has a backup's name is one.
    unfinished = backup.with_name(f"{backup.name}.tmp")
    try:
        with (
            closing(_connect(path)) as source,
            closing(_connect(unfinished, create=True)) as copy,
        ):
            source.backup(copy)
            # One file, which can be read where nothing can be written.
            copy.execute("PRAGMA journal_mode=DELETE")
        shutil.copymode(path, unfinished)
        _sync(unfinished)
        unfinished.replace(backup)
        _sync(backup.parent)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return backup


def _sync(path: Path) -> None:
    """Force a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run_migrations(connection: Connection, scripts: Path) -> None:
    """Run Alembic up to `HEAD` in the connection's open transaction."""
    # Here and not above: no other command should pay for importing it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic reads its options with configparser, where % is special.
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, HEAD)


def _require_parents(connection: Connection) -> None:
    """Raise if a row refers to one that is not there."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise CatalogError(
            f"a row of the table {broken[0]!r} would refer to one of "
            f"{broken[2]!r} that is not there"
        )
