"""What the tests of the store share: an archive with two records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive with two records."""
    with Archive(tmp_path / "runs.db", provenance=False) as opened:
        opened.save({"n": 1}, "old/x")
        opened.save({"n": 2}, "old/y")
        yield opened
