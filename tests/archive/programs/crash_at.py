"""
Crash at points of the commit protocol, while another process has it open.

Prints as JSON what that other process, and then a new one, find and do; once
with somebody opening the archive in between, once without.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from archivedb import Archive
from archivedb.archive import core
from archivedb.catalog import schema
from archivedb.store import directory, pending


def crash(*_: Any, **__: Any) -> Any:
    """End as the power does: nothing is flushed, closed or unlocked by us."""
    os._exit(42)


def before(owner: Any, name: str) -> None:
    """Crash instead of calling a function."""
    setattr(owner, name, crash)


def after(owner: Any, name: str) -> None:
    """Crash when a function has returned."""
    real: Callable[..., Any] = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        crash()

    setattr(owner, name, call)


def uncommitted() -> None:
    """Crash at the end of the catalog's transaction, before its commit."""
    real = core.Core.writing

    @contextmanager
    def writing(self: Any) -> Iterator[Any]:
        with real(self) as connection:
            yield connection
            crash()

    core.Core.writing = writing  # type: ignore[method-assign,assignment]


POINTS: dict[str, Callable[[], None]] = {
    "begun": lambda: after(pending.Pending, "_create"),
    "unwritten": lambda: before(pending.Pending, "write"),
    "unsynced": lambda: before(pending.Pending, "_sync"),
    "unlinked": lambda: before(pending.Pending, "publish"),
    "linked": lambda: after(os, "link"),
    "published": lambda: after(pending.Pending, "publish"),
    "uncommitted": uncommitted,
    "unsettled": lambda: before(pending.Pending, "settle"),
    "settled": lambda: after(pending.Pending, "settle"),
    "unremoved": lambda: before(directory.PayloadStore, "remove"),
    "removed": lambda: after(directory.PayloadStore, "remove"),
    "identified": lambda: after(directory.PayloadStore, "create"),
    "unmade": lambda: before(schema, "create"),
    "made": lambda: after(schema, "create"),
}


def state(archive: Archive) -> Any:
    """Return name → what each version holds, loaded."""
    return {
        name: [archive.load(record) for record in archive.versions(name)]
        for name in archive
    }


def tell(address: str, what: str, where: str, *, look: bool) -> dict[str, Any]:
    """Crash at a point, and return what is found and done after it."""
    other = Archive(address)
    if what != "creation":
        other.save({"n": 1}, "x", metadata={"m": 1})
        other.save({"n": 2}, "x")
        other.save({"n": 1}, "y")
    pid = os.fork()
    if pid == 0:
        POINTS[where]()
        archive = Archive(address)
        if what == "delete":
            archive.delete("x")
        else:
            archive.save({"n": 3}, "x", metadata={"m": 3})
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 42, f"{where} was never reached: {code}"
    told: dict[str, Any] = {}
    if look:
        with Archive(address) as fresh:
            told["reopened"] = state(fresh)
    # This one had the archive open all the while.
    told["version"] = other.save({"n": 4}, "x").version
    told["positions"] = [change.position for change in other.history("x")]
    told["state"] = state(other)
    other.close()
    with Archive(address) as fresh:
        assert state(fresh) == told["state"]
        told["findings"] = [finding.kind for finding in fresh.verify().findings]
        dump = fresh.inspect().dump()
        fresh.reindex()
        assert fresh.inspect().dump() == dump
        told["found"] = [record.version for record in fresh.find(n=4)]
        told["after"] = [finding.kind for finding in fresh.verify().findings]
    return told


place, what, *points = sys.argv[1:]
everything = {}
for point in points:
    everything[point] = [
        tell(f"{place}/{what}-{point}-{look}/runs.db", what, point, look=look)
        for look in (False, True)
    ]
sys.stdout.write(json.dumps(everything) + "\n")
