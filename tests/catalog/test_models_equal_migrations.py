"""The models and the migrations lead to the same schema."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

from archivedb.catalog import schema, tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection


@pytest.fixture
def config() -> Config:
    """Return Alembic's configuration, for the checkout's migrations."""
    config = Config()
    location = str(schema.migrations_dir()).replace("%", "%%")
    config.set_main_option("script_location", location)
    return config


@pytest.fixture
def created(tmp_path: Path) -> Iterator[Connection]:
    """Yield a connection to a catalog made from the models."""
    engine = schema.migration_engine(tmp_path / "created.db", create=True)
    with engine.begin() as connection:
        schema.create(connection, "some-uuid", 1)
        yield connection


@pytest.fixture
def migrated(tmp_path: Path, config: Config) -> Iterator[Connection]:
    """Yield a connection to a catalog made by every migration in turn."""
    engine = schema.migration_engine(tmp_path / "migrated.db", create=True)
    with engine.begin() as connection:
        # Have it begin, or Alembic would commit by itself.
        connection.exec_driver_sql("SELECT 1")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        yield connection


def differences(connection: Connection, metadata: MetaData) -> list[object]:
    """Return what Alembic would change to turn a database into the models."""
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


def split(body: str) -> list[str]:
    """Return the items of a list in SQL, whose items may hold lists."""
    items, depth = [""], 0
    for character in body:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    return items


def normal(sql: str) -> tuple[str, list[str], str]:
    """
    Return a ``CREATE`` as what it creates, the items in it, and what follows.

    A table's items are sorted: columns and constraints that a migration adds
    come last in its file, and stand anywhere in the models.
    """
    text = re.sub(r"\s*([(),=])\s*", r"\1", " ".join(sql.replace('"', "").split()))
    head, rest = text.split("(", 1)
    end, depth = 0, 1
    while depth:
        depth += {"(": 1, ")": -1}.get(rest[end], 0)
        end += 1
    items = split(rest[: end - 1])
    if head.startswith("CREATE TABLE"):
        items.sort()
    return head, items, rest[end:].strip()


def shape(connection: Connection) -> dict[str, tuple[str, list[str], str]]:
    """Return every table, index, view and trigger in its normal form."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    )
    return {name: normal(sql) for name, sql in rows}


def test_alembic_would_change_nothing_of_a_migrated_catalog(
    migrated: Connection,
) -> None:
    """Nothing in the models is missing from the migrations."""
    assert differences(migrated, tables.metadata) == []


def test_alembic_would_change_nothing_of_a_created_catalog(
    created: Connection, migrated: Connection
) -> None:
    """Nothing in the migrations is missing from the models."""
    reflected = MetaData()
    reflected.reflect(migrated, only=lambda name, _: name != "alembic_version")

    assert set(tables.metadata.tables) == set(reflected.tables)
    assert differences(created, reflected) == []


def test_both_have_the_same_sql(created: Connection, migrated: Connection) -> None:
    """What Alembic compares not is equal too, and so is Alembic's own table."""
    assert shape(created) == shape(migrated)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE TABLE t (a INT)", "CREATE TABLE t (a INT) WITHOUT ROWID"),
        ("CREATE TABLE t (a INT)", "CREATE TABLE t (a INT NOT NULL)"),
        ("CREATE TABLE t (a INT UNIQUE)", "CREATE TABLE t (a INT, UNIQUE (a))"),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX i ON t (a) WHERE (a) = 0"),
        ("CREATE INDEX i ON t (a, b)", "CREATE INDEX i ON t (b, a)"),
        ("CREATE INDEX i ON t (a)", "CREATE UNIQUE INDEX i ON t (a)"),
    ],
)
def test_the_normal_form_tells_apart(one: str, other: str) -> None:
    """The comparison sees each difference that matters."""
    assert normal(one) != normal(other)


def test_the_normal_form_overlooks_layout() -> None:
    """The comparison does not see how a statement was written down."""
    one = 'CREATE TABLE "t" (\n\ta INT, \n\tb INT, \n\tCHECK (a IN (1, 2))\n)\n\n'
    other = "CREATE TABLE t(b INT, a INT, CHECK(a IN (1,2)))"

    assert normal(one) == normal(other)


def test_every_revision_is_known(config: Config) -> None:
    """The revisions form one line, and it is the one that the code knows."""
    script = ScriptDirectory.from_config(config)
    newest_first = [step.revision for step in script.walk_revisions()]

    assert tuple(reversed(newest_first)) == schema.KNOWN
    assert script.get_heads() == [schema.HEAD]


def test_downgrading_to_the_base_leaves_nothing(
    migrated: Connection, config: Config
) -> None:
    """Each migration undoes what it did."""
    config.attributes["connection"] = migrated

    command.downgrade(config, "base")

    assert set(shape(migrated)) == {"alembic_version"}
    assert schema.revision(migrated) is None


def test_the_base_can_be_upgraded_again(migrated: Connection, config: Config) -> None:
    """Down and up again leads to where one was."""
    before = shape(migrated)
    config.attributes["connection"] = migrated

    command.downgrade(config, "base")
    command.upgrade(config, "head")

    assert shape(migrated) == before
    assert schema.revision(migrated) == schema.HEAD


def test_an_interrupted_migration_leaves_no_table(
    tmp_path: Path, config: Config
) -> None:
    """The tables come with the commit, and not one by one."""
    path = tmp_path / "interrupted.db"
    with (
        schema.migration_engine(path, create=True).connect() as connection,
        connection.begin() as transaction,
    ):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        transaction.rollback()

    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("SELECT * FROM sqlite_master").fetchall() == []
