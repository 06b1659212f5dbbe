"""Addresses, creation, read-only use, migration and catalogs that are none."""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive
from archivedb.catalog import schema
from archivedb.catalog.database import Database
from archivedb.errors import (
    ArchiveError,
    ArchiveNotFoundError,
    CatalogError,
    CatalogNewerError,
    CatalogOutdatedError,
    ReadOnlyError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Program  # type: ignore[import-not-found]

Listing = dict[str, tuple[int, int, int]]


def listing(root: Path, *, but: str = "") -> Listing:
    """Return inode, size and time of everything below a directory."""
    found = {}
    for path in [root, *root.rglob("*")]:
        if but and path.name.endswith(but):
            continue
        status = path.lstat()
        found[str(path)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


# Addresses ----------------------------------------------------------------


def test_a_file_is_an_address(tmp_path: Path) -> None:
    """The payloads lie beside the catalog, under its name."""
    Archive(tmp_path / "runs.db").save({}, "x")

    assert (tmp_path / "runs.db").is_file()
    assert (tmp_path / "runs.payloads").is_dir()


@pytest.mark.parametrize("made", [True, False])
def test_a_directory_is_an_address(tmp_path: Path, *, made: bool) -> None:
    """A directory means its ``archive.db``, also one with a slash to be made."""
    place = tmp_path / "some"
    if made:
        place.mkdir()
    Archive(f"{place}/").save({"a": 1}, "x")

    assert sorted(path.name for path in place.glob("archive.*")) == [
        "archive.db",
        "archive.payloads",
    ]
    assert Archive(place).load("x") == {"a": 1}


def test_a_url_is_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy's URLs of SQLite files are understood, relative or absolute."""
    monkeypatch.chdir(tmp_path)
    Archive("sqlite:///runs.db").save({"a": 1}, "x")
    monkeypatch.chdir("/")

    assert Archive(f"sqlite:///{tmp_path}/runs.db").load("x") == {"a": 1}
    assert Archive(f"sqlite+pysqlite:///{tmp_path}/runs.db").address == str(
        tmp_path / "runs.db"
    )


@pytest.mark.parametrize(
    "url", ["postgresql://host/db", "sqlite://", "sqlite:///:memory:", "x://", "://"]
)
def test_another_url_is_refused(url: str) -> None:
    """What is no SQLite file says so in a sentence."""
    with pytest.raises(CatalogError, match=" "):
        Archive(url)


def test_a_password_is_not_shown() -> None:
    """The message about a URL leaves its password out."""
    with pytest.raises(CatalogError) as caught:
        Archive("postgresql://user:secret@host/db")
    assert "secret" not in str(caught.value)


def test_payloads_may_lie_elsewhere(tmp_path: Path) -> None:
    """``payloads=`` names another directory, and a pickle remembers it."""
    archive = Archive(tmp_path / "a" / "runs.db", payloads=tmp_path / "b" / "store")
    archive.save({"a": 1}, "x")

    assert [path.name for path in (tmp_path / "a").iterdir()] >= ["runs.db"]
    assert not (tmp_path / "a" / "runs.payloads").exists()
    assert len(list((tmp_path / "b" / "store").glob("??/*"))) == 1
    assert pickle.loads(pickle.dumps(archive)).load("x") == {"a": 1}  # noqa: S301


@pytest.mark.parametrize("folder", ["50% of é", "a b#c?d", "'; --", "%2F&x=1", "[x]"])
def test_any_folder_will_do(tmp_path: Path, folder: str) -> None:
    """No character of a path means anything to SQLite, Alembic or HDF5."""
    place = tmp_path / folder
    with Archive(place / "runs.db") as archive:
        archive.save({"a": 1}, "x")
        archive.save({"a": 2}, "x", mode="json")
    with Archive(place / "runs.db", readonly=True) as archive:
        assert archive.load("x") == {"a": 2}
        assert archive.verify().ok
    assert [path.name for path in tmp_path.iterdir()] == [folder]


def test_relative_addresses_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive is where it was when it was opened, wherever the process goes."""
    monkeypatch.chdir(tmp_path)
    archive = Archive("runs.db")
    monkeypatch.chdir("/")
    archive.save({"a": 1}, "x")

    assert (tmp_path / "runs.db").is_file()


def test_both_move_together(tmp_path: Path) -> None:
    """An archive that was moved to another directory is opened as it was."""
    with Archive(tmp_path / "old" / "runs.db") as archive:
        archive.save({"a": 1}, "x")
    (tmp_path / "old").rename(tmp_path / "new")

    with Archive(tmp_path / "new" / "runs.db") as archive:
        assert archive.load("x") == {"a": 1}
        assert archive.verify().ok


# Creation -----------------------------------------------------------------


def test_reading_creates_nothing(tmp_path: Path) -> None:
    """Looking into an empty place leaves it empty."""
    for place in (tmp_path / "runs.db", tmp_path, f"{tmp_path}/new/"):
        for readonly in (False, True):
            with Archive(place, readonly=readonly) as archive:
                assert "x" not in archive
                assert list(archive.find(a=1)) == []
                assert repr(archive)
                with pytest.raises(ArchiveNotFoundError):
                    archive.load("x")
                with pytest.raises(ArchiveNotFoundError):
                    archive.verify()
                with pytest.raises(ArchiveNotFoundError):
                    archive.reindex()
    assert list(tmp_path.iterdir()) == []


def test_an_archive_may_be_created_empty(archive: Archive) -> None:
    """`create` makes what the first save would, once."""
    archive.create()

    assert archive.exists
    assert archive.verify().ok
    with pytest.raises(FileExistsError):
        archive.create()


def test_an_archive_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """Closing what somebody has removed meanwhile leaves nothing behind."""
    place = tmp_path / "place"
    archive = Archive(place / "runs.db")
    archive.save({"a": 1}, "x")
    shutil.rmtree(place)
    archive.close()
    del archive
    gc.collect()

    assert not place.exists()


def test_an_archive_is_seen_as_soon_as_it_is_made(tmp_path: Path) -> None:
    """Who opened an empty place sees what another process then saves there."""
    early = Archive(tmp_path / "runs.db")
    assert not early.exists
    Archive(tmp_path / "runs.db").save({"a": 1}, "x")

    assert early.load("x") == {"a": 1}


@pytest.mark.parametrize("versions", [1, 9])
def test_a_lost_catalog_is_rebuilt_on_opening(tmp_path: Path, versions: int) -> None:
    """Payloads without a catalog are indexed, with every version of them."""
    with Archive(tmp_path / "runs.db") as archive:
        for number in range(versions):
            for name in "abc":
                archive.save({"n": number}, name)
        before = archive.inspect().dump()
    for path in tmp_path.glob("runs.db*"):
        path.unlink()

    with Archive(tmp_path / "runs.db") as archive:
        assert len(archive.versions("a")) == versions
        assert archive.inspect().dump() == before
        assert archive.verify().ok
        assert archive.save({"n": "new"}, "a").version == versions + 1


def test_a_restored_catalog_loses_nothing(tmp_path: Path) -> None:
    """A catalog from yesterday's backup learns of everything saved since."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"n": 0}, "a")
    shutil.copyfile(tmp_path / "runs.db", tmp_path / "backup")
    with Archive(tmp_path / "runs.db") as archive:
        for number in range(1, 9):
            archive.save({"n": number}, "a")
        archive.save({"n": 0}, "b")
        archive.delete("b")
        archive.save({"n": 1}, "b")
        before = archive.inspect().dump()
    shutil.copyfile(tmp_path / "backup", tmp_path / "runs.db")
    # As if it had been yesterday's.
    for shard in (tmp_path / "runs.payloads").glob("??"):
        status = shard.stat()
        os.utime(shard, (status.st_atime + 10, status.st_mtime + 10))

    with Archive(tmp_path / "runs.db") as archive:
        assert archive.inspect().dump() == before
        assert archive.verify().ok


def test_the_store_of_another_is_refused(tmp_path: Path) -> None:
    """A catalog and the payloads of another archive do not mix."""
    Archive(tmp_path / "one.db").save({"a": 1}, "x")
    Archive(tmp_path / "two.db").save({"a": 2}, "x")
    for readonly in (True, False):
        with pytest.raises(CatalogError, match="belongs to another archive"):
            Archive(
                tmp_path / "one.db",
                payloads=tmp_path / "two.payloads",
                readonly=readonly,
            )
    assert Archive(tmp_path / "one.db").load("x") == {"a": 1}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"archive"', "\xff", "null"])
def test_a_damaged_identity_is_a_typed_error(tmp_path: Path, text: str) -> None:
    """A store that does not say whose it is gives one of archivedb's errors."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"a": 1}, "x")
    identity = tmp_path / "runs.payloads" / "archive.json"
    assert json.loads(identity.read_text())["archive"]
    identity.write_bytes(text.encode("latin-1"))

    with pytest.raises(CatalogError, match=r"archive\.json"):
        Archive(tmp_path / "runs.db")


# Catalogs that are none ---------------------------------------------------

GARBAGE = {
    "text": b"this is no database, only a line of text that goes on\n" * 40,
    "zeros": bytes(8192),
    "magic": b"SQLite format 3\0" + b"\xff" * 4096,
    "short": b"SQLite",
}


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize("readonly", [True, False])
def test_garbage_is_no_catalog(tmp_path: Path, kind: str, *, readonly: bool) -> None:
    """A file of anything else is refused by name, and left as it is."""
    path = tmp_path / "runs.db"
    path.write_bytes(GARBAGE[kind])

    with pytest.raises(CatalogError, match=r"runs\.db"):
        Archive(path, readonly=readonly)
    assert path.read_bytes() == GARBAGE[kind]


def test_another_programs_database_is_no_catalog(tmp_path: Path) -> None:
    """A SQLite file of somebody else's is refused, and no table is added."""
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    for options in ({}, {"readonly": True}, {"migrate": True}):
        with pytest.raises(CatalogError, match=r"runs\.db.*not an archivedb catalog"):
            Archive(path, **options)  # type: ignore[arg-type]
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("t",)]


@pytest.mark.parametrize("part", [0.9, 0.5, 0.1, 0.02])
def test_a_truncated_catalog_is_a_typed_error(tmp_path: Path, part: float) -> None:
    """Half a SQLite file gives a `CatalogError`, at the latest when it is used."""
    with Archive(tmp_path / "runs.db") as archive:
        for number in range(30):
            archive.save({f"k{n}": n for n in range(50)}, f"r{number}")
    path = tmp_path / "runs.db"
    os.truncate(path, int(path.stat().st_size * part))

    found: list[Any] = []
    try:
        with Archive(path) as archive:
            found += archive.verify().findings
            for name in archive:
                found.append(archive.load(name))
    except ArchiveError as error:
        assert isinstance(error, CatalogError)  # noqa: PT017 - or a finding
        found = [error]
    assert any(
        isinstance(each, CatalogError) or getattr(each, "kind", "") == "misindexed"
        for each in found
    )


@pytest.mark.parametrize("size", [0, 4096])
def test_a_creation_that_was_cut_short_is_finished(tmp_path: Path, size: int) -> None:
    """A catalog that SQLite has begun, but that holds no table yet, is made."""
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as connection:
        if size:
            connection.execute("PRAGMA journal_mode=WAL")
    path.touch()
    assert path.stat().st_size == size

    with Archive(path) as archive:
        archive.save({"a": 1}, "x")
        assert archive.verify().ok


# Migration ----------------------------------------------------------------


@pytest.fixture
def next_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make this archivedb one that knows a further revision; return its name."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.migrations_dir(), folder)
    (folder / "versions" / "next.py").write_text(
        f"revision, down_revision = '9000', '{schema.HEAD}'\n"
        "from alembic import op\n"
        "def upgrade():\n    op.execute('CREATE TABLE added (a)')\n"
    )
    monkeypatch.setattr(schema, "migrations_dir", lambda: folder)
    monkeypatch.setattr(schema, "KNOWN", (*schema.KNOWN, "9000"))
    return "9000"


def test_an_older_catalog_is_migrated_on_request(
    tmp_path: Path, next_revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused with the command to run, or upgraded after a backup."""
    path = tmp_path / "runs.db"
    with Archive(path) as archive:
        archive.save({"a": 1}, "x", metadata={"m": 1})
    before = schema.HEAD
    monkeypatch.setattr(schema, "HEAD", next_revision)

    for options in ({}, {"readonly": True}, {"readonly": True, "migrate": True}):
        with pytest.raises(CatalogOutdatedError, match="archivedb migrate"):
            Archive(path, **options)  # type: ignore[arg-type]
    assert not list(tmp_path.glob("*before*"))
    with Archive(path, migrate=True) as archive:
        assert archive.load("x") == {"a": 1}
        archive.save({"a": 2}, "x")
    (backup,) = tmp_path.glob("runs.db.before-*.db")
    with closing(sqlite3.connect(backup)) as connection:
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert rows == [(before,)]
    with Archive(path) as archive:
        assert archive.find(m=1).count() == 0
        assert [record.version for record in archive.versions("x")] == [1, 2]
        assert archive.verify().ok


def test_migrate_catalog_says_what_it_did(
    tmp_path: Path, next_revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Archive.migrate_catalog` names both revisions and the backup."""
    path = tmp_path / "runs.db"
    Archive(path).save({"a": 1}, "x")
    before = schema.HEAD
    assert Archive.migrate_catalog(path).backup is None
    monkeypatch.setattr(schema, "HEAD", next_revision)

    done = Archive.migrate_catalog(path)

    assert (done.before, done.after) == (before, next_revision)
    assert Path(str(done.backup)).is_file()
    with pytest.raises(ArchiveNotFoundError):
        Archive.migrate_catalog(tmp_path / "other.db")


def test_a_newer_catalog_is_refused(tmp_path: Path) -> None:
    """What a later archivedb made is not touched, whatever the options."""
    path = tmp_path / "runs.db"
    with Archive(path) as archive:
        archive.save({"a": 1}, "x")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num='9999'")
        connection.commit()
    for options in ({}, {"readonly": True}, {"migrate": True}):
        with pytest.raises(CatalogNewerError, match="upgrade archivedb"):
            Archive(path, **options)  # type: ignore[arg-type]


# Read-only ----------------------------------------------------------------


@pytest.mark.parametrize("log", ["none", "with-shm", "without-shm"])
def test_readonly_writes_nothing(tmp_path: Path, program: Program, log: str) -> None:
    """Everything can be read, and no file is touched, also after a crash."""
    program("leave_log.py", tmp_path / "runs.db", log)
    assert (tmp_path / "runs.db-wal").exists() == (log != "none")
    before = listing(tmp_path)
    with Archive(tmp_path / "runs.db", readonly=True) as archive:
        assert archive.load("x") == {"a": 1}
        assert archive["x/a"] == 1
        assert archive.verify().ok
        assert archive.find(a=1).count() == 1
        assert archive.inspect().dump()
        writes: list[Any] = [
            *(lambda: archive.save({}, "y"), lambda: archive.save({"a": 1}, "x")),
            *(lambda: archive.delete("x"), archive.reindex, archive.create),
        ]
        for write in writes:
            with pytest.raises(ReadOnlyError, match="readonly=True"):
                write()
    assert listing(tmp_path) == before


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a directory that other users may enter; pytest's own they may not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in [Path(name), *Path(name).rglob("*")]:
            path.chmod(0o755)


@pytest.mark.parametrize("log", ["none", "with-shm", "without-shm"])
def test_readonly_works_on_a_readonly_directory(
    public: Path, program: Program, log: str
) -> None:
    """Where nothing may be written everything is read, what the log holds too."""
    program("leave_log.py", public / "runs.db", log)
    for path in [public, *public.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = listing(public)

    assert program("read_only.py", public / "runs.db") == "read\n"
    assert listing(public) == before


def test_readonly_sees_what_a_writer_adds(tmp_path: Path) -> None:
    """A reader beside a writer sees its commits, without being opened again."""
    writer = Archive(tmp_path / "runs.db")
    writer.save({"n": 0}, "x")
    reader = Archive(tmp_path / "runs.db", readonly=True)
    for number in range(1, 4):
        writer.save({"n": number}, "x")
        assert reader.load("x") == {"n": number}
    writer.delete("x")
    assert list(reader) == []


def test_readonly_needs_a_catalog(tmp_path: Path) -> None:
    """Payloads without a catalog cannot be indexed by who must not write."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"a": 1}, "x")
    for path in tmp_path.glob("runs.db*"):
        path.unlink()
    before = listing(tmp_path)
    with pytest.raises(CatalogError, match="archivedb reindex"):
        Archive(tmp_path / "runs.db", readonly=True)
    assert listing(tmp_path) == before


def test_readonly_indexes_no_plain_payload(tmp_path: Path) -> None:
    """A plain directory that may only be read is not turned into an archive."""
    from archivedb import save

    save({"a": 1}, tmp_path / "run")
    before = listing(tmp_path)
    assert not Archive(tmp_path / "run", readonly=True).exists
    assert listing(tmp_path) == before


# Being an object ----------------------------------------------------------


def test_a_closed_archive_opens_again(tmp_path: Path) -> None:
    """`close` lets go of every file; the next use opens it again."""
    with Archive(tmp_path / "runs.db") as archive:
        assert archive.save({"a": 1}, "x").version == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "runs.db",
        "runs.payloads",
    ]
    archive.close()
    assert archive.load("x") == {"a": 1}
    assert archive.save({"a": 2}, "x").version == 2
    archive.close()
    links = [fd for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
    opened = [str(fd.readlink()) for fd in links]
    assert not [path for path in opened if path.startswith(str(tmp_path))]


def test_a_pickle_is_an_address(tmp_path: Path) -> None:
    """Every option survives pickling, and the copy is an archive of its own."""
    options: dict[str, Any] = {
        "mode": "json",
        "durability": "relaxed",
        "trust": True,
        "provenance": False,
    }
    archive = Archive(tmp_path / "runs.db", **options)
    archive.save({"a": 1}, "x")
    copy = pickle.loads(pickle.dumps(archive))  # noqa: S301 - our own

    assert copy.address == archive.address
    assert {key: copy._options[key] for key in options} == options
    assert copy.save({"a": 2}, "x").mode == "json"
    readonly = pickle.loads(  # noqa: S301 - our own
        pickle.dumps(Archive(tmp_path / "runs.db", readonly=True))
    )
    with pytest.raises(ReadOnlyError):
        readonly.save({}, "y")


@pytest.mark.parametrize("made", [True, False])
def test_a_pickled_directory_is_the_same_place(tmp_path: Path, *, made: bool) -> None:
    """A directory that is still to be made is the same place after pickling."""
    place = tmp_path / "some"
    if made:
        place.mkdir()
    archive = Archive(f"{place}/")

    assert pickle.loads(pickle.dumps(archive)).address == archive.address  # noqa: S301


def test_errors_survive_pickling(archive: Archive) -> None:
    """A worker's error arrives as what it was, with its sentence."""
    archive.save({"a": 1}, "x")
    for ask in (
        lambda: archive.load("y"),
        lambda: archive["x/b"],
        lambda: archive["x/a/b"],
        lambda: archive.save({}, "x/y"),
    ):
        with pytest.raises(ArchiveError) as caught:
            ask()
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_a_creator_that_commits_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens what is just being made gets it, and no error of before."""
    catalog = tmp_path / "runs.db"
    with closing(sqlite3.connect(catalog)) as begun:
        begun.execute("PRAGMA journal_mode=WAL")
    real = Database.is_empty

    def late(self: Database) -> bool:
        monkeypatch.setattr(Database, "is_empty", real)
        with Archive(catalog) as other:
            other.save({"n": 1}, "x")
        return real(self)

    monkeypatch.setattr(Database, "is_empty", late)
    with Archive(catalog) as archive:
        assert archive.load("x") == {"n": 1}
