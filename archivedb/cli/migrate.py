"""``archivedb migrate``."""

from __future__ import annotations

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import address


def migrate(*, db: options.Db = None, json: options.Json = False) -> None:
    """
    Bring the catalog of an older archivedb up to date, after backing it up.

    Example:
        archivedb migrate --db runs.db
    """
    from archivedb import Archive

    done = Archive.migrate_catalog(address(db))
    if json:
        output.print_json(output.document(done))
    elif done.before == done.after:
        output.line(f"nothing to do: the catalog is at revision {done.after}")
    else:
        output.line(f"migrated the catalog from {done.before} to {done.after}")
        if done.backup is not None:
            output.line(f"the catalog as it was is kept in {done.backup}")
