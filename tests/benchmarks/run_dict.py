"""
Save and load one run dict in each mode, beside the floor and h5py by hand.

Rounds are interleaved, so that whatever else the machine does hits all alike;
medians are printed.  The *floor* is what any archive must do for the same
bytes: write, fsync, rename, fsync the directory, and commit one row with
``synchronous=FULL``.  Nothing here is a gate.

Run it: ``python tests/benchmarks/run_dict.py [rounds]``.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable

MODES = ("hdf5", "json", "cloudpickle")


def run_dict(number: int) -> dict[str, Any]:
    """Return a run of 14 leaves, four of them arrays."""
    rng = np.random.default_rng(number)
    return {
        "inputs": {
            "structure": "fcc",
            "xc": "PBE",
            "cutoff": 450.0,
            "natoms": 32,
            "spin": False,
            "kpts": [4, 4, 4],
            "cell": np.eye(3) * 4.05,
        },
        "outputs": {
            "energy": float(rng.normal()),
            "converged": True,
            "steps": number,
            "time": 1.5,
            "forces": rng.normal(size=(32, 3)),
            "stress": rng.normal(size=6),
            "positions": rng.normal(size=(32, 3)),
        },
    }


class Floor:
    """The least that a durable save of some bytes takes."""

    def __init__(self, root: Path, size: int) -> None:
        self._root, self._data = root, os.urandom(size)
        self._catalog = sqlite3.connect(root / "floor.db", isolation_level=None)
        self._catalog.execute("PRAGMA journal_mode=WAL")
        self._catalog.execute("PRAGMA synchronous=FULL")
        self._catalog.execute("CREATE TABLE row (name TEXT, file TEXT)")

    def save(self, number: int) -> None:
        """Write, sync, rename, sync, commit."""
        temporary = self._root / "temporary"
        with temporary.open("wb") as file:
            file.write(self._data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._root / f"{number}")
        directory = os.open(self._root, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        self._catalog.execute("BEGIN IMMEDIATE")
        self._catalog.execute("INSERT INTO row VALUES (?, ?)", (str(number), "f"))
        self._catalog.execute("COMMIT")


def save_by_hand(path: Path, tree: dict[str, Any]) -> None:
    """Write a dict with h5py: a dataset a leaf, no fsync, no index, no digest."""
    with h5py.File(path, "w") as file:
        for name, part in tree.items():
            group = file.create_group(name)
            for key, value in part.items():
                group[key] = value


def load_by_hand(path: Path) -> dict[str, Any]:
    """Read it back, unverified."""
    with h5py.File(path) as file:
        return {n: {k: v[()] for k, v in part.items()} for n, part in file.items()}


def measure(rounds: int, root: Path) -> dict[str, float]:
    """Return the median seconds of each piece of work."""
    archive = Archive(root / "runs.db")
    floor = Floor(root, 6000)
    times: dict[str, list[float]] = {}

    def timed(what: str, work: Callable[[], object]) -> None:
        begun = time.perf_counter()
        work()
        times.setdefault(what, []).append(time.perf_counter() - begun)

    for number in range(rounds):
        tree, path = run_dict(number), root / f"{number}.h5"
        timed("floor", lambda n=number: floor.save(n))
        timed("save h5py by hand", lambda t=tree, p=path: save_by_hand(p, t))
        timed("load h5py by hand", lambda p=path: load_by_hand(p))
        for mode in MODES:
            name = f"bench/{mode}/{number}"
            facts = {"metadata": {"project": "bench", "number": number}, "mode": mode}
            timed(
                f"save {mode}", lambda t=tree, n=name, f=facts: archive.save(t, n, **f)
            )
            timed(f"load {mode}", lambda n=name: archive.load(n))
    archive.close()
    # The first rounds make directories, import modules and fill caches.
    return {
        what: statistics.median(taken[rounds // 5 :]) for what, taken in times.items()
    }


def main() -> None:
    """Measure, and print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as root:
        times = measure(rounds, Path(root))
    floor, by_hand = times["floor"], times["save h5py by hand"]
    print(f"{'save':<14}{'ms':>8}{'x floor':>10}{'x h5py':>10}{'budget':>18}")
    budgets = {
        "hdf5": "1.8 floor, 0.6 h5py",
        "json": "1.5 floor",
        "cloudpickle": "1.5 floor",
    }
    rows = {"floor": floor, "h5py by hand": by_hand}
    rows |= {mode: times[f"save {mode}"] for mode in MODES}
    for what, taken in rows.items():
        print(
            f"{what:<14}{taken * 1e3:>8.2f}{taken / floor:>10.2f}"
            f"{taken / by_hand:>10.2f}  {budgets.get(what, '')}"
        )
    by_hand = times["load h5py by hand"]
    print(f"\n{'load':<14}{'ms':>8}{'x h5py':>10}")
    rows = {"h5py by hand": by_hand} | {mode: times[f"load {mode}"] for mode in MODES}
    for what, taken in rows.items():
        budget = "  0.2 h5py" if what == "hdf5" else ""
        print(f"{what:<14}{taken * 1e3:>8.2f}{taken / by_hand:>10.2f}{budget}")


if __name__ == "__main__":
    main()
