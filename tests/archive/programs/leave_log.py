"""Make an archive whose newest record is in SQLite's log only, or in none."""

import os
import sys
from pathlib import Path

from archivedb import Archive

address, log = sys.argv[1:]
archive = Archive(address)
archive.save({"a": 1}, "x")
if log == "none":
    archive.close()
elif log == "without-shm":
    Path(f"{address}-shm").unlink()
# Nothing is closed, as after a crash.
sys.stdout.flush()
os._exit(0)
