"""archivedb's own storages pass the tests that it ships for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.storage.files import HDF5Storage, JSONStorage, PickleStorage
from archivedb.storage.memory import MemoryStorage
from archivedb.testing import StorageConformance

if TYPE_CHECKING:
    from archivedb.storage.generic import GenericStorage


class TestMemoryStorage(StorageConformance):
    """Memory, into which nobody else can write."""

    signs = False

    def make_storage(self) -> GenericStorage:
        """Return an empty storage."""
        return MemoryStorage()


class TestHDF5Storage(StorageConformance):
    """One payload file in mode hdf5."""

    def make_storage(self) -> GenericStorage:
        """Return a storage in a new file."""
        return HDF5Storage(self.new_path())

    def reopen(self, storage: Any) -> GenericStorage:
        """Return another storage in the same file."""
        return HDF5Storage(storage._document.file)


class TestJSONStorage(StorageConformance):
    """One payload file in mode json."""

    def make_storage(self) -> GenericStorage:
        """Return a storage in a new file."""
        return JSONStorage(self.new_path())

    def reopen(self, storage: Any) -> GenericStorage:
        """Return another storage in the same file."""
        return JSONStorage(storage._document.file)


class TestPickleStorage(StorageConformance):
    """One payload file in mode cloudpickle."""

    def make_storage(self) -> GenericStorage:
        """Return a storage in a new file."""
        return PickleStorage(self.new_path())

    def reopen(self, storage: Any) -> GenericStorage:
        """Return another storage in the same file."""
        return PickleStorage(storage._document.file)
