"""``archivedb export``."""

from __future__ import annotations

import json
import zipfile
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import archivedb
from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def _runs() -> None:
    with Archive("runs.db") as made:
        for number in range(3):
            made.save({"n": number}, f"md/run-{number}")


@pytest.mark.usefixtures("_runs")
def test_export(run: Run) -> None:
    """Names, or those on standard input, become directories; all or nothing."""
    lines = run("export", "md/run-0", "md/run-1", "out").stdout.splitlines()
    assert sorted(Path(line).name for line in lines) == ["run-0", "run-1"]
    assert archivedb.load("out/md/run-1") == {"n": 1}

    found = run("find", "n > 1").stdout
    (only,) = json.loads(run("export", "-", "more", "--json", stdin=found).stdout)
    assert archivedb.load(only) == {"n": 2}

    assert "exists" in run("export", "md/run-0", "out", code=1).stderr
    assert "none" in run("export", "md/run-0", "none", "new", code=1).stderr
    assert not Path("new").exists()
    run("export", "out", code=2)


@pytest.mark.usefixtures("_runs")
def test_export_and_import_zip(run: Run) -> None:
    """One zip goes out, with what others will not see; it comes in once."""
    with Archive("runs.db") as archive:
        archive.save({"of": _message()}, "md/mail")

    said = run(
        *("export", "md/run-0", "md/mail", "out.zip"),
        *("--license", "MIT", "--author", "Ada Lovelace"),
    )
    assert [Path(line).parts[:4] for line in said.stdout.splitlines()] == [
        ("out", "data", "records", "md")
    ] * 2
    assert "md/mail/of  email.message:EmailMessage" in said.stderr
    with zipfile.ZipFile("out.zip") as opened:
        crate = json.loads(opened.read("out/data/ro-crate-metadata.json"))
    assert "https://spdx.org/licenses/MIT" in {each["@id"] for each in crate["@graph"]}

    done = run("import", "out.zip", "--db", "other.db", "--under", "theirs/")
    assert done.stdout.startswith("imported 2 versions of 2 records")
    with Archive("other.db") as other:
        assert sorted(other) == ["theirs/md/mail", "theirs/md/run-0"]
    again = run("import", "out.zip", "--db", "other.db", "--json")
    assert json.loads(again.stdout)["versions"] == 0


@pytest.mark.usefixtures("_runs")
def test_provenance_on_the_command_line(run: Run) -> None:
    """What says where it was made is left out where that is wished."""
    run("export", "md/run-0", "out.zip", "--no-provenance")
    run("import", "out.zip", "--db", "other.db")
    with Archive("other.db") as other:
        assert {"host", "user", "argv"}.isdisjoint(other.record("md/run-0").provenance)


@pytest.mark.usefixtures("_runs")
def test_what_cannot_be_imported(run: Run) -> None:
    """Each is a sentence; what was deleted here stays deleted, and is named."""
    Path("text.zip").write_text("no zip")
    assert "no zip" in run("import", "text.zip", "--db", "new.db", code=1).stderr
    assert not Path("new.db").exists()
    assert "none.zip" in run("import", "none.zip", code=1).stderr
    assert "zip" in run("export", "md/run-0", "out", "--license", "MIT", code=2).stderr
    run("export", "md/run-0", "out.zip")
    assert "exists" in run("export", "md/run-0", "out.zip", code=1).stderr
    run("rm", "md/run-0", "--yes")
    left = run("import", "out.zip")
    assert "md/run-0" in left.stderr
    assert "deleted here" in left.stderr


def _message() -> object:
    message = EmailMessage()
    message["Subject"] = "of"
    return message
