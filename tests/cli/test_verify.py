"""``archivedb verify`` and ``archivedb salvage``, as people type them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from archivedb import Archive
from archivedb.cli._app import app

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def db(tmp_path: Path) -> str:
    """Return the address of an archive of four records."""
    with Archive(tmp_path / "runs.db") as archive:
        for number in range(4):
            archive.save({"n": number, "a": np.arange(900.0) + number}, f"r{number}")
    return str(tmp_path / "runs.db")


def test_a_part_is_verified(db: str) -> None:
    """How many of how many, and what is left."""
    ask = ["verify", "--db", db, "--level", "deep"]
    done = CliRunner().invoke(app, [*ask, "--sample", "25%", "--jobs", "1"])
    assert done.exit_code == 0, done.output
    assert "1 of 4 payloads" in done.stdout
    assert "some never checked" in done.stdout
    done = CliRunner().invoke(app, [*ask, "--max-age", "1d", "--json"])
    said = json.loads(done.stdout)
    assert (said["ok"], said["payloads"], said["known"]) == (True, 3, 4)
    assert said["finished"] is True
    assert said["oldest"].startswith("20")


@pytest.mark.parametrize(
    "wrong", [["--sample", "5"], ["--max-age", "soon"], ["--max-duration", "-1h"]]
)
def test_what_is_no_part_or_time_is_wrong_usage(db: str, wrong: list[str]) -> None:
    """Exit code 2, and an example."""
    done = CliRunner().invoke(app, ["verify", "--db", db, *wrong])
    assert done.exit_code == 2
    assert "like" in done.stderr


def test_what_is_sound_is_salvaged(db: str, tmp_path: Path) -> None:
    """What is lost is listed, and is an exit code of 1."""
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["salvage", "--db", db, "r1", str(out)])
    assert done.exit_code == 0, done.output
    with Archive(db) as archive:
        file = tmp_path / "runs.payloads" / archive.record("r1").files[0]
    raw = bytearray(file.read_bytes())
    raw[raw.index((np.arange(900.0) + 1).tobytes()) + 9] ^= 2
    file.write_bytes(raw)
    ask = ["salvage", "--db", db, "r1"]
    done = CliRunner().invoke(app, [*ask, str(out)])
    assert done.exit_code == 1
    assert "new, or empty" in done.stderr
    done = CliRunner().invoke(app, [*ask, str(tmp_path / "more"), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["lost"] == ["a"]
