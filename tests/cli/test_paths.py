"""``archivedb paths``, and what a shell completes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.cli import _complete as complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def _runs() -> None:
    with Archive("runs.db") as made:
        for number in range(1, 4):
            made.save(
                {
                    "inputs": {"cutoff": 100 * number, "k-points": [4, 4, number]},
                    "outputs": {"energy": -number, "forces": np.zeros((2, 3))},
                    "name": "x",
                    "steps": [{"energy": 1.0}],
                },
                f"md/run-{number}",
                metadata={"project": "al", "odd key": 1},
                tags=["converged", "checked"],
            )


pytestmark = pytest.mark.usefixtures("_runs")


def test_paths_into_a_pipe(run: Run) -> None:
    """Each path as find takes it, with types, count and range."""
    rows = [line.split("\t") for line in run("paths").stdout.splitlines()]
    found = {row[0]: row[1:] for row in rows}
    assert found["project"] == ["metadata", "text", "3", "al"]
    assert found["inputs.cutoff"] == ["data", "number", "3", "100 .. 300"]
    assert 'inputs["k-points"]' in found
    for path in found:
        if "odd" in path:
            continue
        run("find", f"exists({path})", "-c", path)


def test_part_of_the_paths(run: Run) -> None:
    """What lies below a path, or is spelt like a pattern."""
    below = run("paths", "outputs").stdout
    assert [line.split("\t")[0] for line in below.splitlines()] == [
        "outputs.energy",
        "outputs.forces",
    ]
    assert run("paths", 'inputs["k-points"]').stdout.startswith('inputs["k-points"]')
    alike = run("paths", "*energy*", "--json").stdout
    assert [each["path"] for each in json.loads(alike)] == ["outputs.energy"]
    (path,) = json.loads(run("paths", 'inputs["k?points"]', "--json").stdout)
    assert path["lengths"] == [3, 3]
    assert "none" in run("paths", "none", code=1).stderr
    assert "none*" in run("paths", "none*", code=1).stderr
    for wrong in ("outputs.enrgy", "*utputs.enrgy"):
        result = run("paths", wrong, code=1)
        assert "did you mean `outputs.energy`?" in result.stderr
    run("paths", "a b", code=2)
    run("paths", "\udcff", code=2)


def test_paths_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """People see a table."""
    monkeypatch.setattr("archivedb.cli._output.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    text = run("paths").stdout
    assert "records" in text
    assert "float64 2 \u00d7 3" in text


def test_paths_of_nothing(run: Run) -> None:
    """An archive without records has none, which is no error."""
    run("init", "empty.db")
    assert run("paths", "--db", "empty.db").stdout == ""
    assert json.loads(run("paths", "--db", "empty.db", "--json").stdout) == []


def test_paths_that_are_not_indexed(run: Run) -> None:
    """It is said that large records have more."""
    with Archive("runs.db") as archive:
        archive.save({f"k{number}": number for number in range(1200)}, "large")
    assert "of 1 record with more than 1,000 leaves" in run("paths", "k*").stderr


# Completion -------------------------------------------------------------


def _of(function: Callable[..., list[str]], text: str) -> list[str]:
    context: Any = SimpleNamespace(params={"db": "runs.db"})
    return function(context, text)


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("inputs.", ["inputs.cutoff"]),
        ("inp", ["inputs.cutoff", 'inputs["k-points"]']),
        ('inputs["k-points"][', [f'inputs["k-points"][{n}]' for n in range(3)]),
        ("steps[0].e", ["steps[0].energy"]),
        ("out", ["outputs.energy", "outputs.forces"]),
        ("inputs.cutoff > 3 and pro", ["inputs.cutoff > 3 and project"]),
        ("not proj", ["not project"]),
        ("-outputs.e", ["-outputs.energy"]),
        ("name,outputs.e", ["name,outputs.energy"]),
        ('inputs["k', ['inputs["k-points"]']),
        ("sa", ["saved_at"]),
        ("data.na", ["data.name"]),
        ("metadata.p", ["metadata.project"]),
        ("outputs.forces.ma", ["outputs.forces.max"]),
        ("outputs.forces.mi", ["outputs.forces.min"]),
        ("inputs/c", ["inputs/cutoff"]),
        ("inputs/k", ["inputs/k-points"]),
        ('name == "out', []),
        ("none.", []),
        ("\udcff", []),
        ("a" * 5000, []),
    ],
)
def test_conditions_are_completed(typed: str, proposed: list[str]) -> None:
    """The path at the end goes on with what the records have."""
    assert _of(complete.complete_condition, typed) == proposed


def test_words_are_completed() -> None:
    """Tags, keys of metadata, paths in lists."""
    assert _of(complete.complete_tag, "c") == ["checked", "converged"]
    assert _of(complete.complete_tag, "co") == ["converged"]
    assert _of(complete.complete_key, "") == ["odd key", "project"]
    assert _of(complete.complete_list, "-inputs.") == ["-inputs.cutoff"]
    everything = _of(complete.complete_list, "")
    assert "outputs.energy" in everything
    assert "name" in everything


def test_completion_makes_nothing_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no archive, or a broken one, nothing is proposed."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    context: Any = SimpleNamespace(params={"db": None})
    for db in (None, "none.db", "", "sqlite://?", "broken.db"):
        context.params["db"] = db
        for function in (
            complete.complete_name,
            complete.complete_tag,
            complete.complete_key,
            complete.complete_condition,
        ):
            assert function(context, "") == []
    assert list(place.iterdir()) == []
    Path("broken.db").write_text("no catalog")
    assert complete.complete_tag(context, "") == []
    assert [path.name for path in place.iterdir()] == ["broken.db"]
    assert capsys.readouterr() == ("", "")


def test_the_shell_gets_it(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words come out where the shell looks for them."""
    from archivedb.cli._app import app

    del run
    monkeypatch.setenv("_ARCHIVEDB_COMPLETE", "complete_bash")
    for words, proposed in (
        ("archivedb find out", "outputs.energy\noutputs.forces"),
        ("archivedb find --order-by outputs.e", "outputs.energy"),
        ("archivedb find --tag con", "converged"),
        ("archivedb tag md/run-1 -t che", "checked"),
        ("archivedb load md/run-1 md/run-2", "md/run-2"),
        ("archivedb find --under m", "md/"),
        ("archivedb load md/run-1 --only outputs/e", "outputs/energy"),
        ("archivedb annotate md/run-1 pro", "project"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        with pytest.raises(SystemExit):
            app(prog_name="archivedb")
        assert capsys.readouterr().out.strip() == proposed
