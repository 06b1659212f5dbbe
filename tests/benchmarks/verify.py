"""
How fast `verify` is, beside bare BLAKE3 of the same files.

``python tests/benchmarks/verify.py [MiB] [small payloads]``; rounds are
interleaved, and medians printed.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
CORES = os.cpu_count() or 1
LARGE = 64 << 20


def hashed(path: str) -> bytes:
    """Return the digest of a file, read as one usually does."""
    hasher = blake3()
    with open(path, "rb") as file:  # noqa: PTH123 - the quickest
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return hasher.digest()


def several(paths: list[str]) -> int:
    """Hash some files."""
    return len([hashed(path) for path in paths])


def fill(place: Path, mebibytes: int, small: int) -> None:
    """Make an archive of large and of small payloads."""
    chance = np.random.default_rng(1)
    with Archive(place / "runs.db", durability="relaxed") as archive:
        for number in range((mebibytes << 20) // LARGE):
            archive.save({"a": chance.random(LARGE // 8)}, f"large/{number}")
        for number in range(small):
            archive.save({"n": number, "f": chance.random(30)}, f"small/{number}")


def main() -> None:
    """Print both, and their ratio."""
    mebibytes, small = (*map(int, sys.argv[1:]), *(2048, 20_000)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        fill(place, mebibytes, small)
        paths = [str(path) for path in (place / "runs.payloads").glob("??/*")]
        total = sum(Path(path).stat().st_size for path in paths)
        portions = [paths[start::64] for start in range(64)]
        with (
            Archive(place / "runs.db") as archive,
            ThreadPoolExecutor(CORES) as threads,
            ProcessPoolExecutor(CORES) as processes,
        ):
            list(processes.map(abs, range(CORES)))
            work: dict[str, Callable[[], object]] = {
                "blake3, 1 thread": lambda: several(paths),
                f"blake3, {CORES} threads": lambda: sum(threads.map(several, portions)),
                f"blake3, {CORES} processes": lambda: sum(
                    processes.map(several, portions)
                ),
                "verify full": archive.verify,
            }
            times: dict[str, list[float]] = {name: [] for name in work}
            for _ in range(ROUNDS):
                for name, run in work.items():
                    begun = time.perf_counter()
                    run()
                    times[name].append(time.perf_counter() - begun)
        medians = {name: statistics.median(found) for name, found in times.items()}
    print(f"{len(paths):,} files, {total / 1e9:.2f} GB")
    for name, seconds in medians.items():
        print(f"{name:22} {seconds:7.3f} s {total / seconds / 1e9:6.2f} GB/s")
    bare = min(seconds for name, seconds in medians.items() if "blake3" in name)
    print(f"verify / fastest blake3: {medians['verify full'] / bare:.2f}")


if __name__ == "__main__":
    main()
