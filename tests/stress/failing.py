"""
A file system that fails: each call in turn, a file that must not grow, a full disk.

Whatever fails, the error is one of archivedb's own, what was there before is as it
was, what was under way is there as a whole or not at all, and the next save works.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import random
import resource
import shutil
import signal
import subprocess
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb import Archive, ArchiveError, load, save
from tests.stress.model import MODES, Change, State, Version, found, state
from tests.stress.toolkit import (
    Outcome,
    Scale,
    judged,
    main,
    require,
    require_sound,
    told,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHANGING = {
    *("pwrite", "write", "fsync", "ftruncate", "link", "rename", "replace"),
    *("unlink", "remove", "mkdir", "open for writing", "copy_file_range", "sendfile"),
}
LOOKING = {
    *("open", "fstat", "stat", "lstat", "preadv", "pread", "read", "scandir"),
    *("listdir", "flock"),
}
ON_OS = sorted((CHANGING | LOOKING) - {"flock", "open for writing"})


class Faults:
    """
    Makes calls on what lies below a directory fail.

    Args:
        root: The directory.
        at: Which call, counted from 0; None counts only.
        number: The ``errno``.
        after: Whether a call that changes something does so before it fails.
        lasting: Whether all later calls fail, too.

    """

    def __init__(
        self,
        root: Path,
        at: int | None = None,
        number: int = 0,
        *,
        after: bool = False,
        lasting: bool = False,
    ) -> None:
        self.root = str(root)
        self.at, self.number = at, number
        self.after, self.lasting = after, lasting
        self.calls: list[str] = []
        self.failed = 0

    def _is_below(self, path: Any) -> bool:
        if isinstance(path, int):
            try:
                path = self._readlink(f"/proc/self/fd/{path}")
            except OSError:
                return False
        elif hasattr(path, "fileno"):
            return self._is_below(path.fileno())
        try:
            return os.fsdecode(path).startswith(self.root)
        except TypeError:
            return False

    def _failing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if not arguments or not self._is_below(arguments[0]):
                return real(*arguments, **options)
            label = name
            if name == "open" and len(arguments) > 1 and _writes(arguments[1]):
                label = "open for writing"
            number = len(self.calls)
            self.calls.append(label)
            due = self.at is not None and (
                number >= self.at if self.lasting else number == self.at
            )
            if not due:
                return real(*arguments, **options)
            self.failed += 1
            # An open file would be lost on the caller.
            if self.after and label in CHANGING and name != "open":
                real(*arguments, **options)
            raise OSError(self.number, os.strerror(self.number), str(arguments[0]))

        return call

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Fail until the end."""
        self._readlink = os.readlink
        places: list[tuple[Any, str]] = [(os, name) for name in ON_OS]
        places += [(fcntl, "flock"), (io, "open"), (builtins, "open")]
        reals = [getattr(owner, name) for owner, name in places]
        for (owner, name), real in zip(places, reals, strict=True):
            setattr(owner, name, self._failing(name, real))
        try:
            yield
        finally:
            for (owner, name), real in zip(places, reals, strict=True):
                setattr(owner, name, real)


def _writes(flags: Any) -> bool:
    if isinstance(flags, int):
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return isinstance(flags, str) and any(letter in flags for letter in "wax+")


# Each call in turn -----------------------------------------------------------

START = (
    *(Change("save", f"n/{number}", number, MODES[number]) for number in range(3)),
    Change("append", "n/0", 5),
)
CHANGES = {
    **{f"save {mode}": Change("save", "n/0", 10, mode) for mode in MODES},
    "edit": Change("edit", "n/0", 10),
    "append": Change("append", "n/1", 10),
    "batch": Change(
        "batch",
        parts=(
            *(
                Change("save", f"b/{mode}", 12 + n, mode)
                for n, mode in enumerate(MODES)
            ),
            Change("tag", "n/1", 10),
            Change("delete", "n/2"),
        ),
    ),
    "delete": Change("delete", "n/2"),
    "rename": Change("rename", "n/2", to="m/2"),
}


def injections(
    calls: list[str], scale: Scale, name: str
) -> Iterator[tuple[int, int, bool, bool]]:
    """Yield which call fails, with which errno, after its work, and for how long."""
    chance = random.Random(f"{scale.seed} {name}")  # noqa: S311 - repeatable
    for at, call in enumerate(calls):
        ways = [(errno.EIO, False, False), (errno.EIO, False, True)]
        if call in CHANGING:
            ways += [
                *((errno.ENOSPC, False, False), (errno.ENOSPC, False, True)),
                *((errno.EIO, True, False), (errno.ENOSPC, True, False)),
            ]
        if not scale.whole:
            ways = [chance.choice(ways)] if chance.random() < 0.06 else []
        for way in ways:
            yield at, *way


