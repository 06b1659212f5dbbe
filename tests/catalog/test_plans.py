"""Searches begin where few records come from, whatever the data are like."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from archivedb.catalog.database import Database
from archivedb.catalog.searching import Question, Search
from archivedb.query.parse import parse, parse_order
from archivedb.values.leaf import Kind
from tests.benchmarks.catalog import START, STEP, make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

RECORDS = 20_000
STEPS = 100
"""SQLite's own instructions, counted by the hundred: no clock has a say."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a catalog of 20,000 records, of which none was saved."""
    path: Path = tmp_path_factory.mktemp("plans") / "runs.db"
    make(path, RECORDS)
    return path


@dataclass
class Done:
    """
    What a search did.

    Attributes:
        names: What it found.
        work: How many instructions SQLite ran for it.
        plans: The plan of each statement, a line for each step.
        words: The steps as `explain` words them.

    """

    names: list[int] = field(default_factory=list)
    work: int = 0
    plans: dict[str, list[str]] = field(default_factory=dict)
    words: tuple[str, ...] = ()


def searched(
    path: Path, text: str, order: str = "", limit: int | None = 20, folder: str = ""
) -> Done:
    """Search a catalog."""
    database = Database(path, readonly=True)
    done = Done()
    try:
        with database.reading() as connection, _watched(connection, done):
            condition = parse(text) if text else None
            by = (parse_order(order),) if order else ()
            search = Search(connection, Question(condition, folder, by))
            done.names = [row[0] for row in islice(search.rows(limit), limit)]
            done.words = search.plan
        with database.reading() as connection:
            for statement, parameters in list(done.plans.items()):
                rows = connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", tuple(parameters)
                )
                done.plans[statement] = [row[3] for row in rows]
    finally:
        database.close()
    return done


@contextmanager
def _watched(connection: Connection, done: Done) -> Iterator[None]:
    """Note the statements of a connection, and count what SQLite does for them."""
    raw: Any = connection.connection.dbapi_connection

    def note(*arguments: Any) -> None:
        _, _, statement, parameters, *_ = arguments
        done.plans.setdefault(statement, parameters)

    def count() -> int:
        done.work += STEPS
        return 0

    event.listen(connection, "before_cursor_execute", note)
    raw.set_progress_handler(count, STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, STEPS)
        event.remove(connection, "before_cursor_execute", note)


# A question, what to sort by, and how much SQLite may do for the first 20, in
# instructions: to look at one record takes some 40, to count an entry of the
# index 10, and so up to 10,000 of each condition are counted at most.
FEW, COUNTED = 40_000, 400_000
QUESTIONS = [
    ("outputs.energy < -7.6 and inputs.structure == 'fcc'", "", 2_000),
    ("inputs.structure == 'fcc' and inputs.cutoff > 450", "outputs.energy", 2 * FEW),
    ("'converged' in tags", "", FEW),
    ("not outputs.converged and outputs.max_force > 0.25", "", FEW),
    ("project == 'p7' and outputs.energy < -5", "-saved_at", 2 * FEW),
    ("inputs.metal in ['Al', 'Cu'] and saved_at > '2026-01-06'", "", 2 * FEW),
    ("outputs.energy / inputs.natoms < -5 and inputs.natoms == 1", "", COUNTED),
    ("outputs.energy != 0", "", FEW),
    ("exists(inputs)", "", FEW),
    ("inputs != 1", "", FEW),
    ("like(name, 'project-1/*')", "", FEW),
    ("like(inputs.metal, 'A*')", "outputs.max_force", FEW),
    ("inputs.structure == 'fcc' or outputs.energy < -7", "", 2 * FEW),
    ("near(outputs.energy, -3.7, 0.0001)", "", 2_000),
    ("-3.7001 < outputs.energy < -3.7", "outputs.max_force", 2_000),
    ("", "-outputs.energy", FEW),
    ("", "name", FEW),
    ("", "-saved_at", FEW),
    ("", "", FEW),
]


@pytest.mark.parametrize(("text", "order", "most"), QUESTIONS)
def test_plans_are_sound(catalog: Path, text: str, order: str, most: int) -> None:
    """Nothing is read whole, and leaves are looked up by their whole key."""
    done = searched(catalog, text, order)

    _check_plans(done)
    assert done.work < most, done.words
    whole = searched(catalog, text, order, None)
    assert whole.names[:20] == done.names
    _check_plans(whole)


def _check_plans(done: Done) -> None:
    for statement, plan in done.plans.items():
        told = "\n".join([statement, *plan])
        # Not the chunks of candidates, nor all of the few that are sorted.
        along = not any(word in statement for word in ("json_each", "hit", "count("))
        for line in plan:
            # An index that has the order is read only as far as is wanted.
            whole = line.startswith(("SCAN leaf", "SCAN version", "SCAN record"))
            by_key = statement.endswith(("record.id", "record.id DESC"))
            assert not whole or by_key or " INDEX " in line, told
            assert not line.startswith(("SCAN its", "SCAN known", "SCAN tag")), told
            assert "AUTOMATIC" not in line, told
            if line.startswith("SEARCH its"):
                assert "PRIMARY KEY (record_id=?" in line, told
            if along:
                assert line != "USE TEMP B-TREE FOR ORDER BY", told
        # Candidates come first, and then their records.
        first = [x for x in plan if x.startswith(("SCAN hit", "SCAN anon_1 VIRTUAL"))]
        looked_up = [x for x in plan if x.startswith("SEARCH record USING INTEGER")]
        if first and looked_up:
            assert plan.index(first[0]) < plan.index(looked_up[0]), told


