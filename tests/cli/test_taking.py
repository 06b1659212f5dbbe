"""``archivedb pull`` and ``archivedb ingest``, and saves where there is a spool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archivedb import Archive, save
from archivedb.store import mounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


def test_pull(run: Run, archive: str) -> None:
    """What came is counted; what was left is said, and is the exit code."""
    run("init", "mine.db")
    shown = run("pull", archive, "x == 1", "--db", "mine.db").stdout
    assert shown.startswith("pulled 1 version of 1 record, 0 other changes, ")
    done = json.loads(run("pull", archive, "--db", "mine.db", "--json").stdout)
    assert (done["records"], done["versions"], done["left"]) == (2, 3, [])
    with Archive("third.db") as third:
        third.save({}, "cu/inside")
    said = run("pull", archive, "--db", "third.db", code=1)
    assert "cu: " in said.stderr
    assert run("ls", "--db", "third.db").exit_code == 0


def test_what_cannot_be_pulled(run: Run, archive: str) -> None:
    """An error is a sentence."""
    assert "no archive at" in run("pull", "nothing.db", code=3).stderr
    assert "itself" in run("pull", archive, code=3).stderr


def test_ingest(run: Run, archive: str) -> None:
    """Directories come under their paths, and what waits gets its version."""
    save({"n": 1}, "results/a/1")
    shown = run("ingest", "results", "--under", "old/").stdout
    assert shown.startswith("ingested 1 version of 1 record")
    assert "old/a/1" in run("ls", "-r").stdout + run("ls", "old/a").stdout
    with Archive(archive, spool=True) as node:
        node.save({"n": 2}, "node")
    done = json.loads(run("ingest", "--json").stdout)
    assert (done["versions"], done["left"]) == (1, [])
    assert json.loads(run("ingest", "--json").stdout)["versions"] == 0


@pytest.mark.usefixtures("archive")
def test_on_a_network_file_system(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves are spooled, and all else says what to do."""
    table = Path("mountinfo").absolute()
    table.write_text("1 0 8:1 / / rw - nfs4 server:/ rw\n")
    Path("run.json").write_text('{"n": 1}')
    with monkeypatch.context() as patch:
        patch.setattr(mounts, "TABLE", str(table))
        assert "node  spooled  hdf5" in run("save", "run.json", "node").stdout
        assert "nfs4" in run("load", "node", code=3).stderr
        assert "--payloads" not in run("find", code=3).stdout
    assert run("show", "node").exit_code == 0
