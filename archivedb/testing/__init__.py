"""
Tests that every storage shall pass, for whoever writes a backend.

Derive from `StorageConformance` in a test module, and pytest does the rest::

    from archivedb.testing import StorageConformance

    class TestMyStorage(StorageConformance):
        def make_storage(self):
            return MyStorage(self.new_path())

        def reopen(self, storage):
            return MyStorage(storage.filename)

Needs pytest and hypothesis.
"""

from __future__ import annotations

from importlib.util import find_spec

for _needed in ("pytest", "hypothesis"):
    if find_spec(_needed) is None:
        msg = f"archivedb.testing needs {_needed}: python -m pip install {_needed}"
        raise ImportError(msg)

import pytest  # noqa: E402 - see above

# Before they are imported: so failures show what was compared.
pytest.register_assert_rewrite(
    "archivedb.testing.base",
    "archivedb.testing.contents",
    "archivedb.testing.edits",
    "archivedb.testing.keys",
    "archivedb.testing.machine",
)

from archivedb.testing.conformance import StorageConformance  # noqa: E402 - see above
from archivedb.testing.values import (  # noqa: E402 - see above
    DTYPES,
    ODD_KEYS,
    SHAPES,
    VALUES,
    array_of,
)

__all__ = [
    "DTYPES",
    "ODD_KEYS",
    "SHAPES",
    "VALUES",
    "StorageConformance",
    "array_of",
]
