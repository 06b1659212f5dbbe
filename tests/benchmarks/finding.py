"""
Finding among very many records, and what it costs to save beside them.

    python tests/benchmarks/finding.py [RECORDS …]

Makes a catalog of each size (1,000, 100,000 and 1,000,000 if none is named) in
a temporary directory, prints its bytes a record, the time of the questions
that people ask most with the steps of their plans, of a frame beside
`pandas.read_sql` of a flat table, and of saves beside those into an empty
archive.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from catalog import make
from run_dict import run_dict

from archivedb import Archive
from archivedb.store.directory import PayloadStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.archive.finding.recordset import RecordSet

ROUNDS = 15
SAVES = 300
COLUMNS = (
    "outputs.energy",
    "inputs.cutoff",
    "inputs.structure",
    "outputs.converged",
    "outputs.max_force",
)


QUESTIONS: dict[str, Callable[[Archive], RecordSet]] = {
    "two clauses, few hits": lambda a: a.find(
        "outputs.energy < -7.6 and inputs.structure == 'fcc'"
    ).limit(25),
    "the 20 lowest energies of fcc runs above 450 eV": lambda a: (
        a.find("inputs.structure == 'fcc' and inputs.cutoff > 450")
        .order_by("outputs.energy")
        .limit(20)
    ),
    "the 20 newest that converged": lambda a: a.find("'converged' in tags").limit(20),
    "a project's failures": lambda a: a.find(
        "not outputs.converged and outputs.max_force > 0.25", project="p7"
    ).limit(25),
    "some metals, last month": lambda a: a.find(
        "inputs.metal in ['Al', 'Cu'] and saved_at > newest - days(30)",
        {"newest": newest(a)},
    ).limit(20),
    "energy per atom": lambda a: a.find(
        "outputs.energy / inputs.natoms < -5 and inputs.natoms == 1"
    ).limit(20),
}


def newest(archive: Archive) -> Any:
    """Return when the newest record was saved."""
    found = archive.find().first()
    assert found is not None
    return found.saved_at


def median(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median time of some work, in milliseconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def save_times(archive: Archive, first: int = 0) -> list[float]:
    """Return how long each of some saves of new records takes, in milliseconds."""
    times = []
    for number in range(first, first + SAVES):
        data = run_dict(number)
        start = time.perf_counter()
        archive.save(data, f"new/run-{number}", metadata={"project": "p7"})
        times.append(1000 * (time.perf_counter() - start))
    return times


def opened(folder: Path, records: int) -> Archive:
    """Return an archive with so many records, of which no payload is there."""
    catalog = folder / "runs.db"
    if records:
        make(catalog, records)
        with closing(sqlite3.connect(catalog)) as database:
            (uuid,) = database.execute("SELECT uuid FROM archive").fetchone()
        PayloadStore(folder / "runs.payloads").create(uuid, catalog)
    return Archive(catalog)


def questions(archive: Archive) -> None:
    """Print the time and the plan of each question."""
    for words, ask in QUESTIONS.items():
        found = ask(archive)
        hits = sum(1 for _ in found)
        took = median(lambda found=found: list(found))
        print(f"  {took:8.2f} ms  {hits:3} hits  {words}")
        for line in found.explain().splitlines()[:-1]:
            print(f"              {line}")
    count = archive.find("inputs.structure == 'fcc'")
    print(
        f"  {median(count.count, 5):8.2f} ms  counting {count.count():,} of one clause"
    )


def frame(archive: Archive, records: int) -> None:
    """Print the time of a frame beside one from a flat table."""
    rows = min(10_000, records)
    found = archive.find().limit(rows)
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    with closing(sqlite3.connect(":memory:")) as database:
        table = found.to_frame(list(COLUMNS))
        table.to_sql("flat", database, index=False)
        flat = median(lambda: pd.read_sql(f"SELECT {names} FROM flat", database), 5)
    ours = median(lambda: found.to_frame(list(COLUMNS)), 5)
    print(
        f"  {ours:8.2f} ms  {rows:,} records by 5 columns to a frame, "
        f"{ours / flat:.1f} times read_sql of a flat table ({flat:.1f} ms)"
    )


def main(sizes: list[int]) -> None:
    """Print everything for each size."""
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        (base / "empty").mkdir()
        with opened(base / "empty", 0) as empty:
            save_times(empty)
            into_empty = save_times(empty, SAVES)
        for records in sizes:
            folder = base / str(records)
            folder.mkdir()
            with opened(folder, records) as archive:
                size = (folder / "runs.db").stat().st_size
                print(
                    f"{records:,} records, {size / records:.0f} bytes of catalog each"
                )
                questions(archive)
                frame(archive, records)
                save_times(archive)
                times = sorted(save_times(archive, SAVES))
                middle = statistics.median(times)
                ratio = middle / statistics.median(into_empty)
                print(
                    f"  {middle:8.2f} ms  a save, {ratio:.2f} times one into an empty "
                    f"archive ({1000 * ratio / middle:.0f} a second there); "
                    f"p99 {times[int(0.99 * len(times))]:.1f} ms"
                )


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or [1_000, 100_000, 1_000_000])
