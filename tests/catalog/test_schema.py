"""A catalog is created, recognised and upgraded."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from sqlalchemy import URL, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from archivedb.catalog import schema
from archivedb.errors import (
    ArchiveNotFoundError,
    CatalogError,
    CatalogNewerError,
    CatalogOutdatedError,
    MigrationsNotFoundError,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

CHECKOUT = Path(__file__).resolve().parents[2]

NEXT = "9000"

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    {body}


def downgrade():
    pass
"""

# Tables of the test's own: what the catalog's look like may change.
FAMILY = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (
    id INTEGER PRIMARY KEY,
    parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE
);
INSERT INTO parent VALUES (1, 'Lise'), (2, 'Emmy');
INSERT INTO child VALUES (1, 1), (2, 1), (3, 2);
"""

REBUILD = """
    with op.batch_alter_table("parent", recreate="always") as batch:
        batch.alter_column("name", nullable=False)
"""

ADD_TABLE = 'op.create_table("added", sa.Column("id", sa.Integer()))'


class AddRevision(Protocol):
    """Make this archivedb one that knows a further revision."""

    def __call__(self, body: str) -> str:
        """Add it with this body of ``upgrade``, and return the old `HEAD`."""


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Return a catalog in WAL mode, in a folder whose name invites mistakes."""
    folder = tmp_path / "50% off? #1 of 2"
    folder.mkdir()
    path = folder / "runs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    with schema.migration_engine(path).begin() as connection:
        schema.create(connection, "some-uuid", 1234)
    return path


