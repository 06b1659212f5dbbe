"""Which archive a command means."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


def _create(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Archive(path) as archive:
        archive.save({"at": str(path)}, "here")


def _at(run: Run) -> str:
    """Return which archive is found from here."""
    return run("load", "here/at").stdout.strip()


def test_archive_db_in_this_directory(run: Run) -> None:
    """An ``archive.db`` is found, and goes before any other."""
    _create("archive.db")
    _create("other.db")
    assert _at(run) == '"archive.db"'


def test_a_single_catalog_with_payloads(run: Run) -> None:
    """A ``*.db`` is an archive's if its payloads lie beside it."""
    _create("runs.db")
    Path("unrelated.db").touch()
    assert _at(run) == '"runs.db"'


def test_several_are_listed(run: Run) -> None:
    """Which of several is meant, the user says."""
    _create("one.db")
    _create("two.db")
    result = run("ls", code=3)
    assert "one.db, two.db" in result.stderr
    assert "--db" in result.stderr


def test_the_nearest_upward(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories above are looked into, the nearest first."""
    _create("runs.db")
    Path("a/b/c").mkdir(parents=True)
    monkeypatch.chdir("a/b/c")
    assert _at(run) == '"runs.db"'
    monkeypatch.chdir("..")
    _create("archive.db")
    monkeypatch.chdir("c")
    assert _at(run) == '"archive.db"'


def test_payloads_without_a_catalog(run: Run) -> None:
    """An archive whose catalog is gone is found, and brings it back."""
    _create("runs.db")
    for path in Path().glob("runs.db*"):
        path.unlink()
    assert "1 record" in run("reindex").stdout
    assert _at(run) == '"runs.db"'


def test_a_directory_is_an_address(run: Run) -> None:
    """A directory stands for its ``archive.db``."""
    _create("there/archive.db")
    assert run("ls", "--db", "there").stdout == "here\n"


def test_a_directory_that_may_only_be_read(run: Run) -> None:
    """Reading works where nothing may be written."""
    _create("there/runs.db")
    before = sorted(path.name for path in Path("there").iterdir())
    for path in Path("there").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    Path("there").chmod(0o555)
    if os.access("there", os.W_OK):
        pytest.skip("this user may write everywhere")
    try:
        assert run("ls", "--db", "there/runs.db").stdout == "here\n"
        assert run("verify", "--db", "there/runs.db").stdout.startswith("sound")
        assert sorted(path.name for path in Path("there").iterdir()) == before
    finally:
        for path in (Path("there"), *Path("there").rglob("*")):
            path.chmod(0o755)


def test_what_may_not_be_written_is_opened_to_be_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing may be written, nothing is, and the rest works."""
    _create("runs.db")
    monkeypatch.setattr("archivedb.cli._where._is_writable", lambda _: False)
    before = sorted(Path().rglob("*"))
    assert run("ls").stdout == "here\n"
    assert run("load", "here/at").stdout == '"runs.db"\n'
    assert run("verify").stdout.startswith("sound")
    assert sorted(Path().rglob("*")) == before


def test_a_current_directory_that_is_gone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell in a deleted directory gets a sentence."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    shutil.rmtree(gone)
    try:
        result = run("ls", code=1)
        assert result.stderr.startswith("archivedb: ")
    finally:
        os.chdir(tmp_path)  # monkeypatch cannot go back otherwise
