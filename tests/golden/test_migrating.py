"""A catalog of revision 0001 is upgraded with its data, and its index filled."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive
from archivedb.archive.writing import measuring
from archivedb.catalog import schema
from archivedb.errors import CatalogError, CatalogOutdatedError, PayloadError
from tests.golden import contents
from tests.support import fresh
from tests.support.exact import difference

if TYPE_CHECKING:
    from sqlalchemy import Connection

HERE = Path(__file__).resolve().parent
KILLED = HERE / "programs" / "killed_migration.py"
POINTS = ("backed up", "migrated", "half filled", "filled", "checked")


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the catalog of a copy of the golden archive of 0001."""
    shutil.copytree(HERE / "0001", tmp_path / "golden")
    key = tmp_path / "signing.key"
    shutil.copy(HERE / "key" / "signing.key", key)
    key.chmod(0o600)
    monkeypatch.setenv("ARCHIVEDB_KEY", str(key))
    return tmp_path / "golden" / "runs.db"


def ask(catalog: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Return rows, without the code under test."""
    with closing(sqlite3.connect(catalog)) as connection:
        return connection.execute(statement, values).fetchall()


def dump(catalog: Path) -> list[str]:
    """Return all that is in a catalog, as SQL."""
    with closing(sqlite3.connect(catalog)) as connection:
        return list(connection.iterdump())


def revision(catalog: Path) -> str:
    """Return the revision that a catalog says it has."""
    return str(ask(catalog, "SELECT version_num FROM alembic_version")[0][0])


def is_partly(catalog: Path, name: str) -> bool:
    """Return whether the index says that it lacks something of a record."""
    found = ask(catalog, "SELECT partly_indexed FROM record WHERE name = ?", name)
    return bool(found[0][0])


def payloads_of(catalog: Path, name: str) -> list[Path]:
    """Return the payloads that hold the content of a record's versions."""
    statement = (
        "SELECT payload.file FROM version JOIN record ON record.id = record_id"
        " JOIN payload ON payload.id = payload_id WHERE name = ? ORDER BY version"
    )
    found = ask(catalog, statement, name)
    return [catalog.with_suffix(".payloads") / str(file) for (file,) in found]


def names(archive: Archive, question: str) -> list[str]:
    """Return the names of what a question finds."""
    return sorted(record.name for record in archive.find(question))


RUNS = [f"runs/{mode}" for mode in sorted(contents.MODES)]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("inputs.structure == 'fcc'", RUNS),
        ("4 in inputs['k-points']", RUNS),
        ("inputs['k-points'] == [4, 4, 4]", RUNS),
        ("outputs.forces.max == 1 and outputs.forces.mean < 1e-9", RUNS),
        ("outputs.forces.shape[0] == 32", RUNS),
        ("'日本' in outputs.words", RUNS),
        ("outputs['big-endian'][1] == 1", RUNS),
        ("outputs.empty.shape == [0, 3]", RUNS),
        ("ints.big == 18446744073709551616", RUNS),
        ("metadata.big == 1180591620717411303424", RUNS),
        ("deep.a.b.c.d[0][1][0] == 3", RUNS),
        ("rows.max == 9 and rows.shape[0] == 5", ["edited"]),
        ("new == [0, 1, 2]", ["edited"]),
        ("outputs.steps[0].when == '2024-02-29'", ["edited"]),
        ("when > '2024-02-29T10:29' and when < '2024-02-29T10:31'", ["adapted"]),
        ("day >= '2024-02-29'", ["adapted"]),
        ("'Cu' in elements", ["adapted"]),
        ("price > 1.09 and price < 1.11", ["adapted"]),
        ("input == 'a/INCAR'", ["adapted"]),
        ("'t' in tags", RUNS),
        ("energy < 0", []),
    ],
)
def test_what_was_saved_before_is_found(
    catalog: Path, question: str, found: list[str]
) -> None:
    """Old records answer the new questions, from the index alone."""
    with Archive(catalog, migrate=True) as archive:
        if found:
            assert names(archive, question) == found
        else:
            # Only an older version has it.
            assert archive.find(energy=-3.7).count() == 0
        assert not ask(catalog, "SELECT 1 FROM record WHERE partly_indexed")


def test_the_data_stays(catalog: Path) -> None:
    """A migration changes nothing but the index, and adds columns."""
    untouched = ("payload", "version", "provenance", "tag", "archive", '"check"')
    before = {table: ask(catalog, f"SELECT * FROM {table}") for table in untouched}
    with pytest.raises(CatalogOutdatedError):
        Archive(catalog)
    done = Archive.migrate_catalog(catalog)
    assert (done.before, done.after) == ("0001", schema.HEAD)
    for table, rows in before.items():
        assert ask(catalog, f"SELECT * FROM {table}") == rows
    with Archive(catalog, readonly=True) as archive:
        for mode in contents.MODES:
            found = archive.load(f"runs/{mode}")
            assert difference(found, contents.VERSIONS[-1]) is None


def test_it_says_what_a_rebuild_says(catalog: Path) -> None:
    """The filled index is the one that a rebuild makes, appended rows included."""
    with Archive(catalog, migrate=True) as archive:
        before = archive.inspect().dump()
        archive.reindex()
        assert archive.inspect().dump() == before
        assert archive.verify().ok


def test_the_command(catalog: Path) -> None:
    """The command migrates, and says where the backup is; it works once only."""
    command = ("-m", "archivedb", "migrate", "--db", catalog)
    done = fresh.run(*command)
    assert done.returncode == 0, done.stderr
    assert "from 0001 to" in done.stdout + done.stderr
    (backup,) = catalog.parent.glob("runs.db.before-*.db")
    assert revision(backup) == "0001"
    again = fresh.run(*command)
    assert again.returncode == 0, again.stderr
    assert "from 0001" not in again.stdout + again.stderr


