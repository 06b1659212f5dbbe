"""What the tests of integrity share: an archive to be damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODES = ("hdf5", "json", "cloudpickle")

DATA: dict[str, Any] = {
    "inputs": {"structure": "fcc", "cutoff": 350, "text": "needle" * 20},
    "outputs": {"energy": -3.7, "forces": np.linspace(0, 1, 96).reshape(32, 3)},
    "flags": [True, None, 2**70],
    "blob": bytes(range(256)),
}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Return each mode in turn."""
    return str(request.param)


@pytest.fixture
def data() -> dict[str, Any]:
    """Return what the record ``hurt`` holds."""
    return DATA


@pytest.fixture
def archive(tmp_path: Path, mode: str) -> Iterator[Archive]:
    """Return an archive with a record to be hurt, and its siblings."""
    with Archive(tmp_path / "runs.db", mode=mode) as opened:
        opened.save({"n": 1}, "sibling/before")
        opened.save(DATA, "hurt", metadata={"m": 1})
        opened.save({"n": 2}, "sibling/after")
        yield opened


@pytest.fixture
def file(archive: Archive, tmp_path: Path) -> Path:
    """Return the payload file of ``hurt``."""
    return tmp_path / "runs.payloads" / archive.record("hurt").files[0]
