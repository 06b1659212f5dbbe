"""
Eight processes spool at once, some of them killed, and others ingest beside them.

Each says what it has saved once the save returned; all of that must be there.
"""

import os
import random
import signal
import sys
import time
from collections import defaultdict

import numpy as np

from archivedb import Archive

address, saves, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
MODES = ("hdf5", "json", "cloudpickle")


def write(number: int, say: int) -> None:
    """Save onto names of its own and onto one that all share; and in batches."""
    archive = Archive(address, spool=True, mode=MODES[number % 3], provenance=False)
    for turn in range(saves):
        data = {"process": number, "turn": turn, "array": np.arange(50 + turn)}
        if turn % 5 == 4:
            with archive.batch():
                for part, mode in enumerate(MODES):
                    archive.save({**data, "part": part}, f"b{number}/{part}", mode=mode)
            os.write(say, f"batch {number} {turn}\n".encode())
        else:
            name = "all/one" if turn % 2 else f"p{number}/{turn}"
            archive.save(data, name, tags=["spooled"])
            os.write(say, f"{name} {number} {turn}\n".encode())


def ingest() -> None:
    """Ingest for ever."""
    while True:
        with Archive(address, spool=False) as archive:
            archive.ingest()
        time.sleep(0.01)


def child(work: object, *arguments: object) -> int:
    """Run a function in a forked process."""
    pid = os.fork()
    if pid == 0:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException:  # noqa: BLE001 - told on stderr
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return pid


chance = random.Random(saves)  # noqa: S311 - repeatable
listen, say = os.pipe()
os.set_blocking(listen, False)
writers = [child(write, number, say) for number in range(8)]
ingesters = [child(ingest) for _ in range(2)]
said = b""
for _ in range(kills):
    time.sleep(chance.random() * 0.1)
    victim = chance.randrange(2)
    os.kill(ingesters[victim], signal.SIGKILL)
    os.waitpid(ingesters[victim], 0)
    ingesters[victim] = child(ingest)
    if chance.random() < 0.3 and len(writers) > 5:
        os.kill(writers[-1], signal.SIGKILL)
        os.waitpid(writers.pop(), 0)
codes = [os.waitpid(pid, 0)[1] for pid in writers]
for pid in ingesters:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
os.close(say)
os.set_blocking(listen, True)
while piece := os.read(listen, 1 << 16):
    said += piece
assert not any(codes), codes

wanted = defaultdict(list)
for line in said.decode().splitlines():
    name, *rest = line.split()
    process, turn = map(int, rest)
    names = [f"b{process}/{part}" for part in range(3)] if name == "batch" else [name]
    for each in names:
        wanted[each].append((process, turn))
with Archive(address, spool=False) as archive:
    done = archive.ingest()
    assert all("batch" in left.why for left in done.left), done.left
    for name, saved in wanted.items():
        versions = archive.versions(name)
        assert [r.version for r in versions] == list(range(1, len(versions) + 1))
        values = [archive.load(record) for record in versions]
        found = [(value["process"], value["turn"]) for value in values]
        assert len(found) == len(set(found)), (name, found)
        assert set(saved) <= set(found), (name, saved, found)
        for value in values:
            assert value["array"].tobytes() == np.arange(50 + value["turn"]).tobytes()
        for process in range(8):
            turns = [turn for who, turn in found if who == process]
            assert turns == sorted(turns), (name, found)
    for process in range(8):
        parts = [f"b{process}/{part}" for part in range(3)]
        there = [archive.versions(name) for name in parts if name in archive]
        assert len({len(versions) for versions in there}) <= 1, parts
        assert len(there) in (0, 3), parts
    report = archive.verify()
    assert report.ok, report.findings
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before
sys.stdout.write(f"{sum(map(len, wanted.values()))} sound\n")
