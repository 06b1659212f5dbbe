"""
Crash at points of a batch's commit, or be killed at any moment of it.

Whatever the moment, all of the batch must be there afterwards, or nothing; for
whoever had the archive open all the while, for a new one, and after a reindex.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from archivedb import Archive
from archivedb.archive.writing import saving
from archivedb.store import pending

address, seed, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
MODES = ("hdf5", "json", "cloudpickle")
State = dict[str, Any]


def crash(*_: Any, **__: Any) -> Any:
    """End as the power does: nothing is flushed, closed or unlocked by us."""
    os._exit(42)


def at_call(owner: Any, name: str, number: int, *, after: bool) -> None:
    """Crash at a certain call of a function, before it or after."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = [0]

    def call(*arguments: Any, **options: Any) -> Any:
        if calls[0] + 1 == number and not after:
            crash()
        done = real(*arguments, **options)
        calls[0] += 1  # where it has failed, it is tried again
        if calls[0] == number:
            crash()
        return done

    setattr(owner, name, call)


POINTS = [
    *((pending.Pending, "write", n, True) for n in (1, 3)),
    *((os, "link", n, after) for n in (1, 2, 3) for after in (False, True)),
    (pending.Pending, "publish", 3, True),
    (saving, "_apply", 1, False),
    (saving, "_apply", 1, True),
    *((pending.Pending, "settle", n, after) for n in (1, 3) for after in (False, True)),
]


def state(archive: Archive) -> State:
    """Return what an archive holds."""
    found = {}
    for name in archive:
        record = archive.record(name)
        versions = [archive.load(r)["n"] for r in archive.versions(name)]
        found[name] = versions, record.tags, record.metadata
    return found


def batch(archive: Archive, number: int) -> None:
    """Change something of each kind, in three modes."""
    with archive.batch():
        for index, mode in enumerate(MODES):
            value = {"n": number, "x": np.arange(500.0) + number}
            archive.save(value, f"{mode}/{number}", mode=mode)
            archive.save(value, f"shared/{index}", mode=mode)
        archive.tag("all", str(number))
        archive.annotate("all", number=number)
        archive.rename(f"at/{number - 1}", f"at/{number}")
        archive.delete(f"gone/{number - 1}")
        archive.save({"n": number}, f"gone/{number}", mode="json")


def expected(before: State, number: int) -> State:
    """Return what is there after a batch."""
    after = dict(before)
    for index, mode in enumerate(MODES):
        after[f"{mode}/{number}"] = [number], (), {}
        old = before.get(f"shared/{index}", ([],))[0]
        after[f"shared/{index}"] = [*old, number], (), {}
    versions, tags, _ = before["all"]
    after["all"] = versions, tuple(sorted({*tags, str(number)})), {"number": number}
    after[f"at/{number}"] = after.pop(f"at/{number - 1}")
    del after[f"gone/{number - 1}"]
    after[f"gone/{number}"] = [number], (), {}
    return after


def child(work: Callable[[Archive], None]) -> int:
    """Do something in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            work(Archive(address, provenance=False))
        except BaseException:  # noqa: BLE001 - told on stderr
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return pid


def look(number: int, before: State, *, must: bool | None) -> State:
    """Check that all of a batch is there or nothing, and return what is."""
    after = expected(before, number)
    with Archive(address, provenance=False) as fresh:
        found = state(fresh)
        assert found in (before, after), (number, found)
        assert must is None or found == (after if must else before), (number, must)
        findings = fresh.verify().findings
        assert not findings, (number, findings)
        dump = fresh.inspect().dump()
        assert not fresh.reindex().findings
        assert fresh.inspect().dump() == dump, number
        assert state(fresh) == found, number
        # Not before a day has passed, unless it had its name already.
        fresh._core.store.sweep(time.time() + 1)
    return found


with Archive(address, provenance=False) as first:
    first.save({"n": 0}, "all")
    first.save({"n": 0}, "at/0")
    first.save({"n": 0}, "gone/0")
    now = state(first)
number = 1
for owner, name, count, after in POINTS if kills == 0 else []:

    def crashing(
        archive: Archive, at: Any = (owner, name, count, after), number: int = number
    ) -> None:
        """Crash at a point of a batch."""
        at_call(*at[:3], after=at[3])
        batch(archive, number)

    code = os.waitstatus_to_exitcode(os.waitpid(child(crashing), 0)[1])
    assert code == 42, f"{name} {count} was never reached: {code}"
    linked = name == "link" and count == 3 and after
    there = linked or name in {"publish", "_apply", "settle"}
    found = look(number, now, must=there)
    if found != now:
        now, number = found, number + 1

chance = random.Random(seed)  # noqa: S311 - repeatable
for _ in range(kills):
    listen, say = os.pipe()

    def work(archive: Archive, say: int = say, number: int = number) -> None:
        """Say when it begins, and when it is done."""
        os.write(say, b"b")
        batch(archive, number)
        os.write(say, b"d")

    pid = child(work)
    os.close(say)
    os.read(listen, 1)
    time.sleep(chance.random() * 0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    done = os.read(listen, 1) == b"d"
    os.close(listen)
    found = look(number, now, must=True if done else None)
    if found != now:
        now, number = found, number + 1
left = list(os.scandir(f"{address.removesuffix('.db')}.payloads/tmp"))
assert not left, left
sys.stdout.write("sound\n")
