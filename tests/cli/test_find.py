"""``archivedb find``: expressions, order, columns and forms of output."""

from __future__ import annotations

import csv
import io
import json
import shlex
import subprocess
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive
from archivedb.cli._question import conditions, listed
from archivedb.cli._sheet import text_of
from tests.support import fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]

RUNS: list[dict[str, Any]] = [
    {"structure": "fcc", "energy": -3.7, "k-points": [4, 4, 4], "done": True},
    {"structure": "fcc", "energy": 0.1 + 0.2, "k-points": [8, 8, 8], "done": False},
    {"structure": "bcc", "energy": None, "note": 'a, "b"\nc'},
]


@pytest.fixture
def _runs() -> None:
    """Make an archive of three records, of which the last has two versions."""
    with Archive("runs.db") as made:
        for number, run in enumerate(RUNS, 1):
            made.save({"out": run, "n": number}, f"md/run-{number}", tags=["md"])
        made.save({"out": RUNS[2], "n": 4}, "md/run-3", metadata={"project": "al"})


pytestmark = pytest.mark.usefixtures("_runs")


@pytest.fixture
def names(run: Run) -> Callable[..., list[str]]:
    """Return the last parts of the names that are found."""

    def found(*arguments: str) -> list[str]:
        lines = run("find", *arguments).stdout.splitlines()
        return [line.removeprefix("md/run-") for line in lines]

    return found


def test_expressions_and_pairs(names: Callable[..., list[str]]) -> None:
    """All of what is given must hold, in whichever form."""
    assert names('out.structure == "fcc" and n > 1') == ["2"]
    assert names("n > 1", "out.structure=fcc") == ["2"]
    assert names("n >= 1", "n<3", "out/structure=fcc", "not out.done") == ["2"]
    assert names("project=al", "n==4") == ["3"]
    assert names("out.done") == ["1"]
    assert names("out.k-points=[4, 4, 4]") == []  # a dot, and no name in Python
    assert names("out/k-points=[4, 4, 4]") == ["1"]
    assert names("out/k-points/[0]=8") == ["2"]
    assert names('like(name, "*run-1")', "out.energy=-3.7") == ["1"]
    assert names("n > 1", "--tag", "md") == ["2"]


def test_order_and_part(names: Callable[..., list[str]]) -> None:
    """Sorted by any key, largest first with a minus, and cut."""
    assert names("--order-by", "n") == ["1", "2", "3"]
    assert names("--order-by", "-n") == ["3", "2", "1"]
    assert names("--order-by", "-saved_at") == ["3", "2", "1"]
    assert names("--order-by=out.structure,-n") == ["3", "2", "1"]
    assert names("--order-by", "-out.structure", "--order-by", "n") == ["1", "2", "3"]
    assert names("--order-by", "n", "--offset", "1", "-n", "1") == ["2"]
    assert names("--offset", "9") == []


@pytest.mark.parametrize("huge", [2**31, 2**63 - 1, 2**63, 10**30])
def test_huge_parts(run: Run, names: Callable[..., list[str]], huge: int) -> None:
    """More than a database can count is all, or nothing."""
    assert names("--limit", str(huge), "--order-by", "n") == ["1", "2", "3"]
    assert names("--offset", str(huge)) == []
    assert names("--offset", "1", "--limit", str(huge)) == ["2", "1"]
    assert run("find", "--offset", str(huge), "--count").stdout == "0\n"
    assert names("--all-versions", "--offset", str(huge), "-n", str(huge)) == []


def test_columns_into_a_pipe(run: Run) -> None:
    """Tabs between the columns, and numbers to the last digit."""
    wanted = 'name,out.energy,out["k-points"]', "-c", "out.energy / n,tags"
    lines = run("find", "--order-by", "n", "--columns", *wanted).stdout.splitlines()
    assert lines == [
        "md/run-1\t-3.7\t[4, 4, 4]\t-3.7\tmd",
        "md/run-2\t0.30000000000000004\t[8, 8, 8]\t0.15000000000000002\tmd",
        "md/run-3\t\t\t\t",
    ]
    assert run("find", "n=4", "-c", "out.note").stdout == 'a, "b"\\nc\n'


def test_csv(run: Run) -> None:
    """CSV reads back as it was, line breaks, quotes and commas too."""
    text = run("find", "--order-by", "n", "-c", "name,out.note,out.done", "--csv")
    assert text.stdout_bytes.count(b"\r\n") == 4
    rows = list(csv.reader(io.StringIO(text.stdout_bytes.decode(), newline="")))
    assert rows == [
        ["name", "out.note", "out.done"],
        ["md/run-1", "", "True"],
        ["md/run-2", "", "False"],
        ["md/run-3", RUNS[2]["note"], ""],
    ]
    whole = csv.DictReader(io.StringIO(run("find", "n=4", "--csv").stdout))
    (row,) = list(whole)
    assert (row["name"], row["version"]) == ("md/run-3", "2")
    assert json.loads(row["metadata"]) == {"project": "al"}
    assert run("find", "n=7", "-c", "n", "--csv").stdout.strip() == "n"


