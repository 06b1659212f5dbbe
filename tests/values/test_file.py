"""Whole files as values."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from archivedb import Archive, File
from archivedb.errors import EncodeError

if TYPE_CHECKING:
    from pathlib import Path

MODES = ("hdf5", "json", "cloudpickle")
CONTENT = bytes(range(256)) * 40_000  # 10 MB, in blocks


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("content", [b"", b"converged\n", CONTENT[:5000], CONTENT])
def test_round_trip(tmp_path: Path, mode: str, content: bytes) -> None:
    """A file comes back with its name and every byte; a path stays a path."""
    path = tmp_path / "OUTCAR"
    path.write_bytes(content)
    archive = Archive(tmp_path / "runs.db", mode=mode)
    archive.save({"log": File(path), "path": path}, "run")
    path.unlink()
    back = archive.load("run")
    assert back["path"] == path
    log = back["log"]
    assert (log.name, log.size, log.read_bytes()) == ("OUTCAR", len(content), content)
    assert log == File.of_bytes("OUTCAR", content)
    with log.open() as opened:
        assert opened.read() == content
    where = log.export(tmp_path / "out")
    assert where == tmp_path / "out" / "OUTCAR"
    assert where.read_bytes() == content
    assert list((tmp_path / "out").iterdir()) == [where]


def test_text(tmp_path: Path) -> None:
    """A file can be read as text."""
    path = tmp_path / "log"
    path.write_text("Å\n", encoding="utf-8")
    with File(path).open("r") as opened:
        assert opened.read() == "Å\n"
    with pytest.raises(ValueError, match="'rb'"):
        File(path).open("w")


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    """Exporting overwrites only what it is told to."""
    target = tmp_path / "log"
    target.write_bytes(b"mine")
    file = File.of_bytes("log", b"new")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        file.export(tmp_path)
    assert target.read_bytes() == b"mine"
    file.export(tmp_path, overwrite=True)
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\0b", "a\\b"])
def test_names_that_lead_elsewhere(name: str) -> None:
    """A name is that of a file, and of nothing above or below."""
    with pytest.raises(ValueError, match="no file's name"):
        File.of_bytes(name, b"")


def test_what_is_no_file(tmp_path: Path) -> None:
    """A directory, a pipe and nothing at all are refused before anything is written."""
    archive = Archive(tmp_path / "runs.db")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, tmp_path / "none"):
        with pytest.raises(EncodeError, match=r"outputs/log.*no file"):
            archive.save({"outputs": {"log": File(path)}}, "run")
    assert not archive.exists


def test_a_stranger_reads_it_without_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file runs nothing, so nobody has to have signed it."""
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "one.key"))
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"log": File.of_bytes("log", b"x")}, "run")
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "other.key"))
    with Archive(tmp_path / "runs.db") as archive:
        assert archive.load("run")["log"].read_bytes() == b"x"