@pytest.fixture
def add_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddRevision:
    """Return what adds a revision, in a copy of the migrations."""
    folder = tmp_path / "100% of the migrations"
    shutil.copytree(schema.migrations_dir(), folder)

    def add(body: str) -> str:
        before = schema.HEAD
        script = MIGRATION.format(revision=NEXT, before=before, body=body.strip())
        (folder / "versions" / "next.py").write_text(script)
        monkeypatch.setattr(schema, "migrations_dir", lambda: folder)
        monkeypatch.setattr(schema, "KNOWN", (*schema.KNOWN, NEXT))
        monkeypatch.setattr(schema, "HEAD", NEXT)
        return before

    return add


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a file that is not there yet."""
    return tmp_path / "some.db"


def execute(path: Path, script: str) -> None:
    """Run SQL on a file, without the code under test."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query, without the code under test."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def dump(path: Path) -> list[str]:
    """Return everything in a file, as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def names(path: Path) -> list[str]:
    """Return what lies beside a file, and the file."""
    return sorted(entry.name for entry in path.parent.iterdir())


def engine(path: Path) -> Engine:
    """Return an engine that does not wait for locks."""
    return create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"timeout": 0},
    )


def require_current(path: Path) -> None:
    """Require that a file can be used, as opening an archive does."""
    with engine(path).connect() as connection:
        schema.require_current(connection)


class TestCreate:
    """A new catalog comes from the models."""

    def test_is_current(self, catalog: Path) -> None:
        """A catalog just created can be used."""
        require_current(catalog)

        assert rows(catalog, "SELECT * FROM alembic_version") == [(schema.HEAD,)]

    def test_says_which_archive_it_is(self, catalog: Path) -> None:
        """The one row of the table ``archive`` is written along with it."""
        assert rows(catalog, "SELECT uuid, created_at FROM archive") == [
            ("some-uuid", 1234)
        ]

    def test_belongs_to_the_callers_transaction(self, file: Path) -> None:
        """What is rolled back was never there."""
        with schema.migration_engine(file, create=True).connect() as connection:
            schema.create(connection, "some-uuid", 1234)
            connection.rollback()

        assert dump(file) == ["BEGIN TRANSACTION;", "COMMIT;"]

    def test_needs_no_alembic(self) -> None:
        """Opening an archive does not pay for importing Alembic."""
        program = (
            "import sys, archivedb.catalog.schema; sys.exit('alembic' in sys.modules)"
        )

        subprocess.run([sys.executable, "-c", program], check=True)


class TestRequireCurrent:
    """Each catalog that cannot be used is refused with its reason."""

    def test_outdated(self, catalog: Path, add_revision: AddRevision) -> None:
        """An older catalog names the command that migrates it."""
        add_revision("pass")

        with pytest.raises(CatalogOutdatedError, match="run `archivedb migrate`"):
            require_current(catalog)

    def test_newer(self, catalog: Path) -> None:
        """A newer catalog asks for a newer archivedb."""
        execute(catalog, f"UPDATE alembic_version SET version_num = '{NEXT}'")

        with pytest.raises(CatalogNewerError, match=f"{NEXT}.*upgrade archivedb"):
            require_current(catalog)

    @pytest.mark.parametrize(
        "script",
        [
            "",
            "CREATE TABLE other (id INTEGER)",
            "CREATE TABLE alembic_version (version_num TEXT)",
            "CREATE TABLE alembic_version AS SELECT '3f6e0a7c' AS version_num",
        ],
        ids=["empty", "other tables", "no revision", "another program's revision"],
    )
    def test_foreign(self, file: Path, script: str) -> None:
        """A database of another program is not taken for an outdated catalog."""
        execute(file, script)

        with pytest.raises(CatalogError, match="is not an archivedb catalog") as caught:
            require_current(file)
        assert type(caught.value) is CatalogError

    def test_no_database(self, file: Path) -> None:
        """A file that SQLite cannot read is named, with what SQLite says."""
        file.write_bytes(b"energy,volume\n" * 1000)

        with pytest.raises(CatalogError, match=r"some\.db.*not a database"):
            require_current(file)

    def test_locked(self, catalog: Path) -> None:
        """A catalog that cannot be read just now is not called foreign."""
        with closing(sqlite3.connect(catalog, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")

            with pytest.raises(CatalogError, match="database is locked"):
                require_current(catalog)
            with (
                engine(catalog).connect() as other,
                pytest.raises(OperationalError, match="database is locked"),
            ):
                schema.revision(other)


class TestUpgrade:
    """An older catalog is backed up and upgraded, or left as it was."""

    def test_current_catalog_is_left_alone(self, catalog: Path) -> None:
        """There is nothing to do and nothing to back up."""
        before = dump(catalog)

        migration = schema.upgrade(catalog)

        assert (migration.before, migration.after) == (schema.HEAD, schema.HEAD)
        assert migration.backup is None
        assert dump(catalog) == before
        assert names(catalog) == ["runs.db"]

    def test_upgrades(self, catalog: Path, add_revision: AddRevision) -> None:
        """An outdated catalog is current afterwards, with its rows."""
        before = add_revision(ADD_TABLE)

        migration = schema.upgrade(catalog)

        require_current(catalog)
        assert (migration.before, migration.after) == (before, NEXT)
        assert rows(catalog, "SELECT * FROM added") == []
        assert rows(catalog, "SELECT uuid FROM archive") == [("some-uuid",)]
        assert rows(catalog, "PRAGMA journal_mode") == [("wal",)]

    def test_backs_up_first(self, catalog: Path, add_revision: AddRevision) -> None:
        """The backup is one file, equal to the catalog before, and as private."""
        add_revision(ADD_TABLE)
        catalog.chmod(0o640)
        # Only in the write-ahead log: a copy of the file would lack it.
        with closing(sqlite3.connect(catalog)) as writer:
            writer.execute("UPDATE archive SET created_at = 5678")
            writer.commit()
            before = dump(catalog)

            migration = schema.upgrade(catalog)

        assert migration.backup is not None
        backup = Path(migration.backup)
        assert names(catalog) == ["runs.db", backup.name]
        assert backup.name.startswith(f"runs.db.before-{NEXT}-")
        assert stat.S_IMODE(backup.stat().st_mode) == 0o640
        assert rows(backup, "PRAGMA journal_mode") == [("delete",)]
        assert dump(backup) == before

    @pytest.mark.parametrize(
        "failure",
        [
            "raise LookupError('halfway')",
            "op.execute('SELECT halfway FROM nowhere')",
            "op.execute('CREATE TABLE added (halfway TEXT)')",
        ],
    )
    def test_failed_migration_changes_nothing(
        self, catalog: Path, add_revision: AddRevision, failure: str
    ) -> None:
        """Neither tables nor rows of a migration stay that failed later on."""
        before = add_revision(
            f"{ADD_TABLE}; op.execute('DELETE FROM archive'); "
            f"op.execute('DROP INDEX uq_record_name_live'); {failure}"
        )
        content = dump(catalog)

        with pytest.raises(CatalogError, match=r"as it was; its backup is .*before"):
            schema.upgrade(catalog)

        assert dump(catalog) == content
        assert rows(catalog, "SELECT * FROM alembic_version") == [(before,)]

    def test_interrupted_migration_changes_nothing(
        self, catalog: Path, add_revision: AddRevision
    ) -> None:
        """Ctrl-C is not swallowed, and rolls back like an error."""
        add_revision(f"{ADD_TABLE}; raise KeyboardInterrupt")
        content = dump(catalog)

        with pytest.raises(KeyboardInterrupt):
            schema.upgrade(catalog)

        assert dump(catalog) == content

    def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(
        self, catalog: Path, add_revision: AddRevision
    ) -> None:
        """With foreign keys enforced, the cascade would delete every child."""
        execute(catalog, FAMILY)
        add_revision(REBUILD)

        schema.upgrade(catalog)

        assert rows(catalog, "SELECT * FROM parent") == [(1, "Lise"), (2, "Emmy")]
        assert rows(catalog, "SELECT * FROM child") == [(1, 1), (2, 1), (3, 2)]
        assert ("name", 1) in rows(
            catalog, "SELECT name, \"notnull\" FROM pragma_table_info('parent')"
        )

    def test_orphaned_rows_fail_the_migration(
        self, catalog: Path, add_revision: AddRevision
    ) -> None:
        """Foreign keys are checked before the commit, if not enforced before."""
        execute(catalog, FAMILY)
        add_revision("op.execute('DELETE FROM parent WHERE id = 1')")
        content = dump(catalog)

        with pytest.raises(CatalogError, match="'child' would refer to one of 'parent"):
            schema.upgrade(catalog)

        assert dump(catalog) == content

    def test_other_writers_are_kept_out(
        self, catalog: Path, add_revision: AddRevision
    ) -> None:
        """Nothing is written between the backup and the upgrade."""
        add_revision(f"""
    import contextlib, sqlite3
    with contextlib.closing(sqlite3.connect({str(catalog)!r}, timeout=0)) as other:
        other.execute("DELETE FROM archive")
