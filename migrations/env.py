"""
What Alembic runs around each migration.

archivedb hands over its own connection (`archivedb.catalog.schema.upgrade`).
The developer's command names a file instead, made if it is not there::

    alembic -x db=scratch.db upgrade head
    alembic -x db=scratch.db revision --autogenerate --rev-id 0002 -m "second"
    alembic -x db=scratch.db check
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import context
from alembic.util import CommandError

from archivedb.catalog.schema import migration_engine
from archivedb.catalog.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


def run(connection: Connection) -> None:
    """Run the migrations on a connection, in its transaction if it has one."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_server_default=True,
        # SQLite alters hardly anything in place: batches rebuild the table.
        render_as_batch=True,
        # True of connections that begin their transactions themselves.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_on_file() -> None:
    """Run the migrations on the file that ``-x db=PATH`` names."""
    path = context.get_x_argument(as_dictionary=True).get("db")
    if not path:
        raise CommandError("name the catalog: alembic -x db=PATH …")
    engine = migration_engine(Path(path), create=True)
    with engine.connect() as connection:
        run(connection)
    engine.dispose()


if context.is_offline_mode():
    raise CommandError("--sql cannot rebuild a table; leave it out")
if "connection" in context.config.attributes:
    run(context.config.attributes["connection"])
else:
    run_on_file()
