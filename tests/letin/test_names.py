"""Names that no file could have, or that some terminal would obey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from archivedb import Archive, load
from archivedb.archive.packing import directory
from archivedb.cli._app import app
from archivedb.errors import (
    ArchiveError,
    InvalidNameError,
    RecordNotFoundError,
    StoreError,
)
from archivedb.store.plain import PlainDirectory

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = [
    *("..", "../x", "a/../b", "a/..", ".", "./a", "/etc/passwd", "/", "//", "a//b"),
    *("a/", "", "a\0b", "\0", "a\nb", "\x1b[2J", "a\x7f", "a\x85b"),
    *("x" * 4000, "ä" * 513, "\ud800", "a\udcffb"),
]
NO_FILE_HERE = [
    *("CON", "con", "aux.txt", "nul", "COM1.h5", "lpt9", "a.", "a..", "a ", " a"),
    *("C:", "C:\\windows", "..\\..\\x", "a:b", "a*b?", '<a>"|', "~", "~root", "$HOME"),
    *("-rf", "--db", "...", "a\u202eb", "\u2066a\u2069", "\ufeffa", "é", "e\u0301"),
]


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: ascii(name[:12]))
def test_what_is_no_name(archive: Archive, tmp_path: Path, name: str) -> None:
    """Each way to give a record a name refuses it, and nothing is written."""
    archive.save({"a": 1}, "x")
    for give in (
        lambda: archive.save({}, name),
        lambda: archive.rename("x", name),
        lambda: archive.open(name).__setitem__("a", 1),
        lambda: archive.run(name).__enter__(),
    ):
        with pytest.raises((InvalidNameError, RecordNotFoundError)):
            give()
    for ask in (archive.load, archive.record, archive.versions, archive.delete):
        with pytest.raises(ArchiveError):
            ask(name)
    assert name not in archive
    assert list(archive) == ["x"]
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_what_is_a_name_here(archive: Archive, tmp_path: Path) -> None:
    """No name is the name of a file in the store: any system's archive holds them."""
    for number, name in enumerate(NO_FILE_HERE):
        archive.save({"n": number}, name)
    assert sorted(archive) == sorted(NO_FILE_HERE)
    for number, name in enumerate(NO_FILE_HERE):
        assert archive.load(name) == {"n": number}
    store = tmp_path / "place" / "runs.payloads"
    own = {"tmp", "locks", "archive.json"}
    for path in store.rglob("*"):
        relative = path.relative_to(store).parts
        assert relative[0] in own or set(path.name) <= set("0123456789abcdef-.h")
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before


def test_names_that_differ_in_case(archive: Archive, tmp_path: Path) -> None:
    """They are several records, and several directories where a system tells them."""
    names = ["Run", "run", "RUN", "straße", "STRASSE", "é", "e\u0301"]
    for number, name in enumerate(names):
        archive.save({"n": number}, name)
    assert [archive.load(name)["n"] for name in names] == [*range(len(names))]
    assert archive.find(name="run").count() == 1
    archive.find().export(tmp_path / "out")
    for number, name in enumerate(names):
        assert load(tmp_path / "out" / name) == {"n": number}


def test_a_system_that_does_not_tell_names_apart(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that would become one directory are refused: none is left out."""
    archive.save({"n": 1}, "Run")
    archive.save({"n": 2}, "run")

    class Folding(PlainDirectory):
        def __init__(self, root: Path) -> None:
            super().__init__(root.with_name(root.name.lower()))

    monkeypatch.setattr(directory, "PlainDirectory", Folding)
    with pytest.raises(StoreError, match="would take the place of another"):
        archive.find().export(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_name_that_no_directory_can_have(archive: Archive, tmp_path: Path) -> None:
    """A part of more than 255 bytes is a record; as a directory it is refused."""
    archive.save({"n": 1}, "x" * 1000)
    assert archive.load("x" * 1000) == {"n": 1}
    with pytest.raises(StoreError, match="too long"):
        archive.find().export(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


ODD = ["a\u202eb", "\u2066c\u2069", "d\u200ee"]


def test_terminals_obey_no_name(archive: Archive, tmp_path: Path) -> None:
    """What reverses a line or moves the cursor is shown escaped, in every command."""
    for name in ODD:
        archive.save({f"k\x1b[2J{name}": f"\x1b]0;{name}\x07"}, name, tags=["t\u202e"])
    archive.close()
    db = ["--db", str(tmp_path / "place" / "runs.db")]
    for command in (
        *(["ls"], ["ls", "-l"], ["find"], ["find", "--tag", "t\u202e"]),
        *([word, name] for word in ("tree", "show", "load", "history") for name in ODD),
        *(["load", "no\x1b[2J"], ["rm", "no\u202e", "--yes"], ["find", "\x1b[2J = 1"]),
        *(["verify"], ["tree"]),
    ):
        done = CliRunner().invoke(app, [*command, *db])
        assert "Traceback" not in done.output
        for mark in "\x1b\x07\u202e\u2066\u2069\u200e":
            assert mark not in done.output, command
