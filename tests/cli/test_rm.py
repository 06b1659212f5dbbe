"""``archivedb rm``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command believe that a person can answer."""
    from typer.testing import _NamedTextIOWrapper

    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True)


@pytest.mark.usefixtures("archive")
def test_rm_a_record(run: Run) -> None:
    """What was removed is named, and what was freed is counted."""
    result = run("rm", "al/fcc/run-1")
    assert result.stdout == "removed al/fcc/run-1\n"
    assert result.stderr.startswith("freed ")
    assert run("ls", "-r").stdout == "al/fcc/run-2\ncu\n"
    run("load", "al/fcc/run-1", code=1)


@pytest.mark.usefixtures("archive")
def test_rm_a_folder_takes_r(run: Run) -> None:
    """A folder is removed only if that was asked for."""
    result = run("rm", "al", code=1)
    assert "archivedb rm -r al" in result.stderr
    assert "2 records" in result.stderr
    result = run("rm", "-r", "al/", "--json")
    deletion = json.loads(result.stdout)
    assert sorted(deletion["names"]) == ["al/fcc/run-1", "al/fcc/run-2"]
    assert deletion["freed"] > 0
    assert run("ls").stdout == "cu\n"


@pytest.mark.usefixtures("archive", "_terminal")
def test_rm_a_folder_asks(run: Run) -> None:
    """On a terminal a folder is removed after a yes."""
    result = run("rm", "-r", "al", code=1, stdin="n\n")
    assert "nothing was removed" in result.stderr
    run("rm", "-r", "al", code=1, stdin="")
    assert run("ls", "-r", "al").stdout
    run("rm", "-r", "al", stdin="y\n")
    run("rm", "-r", "al", "-y", code=1)


@pytest.mark.usefixtures("archive", "_terminal")
def test_rm_with_yes_does_not_ask(run: Run) -> None:
    """With -y nobody has to answer."""
    run("rm", "-r", "-y", "al")
    assert run("ls").stdout == "cu\n"


@pytest.mark.usefixtures("archive")
def test_removed_stays_removed(run: Run) -> None:
    """A deleted record does not rise again when the catalog is rebuilt."""
    run("rm", "cu")
    run("reindex")
    assert run("ls", "-r").stdout == "al/fcc/run-1\nal/fcc/run-2\n"
