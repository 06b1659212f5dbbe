"""Make an archive, and end as if it had crashed: with SQLite's log, or without."""

import os
import sys
from pathlib import Path

from archivedb import Archive

address, log = sys.argv[1:]
archive = Archive(address)
archive.save({"a": 1, "b": [1.0] * 40}, "f/x", tags=["t"])
archive.save({"n": 1}, "y", mode="json")
if log != "none":
    # The rest is in the log alone.
    archive.close()
archive.open("f/x")["a"] = 2
if log == "none":
    archive.close()
elif log == "without-shm":
    Path(f"{address}-shm").unlink()
elif log == "empty":
    archive.close()
    Path(f"{address}-wal").touch()
os._exit(0)