def test_json(run: Run) -> None:
    """A list of records, or of objects with the columns."""
    records = json.loads(run("find", "--json").stdout)
    assert [record["name"][-1] for record in records] == ["3", "2", "1"]
    rows = json.loads(
        run("find", "--json", "-c", "n,out.energy,saved_at", "n<3").stdout
    )
    assert [(row["n"], row["out.energy"]) for row in rows] == [
        (2, 0.1 + 0.2),
        (1, -3.7),
    ]
    assert rows[0]["saved_at"].endswith("+00:00")
    assert run("find", "--json", "n=7").stdout == "[]\n"


def test_times_in_json(run: Run) -> None:
    """Dates and durations of metadata are as readable as in a column."""
    with Archive("runs.db") as archive:
        facts = {"wall": timedelta(seconds=3), "day": date(2026, 1, 2)}
        archive.save({"a": 1}, "timed", metadata=facts)
    (found,) = json.loads(run("find", "metadata.wall != None", "--json").stdout)
    assert found["metadata"] == {"wall": "0:00:03", "day": "2026-01-02"}


def test_count_and_explain(run: Run) -> None:
    """Only how many, or only how."""
    assert run("find", "n > 1", "--count").stdout == "2\n"
    assert run("find", "--count", "--limit", "1").stdout == "1\n"
    assert "2 records found" in run("find", "n > 1", "--explain").stdout


def test_all_versions(run: Run) -> None:
    """A version of each line, as load takes it."""
    found = run("find", "--all-versions", "out.structure=bcc")
    assert found.stdout == "md/run-3\t2\nmd/run-3\t1\n"
    assert run("find", "--all-versions", "n=3", "-c", "version,n").stdout == "1\t3\n"
    assert run("find", "--all-versions", "--count").stdout == "4\n"


def test_mistakes_are_shown_as_they_are(run: Run) -> None:
    """The last line points at the character, and nothing is printed but that."""
    for options in ([], ["--json"], ["--csv"], ["-c", "n"], ["--count"]):
        result = run("find", "out.enrgy < 0", *options, code=2)
        assert result.stdout == ""
        assert result.stderr == (
            "archivedb: no path `out.enrgy`; did you mean `out.energy`?\n"
            "  out.enrgy < 0\n"
            "  ^^^^^^^^^\n"
        )
    for arguments in (
        ["n = 1"],
        ["=1"],
        ["n=>1"],
        [""],
        ['"'],
        ["len(n)=3"],
        ["--order-by", "enrgy"],
        ["--order-by", "-"],
        ["-c", "out.enrgy"],
        ["-c", "name,)"],
        ["-c", "(,)"],
        ["tags > 3"],
        ['n={"a": 1}'],
        ["a//b=1"],
    ):
        result = run("find", *arguments, code=2)
        assert result.stdout == "", arguments
        assert result.stderr.startswith("archivedb: "), arguments
        assert "bug" not in result.stderr


def test_control_characters_in_a_mistake(run: Run) -> None:
    """A terminal is sent no commands by way of an error."""
    assert "\x1b" not in run("find", "a\x1b[2J = 1", code=2).stderr


def test_a_key_that_no_record_has_is_noted(run: Run) -> None:
    """KEY=VALUE finds nothing then, and says why on stderr."""
    result = run("find", "out.enrgy=3", "projct=al")
    assert result.stdout == ""
    assert result.stderr == (
        "no path `out.enrgy`; did you mean `out.energy`?\n"
        "no path `projct`; did you mean `project`?\n"
    )
    assert run("find", "project=cu").stderr == ""


def test_hints_beside_a_count(run: Run) -> None:
    """They are the same, whatever is printed; a fact of records is none of a key."""
    result = run("find", "out.enrgy=3", "--count")
    assert result.stdout == "0\n"
    assert result.stderr == "no path `out.enrgy`; did you mean `out.energy`?\n"
    assert "record.mode == 'hdf5'" in run("find", "mode=hdf5", "--count", code=2).stderr
    assert run("find", "record.mode=hdf5", "--count").stdout == "3\n"


def test_a_question_that_looks_like_an_option(run: Run) -> None:
    """It stands behind two dashes, and who forgot them is told so."""
    for question in ("-out.energy > 3", "-n > 1", "-out.energy>3"):
        result = run("find", question, "--count", code=2)
        assert f"archivedb find -- '{question}'" in result.stderr
    assert run("find", "--count", "--", "-out.energy > 3").stdout == "1\n"
    assert " -- " not in run("find", "--nonsense", code=2).stderr


def test_no_column_is_a_mistake(run: Run) -> None:
    """An empty list of columns is none that was left out."""
    for columns in ("", " , "):
        result = run("find", "--columns", columns, code=2)
        assert "names no column" in result.stderr


