"""Save, prune and delete until told to stop; what is acknowledged must load."""

import random
import sys
import time
from pathlib import Path

from archivedb import Archive

address, stop, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
chance = random.Random(number)  # noqa: S311 - repeatable
archive = Archive(address, provenance=False)
newest: dict[str, int] = {}
done = 0
archive.save({"n": 0}, f"writer-{number}/begun")
sys.stdout.write("ready\n")
sys.stdout.flush()
until = time.monotonic() + 100  # whoever started this may be gone
while not stop.exists() and time.monotonic() < until:
    name = f"writer-{number}/{chance.randrange(8)}"
    kind = chance.randrange(6)
    done += 1
    if kind == 0 and name in newest:
        archive.delete(name)
        del newest[name]
    elif kind == 1 and name in newest:
        archive.prune(name)
    elif kind == 2:
        with archive.batch():
            for mode in ("hdf5", "json"):
                archive.save({"n": done}, f"{name}-{mode}", mode=mode)
        newest[f"{name}-hdf5"] = newest[f"{name}-json"] = done
    else:
        archive.save({"n": done}, name, mode=chance.choice(["hdf5", "json"]))
        newest[name] = done
for name, saved in newest.items():
    assert archive.load(name) == {"n": saved}, name
archive.close()
sys.stdout.write(f"{done}\n")
