"""``archivedb ls``, ``tree``, ``show``, ``find``, ``history``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive
from archivedb.cli._pairs import format_pairs, parse_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands believe that a person reads what they print."""
    monkeypatch.setattr("archivedb.cli._output.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("archive")
def test_ls_into_a_pipe(run: Run) -> None:
    """A folder's content is one whole name a line, folders first."""
    assert run("ls").stdout == "al/\ncu\n"
    assert run("ls", "al").stdout == "al/fcc/\n"
    assert run("ls", "al/fcc/").stdout == "al/fcc/run-1\nal/fcc/run-2\n"
    assert run("ls", "cu").stdout == "cu\n"


@pytest.mark.usefixtures("archive")
def test_ls_recursively(run: Run) -> None:
    """With -r only records are listed, all of them."""
    assert run("ls", "-r").stdout == "al/fcc/run-1\nal/fcc/run-2\ncu\n"
    assert run("ls", "-r", "al").stdout == "al/fcc/run-1\nal/fcc/run-2\n"
    assert run("ls", "-r", "cu").stdout == "cu\n"


@pytest.mark.usefixtures("archive")
def test_ls_long_into_a_pipe(run: Run) -> None:
    """With -l a line has columns with tabs between them."""
    folder, record = (line.split("\t") for line in run("ls", "-l").stdout.splitlines())
    assert folder == ["al/", "", "", "", "", ""]
    assert record[:3] == ["cu", "1", "json"]
    assert record[3].isdecimal()
    long = run("ls", "-lr").stdout.splitlines()
    assert [line.split("\t")[0] for line in long] == [
        "al/fcc/run-1",
        "al/fcc/run-2",
        "cu",
    ]


@pytest.mark.usefixtures("archive", "_terminal")
def test_ls_on_a_terminal(run: Run) -> None:
    """People see how many records a folder has."""
    assert run("ls").stdout == "al/       2 records\ncu\n"
    long = run("ls", "-l", "al/fcc").stdout
    assert "saved at" in long
    assert "good" in long


@pytest.mark.usefixtures("archive")
def test_ls_as_json(run: Run) -> None:
    """Folders have counts, records have everything."""
    listed = json.loads(run("ls", "--json").stdout)
    assert listed["folders"] == [{"name": "al", "records": 2}]
    assert listed["records"][0]["name"] == "cu"
    assert listed["records"][0]["digest"].startswith("blake3:")


@pytest.mark.usefixtures("_terminal")
def test_names_are_no_markup(run: Run, archive: str) -> None:
    """Brackets in a name are not taken for colours."""
    with Archive(archive) as opened:
        opened.save({"k[red]": "[bold]v"}, "[red]odd", tags=["[b]"])
    assert "[red]odd" in run("ls", "-l").stdout
    assert "[b]" in run("ls", "-l").stdout
    assert "k[red]" in run("tree", "[red]odd").stdout


@pytest.mark.usefixtures("archive")
def test_tree_of_a_record(run: Run) -> None:
    """Groups, dtypes, shapes and small values are shown."""
    lines = run("tree", "al/fcc/run-2").stdout.splitlines()
    assert lines[0].startswith("inputs/")
    assert "  structure  'fcc'" in lines
    assert any(line.startswith("  forces  ") and "\u00d7" in line for line in lines)
    nodes = json.loads(run("tree", "al/fcc/run-2", "--json").stdout)
    assert nodes[-1]["path"] == "outputs/forces"


@pytest.mark.usefixtures("archive")
def test_tree_of_a_version(run: Run) -> None:
    """An older version has its own outline."""
    assert "more" in run("tree", "al/fcc/run-1").stdout
    assert "more" not in run("tree", "al/fcc/run-1", "--version", "1").stdout


@pytest.mark.usefixtures("archive")
def test_tree_of_the_archive(run: Run) -> None:
    """Without a name it is the folders and the records."""
    assert run("tree").stdout == "al/\n  fcc/\n    run-1\n    run-2\ncu\n"
    assert run("tree", "al").stdout == "fcc/\n  run-1\n  run-2\n"
    assert run("tree", "al/fcc").stdout == "run-1\nrun-2\n"
    assert run("tree", "--depth", "1").stdout == "al/\ncu\n"


@pytest.mark.usefixtures("archive", "_terminal")
def test_tree_on_a_terminal(run: Run) -> None:
    """People see the branches."""
    text = run("tree").stdout
    assert "├── al/" in text
    assert "└── cu" in text
    assert "└── forces" in run("tree", "al/fcc/run-2").stdout


@pytest.mark.usefixtures("archive")
def test_show(run: Run) -> None:
    """Every field is there, metadata and tags too."""
    text = run("show", "al/fcc/run-2").stdout
    for label in ("name", "version", "mode", "saved at", "size", "digest", "uuid"):
        assert f"\n{label} " in f"\n{text}"
    assert "metadata.project" in text
    assert "good" in text
    assert "provenance." in text


@pytest.mark.usefixtures("archive")
def test_show_as_json(run: Run) -> None:
    """A record is one object, of a version if that is asked for."""
    record = json.loads(run("show", "al/fcc/run-1", "--version", "1", "--json").stdout)
    assert record["version"] == 1
    assert record["metadata"] == {"project": "al", "n": 1}
    assert record["saved_at"].endswith("+00:00")


@pytest.mark.usefixtures("archive")
def test_find_into_a_pipe(run: Run) -> None:
    """One name a line, the newest first."""
    assert run("find", "project=al").stdout == "al/fcc/run-2\nal/fcc/run-1\n"
    assert run("find", "project=al", "n=1").stdout == "al/fcc/run-1\n"
    assert run("find", "project=none").stdout == ""
    assert run("find").stdout == "cu\nal/fcc/run-2\nal/fcc/run-1\n"
    assert run("find", "--limit", "1").stdout == "cu\n"
    assert run("find", "--limit", "0").stdout == ""
    assert run("find", "--under", "al/").stdout == "al/fcc/run-2\nal/fcc/run-1\n"
    assert run("find", "--under", "al", "project=cu").stdout == ""
    assert run("find", "inputs/cutoff=350", "project=al", "n=1").stdout == (
        "al/fcc/run-1\n"
    )


@pytest.mark.usefixtures("archive")
def test_find_by_words_of_the_interface(run: Run) -> None:
    """Metadata may be called like a parameter of ``Archive.find``."""
    run("save", "-", "x", "-m", "under=1", "-m", "self=2", stdin="{}")
    assert run("find", "under=1", "self=2").stdout == "x\n"


@pytest.mark.usefixtures("archive")
def test_find_as_json(run: Run) -> None:
    """Records come with everything about them."""
    records = json.loads(run("find", "project=al", "--json").stdout)
    assert [record["name"] for record in records] == ["al/fcc/run-2", "al/fcc/run-1"]


@pytest.mark.usefixtures("archive", "_terminal")
def test_find_on_a_terminal(run: Run) -> None:
    """People see a table with the metadata."""
    text = run("find", "project=cu").stdout
    assert "metadata" in text
    assert "project=cu" in text


@pytest.mark.usefixtures("archive")
def test_history(run: Run) -> None:
    """Every change has a line, the oldest first."""
    lines = [
        line.split("\t") for line in run("history", "al/fcc/run-1").stdout.splitlines()
    ]
    assert [(line[0], line[1], line[2]) for line in lines] == [
        ("1", "save", "1"),
        ("2", "save", "2"),
    ]
    changes = json.loads(run("history", "al/fcc/run-1", "--json").stdout)
    assert changes[0]["version"] == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"a": "x y"},
        {"a": "1", "b": 1},
        {"a": "null", "b": None},
        {"c": [1, {"d": "é"}]},
    ],
)
def test_facts_paste_back(facts: dict[str, Any]) -> None:
    """What is printed of metadata may be typed again."""
    texts = [format_pairs({key: value}) for key, value in facts.items()]
    assert parse_pairs(texts, "x") == facts


@pytest.mark.usefixtures("archive")
def test_tree_of_a_path(run: Run) -> None:
    """A path into a record shows what lies below it."""
    assert run("tree", "al/fcc/run-2/inputs").stdout.startswith("structure  'fcc'\n")
    assert run("tree", "al/fcc/run-2/inputs/cutoff").stdout == "cutoff  350\n"
    run("tree", "al/fcc/run-2/none", code=1)


@pytest.mark.usefixtures("archive", "_terminal")
def test_history_on_a_terminal(run: Run) -> None:
    """People see a table."""
    assert "position" in run("history", "cu").stdout


def test_completion(archive: str) -> None:
    """Names are completed one folder at a time."""
    from types import SimpleNamespace

    from archivedb.cli._complete import complete_folder, complete_name

    context = SimpleNamespace(params={"db": archive})
    assert complete_name(context, "") == ["al/", "cu"]
    assert complete_name(context, "al/f") == ["al/fcc/"]
    assert complete_name(context, "al/fcc/") == ["al/fcc/run-1", "al/fcc/run-2"]
    assert complete_folder(context, "") == ["al/"]
    assert complete_name(context, "none/x") == []
    assert complete_name(SimpleNamespace(params={"db": "none.db"}), "") == []
