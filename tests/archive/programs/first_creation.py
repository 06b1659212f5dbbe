"""Six processes find an empty place at once, and save there; many times."""

import os
import shutil
import sys

from archivedb import Archive

PROCESSES, ROUNDS = 6, 12
place = sys.argv[1]
bad = False
for turn in range(ROUNDS):
    address = f"{place}/{turn}/runs.db"
    begin, go = os.pipe()
    pids = []
    for number in range(PROCESSES):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(begin, 1)  # end of file: everyone starts at the same moment
            try:
                with Archive(address) as archive:
                    archive.save({"n": number}, f"own/{number}")
                    archive.save({"n": number}, "shared")
            except BaseException:  # noqa: BLE001 - told on stderr
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    os.close(begin)
    os.close(go)
    codes = [os.waitpid(pid, 0)[1] for pid in pids]
    bad |= any(codes)
    with Archive(address) as archive:
        bad |= sorted(archive) != [*(f"own/{n}" for n in range(PROCESSES)), "shared"]
        bad |= len(archive.versions("shared")) != PROCESSES
        bad |= not archive.verify().ok
    shutil.rmtree(f"{place}/{turn}")
sys.exit(bad)
