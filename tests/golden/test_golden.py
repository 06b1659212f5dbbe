"""Archives of every revision, as they were written then, are read today."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.catalog import schema
from archivedb.errors import RecordNotFoundError, UntrustedPayloadError

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
CONTENTS = runpy.run_path(str(HERE / "contents.py"))
MODES, VERSIONS = CONTENTS["MODES"], CONTENTS["VERSIONS"]


def exact(value: Any) -> Any:
    """Return what `==` compares exactly: types, signs and arrays."""
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return "dict", [(exact(key), exact(value[key])) for key in value]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [exact(item) for item in value]
    return type(value).__name__, repr(value)


@pytest.fixture(params=schema.KNOWN)
def revision(request: pytest.FixtureRequest) -> str:
    """Return each revision in turn."""
    return str(request.param)


@pytest.fixture
def archive(
    revision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Archive]:
    """Return a copy of a golden archive, with its throw-away key."""
    shutil.copytree(HERE / revision, tmp_path / "golden")
    key = tmp_path / "signing.key"
    shutil.copy(HERE / "key" / "signing.key", key)
    key.chmod(0o600)
    monkeypatch.setenv("ARCHIVEDB_KEY", str(key))
    with Archive(tmp_path / "golden" / "runs.db", migrate=True) as opened:
        yield opened


def test_it_is_small_and_whole(revision: str) -> None:
    """What is committed is a catalog without a log, and less than 200 kB."""
    files = [path for path in (HERE / revision).rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) < 200_000
    assert not [path for path in files if path.name.endswith(("-wal", "-shm"))]


@pytest.mark.parametrize("mode", MODES)
def test_everything_loads_exactly(archive: Archive, mode: str) -> None:
    """Every version of every mode is what was saved, also part by part."""
    for version, data in enumerate(VERSIONS, 1):
        found = archive.load(f"runs/{mode}", version=version)
        assert exact(found) == exact(data)
    for path in ("forces", "complex", "words", "empty", "odd"):
        assert exact(archive[f"runs/{mode}/outputs/{path}"]) == exact(
            VERSIONS[-1]["outputs"][path]
        )
    record = archive.record(f"runs/{mode}")
    assert (record.version, record.mode, record.tags) == (2, mode, (mode, "t"))
    assert exact(record.metadata) == exact(CONTENTS["METADATA"])


@pytest.mark.parametrize("mode", MODES)
def test_objects_load_with_their_key_only(
    archive: Archive, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signatures of then are checked today."""
    assert archive.load(f"objects/{mode}") == CONTENTS["OBJECTS"]
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    with pytest.raises(UntrustedPayloadError):
        archive.load(f"objects/{mode}")
    assert archive.load(f"objects/{mode}", objects="stub")["plain"] == 1


def test_it_is_searched_listed_and_verified(archive: Archive) -> None:
    """The catalog of then answers, and every byte is still what was saved."""
    assert sorted(archive) == sorted(
        f"{folder}/{mode}" for folder in ("objects", "runs") for mode in MODES
    )
    assert len(archive.find(project="golden")) == 3
    assert len(archive.find(big=2**70)) == 3
    assert len(archive.find(**{"inputs/structure": "fcc"})) == 3
    assert archive.verify("quick").ok
    assert archive.verify("full").ok
    with pytest.raises(RecordNotFoundError):
        archive.load("deleted")


def test_a_rebuilt_catalog_says_the_same(archive: Archive) -> None:
    """Today's code indexes the payloads of then as it was done then."""
    before = archive.inspect().dump()

    archive.reindex()
    assert archive.inspect().dump() == before
    assert archive.verify().ok


def test_it_goes_on(archive: Archive) -> None:
    """What is saved today stands beside what was saved then."""
    assert archive.save({"n": 3}, "runs/hdf5").version == 3
    assert archive.save({"new": 1}, "deleted").version == 1
    archive.reindex()
    assert archive.load("deleted") == {"new": 1}
    assert exact(archive.load("runs/hdf5", version=2)) == exact(VERSIONS[-1])


def test_equal_data_still_has_an_equal_digest(archive: Archive) -> None:
    """Saving the same again writes nothing: digests do not drift."""
    for mode in MODES:
        record = archive.save(
            VERSIONS[-1],
            f"runs/{mode}",
            metadata=CONTENTS["METADATA"],
            tags=["t", mode],
        )
        assert record.version == 2
