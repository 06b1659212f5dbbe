"""``archivedb tag``, ``untag``, ``annotate``, ``rename``; names on standard input."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]

BOTH = "al/fcc/run-1\nal/fcc/run-2\n"


@pytest.mark.usefixtures("archive")
def test_tag_and_untag(run: Run) -> None:
    """Each record is printed with the tags that it has then; no version is made."""
    assert run("tag", "cu", "-t", "b", "-t", "a").stdout == "cu\ta,b\n"
    assert run("tag", "cu", "--tag", "a").stdout == "cu\ta,b\n"
    (record,) = json.loads(run("untag", "cu", "-t", "b", "--json").stdout)
    assert (record["tags"], record["version"]) == (["a"], 1)
    assert run("untag", "cu", "-t", "a").stdout == "cu\t\n"
    assert run("find", "--tag", "a").stdout == ""


def test_changes_of_many_records_are_one(run: Run, archive: str) -> None:
    """Names that come from another command are changed together, in one file."""
    before = _payloads()
    done = run("tag", "cu", "-", "-t", "seen", stdin=BOTH)
    assert done.stdout == "cu\tseen\nal/fcc/run-1\tseen\nal/fcc/run-2\tgood,seen\n"
    assert _payloads() == before + 1
    run("annotate", "-", "checked=true", stdin=BOTH)
    assert _payloads() == before + 2
    with Archive(archive) as opened:
        assert opened.find("'seen' in tags").count() == 3
        assert opened.find("checked").count() == 2
    # All or nothing.
    run("tag", "cu", "none", "-t", "more", code=1)
    assert run("find", "--tag", "more").stdout == ""


def _payloads() -> int:
    return sum(path.is_file() for path in Path("runs.payloads").rglob("*.json"))


@pytest.mark.usefixtures("archive")
def test_annotate(run: Run) -> None:
    """Facts are merged into the metadata, and what is printed pastes back."""
    said = run("annotate", "cu", "quality=very good", "n=[1, 2]").stdout
    assert said == "cu\tproject=cu quality=very good n=[1, 2]\n"
    arguments = ("--remove", "quality", "--remove", "n", "project=Cu", "--json")
    (record,) = json.loads(run("annotate", "cu", *arguments).stdout)
    assert record["metadata"] == {"project": "Cu"}
    assert "nor=mal" not in run("show", "cu").stdout
    result = run("annotate", "cu", code=2)
    assert "--remove" in result.stderr


def test_dates_of_the_metadata_are_iso(run: Run, archive: str) -> None:
    """Wherever they stand in it, and in whichever form they are printed."""
    noon = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
    day = dt.date(2026, 1, 2)
    with Archive(archive) as opened:
        opened.annotate("cu", {"day": day, "deep": {"at": [noon, (day,)]}})
    wanted = {
        "project": "cu",
        "day": "2026-01-02",
        "deep": {"at": ["2026-01-02T12:00:00+00:00", ["2026-01-02"]]},
    }

    for command in ("annotate cu n=1", "tag cu -t t", "show cu", "find project=cu"):
        found = json.loads(run(*command.split(), "--json").stdout)
        record = found if isinstance(found, dict) else found[0]
        record["metadata"].pop("n", None)
        assert record["metadata"] == wanted, command
    (row,) = csv.DictReader(io.StringIO(run("find", "project=cu", "--csv").stdout))
    assert json.loads(row["metadata"]) == wanted | {"n": 1}
    for command in ("annotate cu n=2", "show cu"):
        said = run(*command.split()).stdout
        assert "$object" not in said, command
        assert "2026-01-02T12:00:00+00:00" in said, command
    said = run("annotate", "cu", "--remove", "n").stdout
    assert said == (
        "cu\tproject=cu day=2026-01-02 "
        'deep={"at": ["2026-01-02T12:00:00+00:00", ["2026-01-02"]]}\n'
    )


@pytest.mark.usefixtures("archive")
def test_rename(run: Run) -> None:
    """A record, or a folder of them, gets another name and keeps its history."""
    assert run("rename", "cu", "metals/cu").stdout == "cu\tmetals/cu\n"
    assert run("load", "metals/cu/x").stdout == "1\n"
    result = run("rename", "-r", "al/", "metals/al/")
    assert result.stdout == (
        "al/fcc/run-1\tmetals/al/fcc/run-1\nal/fcc/run-2\tmetals/al/fcc/run-2\n"
    )
    assert run("ls").stdout == "metals/\n"
    (record,) = json.loads(run("rename", "metals/cu", "cu", "--json").stdout)
    assert record["name"] == "cu"
    result = run("rename", "metals", "m", code=1)
    assert "2 records" in result.stderr


@pytest.mark.usefixtures("archive")
def test_history_shows_what_makes_no_version(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tags, metadata and names have their place among the changes."""
    run("tag", "cu", "-t", "a")
    run("annotate", "cu", "a=1")
    run("rename", "cu", "copper")
    lines = [line.split("\t") for line in run("history", "copper").stdout.splitlines()]
    kinds = [(line[1], line[4], line[5]) for line in lines]
    assert kinds == [
        ("save", "cu", ""),
        ("tag", "cu", ""),
        ("annotate", "cu", ""),
        ("rename", "copper", "cu"),
    ]
    assert json.loads(run("history", "copper", "--json").stdout)[-1]["name_before"] == (
        "cu"
    )
    monkeypatch.setattr("archivedb.cli._output.on_terminal", lambda: True)
    assert "cu → copper" in run("history", "copper").stdout
    assert "copper → cu" in run("rename", "copper", "cu").stdout


