"""Everything of a damaged record that is sound is brought out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archivedb
from archivedb import Archive
from archivedb.errors import (
    ArchiveExistsError,
    PayloadError,
    RecordNotFoundError,
)

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = np.arange(3000.0), np.arange(2000.0) + 0.5, np.arange(1000.0) - 7


def flip(file: Path, array: Any) -> None:
    """Flip a bit in the middle of an array."""
    raw = bytearray(file.read_bytes())
    raw[raw.index(array.tobytes()) + array.nbytes // 2] ^= 8
    file.write_bytes(raw)


@pytest.mark.parametrize("mode", ["hdf5", "cloudpickle"])
def test_all_but_what_is_damaged_is_there(tmp_path: Path, mode: str) -> None:
    """One array is lost, and named."""
    data = {"a": A, "g": {"b": B, "n": 2}, "list": [C, "x"], "t": (1, {"in": B[::2]})}
    with Archive(tmp_path / "runs.db", mode=mode) as archive:
        file = tmp_path / "runs.payloads" / archive.save(data, "x").files[0]
        flip(file, B)
        done = archive.salvage("x", tmp_path / "out")
    assert done.lost == ("g/b",)
    found = archivedb.load(tmp_path / "out")
    assert set(found) == set(data)
    assert found["g"] == {"n": 2}
    assert found["a"].tobytes() == A.tobytes()
    assert found["list"][0].tobytes() == C.tobytes()
    assert found["t"][1]["in"].tobytes() == B[::2].tobytes()


def test_what_is_lost_in_a_list_or_a_tuple_is_said(tmp_path: Path) -> None:
    """An item cannot go without the others moving up."""
    with Archive(tmp_path / "runs.db") as archive:
        data = {"list": [A, "x"], "t": {"p": (B, 1)}, "n": 1}
        file = tmp_path / "runs.payloads" / archive.save(data, "x").files[0]
        flip(file, A)
        flip(file, B)
        done = archive.salvage("x", tmp_path / "out")
    found = archivedb.load(tmp_path / "out")
    assert found["n"] == 1
    assert len(done.lost) == 2
    assert all(path.startswith(("list", "t/p")) for path in done.lost)


def test_what_is_shared_is_lost_once(tmp_path: Path) -> None:
    """Each place that leads to the damaged array is named."""
    with Archive(tmp_path / "runs.db") as archive:
        record = archive.save({"a": A, "same": A, "n": 1}, "x")
        flip(tmp_path / "runs.payloads" / record.files[0], A)
        assert sorted(archive.salvage("x", tmp_path / "out").lost) == ["a", "same"]
    assert archivedb.load(tmp_path / "out") == {"n": 1}


def test_a_version_that_shares_a_lost_file(tmp_path: Path) -> None:
    """An edit outlives the payload that it shares arrays with."""
    with Archive(tmp_path / "runs.db") as archive:
        first = archive.save({"a": A, "n": 1}, "x")
        archive.open("x")["b"] = B
        (tmp_path / "runs.payloads" / first.files[0]).unlink()
        done = archive.salvage("x", tmp_path / "out")
        assert (done.version, done.lost) == (2, ("a",))
        with pytest.raises(PayloadError):
            archive.salvage(first, tmp_path / "first")
        assert not (tmp_path / "first").exists()
    found = archivedb.load(tmp_path / "out")
    assert found["b"].tobytes() == B.tobytes()


def test_what_is_refused(tmp_path: Path) -> None:
    """A directory that is in use, a name that is none; nothing is written."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"a": 1}, "x")
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine").write_text("mine")
        with pytest.raises(ArchiveExistsError, match="new, or empty"):
            archive.salvage("x", tmp_path / "full")
        with pytest.raises(RecordNotFoundError):
            archive.salvage("y", tmp_path / "y")
        assert archive.salvage("x", tmp_path / "sound").lost == ()
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    assert archivedb.load(tmp_path / "sound") == {"a": 1}
