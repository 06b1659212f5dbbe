"""
Many processes at one archive: writers, readers, a verifier and a collector.

Every save must be there, under a version that no other has; nobody is refused,
and nobody who reads or verifies sees anything that is not so.
"""

from __future__ import annotations

import functools
import json
import os
import random
import time
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb import Archive
from tests.stress.model import MODES
from tests.stress.toolkit import (
    Outcome,
    Scale,
    child,
    ended,
    judged,
    main,
    percentile,
    require,
    require_sound,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROCESSES = 8
SHARED = "all/one"


def value(process: int, turn: int) -> dict[str, Any]:
    """Return what a process saves in a turn."""
    return {"process": process, "turn": turn, "x": np.arange(20 + turn % 50) + process}


class Crowd:
    """
    One archive, and what works at it at once.

    Args:
        place: A directory.
        saves: How many each writer makes.

    """

    def __init__(self, place: Path, saves: int) -> None:
        self.place, self.saves = place, saves
        self.address = place / "runs.db"

    # What each process does ------------------------------------------------

    def write(self, process: int) -> None:
        """Save, every fourth time onto the name that all share, and say so."""
        chance = random.Random(process)  # noqa: S311 - repeatable
        lines = []
        mode = MODES[process % len(MODES)]
        with Archive(self.address, mode=mode, provenance=False) as archive:
            for turn in range(self.saves):
                name = SHARED if turn % 4 == 0 else f"p{process}/{chance.randrange(9)}"
                begun = time.perf_counter()
                record = archive.save(value(process, turn), name)
                waited = time.perf_counter() - begun
                lines.append((process, turn, name, record.version, waited))
        (self.place / f"writer-{process}").write_text(json.dumps(lines))

    def _until_stopped(self, work: Callable[[Archive], object], kind: str) -> None:
        turns, begun = 0, time.monotonic()
        stop = self.place / "stop"
        with Archive(self.address, provenance=False) as archive:
            while not stop.exists():
                if archive.exists:
                    work(archive)
                    turns += 1
        seconds = time.monotonic() - begun
        (self.place / f"{kind}-{os.getpid()}").write_text(json.dumps([turns, seconds]))

    def read(self) -> None:
        """Load what is there: nothing that was ever there is missing."""
        seen: dict[str, int] = {}
        chance = random.Random(os.getpid())  # noqa: S311 - any

        def look(archive: Archive) -> None:
            names = list(archive)
            require(not seen.keys() - set(names), "a record has vanished")
            for name in chance.sample(names, min(3, len(names))):
                newest = archive.record(name).version
                require(newest >= seen.get(name, 0), f"{name} has lost versions")
                seen[name] = newest
                at = chance.randrange(1, newest + 1)
                there = archive.load(name, version=at)
                right = value(there["process"], there["turn"])["x"]
                require(there["x"].tobytes() == right.tobytes(), f"{name} is wrong")

        self._until_stopped(look, "reader")

    def verify(self) -> None:
        """Find nothing, again and again."""

        def look(archive: Archive) -> None:
            for level in ("quick", "full"):
                findings = archive.verify(level, jobs=1).findings
                require(not findings, str([str(each) for each in findings]))
                time.sleep(0.02)

        self._until_stopped(look, "verifier")

    def collect(self) -> None:
        """Collect what nobody needs, at once and without any grace."""

        def sweep(archive: Archive) -> None:
            collect: Any = archive.gc  # type: ignore[attr-defined,unused-ignore]
            collect(grace=timedelta(0))
            time.sleep(0.05)

        self._until_stopped(sweep, "collector")

    # All of them -------------------------------------------------------------

    def run(self) -> list[str]:
        """Let all work, and return whose processes failed."""
        beside = {"reader 1": self.read, "reader 2": self.read, "verifier": self.verify}
        if hasattr(Archive, "gc"):
            beside["collector"] = self.collect
        pids = {name: child(work) for name, work in beside.items()}
        writers = {
            f"writer {number}": child(functools.partial(self.write, number))
            for number in range(PROCESSES)
        }
        failed = [name for name, pid in writers.items() if ended(pid)]
        (self.place / "stop").touch()
        return failed + [name for name, pid in pids.items() if ended(pid)]

    def turns(self, kind: str) -> tuple[int, int]:
        """Return how many of a kind there were, and what they did together."""
        files = list(self.place.glob(f"{kind}-*"))
        return len(files), sum(json.loads(file.read_text())[0] for file in files)

    def said(self) -> list[tuple[int, int, str, int, float]]:
        """Return what the writers acknowledged."""
        return [
            tuple(line)
            for file in self.place.glob("writer-*")
            for line in json.loads(file.read_text())
        ]

    def check(self, said: list[tuple[int, int, str, int, float]]) -> int:
        """Require that every save is there, and return how many are lost."""
        versions: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
        for process, turn, name, version, _ in said:
            require(version not in versions[name], f"{name}@{version} was given twice")
            versions[name][version] = (process, turn)
        lost = 0
        with Archive(self.address) as archive:
            require(sorted(archive) == sorted(versions), "other names than were saved")
            for name, by_version in versions.items():
                there = [record.version for record in archive.versions(name)]
                require(
                    there == list(range(1, len(by_version) + 1)),
                    f"{name} has versions {there[:5]} … {there[-5:]}",
                )
                for version, (process, turn) in by_version.items():
                    found = archive.load(name, version=version)
                    same = (found["process"], found["turn"]) == (process, turn)
                    lost += not same
            require_sound(archive)
        require(not list((self.place / "runs.payloads/tmp").iterdir()), "left-overs")
        require(not lost, f"{lost} saves are lost")
        return lost


def crowding(place: Path, scale: Scale) -> Outcome:
    """Let eight processes save at once, with others beside them."""
    outcome = Outcome(
        f"(c) {PROCESSES} processes save at once",
        ("what", "processes", "done", "lost", "p50 ms", "p99 ms", "worst ms"),
    )
    crowd = Crowd(place, scale.pick(500, 12))
    begun = time.monotonic()
    outcome.failures += [f"{name} failed" for name in crowd.run()]
    seconds = time.monotonic() - begun
    said = crowd.said()
    lost = len(said) if len(said) != PROCESSES * crowd.saves else 0
    with judged(outcome.failures, "afterwards"):
        lost = crowd.check(said)
    waits = sorted(waited * 1000 for *_, waited in said) or [0.0]
    shared = sorted(waited * 1000 for _, _, name, _, waited in said if name == SHARED)
    for what, each in (("saves", waits), (f"of them onto {SHARED}", shared or [0.0])):
        outcome.rows.append(
            (
                *(what, PROCESSES, len(each), lost),
                *(percentile(each, 0.5), percentile(each, 0.99), each[-1]),
            )
        )
    for kind, does in (
        ("reader", "reads"),
        ("verifier", "verifications"),
        ("collector", "collections"),
    ):
        outcome.rows.append((does, *crowd.turns(kind), "", "", "", ""))
    if not hasattr(Archive, "gc"):
        outcome.notes.append("this archivedb has no gc")
    outcome.summary = (
        f"{len(said):,} saves, {lost} lost; waits p50 {percentile(waits, 0.5):.0f} ms, "
        f"p99 {percentile(waits, 0.99):.0f} ms, worst {waits[-1]:.0f} ms"
    )
    outcome.notes.append(f"{len(said) / seconds:.0f} saves a second, all durable")
    return outcome


if __name__ == "__main__":
    main(crowding)
