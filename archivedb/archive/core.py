"""
What an open archive consists of: a catalog, a store, and how to write to both.

Opening never writes, unless there is something to index; the first write
creates.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import uuid as uuids
import weakref
from collections import deque
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.archive.address import CATALOG_NAME, require_only_catalog
from archivedb.archive.gate import Gate
from archivedb.archive.writing import indexing, measuring, recovering
from archivedb.catalog import index, payloads, reading, schema
from archivedb.catalog.database import Database
from archivedb.errors import (
    ArchiveError,
    ArchiveNotFoundError,
    CatalogDamagedError,
    CatalogError,
    CatalogOutdatedError,
    ReadOnlyError,
    SpoolError,
)
from archivedb.records import Migration
from archivedb.store import mounts
from archivedb.store.directory import INCOMING, PayloadStore
from archivedb.store.files import make_directory, sync_directory, typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from archivedb.archive.address import Address
    from archivedb.formats.envelope import Content

_open: weakref.WeakSet[Core] = weakref.WeakSet()
_abandoned: deque[tuple[Database, PayloadStore | None]] = deque()
"""Catalogs of archives that nobody holds any more, and nobody has closed."""
_gate = Gate()


def now() -> int:
    """Return the time in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Core:
    """
    The state of one open archive.

    Args:
        address: Where it lies.
        readonly: Never write.
        durable: Whether writing waits for the disk.
        trust: Whether objects are restored that nobody trusted has signed.
        migrate: Whether an older catalog is upgraded.
        spool: Whether saves go into the spool, and no catalog is used; if left
            out, where the catalog would lie on a network file system.

    """

    def __init__(  # noqa: PLR0913 - the options of an archive
        self,
        address: Address,
        *,
        readonly: bool,
        durable: bool,
        trust: bool,
        migrate: bool,
        spool: bool | None = None,
    ) -> None:
        self.address = address
        if spool is None:
            spool = not readonly and bool(mounts.network_type(address.catalog))
        self.spools = spool
        self.readonly = readonly
        self.durable = durable
        self.store = PayloadStore(address.payloads, durable=durable)
        self.paths = index.PathIds()
        self._trust = trust
        self._migrate = migrate
        self._uuid: str | None = None
        self._database: Database | None = None
        self._opening = threading.RLock()
        self.local = threading.local()
        self._finalizer: weakref.finalize[..., Core] | None = None
        self._is_backup = False
        _open.add(self)
        if not self.spools:
            self.open()

    # Opening ------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether there is an archive at this address by now."""
        return self._database is not None or self.open()

    @property
    def uuid(self) -> str:
        """Which archive this is."""
        assert self._uuid is not None  # noqa: S101 - whoever asks has opened it
        return self._uuid

    def open(self) -> bool:
        """
        Open what is there, and return whether anything is.

        Raises:
            CatalogError: It cannot be opened.

        """
        if self._database is not None:
            return True
        self.require_catalog()
        try:
            return self._open()
        except OSError as error:
            if isinstance(error, ArchiveError):
                raise
            msg = f"cannot open {error.filename or self.address}: {error.strerror}"
            raise CatalogError(msg) from error

    def _open(self) -> bool:
        _close_abandoned()
        with self._opening:
            if self._database is not None:
                return True
            database = self._open_database()
            if database is not None:
                self._attach(database)
                self._recover()
            elif indexing.owner(self.store) is None:
                return False
            elif self.readonly:
                msg = (
                    f"{self.address.payloads} has payloads but no catalog; "
                    "run `archivedb reindex`, or open it without readonly=True"
                )
                raise CatalogError(msg)
            else:
                self.create()
                self._recover()
        return True

    def _recover(self) -> None:
        if self.readonly:
            return
        try:
            recovering.recover_at_opening(self)
        except BaseException:
            # Half a catalog would look like a whole one.
            self.close()
            raise

    def _open_database(self) -> Database | None:
        """Return the catalog, or None if there is none, or an empty one."""
        catalog = self.address.catalog
        with typed("look at", catalog):
            there, is_file = catalog.exists(), catalog.is_file()
            is_empty = is_file and not catalog.stat().st_size
        if there and not is_file:
            msg = f"{catalog} is not a file; name another catalog, or move it away"
            raise CatalogError(msg)
        if not is_file or is_empty:
            return None
        database = Database(
            catalog,
            readonly=self.readonly,
            durable=self.durable,
            lock=self.store.quiet_lock,
        )
        try:
            try:
                database.require_current()
            except CatalogOutdatedError:
                if not self._migrate or self.readonly:
                    raise
                database.close()
                migrate(self.address)
                database.require_current()
            except CatalogDamagedError as error:
                if self.store.identity() is None:
                    msg = f"{catalog} is not an archivedb catalog"
                    raise CatalogError(msg) from error
                raise
            except CatalogError:
                # Its creator is at work, or was killed before it committed.
                if database.is_empty():
                    database.close()
                    return None
                # Or it committed between the two looks.
                database.require_current()
        except BaseException:
            database.close()
            raise
        return database

    def _attach(self, database: Database) -> None:
        with database.reading() as connection:
            found = reading.archive_uuid(connection)
        marker = self.address.backup_marker
        try:
            self._require_own_store(database, found)
            with typed("look at", marker):
                self._is_backup = marker.exists()
        except BaseException:
            database.close()
            raise
        database.is_replaced()  # so that it knows which file it is
        self._uuid, self._database = found, database
        # Another file may have given the same ids to other paths.
        self.paths = index.PathIds()
        self._finalizer = weakref.finalize(self, _abandon, database, self._locked)
        self._finalizer.atexit = False

    def _require_own_store(self, database: Database, uuid: str) -> None:
        address = self.address
        _require_payloads(database, uuid, self.store, address)
        require_only_catalog(self.store, self.address)
        if not self.readonly and self.store.catalog() != address.catalog:
            self.store.create(uuid, address.catalog)

    def create(self) -> bool:
        """
        Make catalog and store unless they are there; return whether they were not.

        Raises:
            ReadOnlyError: The archive was opened with ``readonly=True``.

        """
        self.require_writable()
        self.require_catalog()
        with self._opening:
            if self._database is not None:
                return False
            catalog = self.address.catalog
            # Before the locks are, which would make them without a sync.
            for place in (catalog.parent, self.store.root):
                make_directory(place, durable=self.durable)
            # Two processes may both find nothing; the lock says who begins.
            with self.store.writers_lock():
                made = self._create_locked()
            database = self._open_database()
            assert database is not None  # noqa: S101 - it was just made
            self._attach(database)
        return made

    def _create_locked(self) -> bool:
        require_only_catalog(self.store, self.address)
        found = indexing.owner(self.store) or str(uuids.uuid4())
        self.store.create(found, self.address.catalog)
        database = Database(self.address.catalog, durable=self.durable)
        try:
            with database.writing() as connection:
                if not schema.is_empty(connection):
                    return False
                schema.create(connection, found, now())
        finally:
            database.close()
        return True

    def require_writable(self) -> None:
        """Raise `ReadOnlyError` if the archive must not be written."""
        if self.readonly:
            msg = f"{self.address} was opened with readonly=True"
            raise ReadOnlyError(msg)

    def require_catalog(self) -> None:
        """Raise `SpoolError` if the catalog is not used here."""
        if not self.spools:
            return
        kind = mounts.network_type(self.address.catalog)
        why = f"lies on {kind}, where SQLite is unsafe" if kind else "is not used here"
        root = str(self.store.root)
        msg = (
            f"the catalog {self.address} {why}, and saves are spooled into "
            f"{self.store.root / INCOMING}. On one host with a local disk open "
            f"Archive('/local/runs.db', payloads={root!r}), which indexes them and "
            "does all else; readonly=True reads what is indexed; spool=False uses "
            "the catalog here, if no other host does"
        )
        raise SpoolError(msg)

    def require_existing(self) -> None:
        """Raise `ArchiveNotFoundError` if there is nothing to read."""
        if not self.exists:
            msg = (
                f"there is no archive at {self.address}; the first save makes one, "
                f"or `archivedb init {self.address}`"
            )
            raise ArchiveNotFoundError(msg)

    @property
    def _locked(self) -> PayloadStore | None:
        """The store whose lock closing the catalog takes, if it takes any."""
        return None if self.readonly else self.store

    # Using --------------------------------------------------------------

    @property
    def database(self) -> Database:
        """The open catalog."""
        if self._database is not None and self._database.is_replaced():
            # Somebody removed or restored it; what it says now is what counts.
            self.close()
        self.require_existing()
        assert self._database is not None  # noqa: S101 - it exists
        return self._database

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the catalog."""
        with _gate.inside(), self.database.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that writes, under the writers' lock."""
        self.require_writable()
        with _gate.inside():
            # Opened before the lock is taken: opening may take it itself, and
            # whoever closes meanwhile waits for it.
            database = self.database
            _close_abandoned()
            with self.store.writers_lock():
                yield from self._transaction(database)

    def _transaction(self, database: Database) -> Iterator[Connection]:
        try:
            with database.writing() as connection:
                yield connection
            self.paths.keep()
        except BaseException:
            self.paths.forget()
            raise

    def end_backup(self) -> None:
        """
        Say of a backup that is about to be changed that it is none any more.

        It goes its own way from now on, and no backup must take it back.
        """
        marker = self.address.backup_marker
        if self._is_backup and self.address.catalog.name == CATALOG_NAME:
            with typed("remove", marker):
                marker.unlink(missing_ok=True)
            if self.durable:
                sync_directory(marker.parent)
        self._is_backup = False

    def trusts(self, content: Content) -> bool:
        """Return whether reading some content may run code."""
        return self._trust or content.is_trusted(self.uuid)

    def close(self) -> None:
        """Close the catalog; the next use opens it again."""
        with self._opening:
            if self._finalizer is not None and self._finalizer.detach():
                assert self._database is not None  # noqa: S101 - both or neither
                _shut(self._database, self._locked)
            self._database = self._finalizer = None

    def before_fork(self) -> None:
        """Close the connections that a child must not inherit."""
        database = self._database
        if database is not None:
            with nullcontext() if self.readonly else self.store.quiet_lock():
                database.close_idle()

    def after_fork(self) -> None:
        """Replace, in a child, the locks that a thread of the parent may hold."""
        self._opening = threading.RLock()
        self.paths = index.PathIds()


