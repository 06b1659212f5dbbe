"""Another package's storage passes the tests that archivedb ships for it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from archivedb.errors import ModeError
from archivedb.storage import STORAGES, get_storage
from archivedb.testing import StorageConformance
from tests.support.mapping import mapping_tests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.storage.generic import GenericStorage

THIRD_PARTY = Path(__file__).parents[1] / "support" / "thirdparty"


@pytest.fixture(autouse=True, scope="module")
def _installed() -> Iterator[None]:
    """Install the package, which adds itself by entry points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(THIRD_PARTY)
        yield
    sys.modules.pop("dirstore", None)


class TestDirStore(StorageConformance):
    """Every promise holds for a backend of single keys and plain values."""

    def make_storage(self) -> GenericStorage:
        """Return a storage in a new directory."""
        return get_storage("directory", self.new_path())

    def reopen(self, storage: GenericStorage) -> GenericStorage:
        """Return a storage in the same directory."""
        place: Any = storage
        return get_storage("directory", place._path)


TestMapping = mapping_tests(lambda folder: get_storage("directory", folder))


def test_it_is_found_by_its_entry_point() -> None:
    """The package is imported when its storage is asked for."""
    sys.modules.pop("dirstore", None)
    assert STORAGES.names()[:4] == ["memory", "hdf5", "json", "cloudpickle"]
    assert "directory" in STORAGES
    assert "dirstore" not in sys.modules
    assert STORAGES.load("directory") is importlib.import_module("dirstore").DirStore


def test_unknown_kinds() -> None:
    """A kind that nobody has added is an error that names those there are."""
    with pytest.raises(ModeError, match="'floppy'; there are memory, hdf5"):
        get_storage("floppy")
