"""Groups: what stands inside a record or a file, as a mapping."""

from __future__ import annotations

from archivedb.storage.registry import STORAGES, get_storage

__all__ = ["STORAGES", "get_storage"]
