"""The deep level: whatever of a catalog is altered, its payloads tell."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.catalog import tables
from archivedb.errors import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

FREE = {
    # No payload says when the catalog was made, nor when it was verified.
    ("archive", "created_at"),
    *(("check", name) for name in ("level", "checked_at", "verdict")),
    # A number that nothing refers to.
    ("change", "id"),
}
"""What cannot be derived from payloads."""


def fill(archive: Archive) -> None:
    """Make every kind of change, so that every table has rows."""
    archive.save(
        {"e": -3.7, "n": 1, "f": np.arange(12.0).reshape(4, 3), "t": "fcc"},
        "al/run",
        metadata={"project": "al"},
        tags=["good"],
    )
    archive.save({"e": -3.8, "f": np.zeros(3)}, "al/run", tags=["good", "old"])
    run = archive.open("al/run")
    run["more"] = np.arange(6000.0)
    run.append("f", np.ones(2))
    archive.tag("al/run", "newer")
    archive.annotate("al/run", project="cu")
    archive.save({"a": 1}, "was", mode="json")
    archive.rename("was", "is")
    archive.save({"x": 1}, "gone")
    archive.delete("gone")
    for number in range(3):
        archive.save({"k": number}, "pruned")
    archive.prune("pruned")
    with archive.batch():
        archive.save({"b": 1}, "batch/1", mode="json")
        archive.save({"b": np.arange(3)}, "batch/2")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with an archive that has everything."""
    place = tmp_path_factory.mktemp("filled")
    with Archive(place / "runs.db", provenance=True) as archive:
        fill(archive)
        report = archive.verify("deep")
        assert report.ok, report.findings
        assert report.payloads == report.known > 8
        archive.reindex()
        assert archive.verify("deep").ok
    return place


def altered(value: Any) -> list[Any]:
    """Return other values in place of one, of its type or not."""
    if isinstance(value, bytes):
        return [value + b" ", b"{}" if value != b"{}" else b"[]"]
    if isinstance(value, str):
        return [value + "x", "y"]
    if isinstance(value, (int, float)):
        return [value + 1, str(value) + "y"]
    return [7, 8]


CELLS = [
    (table.name, column.name)
    for table in tables.metadata.sorted_tables
    for column in table.columns
    if (table.name, column.name) not in FREE
]


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_every_altered_cell_is_found(
    filled: Path, tmp_path: Path, table: str, column: str
) -> None:
    """Each column of each table, in its first or its last row, in turn."""
    shutil.copytree(filled, tmp_path / "a")
    catalog = tmp_path / "a" / "runs.db"
    raw = catalog.read_bytes()
    used = "WHERE id IN (SELECT path_id FROM leaf)" if table == "path" else ""
    tried = 0
    ends = [(0, "ASC"), (1, "DESC")]
    if CELLS.index((table, column)) % 2:
        ends.reverse()
    for which, order in ends:
        if tried:
            break
        with closing(sqlite3.connect(catalog)) as connection:
            key = ", ".join(
                f'"{each.name}" {order}'
                for each in tables.metadata.tables[table].primary_key
            )
            where = " AND ".join(
                f'"{each.name}" IS ?'
                for each in tables.metadata.tables[table].primary_key
            )
            names = ", ".join(
                f'"{each.name}"' for each in tables.metadata.tables[table].primary_key
            )
            found = connection.execute(
                f'SELECT "{column}", {names} FROM "{table}" {used} ORDER BY {key}'
            ).fetchone()
        if found is None:
            pytest.fail(f"{table} has no rows")
        for other in altered(found[0])[which:][:1]:
            with closing(sqlite3.connect(catalog)) as connection:
                try:
                    connection.execute(
                        f'UPDATE "{table}" SET "{column}" = ? WHERE {where}',
                        (other, *found[1:]),
                    )
                except sqlite3.Error:
                    continue  # SQLite itself does not take it
                connection.commit()
            tried += 1
            assert is_found(catalog), (table, column, found[0], other)
            for path in catalog.parent.glob("runs.db*"):
                path.unlink()
            catalog.write_bytes(raw)
    assert tried or column in {"uuid", "id", "payload_id"}


def is_found(catalog: Path) -> bool:
    """Return whether an altered catalog is refused, or has findings."""
    try:
        with Archive(catalog, readonly=True) as archive:
            return not archive.verify("deep").ok
    except ArchiveError:
        return True


