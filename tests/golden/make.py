"""
Make the golden archive of this revision: ``python tests/golden/make.py``.

It replaces ``tests/golden/<revision>/`` of the newest revision, and no other.
Run it only as long as no release has written archives of that revision;
afterwards it must never change again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
# A throw-away key that signs nothing else.
os.environ["ARCHIVEDB_KEY"] = str(HERE / "key" / "signing.key")


def main() -> None:
    """Save everything that is new, and leave no log behind."""
    from archivedb import Archive
    from archivedb.catalog import schema
    from tests.golden import contents

    (HERE / "key" / "signing.key").chmod(0o600)
    place = HERE / schema.HEAD
    shutil.rmtree(place, ignore_errors=True)
    with Archive(place / "runs.db", provenance=False) as archive:
        getattr(contents, f"since_{schema.HEAD}")(archive)
        report = archive.verify()
        assert report.ok, report.findings
    with closing(sqlite3.connect(place / "runs.db")) as catalog:
        # Which changes nothing but the size: most of its pages are almost empty.
        catalog.execute("PRAGMA journal_mode=DELETE")
        catalog.execute("PRAGMA page_size=512")
        catalog.execute("VACUUM")
        catalog.execute("PRAGMA journal_mode=WAL")
    # Git keeps no empty directories, and no one needs them.
    for name in ("tmp", "locks"):
        shutil.rmtree(place / "runs.payloads" / name)
    assert sorted(path.name for path in place.iterdir()) == ["runs.db", "runs.payloads"]
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    assert size < 125_000, size
    sys.stdout.write(f"{place}: {size} bytes\n")


if __name__ == "__main__":
    main()