class Injected:
    """Injects faults into one kind of change, again and again."""

    def __init__(self, place: Path, name: str, outcome: Outcome) -> None:
        self.place, self.name, self.outcome = place, name, outcome
        self.counts: Counter[str] = Counter()

    def run(self, scale: Scale, change: Change | None) -> None:
        """Make the change, or the archive, with each fault in turn."""
        template = self.place / "template"
        before: State = {}
        if change is not None:
            with Archive(template / "runs.db", provenance=False) as archive:
                for each in START:
                    each.make(archive)
                    before = each.after(before)
        else:
            template.mkdir(parents=True)
        change = change or Change("save", "n/0", 10)
        counting = self._attempt(template, change, before, Faults(self._copy))
        failures, unreached = self.outcome.failures, 0
        for at, number, after, lasting in injections(counting.calls, scale, self.name):
            faults = Faults(self._copy, at, number, after=after, lasting=lasting)
            call = counting.calls[at]
            what = f"{self.name}, {call} {at} {errno.errorcode[number]}"
            what += " after its work" * after + " and all later" * lasting
            before_it = len(failures)
            with judged(failures, what):
                self._attempt(template, change, before, faults)
            self.counts["faults"] += bool(faults.failed)
            self.counts["survived"] += (
                bool(faults.failed) and len(failures) == before_it
            )
            unreached += not faults.failed
        # A directory that is there already, by the chance of ids, saves a call.
        if unreached > 2 + self.counts["faults"] // 20:
            failures.append(f"{self.name}: {unreached} faults were not reached")

    @property
    def _copy(self) -> Path:
        return self.place / "copy"

    def _attempt(
        self, template: Path, change: Change, before: State, faults: Faults
    ) -> Faults:
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(template, self._copy)
        address = self._copy / "runs.db"
        after = change.after(before)
        refused = False
        archive: Archive | None = None
        with faults.at_work():
            try:
                archive = Archive(address, provenance=False)
                change.make(archive)
            except ArchiveError:
                refused = True
        self.counts["refused"] += refused
        allowed = (before, after) if refused else (after,)
        # The one that met the fault goes on, where it could be opened at all.
        with archive or Archive(address, provenance=False) as archive:
            there = state(archive)
            require(there in allowed, lambda: f"found {there}, and none of {allowed}")
            archive.save(Version(99, 0, (99,)).value(), "n/0")
            now = state(archive)
        # The next who saves may be the one who completes what was refused.
        last = Change("save", "n/0", 99)
        right = [last.after(each) for each in (allowed if there == before else [there])]
        require(now in right, lambda: f"found {now}, and none of {right}")
        with Archive(address, provenance=False) as archive:
            require(state(archive) == now, "what was saved later is not there")
            # A file that could not be removed is reported, and harms nothing.
            require_sound(archive, but=("orphaned",) if refused else ())
            require(state(archive) == now, "a rebuilt catalog loads other values")
        return faults


def plain_faults(place: Path, scale: Scale, outcome: Outcome) -> Counter[str]:
    """Fail each call of a save into a plain directory."""
    counts: Counter[str] = Counter()
    old, new = (Version(number, 0, (number,)).value() for number in (3, 6))

    def attempt(faults: Faults) -> Faults:
        target = place / "plain"
        shutil.rmtree(target, ignore_errors=True)
        save(old, target)
        refused = False
        with faults.at_work():
            try:
                save(new, target)
            except ArchiveError:
                refused = True
        counts["refused"] += refused
        number = found(load(target)).number
        require(number in ((3, 6) if refused else (6,)), f"it holds {number}")
        save(old, target)
        require(found(load(target)).number == 3, "the next save is not there")
        return faults

    calls = attempt(Faults(place)).calls
    for at, number, after, lasting in injections(calls, scale, "plain"):
        faults = Faults(place, at, number, after=after, lasting=lasting)
        before = len(outcome.failures)
        with judged(outcome.failures, f"plain, {calls[at]} {at}"):
            attempt(faults)
        counts["faults"] += 1
        counts["survived"] += len(outcome.failures) == before
    return counts


# SQLite and a full disk --------------------------------------------------------


def _fill(archive: Archive, number: int) -> None:
    """Save something that needs some room in payload and catalog."""
    value = Version(number, 0, (number,)).value(500) | {
        "text": "x" * (number % 7 * 500)
    }
    archive.save(value, f"f/{number % 5}", mode=MODES[number % 3])