def _require_payloads(
    database: Database, uuid: str, store: PayloadStore, address: Address
) -> None:
    """Raise if a store has not the payloads that a catalog tells of."""
    owner = indexing.owner(store)
    if owner is not None and owner != uuid:
        msg = (
            f"{address.payloads} belongs to another archive than "
            f"{address.catalog}; name the right one with payloads="
        )
        raise CatalogError(msg)
    if owner is None:
        with database.reading() as connection:
            lost = payloads.newest_payload(connection) is not None
        if lost:
            msg = (
                f"the payloads of {address.catalog} are not at "
                f"{address.payloads}; move them there, or say payloads="
            )
            raise CatalogError(msg)


def migrate(address: Address) -> Migration:
    """Upgrade an older catalog, under the writers' lock; see `schema.upgrade`."""
    if not address.catalog.is_file():
        msg = f"there is no archive at {address}"
        raise ArchiveNotFoundError(msg)
    # Looked at before anything is locked, or even made.
    looked = Database(address.catalog, readonly=True)
    try:
        looked.require_current()
    except CatalogOutdatedError:
        store = PayloadStore(address.payloads)
        with looked.reading() as connection:
            found = reading.archive_uuid(connection)
        # Without its own, the index would be filled with nothing.
        _require_payloads(looked, found, store, address)
        with store.writers_lock():
            return schema.upgrade(
                address.catalog, lambda connection: measuring.refill(store, connection)
            )
    finally:
        looked.close()
    return Migration(schema.HEAD, schema.HEAD, None)


