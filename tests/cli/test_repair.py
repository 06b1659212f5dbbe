"""``archivedb repair``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


def hurt(run: Run, name: str) -> Path:
    """Flip a bit of a record's payload."""
    record = json.loads(run("show", name, "--json").stdout)
    path = Path("runs.payloads", record["files"][0])
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    return path


@pytest.mark.usefixtures("archive")
def test_repair_from_a_backup(run: Run) -> None:
    """What is mended is said, and where the damaged file lies."""
    run("backup", "copy")
    path = hurt(run, "cu")
    text = run("repair", code=1).stdout
    assert "archivedb repair --from" in text
    assert "1 finding left" in text
    text = run("repair", "--from", "copy").stdout
    assert f"restored {path.parent.name}/{path.name}" in text
    assert "quarantine/" in text
    assert text.splitlines()[-1] == "restored 1 payload, indexed 0: sound"
    assert run("verify").exit_code == 0
    assert json.loads(run("repair", "--json").stdout)["ok"] is True


@pytest.mark.usefixtures("archive")
def test_repair_from_nothing(run: Run) -> None:
    """A source that is not there is one sentence."""
    result = run("repair", "--from", "nowhere", code=3)
    assert "there are no payloads at nowhere" in result.stderr