@pytest.mark.parametrize("order", ["", "outputs.energy", "-outputs.max_force"])
def test_nothing_found_costs_one_look(catalog: Path, order: str) -> None:
    """A clause of which nothing holds is where the search begins."""
    done = searched(catalog, "inputs.cutoff > 0 and outputs.energy > 100", order)

    assert (done.names, done.words) == ([], ("look up 0 candidates in the index",))
    assert done.work < FEW


def test_a_folder_is_where_a_search_begins(catalog: Path) -> None:
    """A folder of 400 records is looked at, and no more."""
    done = searched(catalog, "inputs.cutoff > 0", folder="project-1")

    assert len(done.names) == 20
    assert done.words == ("look up 400 candidates in the index",)


# Adversarial data ---------------------------------------------------------


@pytest.fixture
def altered(catalog: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return a copy of the catalog to be altered, in ``runs.db``."""
    shutil.copyfile(catalog, tmp_path / "runs.db")
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        yield connection


def _set(database: sqlite3.Connection, path: str, value: str) -> None:
    database.execute(
        f"UPDATE leaf SET num = {value} WHERE path_id ="
        f" (SELECT id FROM path WHERE path = '{path}')"
    )
    database.commit()


def test_clauses_that_exclude_each_other(
    altered: sqlite3.Connection, tmp_path: Path
) -> None:
    """Half of the records, and the other half: the index says that none is both."""
    _set(altered, "outputs/energy", "record_id % 2")
    _set(altered, "outputs/max_force", "record_id % 2")

    text = "outputs.energy == 0 and outputs.max_force == 1"
    for order in ("", "inputs.cutoff", "outputs.energy"):
        done = searched(tmp_path / "runs.db", text, order)
        assert done.names == []
        _check_plans(done)
        # Not more than what looking at each once would take.
        assert done.work < COUNTED + 80 * RECORDS, done.words


def test_a_clause_that_holds_only_at_the_end_of_the_order(
    altered: sqlite3.Connection, tmp_path: Path
) -> None:
    """What the newest records all are not is found from the other side."""
    _set(altered, "outputs/energy", "record_id")
    _set(altered, "outputs/converged", f"record_id <= {RECORDS // 10}")

    text = "outputs.converged and inputs.cutoff > 0"
    for order in ("", "-outputs.energy"):
        done = searched(tmp_path / "runs.db", text, order)
        last = RECORDS // 10
        assert done.names == list(range(last, last - 20, -1))
        _check_plans(done)
        assert any("2,000 candidates" in words for words in done.words), done.words
        # The index is counted twice: for what several clauses share, and for one.
        assert done.work < 2 * COUNTED + 25 * RECORDS


def test_records_that_are_all_equal(
    altered: sqlite3.Connection, tmp_path: Path
) -> None:
    """Of what all records are, the first are found at once; ties are stable."""
    for path in ("inputs/cutoff", "outputs/energy", "outputs/max_force"):
        _set(altered, path, "1")

    text = "inputs.cutoff == 1 and outputs.energy == 1"
    for order, names in (
        ("", range(RECORDS, RECORDS - 20, -1)),
        ("outputs.max_force", range(1, 21)),
        ("-outputs.max_force", range(RECORDS, RECORDS - 20, -1)),
    ):
        done = searched(tmp_path / "runs.db", text, order)
        assert done.names == list(names)
        assert done.work < COUNTED
        _check_plans(done)
    done = searched(tmp_path / "runs.db", f"{text} and outputs.max_force > 1")
    assert (done.names, done.work < COUNTED) == ([], True)


@pytest.mark.parametrize("rest", ["", "inputs.cutoff > 0", "inputs.structure == 'fcc'"])
def test_an_order_that_three_records_have(
    altered: sqlite3.Connection, tmp_path: Path, rest: str
) -> None:
    """They come first, and then the others, without all of them being sorted."""
    altered.execute("INSERT INTO path VALUES (99, 'data', 'rare')")
    altered.executemany(
        "INSERT INTO leaf VALUES (?, 99, ?, ?, NULL)",
        [(n, int(Kind.NUMBER), -n) for n in (77, 5_000, 19_000)],
    )
    altered.execute("UPDATE leaf SET txt = 'fcc' WHERE path_id = 5 AND record_id < 78")
    altered.execute(
        "UPDATE leaf SET txt = 'fcc' WHERE path_id = 5 AND record_id IN (5000, 19000)"
    )
    altered.commit()

    for order, first in (("rare", [19_000, 5_000, 77]), ("-rare", [77, 5_000, 19_000])):
        done = searched(tmp_path / "runs.db", rest, order)
        assert done.names[:3] == first
        others = done.names[3:]
        assert others == sorted(others, reverse=order == "-rare")
        assert len(others) == 17
        _check_plans(done)
        assert done.work < COUNTED
    alone = searched(tmp_path / "runs.db", "rare < -1 and inputs.cutoff > 0", "rare")
    assert alone.names == [19_000, 5_000, 77]
    assert alone.work < 2_000


def test_a_time_is_where_a_search_begins(catalog: Path) -> None:
    """What was saved last is found by its time."""
    when = f"{(START + (RECORDS - 50) * STEP) / 1e6}"
    text = f"saved_at > datetime('1970-01-01') + seconds({when}) and inputs.cutoff > 0"
    done = searched(catalog, text, "outputs.energy")

    assert len(done.names) == 20
    assert done.words == ("look up 50 candidates in the index",)