def set_aside(address: Address) -> bool:
    """
    Give a damaged catalog another name, if its payloads can replace it.

    Returns:
        False if there are no payloads: the file may be anything.

    """
    store = PayloadStore(address.payloads)
    if store.identity() is None:
        return False
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    with store.writers_lock():
        for ending in ("", "-wal", "-shm"):
            path = Path(f"{address.catalog}{ending}")
            if path.exists():
                path.rename(f"{address.catalog}.damaged-{stamp}{ending}")
    return True


def _shut(database: Database, store: PayloadStore | None) -> None:
    # SQLite folds its log into the database when the last connection closes.
    with nullcontext() if store is None else store.quiet_lock():
        database.close()


def _abandon(database: Database, store: PayloadStore | None) -> None:
    """Close the catalog of an archive that nobody holds any more."""
    # The garbage collector comes at any moment, also while this very thread
    # holds the lock, for which it would wait for ever.
    lock = (
        nullcontext(enter_result=True)
        if store is None
        else store.quiet_lock(wait=False)
    )
    with lock as free:
        if free:
            database.close()
    if not free:
        _abandoned.append((database, store))


def _close_abandoned() -> None:
    """Close what the garbage collector could not; the caller holds no lock."""
    while _abandoned:
        with suppress(IndexError):  # another thread was faster
            _shut(*_abandoned.popleft())


@atexit.register
def _close_all() -> None:
    for core in list(_open):
        core.close()
    _close_abandoned()


def _before_fork() -> None:
    _gate.shut()
    _close_abandoned()
    for core in list(_open):
        core.before_fork()


def _after_fork_in_child() -> None:
    _gate.reopen_in_child()
    for core in list(_open):
        core.after_fork()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_gate.open,
    after_in_child=_after_fork_in_child,
)
