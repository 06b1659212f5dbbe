"""Two processes that edit, or append to, one record, beginning at once."""

import os
import sys

import numpy as np

from archivedb import Archive

address, what = sys.argv[1:]


def work(who: int) -> None:
    """Set 120 keys of one's own, or append 120 rows."""
    with Archive(address, durability="relaxed", provenance=False) as archive:
        group = archive.open("r")
        os.read(begin, 1)  # ends when the parent closes its side
        for turn in range(120):
            if what == "append":
                group.append("x", np.array([[who, turn]]))
            elif turn % 20 == 19:
                with group:
                    group[f"p{who}/{turn}"] = turn
                    group["last"] = who
            else:
                group[f"p{who}/{turn}"] = turn


begin, release = os.pipe()
pids = []
for number in range(2):
    pid = os.fork()
    if pid == 0:
        os.close(release)
        try:
            work(number)
        except BaseException:  # noqa: BLE001 - told on stderr
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    pids.append(pid)
os.close(release)
codes = [os.waitpid(pid, 0)[1] for pid in pids]
sys.exit(any(codes))