def limited(place: Path, scale: Scale) -> Counter[str]:
    """
    Let SQLite's log grow up to every length, by a limit on the size of files.

    The log is longer than any payload, so that it is what meets the limit.
    """
    counts: Counter[str] = Counter()

    def work(say: Callable[[bytes], object]) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        address = place / "limited" / "runs.db"
        archive = Archive(address, provenance=False)
        kept = {"n": np.arange(10)}
        log = Path(f"{address}-wal")
        first = 0
        while not log.exists() or log.stat().st_size < 400_000:
            archive.save({"n": np.arange(10), "first": first}, f"first/{first}")
            first += 1
        # The frames of a save are some pages; every place in them is met.
        for room in range(0, scale.pick(60_000, 9_000), 1_500):
            size = log.stat().st_size + room
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, unlimited[1]))
            try:
                archive.save({"n": np.arange(10), "room": room}, f"room/{room}")
            except ArchiveError:
                said = b"refused\n"
            else:
                said = b"saved\n"
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
            there = f"room/{room}" in archive
            require(there or said == b"refused\n", "what was saved is not there")
            archive.save(kept, "next")
            require(archive.load("first/0")["first"] == 0, "an earlier record is lost")
            say(said)
        # The database itself cannot grow, when the log is folded into it.
        size = address.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, unlimited[1]))
        archive.close()
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        with Archive(address) as again:
            require(len(list(again)) >= first, "records are lost")
            require_sound(again)

    code, said = told(work)
    words = said.decode().split()
    counts["faults"] = len(words)
    counts["refused"] = words.count("refused")
    counts["survived"] = len(words) if code == 0 else 0
    counts["code"] = code
    return counts


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path | None]:
    """Mount a file system of this size, or yield None where that is not permitted."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        yield None
        return
    if done.returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607 - the system's


def full(disk: Path, scale: Scale) -> Counter[str]:
    """Save onto a disk with every amount of room, from none to enough."""
    counts: Counter[str] = Counter()

    def work(say: Callable[[bytes], object]) -> None:
        address = disk / "runs.db"
        for number in range(5):
            with Archive(address, provenance=False) as archive:
                _fill(archive, number)
        filler = disk / "filler"
        pages = range(0, 64, 1 if scale.whole else 9)
        for number, room in enumerate(pages, 5):
            with Archive(address, provenance=False) as archive:
                before = [archive.versions(name)[0].version for name in archive]
                free = os.statvfs(disk)
                with filler.open("wb") as file:
                    wanted = free.f_bavail * free.f_frsize - room * 4096
                    for at in range(0, max(wanted, 0), 4096):
                        file.write(bytes(min(4096, wanted - at)))
                said = b"saved\n"
                try:
                    _fill(archive, number)
                except ArchiveError:
                    said = b"refused\n"
                # Also for who comes while there is no room.
                try:
                    with Archive(address, provenance=False) as again:
                        require(len(again) >= len(before), "records are not listed")
                        again.load("f/0")
                except ArchiveError as error:
                    say(f"unopened:{type(error).__name__}\n".encode())
                filler.unlink()
                _fill(archive, 1000 + number)
            with Archive(address, provenance=False) as archive:
                for name in archive:
                    for record in archive.versions(name):
                        archive.load(record)
                require_sound(archive, but=("orphaned",))
            say(said)

    code, said = told(work)
    words = said.decode().split()
    counts["faults"] = words.count("saved") + words.count("refused")
    counts["refused"] = words.count("refused")
    counts["survived"] = counts["faults"] if code == 0 else 0
    counts["unopened"] = sum(word.startswith("unopened") for word in words)
    counts["code"] = code
    return counts


COLUMNS = ("faults", "refused", "survived")


def failing(place: Path, scale: Scale) -> Outcome:
    """Let each call fail, then SQLite's, then the whole disk."""
    outcome = Outcome(
        "(b) file-system calls that fail with EIO and ENOSPC", ("during", *COLUMNS)
    )

    def row(name: str, counts: Counter[str]) -> None:
        outcome.rows.append((name, *(counts[column] for column in COLUMNS)))
        if counts["code"]:
            outcome.failures.append(f"{name}: the process ended with {counts['code']}")

    for name, change in {"creation": None, **CHANGES}.items():
        injected = Injected(place / name.replace(" ", "-"), name, outcome)
        injected.run(scale, change)
        row(name, injected.counts)
    row("plain save", plain_faults(place, scale, outcome))
    row("SQLite, RLIMIT_FSIZE", limited(place, scale))
    with small_disk(place / "small", "16m") as disk:
        if disk is None:
            outcome.notes.append("mounting is not permitted: no disk was really full")
        else:
            counts = full(disk, scale)
            row("a full tmpfs", counts)
            if counts["unopened"]:
                outcome.notes.append(
                    f"{counts['unopened']} times the archive could not be opened while "
                    "the disk was full"
                )
    together = total(outcome.rows)
    outcome.rows.append(together)
    outcome.summary = f"{together[1]:,} faults injected, {together[3]:,} survived"
    return outcome


if __name__ == "__main__":
    main(failing)
