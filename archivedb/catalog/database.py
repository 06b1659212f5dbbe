"""
Connections to a SQLite catalog.

WAL and ``synchronous=FULL``: when a commit returns it is on the disk, and
readers never wait.  ``BEGIN`` is always explicit.  SQLite checkpoints by
itself wherever a connection happens to commit or to close; here only a holder
of the writers' lock does, which also keeps clear of the WAL-reset bug that
SQLite had before 3.51.3 (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from archivedb.catalog import schema
from archivedb.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

CHECKPOINT_BYTES = 8 << 20
"""A write-ahead log longer than this is folded into the database."""

_BUSY_SECONDS = 60
_READERS = 8


class Database:
    """
    One catalog file and its connections.

    Args:
        path: The file.
        readonly: Never write; works on a read-only directory, too.
        durable: Whether a commit waits for the disk.
        lock: Keeps writers away while a read-only catalog is copied.

    """

    def __init__(
        self,
        path: Path,
        *,
        readonly: bool = False,
        durable: bool = True,
        lock: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.path = path
        self._readonly = readonly
        self._durable = durable
        self._copy: tuple[int, Path] | None = None
        self._uri = f"file:{quote(os.fsencode(path))}"
        self._identity: tuple[int, ...] | None = None
        _require_own_side_files(path)
        if readonly:
            # Before it is read: what changes meanwhile is read once more.
            self.is_replaced()
            self._uri = self._readonly_uri(lock)
        self._checkpoint_at = CHECKPOINT_BYTES
        self.engine = self._make_engine()

    def _readonly_uri(self, lock: Callable[[], AbstractContextManager[object]]) -> str:
        log = Path(f"{self.path}-wal")
        if not log.exists():
            # Nobody is writing, and SQLite need not try to make its side files.
            return f"file:{quote(os.fsencode(self.path))}?mode=ro&immutable=1"
        # The log holds commits, and SQLite cannot read it without writing to
        # an index of it beside it: so it reads a copy.
        copy = Path(tempfile.mkdtemp(prefix="archivedb-"))
        self._copy = (os.getpid(), copy)
        path = copy / self.path.name
        with lock():
            shutil.copyfile(self.path, path)
            with suppress(FileNotFoundError):
                shutil.copyfile(log, f"{path}-wal")
        return f"file:{quote(os.fsencode(path))}?mode=rw"

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._uri,
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            if not self._readonly:
                connection.execute("PRAGMA journal_mode=WAL")
                level = "FULL" if self._durable else "OFF"
                connection.execute(f"PRAGMA synchronous={level}")
                connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA temp_store=MEMORY")
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_engine(self) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)),
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=_READERS,
            max_overflow=-1,
        )

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            how = connection.get_execution_options().get("begin", "BEGIN")
            # Past SQLAlchemy, which takes longer to say it than SQLite to do it.
            raw: Any = connection.connection.dbapi_connection
            raw.execute(how)

        return engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the catalog."""
        with self._typed(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """
        Open a transaction that writes; the caller holds the writers' lock.

        It is committed at the end, and rolled back on any exception.
        """
        with self._typed(), self.engine.connect() as connection:
            connection = connection.execution_options(begin="BEGIN IMMEDIATE")  # noqa: PLW2901 - the same connection
            with connection.begin():
                yield connection
            self._checkpoint(connection)

    def _checkpoint(self, connection: Connection) -> None:
        try:
            size = Path(f"{self.path}-wal").stat().st_size
        except OSError:
            return  # what was committed is, and the log may wait
        if size < self._checkpoint_at:
            return
        raw: Any = connection.connection.dbapi_connection
        # Where a reader still needs the log it stays as long as it is, and is
        # not tried again before it has grown as much once more.
        raw.execute("PRAGMA busy_timeout=0")
        busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        raw.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
        self._checkpoint_at = CHECKPOINT_BYTES + (size if busy else 0)

    @contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise schema.unusable(str(self.path), error) from error
        except UnicodeDecodeError as error:
            # SQLite tells of damage in words from the file, which may be no text.
            raise schema.unusable(str(self.path), error) from error

    def is_empty(self) -> bool:
        """Return what `schema.is_empty` returns."""
        with self.reading() as connection:
            return schema.is_empty(connection)

    def is_replaced(self) -> bool:
        """
        Return whether what is open is no longer what has the catalog's name.

        A read-only catalog is read as it was when it was opened, so that any
        change of the files counts.
        """
        found = _identity(self.path, contents=self._readonly)
        # The file itself is made by the first connection.
        self._identity = self._identity or found
        return found != self._identity

    def require_current(self) -> None:
        """Raise what `schema.require_current` raises."""
        with self.reading() as connection:
            schema.require_current(connection)

    def close_idle(self) -> None:
        """
        Close every connection that nobody is using.

        A child must not inherit them: SQLite's locks do not survive a fork.
        """
        self.engine.dispose()

    def close(self) -> None:
        """Close every connection; the caller holds the writers' lock, if any."""
        self.engine.dispose()
        # A child leaves its parent's copy alone.
        if self._copy is not None and self._copy[0] == os.getpid():
            shutil.rmtree(self._copy[1], ignore_errors=True)
            self._copy = None


def _require_own_side_files(path: Path) -> None:
    """Raise if SQLite would write through a link, or wait at a pipe."""
    for ending in ("-wal", "-shm", "-journal"):
        beside = Path(f"{path}{ending}")
        try:
            mode = beside.lstat().st_mode
        except OSError:
            continue
        if not stat.S_ISREG(mode):
            msg = (
                f"{beside} is not a file of SQLite's; move it away, and open the "
                "archive again"
            )
            raise CatalogError(msg)


def _identity(path: Path, *, contents: bool) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"cannot look at the catalog {path}: {error.strerror}"
        raise CatalogError(msg) from error
    if not contents:
        return status.st_dev, status.st_ino
    try:
        log = Path(f"{path}-wal").stat()
        logged = (log.st_size, log.st_mtime_ns)
    except FileNotFoundError:
        logged = (-1, 0)
    return status.st_ino, status.st_size, status.st_mtime_ns, *logged
