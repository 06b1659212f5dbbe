"""CPython's own tests of mappings hold for storages, and kinds have names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archivedb.storage import get_storage
from tests.support.mapping import mapping_tests

if TYPE_CHECKING:
    from pathlib import Path

TestMemory = mapping_tests(lambda _: get_storage("memory"))
TestHDF5 = mapping_tests(lambda folder: get_storage("hdf5", folder / "x.h5"))
TestJSON = mapping_tests(lambda folder: get_storage("json", folder / "x.json"))
TestPickle = mapping_tests(lambda folder: get_storage("cloudpickle", folder / "x.zip"))


@pytest.mark.parametrize("kind", ["hdf5", "json", "cloudpickle"])
def test_kinds(kind: str, tmp_path: Path) -> None:
    """A storage is had by the name of its kind, and takes what its class takes."""
    get_storage(kind, tmp_path / "file")["a/b"] = (1, 2)
    assert get_storage(kind, tmp_path / "file").load() == {"a": {"b": (1, 2)}}
