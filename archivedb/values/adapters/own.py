"""Adapters for archivedb's own values."""

from __future__ import annotations

from typing import Any

import numpy as np

from archivedb.values.adapters.base import Adapter
from archivedb.values.file import File


def adapters() -> list[Adapter]:
    """Return the adapters of this module."""
    return [Adapter("archivedb.File", File, _pack, _unpack)]


def _pack(file: File) -> dict[str, Any]:
    return {"name": file.name, "content": file.content()}


def _unpack(state: dict[str, Any]) -> File:
    content = state["content"]
    if type(content) is not np.ndarray or content.dtype != np.uint8:
        raise TypeError(content)
    return File.of_bytes(state["name"], content.reshape(-1))
