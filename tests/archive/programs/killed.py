"""
Kill a writer again and again, and check after each time what is left.

The writer says each save and delete once it has returned; what it said must be
so, and of what it had begun and not said, all must be there or nothing.
"""

import os
import random
import signal
import sys
import time
from typing import Any

import numpy as np

from archivedb import Archive

address, seed, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
MODES = ("hdf5", "json", "cloudpickle")


def value(name: str, number: int) -> dict[str, Any]:
    """Return what is saved as the *number*-th of all saves."""
    size = (10, 1_000, 200_000)[number % 3]
    return {"name": name, "number": number, "array": np.arange(size) + number}


def write(number: int, say: int) -> None:
    """Save and delete for ever; announce each on a line, and say when it is done."""
    archive = Archive(address)
    chance = random.Random(number)  # noqa: S311 - repeatable
    while True:
        number += 1
        name = f"n/{chance.randrange(6)}"
        if chance.random() < 0.2 and name in archive:
            os.write(say, f"delete {name} {number}\n".encode())
            archive.delete(name)
            os.write(say, b"done 0\n")
        else:
            os.write(say, f"save {name} {number}\n".encode())
            mode = chance.choice(MODES)
            record = archive.save(
                value(name, number), name, mode=mode, metadata={"number": number}
            )
            os.write(say, f"done {record.version}\n".encode())


def equal(found: Any, name: str, number: int) -> bool:
    """Return whether exactly this was saved."""
    right = value(name, number)
    return (
        list(found) == list(right)
        and (found["name"], found["number"]) == (name, number)
        and found["array"].tobytes() == right["array"].tobytes()
    )


Model = dict[str, list[int]]


def after(model: Model, words: list[str]) -> Model:
    """Return the model after a save or a delete."""
    kind, name, number = words
    changed = {key: list(numbers) for key, numbers in model.items()}
    if kind == "delete":
        del changed[name]
    else:
        changed.setdefault(name, []).append(int(number))
    return changed


def state(archive: Archive) -> Model:
    """Return what an archive holds, as its metadata says."""
    return {
        name: [record.metadata["number"] for record in archive.versions(name)]
        for name in archive
    }


chance = random.Random(seed)  # noqa: S311 - repeatable
model: Model = {}
number = 0
for turn in range(kills):
    listen, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(listen)
        try:
            write(number, say)
        except BaseException:  # noqa: BLE001 - told on stderr
            sys.excepthook(*sys.exc_info())
        os._exit(1)
    os.close(say)
    said = b""
    # By what it says, since a busy machine may take long; then at any moment.
    lines = chance.randrange(8)
    while said.count(b"\n") < lines and (piece := os.read(listen, 1 << 16)):
        said += piece
    time.sleep(chance.random() * 0.015)
    os.kill(pid, signal.SIGKILL)
    code = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(code), f"the writer failed in turn {turn}"
    while piece := os.read(listen, 1 << 16):
        said += piece
    os.close(listen)
    begun: list[str] | None = None
    before = model
    for line in said.decode().splitlines():
        words = line.split()
        if words[0] == "done":
            assert begun is not None
            model = after(model, begun)
            if begun[0] == "save":
                assert int(words[1]) == len(model[begun[1]]), (line, begun)
            begun = None
        else:
            begun = words
            number = int(words[2])
    with Archive(address) as archive:
        if not archive.exists:
            assert not model
            continue
        found = state(archive)
        if found != model and begun is not None:
            model = after(model, begun)
        assert found == model, (turn, begun, found, model)
        for name, numbers in model.items():
            assert [r.version for r in archive.versions(name)] == [
                *range(1, len(numbers) + 1)
            ]
            old = len(before.get(name, []))
            for version, saved in enumerate(numbers, 1):
                if version > old or numbers[:old] != before[name]:
                    assert equal(archive.load(name, version=version), name, saved)
            assert archive.find(number=numbers[-1]).one().name == name
        findings = archive.verify().findings
        assert not findings, (turn, begun, findings)
        before_dump = archive.inspect().dump()
        archive.reindex()
        assert archive.inspect().dump() == before_dump, turn
with Archive(address) as archive:
    for name, numbers in model.items():
        for version, saved in enumerate(numbers, 1):
            assert equal(archive.load(name, version=version), name, saved)
assert number >= kills, number
sys.stdout.write("sound\n")
