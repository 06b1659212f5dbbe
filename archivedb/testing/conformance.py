"""The conformance suite: what holds of every storage."""

from __future__ import annotations

from archivedb.testing.contents import ContentsCase
from archivedb.testing.edits import EditsCase
from archivedb.testing.keys import KeysCase


class StorageConformance(KeysCase, ContentsCase, EditsCase):
    """
    The tests that every storage shall pass.

    A test class derives from it and implements `make_storage`, and `reopen` if
    the storage outlives the process.
    """
