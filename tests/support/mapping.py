"""CPython's own tests of what a mapping does, for storages."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_NOT_FOR_STORAGES = (
    # Keys are text.
    *("test_values", "test_items", "test_clear", "test_update", "test_eq"),
    # There is no copy and no fromkeys: a storage is a place, not a value.
    *("test_copy", "test_fromkeys"),
    "test_popitem",
    # A value that was read is a copy, and not part of the storage.
    "test_setdefault",
    # A listing is that of the moment when it began.
    "test_mutatingiteration",
    # Nor is the repr that of a dict.
    *("test_repr", "test_repr_deep"),
)
"""Tests of `TestHashMappingProtocol` that ask for what storages do not promise."""

_WITH_TEXT_KEYS_ONLY = ("test_getitem", "test_pop")
"""Of these what `TestMappingProtocol` asks for holds."""


def mapping_tests(make: Callable[[Path], Any]) -> type:
    """
    Return CPython's tests of mappings for storages.

    Args:
        make: Returns a storage, given a folder in which there is nothing.

    """
    suite = pytest.importorskip("test.mapping_tests")

    def new(*_: Any, **items: Any) -> Any:
        storage = make(Path(tempfile.mkdtemp(dir=new.folder)))  # type: ignore[attr-defined]
        storage.update(items)
        return storage

    class Mapping(suite.TestHashMappingProtocol):  # type: ignore[misc,name-defined]
        """What `dict` does with keys of text, storages do."""

        type2test = staticmethod(new)

        @pytest.fixture(autouse=True)
        def _folder(self, tmp_path: Path) -> None:
            new.folder = tmp_path  # type: ignore[attr-defined]

    for name in _NOT_FOR_STORAGES:
        basic = getattr(suite.BasicTestMappingProtocol, name, None)
        setattr(Mapping, name, basic)
    for name in _WITH_TEXT_KEYS_ONLY:
        setattr(Mapping, name, getattr(suite.TestMappingProtocol, name))
    return Mapping
