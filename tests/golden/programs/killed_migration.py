"""Migrate a catalog, and be killed at a certain point."""

import os
import signal
import sys

from archivedb import Archive
from archivedb.archive.writing import measuring
from archivedb.catalog import index, reading, schema


def die(*_: object, **__: object) -> None:
    """Be killed, as by whoever has waited too long."""
    os.kill(os.getpid(), signal.SIGKILL)


catalog, point = sys.argv[1:]
if point == "backed up":
    schema._run_migrations = die
elif point == "migrated":
    measuring.refill = die
elif point == "half filled":
    real, calls = index.index_version, []

    def index_version(*args: object) -> None:
        """Be killed at the third record."""
        calls.append(1)
        if len(calls) == 3:
            die()
        real(*args)

    index.index_version = index_version
elif point == "filled":
    reading.unmeasured_versions = die
elif point == "checked":
    check = schema._require_parents

    def checked(connection: object) -> None:
        """Be killed when all is there but the commit."""
        check(connection)
        die()

    schema._require_parents = checked
Archive.migrate_catalog(catalog)
