"""A bounded run of each harness; `make stress` runs them whole."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.stress import cutting
from tests.stress.toolkit import Outcome, judged
from tests.support import fresh

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    ["killing", "failing", "crowding", "cutting", "flipping", "mutating"],
)
def test_harness(name: str, tmp_path: Path) -> None:
    """Nothing that is promised breaks; the figures are in what it printed."""
    done = fresh.run(
        *("-W", "error", ROOT / "tests/stress" / f"{name}.py", "--bounded"),
        environment=os.environ | {"PYTHONPATH": str(ROOT)},
        directory=tmp_path,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout


def test_a_power_loss_that_matters_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the syncs of directories, what was acknowledged is lost, and told."""
    for module in ("files", "pending"):
        monkeypatch.setattr(f"archivedb.store.{module}.sync_directory", lambda _: None)
    cuts, check = cutting.plain(tmp_path / "plain")
    chance = random.Random(0)  # noqa: S311 - repeatable

    done, failures = cutting.replayed(cuts[-1:], tmp_path / "plain", chance, 1, check)

    assert failures
    outcome = Outcome("it", ("what", "done"), [("replays", done * 1000)], failures)
    assert "3,000" in str(outcome)
    assert "FAILED: cut after call" in str(outcome)


def test_an_error_of_others_is_a_failure() -> None:
    """Whatever is raised that nobody promised is written down, and where."""
    failures: list[str] = []
    with judged(failures, "one"):
        raise OSError(5, "Input/output error")
    assert failures[0].startswith("one: OSError in ")