# Damage -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", contents.MODES)
def test_a_missing_payload(catalog: Path, mode: str) -> None:
    """Its record is flagged and stays; its metadata and all others are found."""
    lost = payloads_of(catalog, f"runs/{mode}")[-1]
    held = lost.read_bytes()
    lost.unlink()
    others = [name for name in RUNS if name != f"runs/{mode}"]
    with Archive(catalog, migrate=True) as archive:
        assert f"runs/{mode}" in [*archive]
        assert is_partly(catalog, f"runs/{mode}")
        assert not any(is_partly(catalog, name) for name in others)
        assert names(archive, "metadata.project == 'golden'") == RUNS
        assert names(archive, "'t' in tags") == RUNS
        # Whoever asks for what it held hears of it.
        with pytest.raises(PayloadError):
            names(archive, "outputs.forces.max == 1")
        # And finds it when it is back.
        lost.write_bytes(held)
        assert names(archive, "outputs.forces.max == 1") == RUNS
        archive.reindex()
        assert not is_partly(catalog, f"runs/{mode}")


def test_a_damaged_array(catalog: Path) -> None:
    """What can be read of a damaged payload is indexed, and its record flagged."""
    path = payloads_of(catalog, "runs/hdf5")[-1]
    forces = contents.VERSIONS[-1]["outputs"]["forces"].tobytes()
    data = path.read_bytes()
    assert forces in data
    path.chmod(0o600)
    path.write_bytes(data.replace(forces, bytes(len(forces))))
    with Archive(catalog, migrate=True) as archive:
        assert is_partly(catalog, "runs/hdf5")
        assert names(archive, "inputs.structure == 'fcc'") == RUNS
        assert names(archive, "outputs.mask[0] == True") == RUNS
        with pytest.raises(PayloadError):
            names(archive, "outputs.forces.max == 1")
        before = archive.inspect().dump()
        archive.reindex()
        assert archive.inspect().dump() == before


def test_damaged_appended_rows(catalog: Path) -> None:
    """What is known of an array that was appended to is not that of its beginning."""
    rows = np.array([[6.0, 7.0], [8.0, 9.0]]).tobytes()
    for path in catalog.with_suffix(".payloads").glob("??/*"):
        data = path.read_bytes()
        if rows in data:
            path.chmod(0o600)
            path.write_bytes(data.replace(rows, bytes(len(rows))))
    with Archive(catalog, migrate=True) as archive:
        assert is_partly(catalog, "edited")
        assert names(archive, "inputs.cutoff == 350") == ["edited"]
        with pytest.raises(PayloadError):
            names(archive, "rows.max < 6")
        before = archive.inspect().dump()
        archive.reindex()
        assert archive.inspect().dump() == before


def test_lost_appended_rows(catalog: Path) -> None:
    """A record of which some rows are missing is flagged."""
    rows = np.array([[6.0, 7.0], [8.0, 9.0]]).tobytes()
    for path in catalog.with_suffix(".payloads").glob("??/*"):
        if rows in path.read_bytes():
            path.unlink()
    with Archive(catalog, migrate=True):
        assert is_partly(catalog, "edited")


def test_payloads_that_are_elsewhere(catalog: Path, tmp_path: Path) -> None:
    """A catalog without its payloads is not migrated: nothing could be found in it."""
    payloads = catalog.with_suffix(".payloads")
    payloads.rename(tmp_path / "elsewhere")
    before = dump(catalog)
    for _ in range(2):
        with pytest.raises(CatalogError, match="are not at"):
            Archive.migrate_catalog(catalog)
        with pytest.raises(CatalogError, match="are not at"):
            Archive(catalog, migrate=True)
    assert dump(catalog) == before
    assert not payloads.exists()
    (tmp_path / "elsewhere").rename(payloads)
    with Archive(catalog, migrate=True) as archive:
        assert names(archive, "inputs.structure == 'fcc'") == RUNS


# All or nothing ---------------------------------------------------------------


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_migration(catalog: Path, point: str) -> None:
    """It leaves the catalog as it was, and the next one does all of it."""
    before = dump(catalog)
    done = fresh.run(KILLED, catalog, point)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert revision(catalog) == "0001"
    assert dump(catalog) == before
    with Archive(catalog, migrate=True) as archive:
        assert names(archive, "outputs.forces.max == 1") == RUNS
        assert archive.verify().ok


def test_a_failing_migration(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while the index is filled takes all of it back."""
    real = measuring.refill

    def refill(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        msg = "no space left"
        raise OSError(msg)

    before = dump(catalog)
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "refill", refill)
        with pytest.raises(CatalogError, match=r"is as it was.*no space left"):
            Archive.migrate_catalog(catalog)
    assert dump(catalog) == before
    assert Archive.migrate_catalog(catalog).after == schema.HEAD


def test_nobody_sees_half_of_it(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schema and index come with one commit."""
    real, seen = measuring.refill, []

    def refill(store: object, connection: Connection) -> None:
        real(store, connection)  # type: ignore[arg-type]
        with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True)) as other:
            seen.extend(other.execute("SELECT version_num FROM alembic_version"))

    monkeypatch.setattr(measuring, "refill", refill)
    Archive.migrate_catalog(catalog)
    assert seen == [("0001",)]
    assert revision(catalog) == schema.HEAD