@pytest.mark.usefixtures("archive")
def test_load_names_from_standard_input(run: Run) -> None:
    """One document after another, in the order of the names; one a line on demand."""
    names = "cu\nal/fcc/run-1/outputs/energy\n\n"
    assert run("load", "-", stdin=names).stdout == '{"x": 1}\n-3.7\n'
    assert run("load", "cu", "cu/x", "--json").stdout == '{"x": 1}\n1\n'
    said = run("load", "-", "--json", "--only", "inputs/cutoff", stdin=BOTH).stdout
    assert said == '{"inputs": {"cutoff": 350}}\n' * 2
    assert run("load", "-", stdin="").stdout == ""
    run("load", "-", "-o", "x.json", stdin="cu\n")
    assert json.loads(Path("x.json").read_text()) == {"x": 1}
    run("load", "-", "-o", "y.json", stdin=BOTH, code=2)
    run("load", "-", "-o", "y.json", stdin="", code=2)
    assert not Path("y.json").exists()


@pytest.mark.usefixtures("archive")
def test_a_version_behind_the_name(run: Run) -> None:
    """What find prints of all versions is loaded as those versions."""
    found = run("find", "--all-versions", "--under", "al", "n=1").stdout
    assert found == "al/fcc/run-1\t2\nal/fcc/run-1\t1\n"
    loaded = run("load", "-", "--json", stdin=found).stdout.splitlines()
    assert ["more" in json.loads(line) for line in loaded] == [True, False]
    shown = run("show", "-", "--json", stdin=found).stdout.splitlines()
    assert [json.loads(line)["version"] for line in shown] == [2, 1]
    result = run("tag", "-", "-t", "x", stdin=found, code=1)
    assert "version 2" in result.stderr
    result = run("load", "-", stdin="cu\t-3.7\n", code=1)
    assert "'-3.7'" in result.stderr
    for version in ("0", "-1", "9" * 5000, "\u0663"):
        run("load", "-", stdin=f"cu\t{version}\n", code=1)


@pytest.mark.usefixtures("archive")
def test_zero_bytes_end_names(run: Run) -> None:
    """With -0 any name passes through a pipe, and is given as it is."""
    odd = "al/\u200ename"
    run("save", "-", odd, stdin="{}")
    assert run("find", "--limit", "1").stdout == "al/\\u200ename\n"
    names = run("find", "-0").stdout
    assert names == f"{odd}\0cu\0al/fcc/run-2\0al/fcc/run-1\0"
    assert run("load", "-", "-0", "--json", stdin=names).stdout.startswith("{}\n")
    assert run("load", "-", "-0", stdin=b"cu").stdout == '{"x": 1}\n'


@pytest.mark.usefixtures("archive")
def test_standard_input_that_is_no_text(run: Run) -> None:
    """Bytes that are not UTF-8 are one sentence, with the number of the line."""
    for command in (("load", "-"), ("show", "-"), ("tag", "-", "-t", "x"), ("rm", "-")):
        result = run(*command, stdin=b"cu\n\xff\n", code=1)
        assert "line 2 of standard input is not valid UTF-8" in result.stderr
    assert run("find", "--tag", "x").stdout == ""


@pytest.mark.usefixtures("archive")
def test_show_several(run: Run) -> None:
    """Blocks of facts, with a blank line between them."""
    blocks = run("show", "-", "cu", stdin=BOTH).stdout.split("\n\n")
    assert [block.split()[1] for block in blocks] == [*BOTH.split(), "cu"]


@pytest.mark.usefixtures("archive")
def test_rm_several(run: Run) -> None:
    """Records are removed together, or not at all."""
    run("rm", "cu", "none", code=1)
    assert run("ls", "-r").stdout == BOTH + "cu\n"
    result = run("rm", "-", stdin=BOTH)
    assert result.stdout == "removed al/fcc/run-1\nremoved al/fcc/run-2\n"
    assert result.stderr.startswith("freed ")
    assert not result.stderr.startswith("freed 0")
    said = run("rm", "-", "--json", stdin="").stdout
    assert json.loads(said) == {"names": [], "freed": 0}
    # What ls prints is taken, too, and a folder needs -r as ever.
    run("save", "-", "al/x", stdin="{}")
    run("rm", "-", stdin=run("ls").stdout, code=1)
    run("rm", "-r", "-", stdin=run("ls").stdout)
    assert run("ls").stdout == ""


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    "arguments",
    [
        ("tag", "cu", "-t"),
        ("untag", "cu", "-t"),
        ("annotate",),
        ("annotate", "cu"),
        ("annotate", "cu", "--remove"),
        ("rename", "cu"),
    ],
)
def test_words_that_are_no_text(run: Run, arguments: tuple[str, ...]) -> None:
    """Bytes that are not UTF-8 are wrong usage."""
    more = ("b=1",) if arguments == ("annotate",) else ()
    result = run(*arguments, "a=\udcff", *more, code=2)
    assert "not valid UTF-8" in result.stderr


def test_tags_that_are_none(run: Run, archive: str) -> None:
    """A tag that cannot be one is a sentence, and nothing is changed."""
    result = run("tag", "cu", "-t", "", code=1)
    assert result.stderr.startswith("archivedb: ")
    with Archive(archive) as opened:
        assert opened.record("cu").tags == ()


def test_an_archive_that_may_not_be_written(run: Run, archive: str) -> None:
    """What lacks its catalog is still no traceback."""
    shutil.rmtree("runs.payloads")
    run("tag", "cu", "-t", "x", "--db", archive, code=3)