@pytest.mark.parametrize(
    "table", ["record", "change", "version", "array", "leaf", "tag", "payload"]
)
def test_a_row_that_is_gone_is_found(filled: Path, tmp_path: Path, table: str) -> None:
    """Each row in turn, of each table."""
    shutil.copytree(filled, tmp_path / "a")
    catalog = tmp_path / "a" / "runs.db"
    raw = catalog.read_bytes()
    key = [f'"{each.name}"' for each in tables.metadata.tables[table].primary_key]
    with closing(sqlite3.connect(catalog)) as connection:
        rows = connection.execute(f'SELECT {", ".join(key)} FROM "{table}"').fetchall()
    for row in rows[:: max(1, len(rows) // 4)]:
        where = " AND ".join(f"{name} IS ?" for name in key)
        with closing(sqlite3.connect(catalog)) as connection:
            connection.execute(f'DELETE FROM "{table}" WHERE {where}', row)
            connection.commit()
        assert is_found(catalog), row
        for path in catalog.parent.glob("runs.db*"):
            path.unlink()
        catalog.write_bytes(raw)


def test_a_finding_says_what_differs(filled: Path, tmp_path: Path) -> None:
    """Record, version, path, both values, and the command to run next."""
    shutil.copytree(filled, tmp_path / "a")
    catalog = tmp_path / "a" / "runs.db"
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("UPDATE leaf SET num = -9.5 WHERE num = -3.8")
        connection.execute(
            "INSERT INTO record VALUES (99, 'ghost', 'ghost', 0, 1, NULL, 0)"
        )
        connection.commit()

    with Archive(catalog) as archive:
        # Though no payload that is looked at leads to it.
        part = archive.verify("deep", sample=0.01).findings
        assert [each.record for each in part if each.record == "ghost"] == ["ghost"]
        found = archive.verify("deep").findings
        ghost, wrong = sorted(found, key=lambda each: each.record != "ghost")
        assert (wrong.kind, wrong.record, wrong.path) == ("misindexed", "al/run", "e")
        assert wrong.version == archive.record("al/run").version
        assert "-9.5" in wrong.detail
        assert "-3.8" in wrong.detail
        assert "archivedb reindex" in wrong.advice
        assert (ghost.record, ghost.kind) == ("ghost", "misindexed")
        archive.reindex()
        assert archive.verify("deep").ok


def test_rows_that_refer_to_nothing(filled: Path, tmp_path: Path) -> None:
    """What SQLite finds broken is counted, table by table, in one sentence each."""
    shutil.copytree(filled, tmp_path / "a")
    with closing(sqlite3.connect(tmp_path / "a" / "runs.db")) as connection:
        for number in (1, 2):
            connection.execute(f"INSERT INTO tag VALUES (9{number}, 'lost')")
        connection.commit()
    with Archive(tmp_path / "a" / "runs.db") as archive:
        (found,) = archive.verify("quick").findings
    assert str(found).startswith(
        "misindexed: the catalog: 2 tag rows refer to a missing record; run"
    )


def test_nothing_in_a_payload_is_run(tmp_path: Path) -> None:
    """A pickle and an object are decoded as stubs, so also those of strangers."""
    with Archive(tmp_path / "runs.db", mode="cloudpickle") as archive:
        archive.save({"f": Trap(), "a": np.arange(3)}, "x")
        before = len(RUN)
        assert archive.verify("deep").ok
        assert len(RUN) == before
        archive.load("x")
        assert len(RUN) > before


RUN: list[int] = []


class Trap:
    """Says when it is restored."""

    def __setstate__(self, _state: Any) -> None:
        """Leave a mark."""
        RUN.append(1)

    def __getstate__(self) -> Any:
        """Return a state."""
        return {"n": 1}


def test_what_cannot_be_decoded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right bytes, of which this installation makes nothing."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"n": 1}, "x")

        def fail(*_args: object, **_options: object) -> None:
            message = "no such thing"
            raise RuntimeError(message)

        monkeypatch.setattr("archivedb.archive.decoding.read_value", fail)
        (found,) = archive.verify("deep").findings
        assert (found.kind, found.record, found.version) == ("undecodable", "x", 1)
        assert "no such thing" in found.detail
        assert "archivedb salvage x DIR" in found.advice
