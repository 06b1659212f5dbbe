"""Begin a run, keep one output, say so, and wait to be killed."""

import sys
import time

from archivedb import Archive

with Archive(sys.argv[1]).run("al/run-1", {"cutoff": 500}) as run:
    run["energy"] = -3.7
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    time.sleep(60)
