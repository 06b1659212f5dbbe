"""What the tests of what is let in share: time limits, and forged payloads."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive
from archivedb.store import naming
from archivedb.values import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail if something takes longer: it waits for what never comes."""

    def late(*_: object) -> None:
        pytest.fail(f"it took longer than {seconds} seconds", pytrace=False)

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    with within(60):
        yield


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive in a directory of its own, not created yet."""
    place = tmp_path / "place"
    place.mkdir()
    with Archive(place / "runs.db", durability="relaxed", provenance=False) as opened:
        yield opened


def published(raw: bytes, old: Path) -> Path:
    """Replace a payload by other bytes, under the name that proves them."""
    parsed = naming.parse(old.name)
    assert parsed is not None
    name = naming.FileName(parsed.uuid, digest.name_digits([raw]), parsed.suffix)
    old.unlink()
    new = old.with_name(str(name))
    new.write_bytes(raw)
    return new


@pytest.fixture
def replace_payload(tmp_path: Path) -> Callable[[Any], Path]:
    """
    Return what makes other bytes of an archive's one payload.

    The catalog is removed, so that what opens the archive next reads them as
    if the writer had written them.
    """

    def replace(change: Callable[[bytes], bytes]) -> Path:
        (old,) = (tmp_path / "place" / "runs.payloads").glob("??/*")
        for path in (tmp_path / "place").glob("runs.db*"):
            path.unlink()
        return published(change(old.read_bytes()), old)

    return replace
