"""What the tests ask of whoever derives from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from archivedb.storage.generic import GenericStorage
from archivedb.values.exact import same

if TYPE_CHECKING:
    from pathlib import Path


class StorageCase:
    """
    How tests come by storages.

    Attributes:
        signs: Whether what runs code when it is restored has to be signed;
            False for a place into which nobody but this process can write.
        directory: A directory of the test's own.

    """

    signs = True
    directory: Path

    def make_storage(self) -> GenericStorage:
        """Return a new, empty storage; each call another."""
        raise NotImplementedError

    def reopen(self, storage: GenericStorage) -> GenericStorage:
        """Return what another process would see; override it if there is one."""
        return storage

    def new_path(self) -> Path:
        """Return a path in the test's directory at which there is nothing."""
        self._paths += 1
        return self.directory / f"storage-{self._paths}"

    @pytest.fixture(autouse=True)
    def _own_directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path
        self._paths = 0

    @pytest.fixture
    def storage(self) -> GenericStorage:
        """Return a new, empty storage."""
        return self.make_storage()

    def check(self, storage: GenericStorage, expected: dict[Any, Any]) -> None:
        """Assert that a storage holds exactly this, in this order, reopened too."""
        for each in (storage, self.reopen(storage)):
            assert same(each.load(), expected), f"{each.load()} is not {expected}"
            assert list(each.load()) == list(expected)
            assert len(each) == len(list(each)) == len(expected)


def plain(value: Any) -> Any:
    """Return a group as its plain dict, and anything else as it is."""
    return value.load() if isinstance(value, GenericStorage) else value