""")

        with pytest.raises(CatalogError, match="database is locked"):
            schema.upgrade(catalog)

    def test_newer(self, catalog: Path) -> None:
        """A newer catalog is neither touched nor backed up."""
        execute(catalog, f"UPDATE alembic_version SET version_num = '{NEXT}'")

        with pytest.raises(CatalogNewerError):
            schema.upgrade(catalog)
        assert names(catalog) == ["runs.db"]

    @pytest.mark.parametrize("content", [b"", b"energy,volume\n" * 1000])
    def test_foreign(self, file: Path, content: bytes) -> None:
        """A file that is no catalog is neither touched nor backed up."""
        file.write_bytes(content)

        with pytest.raises(CatalogError, match=r"some\.db"):
            schema.upgrade(file)
        assert file.read_bytes() == content
        assert names(file) == ["some.db"]

    def test_missing(self, file: Path) -> None:
        """Migrating what is not there does not create it."""
        with pytest.raises(ArchiveNotFoundError):
            schema.upgrade(file)
        assert not file.exists()

    def test_missing_migrations(
        self,
        catalog: Path,
        add_revision: AddRevision,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A broken installation is found out before the backup is made."""
        find = schema.migrations_dir
        add_revision("pass")
        monkeypatch.setattr(schema, "migrations_dir", find)
        monkeypatch.setattr(schema, "_PACKAGE", catalog.parent)

        with pytest.raises(MigrationsNotFoundError, match="install archivedb again"):
            schema.upgrade(catalog)
        assert names(catalog) == ["runs.db"]


class TestAlembicCommand:
    """The developer's command works in a checkout."""

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run ``alembic`` in the checkout."""
        return subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=CHECKOUT,
            check=False,
            capture_output=True,
            text=True,
        )

    def test_upgrades_a_new_file(self, file: Path) -> None:
        """A scratch catalog, to generate the next revision from."""
        upgraded = self.run("-x", f"db={file}", "upgrade", "head")
        checked = self.run("-x", f"db={file}", "check")

        assert (upgraded.returncode, upgraded.stderr) == (0, "")
        assert (checked.returncode, checked.stderr) == (0, "")
        require_current(file)

    def test_asks_for_the_file(self) -> None:
        """Without a file, the command says how to name one."""
        completed = self.run("current")

        assert completed.returncode != 0
        assert "alembic -x db=PATH" in completed.stdout + completed.stderr


class TestMigrationsDir:
    """The scripts are found in a checkout and in an installed wheel."""

    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return a folder that this module believes to be installed in."""
        monkeypatch.setattr(schema, "_PACKAGE", tmp_path / "archivedb")
        return tmp_path

    def add(self, folder: Path) -> None:
        """Make a folder that looks like one of migrations."""
        folder.mkdir(parents=True)
        (folder / "env.py").touch()

    def test_installed(self, site: Path) -> None:
        """A wheel's are inside the package."""
        self.add(site / "archivedb/migrations")

        assert schema.migrations_dir() == site / "archivedb/migrations"

    def test_checkout(self, site: Path) -> None:
        """A checkout's are beside the package."""
        self.add(site / "migrations")
        (site / "pyproject.toml").touch()

        assert schema.migrations_dir() == site / "migrations"

    def test_somebody_elses(self, site: Path) -> None:
        """Those of another program in the same site-packages are not taken."""
        self.add(site / "migrations")

        with pytest.raises(MigrationsNotFoundError):
            schema.migrations_dir()

    def test_the_wheel_carries_them(self, tmp_path: Path) -> None:
        """Every script of the checkout is in the wheel, and nothing else is."""
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
            cwd=CHECKOUT,
            check=True,
            capture_output=True,
        )
        (wheel,) = tmp_path.glob("*.whl")
        prefix = "archivedb/migrations/"
        with zipfile.ZipFile(wheel) as archive:
            carried = {
                name.removeprefix(prefix)
                for name in archive.namelist()
                if name.startswith(prefix)
            }

        folder = CHECKOUT / "migrations"
        scripts = {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.suffix in {".py", ".mako"}
        }
        assert carried == scripts
