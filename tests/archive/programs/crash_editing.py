"""
Crash at points of the commit protocol while a record is edited.

Prints as JSON, for each point, what is found after it, and what comes of going
on: at every other point by who opens the archive anew, else by who had it open.
"""

import io
import json
import os
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from archivedb import Archive

arguments, sys.argv = sys.argv[1:], [sys.argv[0], "", "none"]
with redirect_stdout(io.StringIO()):
    POINTS = runpy.run_path(str(Path(__file__).with_name("crash_at.py")))["POINTS"]


def change(archive: Archive, what: str) -> None:
    """Make the change that crashes."""
    if what == "prune":
        archive.prune("r")
    elif what == "compact":
        archive.compact("r")
    elif what == "append":
        archive.open("r").append("x", np.array([7]))
    else:
        group = archive.open("r")
        with group:
            group["n"] = 2
            group.append("x", np.array([7]))


def versions(archive: Archive) -> dict[int, Any]:
    """Return what the versions of the record hold."""
    found = {}
    for record in archive.versions("r"):
        value = archive.load(record)
        assert value["big"].tolist() == list(range(1000))
        found[record.version] = [value["x"].tolist(), value["n"]]
    return found


def tell(address: str, what: str, where: str, *, look: bool) -> dict[str, Any]:
    """Crash at a point, and return what is found and done after it."""
    other = Archive(address, provenance=False, durability="relaxed")
    for number in range(2):
        value = {"x": np.arange(3), "n": number, "big": np.arange(1000)}
        other.save(value, "r")
    group = other.open("r")
    group.append("x", np.arange(2))
    pid = os.fork()
    if pid == 0:
        archive = Archive(address, provenance=False)
        POINTS[where]()
        change(archive, what)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 42, f"{where} was never reached: {code}"
    told: dict[str, Any] = {}
    if look:
        with Archive(address) as fresh:
            told["versions"] = versions(fresh)
    else:
        # Whoever writes next finishes what was begun.
        other.save({}, "neighbour")
        told["versions"] = versions(other)
    with group:
        group.append("x", np.array([9]))
        group["n"] = 9
    found = group.load()
    told["then"] = [found["x"].tolist(), found["n"]]
    other.close()
    with Archive(address) as fresh:
        findings = [finding.kind for finding in fresh.verify().findings]
        dump = fresh.inspect().dump()
        fresh.reindex()
        assert fresh.inspect().dump() == dump
        assert versions(fresh)[max(versions(fresh))] == told["then"]
        findings += [finding.kind for finding in fresh.verify().findings]
    return told | {"findings": findings}


place, change_kind, *points = arguments
everything = {}
for point in points:
    look = len(everything) % 2 == 0
    address = f"{place}/{point}/runs.db"
    everything[point] = tell(address, change_kind, point, look=look)
sys.stdout.write(json.dumps(everything) + "\n")
