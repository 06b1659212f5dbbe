"""
Every error that archivedb raises on purpose.

::

    ArchiveError
    ├─ CatalogError         the index cannot be used
    │  ├─ CatalogDamagedError (ValueError)
    │  ├─ CatalogEntryError (ValueError)
    │  ├─ CatalogOutdatedError (RuntimeError)
    │  ├─ CatalogNewerError (RuntimeError)
    │  ├─ MigrationsNotFoundError (FileNotFoundError)
    │  └─ SpoolError (RuntimeError)  this needs the catalog, and here is only a spool
    ├─ ArchiveNotFoundError (FileNotFoundError)
    ├─ ArchiveExistsError (FileExistsError)
    ├─ SigningError (PermissionError)  the key that signs cannot be used
    ├─ RecordError          a name does not mean what was hoped
    │  ├─ RecordNotFoundError (KeyError)
    │  ├─ RecordExistsError (ValueError)
    │  ├─ InvalidNameError (ValueError)
    │  └─ NameConflictError (ValueError)
    ├─ BatchError (RuntimeError)  a batch cannot hold this, or has ended
    │  └─ BatchConflictError  somebody changed what it was to change
    ├─ PayloadError         a file does not hold what was saved
    │  ├─ PayloadMissingError (FileNotFoundError)
    │  ├─ PayloadCorruptError (ValueError)
    │  ├─ BagError (ValueError)  a zip is no export, or is not as it was exported
    │  └─ UntrustedPayloadError (PermissionError)
    ├─ ValueCodingError     a value cannot be written or read
    │  ├─ EncodeError (TypeError)
    │  ├─ DecodeError (ValueError)
    │  └─ RestoreError (ImportError)
    ├─ StoreError (OSError) the file system refused
    ├─ StorageError         a path inside a record
    │  ├─ KeyNotFoundError (KeyError)
    │  └─ NotAGroupError (TypeError)
    ├─ QueryError (ValueError)
    ├─ ModeError (ValueError)
    └─ ReadOnlyError (PermissionError)

Each leaf is also the nearest builtin, so that code which has never heard of
archivedb still catches it.  All of them survive pickling, because workers of
a process pool hand their errors back that way.
"""

from __future__ import annotations


class ArchiveError(Exception):
    """
    The root: ``except ArchiveError`` catches whatever archivedb raises.

    Example:
        >>> try:
        ...     archivedb.load("/tmp/archivedb-doctest/nothing")
        ... except ArchiveError as error:
        ...     type(error).__name__
        'PayloadMissingError'

    """

    def __str__(self) -> str:
        """Return the sentence; a ``KeyError`` would show its repr."""
        return str(self.args[0]) if self.args else type(self).__name__


class CatalogError(ArchiveError):
    """The catalog cannot be opened, read or written."""


class CatalogEntryError(CatalogError, ValueError):
    """A change cannot be a row: it contradicts others, or itself."""


class CatalogDamagedError(CatalogError, ValueError):
    """The catalog's file is no SQLite database, or a damaged one."""


class CatalogOutdatedError(CatalogError, RuntimeError):
    """The catalog's schema is older than this archivedb."""


class CatalogNewerError(CatalogError, RuntimeError):
    """The catalog's schema is newer than this archivedb."""


class MigrationsNotFoundError(CatalogError, FileNotFoundError):
    """The migration scripts are missing from the installation."""


class SpoolError(CatalogError, RuntimeError):
    """The archive only spools here: this is done where its catalog is used."""


class ArchiveNotFoundError(ArchiveError, FileNotFoundError):
    """There is no archive at this address."""


class ArchiveExistsError(ArchiveError, FileExistsError):
    """There is an archive at this address already."""


class SigningError(ArchiveError, PermissionError):
    """This user's signing key cannot be made, read or trusted."""


class RecordError(ArchiveError):
    """A record's name does not mean what the caller hoped."""


class RecordNotFoundError(RecordError, KeyError):
    """No record, or no such version of it, has this name."""


class RecordExistsError(RecordError, ValueError):
    """``on_exists="error"`` and a record of that name exists."""


class InvalidNameError(RecordError, ValueError):
    """The text cannot be the name of a record."""


class NameConflictError(RecordError, ValueError):
    """The name would have to be a record and a folder at once."""


class BatchError(ArchiveError, RuntimeError):
    """A batch cannot do this: do it before, or when it has ended."""


class BatchConflictError(BatchError):
    """Somebody changed what a batch was to change; nothing of it was written."""


class PayloadError(ArchiveError):
    """A payload file does not hold what was saved."""


class PayloadMissingError(PayloadError, FileNotFoundError):
    """The catalog names a payload file that is not there."""


class PayloadCorruptError(PayloadError, ValueError):
    """Stored bytes differ from their digest."""


class BagError(PayloadError, ValueError):
    """A zip is no export of archivedb, or not as it was exported."""


class UntrustedPayloadError(PayloadError, PermissionError):
    """A payload would run code, and nobody whom this user trusts signed it."""


class ValueCodingError(ArchiveError):
    """A Python value cannot be written, or not be read back."""


class EncodeError(ValueCodingError, TypeError):
    """A value cannot be stored exactly; the message names the path to it."""


class DecodeError(ValueCodingError, ValueError):
    """A skeleton or an envelope is not of the documented form."""


class RestoreError(ValueCodingError, ImportError):
    """An object's class cannot be imported, or it refused to be restored."""


class StoreError(ArchiveError, OSError):
    """The file system refused to write, to sync or to read a payload."""


class StorageError(ArchiveError):
    """A path inside a record leads nowhere."""


class KeyNotFoundError(StorageError, KeyError):
    """There is nothing at this path inside the record."""


class NotAGroupError(StorageError, TypeError):
    """The path goes on below something that is not a group."""


class QueryError(ArchiveError, ValueError):
    """The query cannot be understood."""


class ModeError(ArchiveError, ValueError):
    """There is no such mode, or the payload is of another one."""


class ReadOnlyError(ArchiveError, PermissionError):
    """The archive was opened with ``readonly=True``."""
