"""What the harnesses share: children, figures, and how an archive is judged."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archivedb import Archive


@dataclass
class Outcome:
    """
    What a harness did, and what went wrong.

    Attributes:
        title: What was done to what.
        columns: What the figures of a row are.
        rows: The figures.
        failures: A sentence for each promise that was broken.
        notes: What could not be tried here, or is worth a line.
        seconds: How long it took.
        summary: The figures in a line.

    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[object, ...]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    summary: str = ""

    def __str__(self) -> str:
        """Return the figures as a table."""
        lines = [self.columns, *self.rows]
        cells = [[_cell(value) for value in line] for line in lines]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        text = [f"{self.title}  ({self.seconds:.0f} s)"]
        for line in cells:
            padded = [
                cell.rjust(width) if number else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            text.append("  " + "  ".join(padded).rstrip())
        text += [f"  note: {note}" for note in self.notes]
        text += [f"  FAILED: {failure}" for failure in self.failures[:400]]
        if len(self.failures) > 20:
            text.append(f"  … and {len(self.failures) - 20} more failures")
        return "\n".join(text)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@dataclass(frozen=True)
class Scale:
    """
    How much a harness does.

    Attributes:
        whole: All of it, or what fits into a test.
        seed: Where its chance begins.

    """

    whole: bool
    seed: int = 0

    def pick(self, whole: int, bounded: int) -> int:
        """Return how many times something is done."""
        return whole if self.whole else bounded


MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of its own below it
ON_DISK = {"killing", "crowding"}
"""Harnesses that take place on a disk when they are run whole."""


def run(
    harness: Callable[[Path, Scale], Outcome], place: Path, scale: Scale
) -> Outcome:
    """Run a harness, print its figures, and return them."""
    begun = time.monotonic()
    outcome = harness(place, scale)
    outcome.seconds = time.monotonic() - begun
    sys.stdout.write(f"{outcome}\n\n")
    sys.stdout.flush()
    return outcome


def main(*harnesses: Callable[[Path, Scale], Outcome]) -> None:
    """Be a program that runs harnesses, and ends with 1 if a promise was broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bounded", action="store_true", help="as in `make test`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--place", type=Path, help="a directory to work in")
    options = parser.parse_args()
    scale = Scale(not options.bounded, options.seed)
    outcomes = []
    for harness in harnesses:
        # Where it does not matter how long a disk takes, none is waited for.
        disk = scale.whole and harness.__name__ in ON_DISK
        memory = MEMORY if MEMORY.is_dir() and not disk else None
        with tempfile.TemporaryDirectory(dir=options.place or memory) as place:
            # Never the user's key, nor an archive that the environment names.
            os.environ.setdefault("ARCHIVEDB_KEY", f"{place}/key")
            os.environ.pop("ARCHIVEDB", None)
            outcomes.append(run(harness, Path(place), scale))
    if len(outcomes) > 1:
        for outcome in outcomes:
            verdict = f"{len(outcome.failures)} FAILED" if outcome.failures else "sound"
            sys.stdout.write(f"{outcome.title}: {outcome.summary}; {verdict}\n")
    sys.exit(any(outcome.failures for outcome in outcomes))


# Children -----------------------------------------------------------------


def child(work: Callable[[], object]) -> int:
    """Do something in a forked process, and return its id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - told on stderr
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        finally:
            os._exit(code)
    return pid


def ended(pid: int) -> int:
    """Wait for a child, and return its code, or a signal as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def told(work: Callable[[Callable[[bytes], object]], object]) -> tuple[int, bytes]:
    """Run a child that is given what says something, and return code and words."""
    listen, say = os.pipe()

    def speak() -> None:
        os.close(listen)
        work(lambda words: os.write(say, words))

    pid = child(speak)
    os.close(say)
    said = b""
    while piece := os.read(listen, 1 << 16):
        said += piece
    os.close(listen)
    return ended(pid), said


# Judging --------------------------------------------------------------------


@contextmanager
def judged(failures: list[str], what: str) -> Iterator[None]:
    """Write down what breaks a promise, and go on."""
    try:
        yield
    except AssertionError as error:
        failures.append(f"{what}: {error}")
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody promised it
        where = traceback.extract_tb(error.__traceback__)
        # The deepest of archivedb's own lines.
        own = [line for line in where if "archivedb" in line.filename] or where
        at = f"{Path(own[-1].filename).name}:{own[-1].name}"
        failures.append(f"{what}: {type(error).__name__} in {at}: {error}")


def require(condition: object, what: Callable[[], object] | str) -> None:
    """Raise `AssertionError` unless something holds; also under ``python -O``."""
    if not condition:
        raise AssertionError(what() if callable(what) else what)


def require_sound(archive: Archive, but: Iterable[str] = ()) -> None:
    """
    Require that verify finds nothing, and that a rebuilt catalog says the same.

    Args:
        archive: The archive.
        but: Kinds of findings that are no broken promise.

    """
    findings = [f for f in archive.verify().findings if f.kind not in but]
    require(not findings, lambda: f"findings: {[str(f) for f in findings]}")
    before = archive.inspect().dump()
    archive.reindex()
    after = archive.inspect().dump()
    require(before == after, "a rebuilt catalog says something else")


def total(rows: list[tuple[object, ...]], name: str = "all") -> tuple[object, ...]:
    """Return the sum of rows whose first item is a name."""
    sums: Counter[int] = Counter()
    for row in rows:
        for number, value in enumerate(row[1:]):
            sums[number] += int(str(value))
    return name, *(sums[number] for number in range(len(rows[0]) - 1))


def percentile(sorted_values: list[float], share: float) -> float:
    """Return the value that a share of all do not exceed."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def signature_has(function: Any, name: str) -> bool:
    """Return whether a function takes an argument of this name."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return name in names