def test_json_is_no_list_of_names(run: Run) -> None:
    """What find prints for programs is not what load reads."""
    found = run("find", "--json").stdout
    assert "leave --json out" in run("load", "-", stdin=found, code=1).stderr


def test_tags_with_commas(run: Run) -> None:
    """One tag with a comma is not two."""
    run("tag", "md/run-1", "-t", "a,b", "-t", "c")
    assert run("find", "n=1", "-c", "tags").stdout == '"a,b",c,md\n'
    assert json.loads(run("find", "n=1", "--json").stdout)[0]["tags"] == [
        *("a,b", "c", "md")
    ]


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archivedb.cli._output.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("_terminal")
def test_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """People see a table, of many records the first."""
    text = run("find", "-c", "name,out.energy,saved_at", "--order-by", "n").stdout
    assert "0.3 " in text
    assert "0.30000000000000004" not in text
    assert "+00:00" not in text
    assert run("find", "n=7", "-c", "name,n").stdout.split() != []
    assert "project=al" in run("find").stdout
    monkeypatch.setattr("archivedb.cli.find.MOST_SHOWN", 2)
    result = run("find")
    assert "run-1" not in result.stdout
    assert "first 2" in result.stderr
    assert "first 2" not in run("find", "--limit", "3").stderr
    run("save", "-", "odd", stdin='{"n": 9, "t": "\\u001b[2J"}')
    assert "\x1b[2J" not in run("find", "n=9", "-c", "t", "--csv").stdout


@pytest.mark.usefixtures("_terminal")
def test_facts_of_a_run_are_few(run: Run) -> None:
    """A failed run does not fill the table with its traceback."""
    with Archive("runs.db") as archive, pytest.raises(ZeroDivisionError):  # noqa: SIM117 - the run fails
        with archive.run("bad", {}, metadata={"why": "x" * 50}):
            raise ZeroDivisionError
    text = run("find", "status=failed").stdout
    assert f"why={'x' * 25}… status=failed" in text
    assert "Traceback" not in text
    assert "pid" not in text


def test_texts_of_values() -> None:
    """Whatever a column holds, it is text without loss."""
    assert text_of(float("inf")) == "inf"
    assert text_of(1 << 70) == "1180591620717411303424"
    assert text_of(10**5000) == "1" + 5000 * "0"
    assert text_of(timedelta(hours=1)) == "1:00:00"
    assert text_of({"a": float("nan")}) == '{"a": {"$float": "nan"}}'
    assert text_of(b"ab") == '{"$bytes": "YWI="}'


@pytest.mark.parametrize(
    ("text", "is_pair"),
    [
        ("a=1", True),
        ("a.b[3].c=x y", True),
        ("inputs/k-points=[1]", True),
        ("a=b==c", True),
        ("µ=1", True),
        ("a==1", False),
        ("a == 1", False),
        ("a = 1", False),
        ("a!=1", False),
        ("a>=1", False),
        ('like(name,"a=b")', False),
        ("'a=b' in tags", False),
        ('"a=b"in tags', False),
        ("len(x)=3", False),
        ("a", False),
        ("=1", False),
        ("", False),
    ],
)
def test_what_is_a_pair(text: str, is_pair: bool) -> None:  # noqa: FBT001 - expected
    """A pair is a path, an equals sign, and anything."""
    assert bool(conditions([text])[1]) is is_pair


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        ("a, ,b,", ["a", "b"]),
        ('x["a,b"],y', ['x["a,b"]', "y"]),
        ("x['\\',a'],y", ["x['\\',a']", "y"]),
        ("f(a, [1, 2]), b", ["f(a, [1, 2])", "b"]),
        ("a),b", ["a)", "b"]),
        ("f(a,b", ["f(a,b"]),
        ("", []),
    ],
)
def test_lists_with_commas(text: str, parts: list[str]) -> None:
    """A comma in brackets or quotes belongs to the expression."""
    assert listed([text]) == parts


def test_words_that_are_no_text(run: Run) -> None:
    """Bytes that are not UTF-8 are wrong usage, wherever they stand."""
    for option in ([], ["--tag"], ["--order-by"], ["--columns"], ["--under"]):
        result = run("find", *option, "a=\udcff", code=2)
        assert "not valid UTF-8" in result.stderr


def test_find_into_load() -> None:
    """What is found is loaded, changed and removed by the next in the pipe."""
    command = shlex.quote(fresh.executable("archivedb"))
    script = (
        f"{command} find 'n < 3' | {command} tag - -t low && "
        f"{command} find --tag low --order-by n | {command} load - --json --only n"
    )
    done = subprocess.run(  # noqa: S602 - a pipe is what is tested
        script, shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == 'md/run-2\tlow,md\nmd/run-1\tlow,md\n{"n": 1}\n{"n": 2}\n'
