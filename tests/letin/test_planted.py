"""Links, pipes, devices and directories in the place of an archive's own files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Archive, ArchiveError
from archivedb.errors import CatalogError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STORE = "runs.payloads"


def _link(place: Path, outside: Path) -> None:
    place.symlink_to(outside)


def _nowhere(place: Path, outside: Path) -> None:
    place.symlink_to(outside.with_name("nothing"))


def _device(place: Path, _: Path) -> None:
    place.symlink_to("/dev/zero")


def _pipe(place: Path, _: Path) -> None:
    os.mkfifo(place)


def _file(place: Path, _: Path) -> None:
    place.write_text("x")


def _directory(place: Path, _: Path) -> None:
    place.mkdir()


KINDS: dict[str, Callable[[Path, Path], None]] = {
    "link": _link,
    "nowhere": _nowhere,
    "device": _device,
    "pipe": _pipe,
    "file": _file,
    "directory": _directory,
}
LINKS = ("link", "nowhere", "device")
SIDE_FILES = ("runs.db-wal", "runs.db-shm", "runs.db-journal")
OWN = ("tmp", "locks", "incoming", "quarantine")
PLACES = [
    *((name, kind) for name in SIDE_FILES for kind in KINDS if kind != "file"),
    *((f"{STORE}/archive.json", kind) for kind in KINDS),
    *((f"{STORE}/{name}", kind) for name in OWN for kind in KINDS),
    *((f"{STORE}/locks/catalog", kind) for kind in (*LINKS, "directory")),
    *(("shard", kind) for kind in KINDS if kind != "directory"),
    *(("payload", kind) for kind in KINDS),
    *((STORE, kind) for kind in KINDS if kind != "link"),
]
HARMLESS = {(f"{STORE}/{name}", "directory") for name in OWN}
"""An empty directory is what belongs there."""


def everything_below(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return the kind and the bytes of everything below a directory."""
    return {
        str(path): (
            stat.S_IFMT(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in root.rglob("*")
    }


def everything_said(db: Path) -> list[str]:
    """Use an archive for everything; return its errors and findings."""
    said: list[str] = []

    def ask(what: Callable[[], Any]) -> None:
        try:
            what()
        except ArchiveError as error:
            said.append(str(error))

    def verify(archive: Archive) -> None:
        for level in ("quick", "full"):
            said.extend(map(str, archive.verify(level).findings))

    def use(*, readonly: bool) -> None:
        with Archive(db, readonly=readonly, provenance=False) as archive:
            ask(lambda: archive.load("x"))
            ask(lambda: list(archive.find("a == 1")))
            ask(lambda: verify(archive))
            if not readonly:
                ask(lambda: archive.save({"y": 1}, "y"))
                ask(lambda: archive.tag("x", "t"))
                ask(archive.reindex)
                ask(lambda: archive.delete("y"))

    ask(lambda: use(readonly=True))
    ask(lambda: use(readonly=False))
    return said


@pytest.mark.parametrize(("name", "kind"), PLACES)
def test_nothing_is_followed(tmp_path: Path, name: str, kind: str) -> None:
    """It is said in a sentence, nothing outside changes, and nothing is lost."""
    place, outside = tmp_path / "place", tmp_path / "outside"
    outside.mkdir()
    with Archive(place / "runs.db", durability="relaxed") as archive:
        (file,) = archive.save({"a": 1}, "x").files
    own = {
        "payload": place / STORE / file,
        "shard": (place / STORE / file).parent,
    }.get(name, place / name)
    there = own.exists()
    moved = outside / "moved"
    if there:
        own.rename(moved)
    else:
        moved.write_text("years of work")
    KINDS[kind](own, moved)
    before = everything_below(outside)

    said = everything_said(place / "runs.db")

    assert everything_below(outside) == before
    if (name, kind) not in HARMLESS:
        assert said
        assert any(own.name in each for each in said)
    if own.is_dir() and not own.is_symlink():
        shutil.rmtree(own)
    else:
        own.unlink()
    if there:
        moved.rename(own)
    with Archive(place / "runs.db") as archive:
        archive.reindex()
        assert archive.load("x") == {"a": 1}
        assert archive.save({"z": 1}, "z").version == 1
        assert not [f for f in archive.verify().findings if f.kind != "orphaned"]


@pytest.mark.parametrize("kind", ["link", "nowhere", "pipe"])
def test_the_identity_is_not_written_through(tmp_path: Path, kind: str) -> None:
    """A link where ``archive.json`` is prepared is replaced, not followed."""
    old, place, thesis = tmp_path / "old", tmp_path / "new", tmp_path / "thesis"
    thesis.write_text("years of work")
    with Archive(old / "runs.db") as archive:
        archive.save({"a": 1}, "x")
    for name in ("runs.db", "runs.payloads"):
        (old / name).rename(old / name.replace("runs", "other"))
    old.rename(place)  # so that it is written anew
    KINDS[kind](place / "other.payloads" / "archive.new", thesis)

    with Archive(place / "other.db") as archive:
        assert archive.load("x") == {"a": 1}
        assert archive.verify().ok
    assert thesis.read_text() == "years of work"
    assert not (tmp_path / "nothing").exists()


def test_an_identity_nested_deeply(tmp_path: Path) -> None:
    """Whatever ``archive.json`` holds is a sentence, not a traceback."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"a": 1}, "x")
    for text in ("[" * 100_000, '{"archive": 1}' + " " * (1 << 20), "9" * 9999):
        (tmp_path / STORE / "archive.json").write_text(text)
        with pytest.raises(CatalogError, match=r"archive\.json"):
            Archive(tmp_path / "runs.db")


@pytest.mark.parametrize("kind", ["pipe", "device", "directory"])
@pytest.mark.parametrize("readonly", [True, False])
def test_a_catalog_that_is_no_file(
    tmp_path: Path, kind: str, *, readonly: bool
) -> None:
    """It is refused by name, before anything is made beside it."""
    place = tmp_path / "place"
    place.mkdir()
    KINDS[kind](place / "archive.db", place)
    with pytest.raises(CatalogError, match="is not a file"):
        Archive(place, readonly=readonly)
    assert [path.name for path in place.iterdir()] == ["archive.db"]


def test_a_store_may_be_a_link_to_ones_own(tmp_path: Path) -> None:
    """Payloads on a larger disk, behind a link, are these payloads."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"a": 1}, "x")
    (tmp_path / STORE).rename(tmp_path / "disk")
    (tmp_path / STORE).symlink_to("disk")
    with Archive(tmp_path / "runs.db") as archive:
        assert archive.load("x") == {"a": 1}
        archive.save({"a": 2}, "x")
        assert archive.verify().ok


def test_a_store_that_links_to_anothers(tmp_path: Path) -> None:
    """A link to the payloads of another archive changes none of them."""
    for name in ("mine", "theirs"):
        with Archive(tmp_path / f"{name}.db") as archive:
            archive.save({"a": name}, name)
    shutil.rmtree(tmp_path / "mine.payloads")
    (tmp_path / "mine.payloads").symlink_to("theirs.payloads")
    before = everything_below(tmp_path / "theirs.payloads")
    for readonly in (True, False):
        with pytest.raises(CatalogError, match="belongs to another archive"):
            Archive(tmp_path / "mine.db", readonly=readonly)
    assert everything_below(tmp_path / "theirs.payloads") == before


# Payloads in the place of others ---------------------------------------------------


MODES = ("hdf5", "json", "cloudpickle")


@pytest.mark.parametrize("mode", MODES)
def test_a_payload_under_the_name_of_another(tmp_path: Path, mode: str) -> None:
    """Its bytes are not those that the name promises, and so are never a value."""
    db = tmp_path / "runs.db"
    with Archive(db, mode=mode) as archive:
        (mine,) = archive.save({"a": [1.0] * 20}, "x").files
        (other,) = archive.save({"a": [2.0] * 20}, "y").files
    store = tmp_path / STORE
    shutil.copyfile(store / other, store / mine)
    with Archive(db) as archive:
        with pytest.raises(ArchiveError):
            archive.load("x")
        with pytest.raises(ArchiveError):
            archive["x/a"]
        assert {f.record for f in archive.verify().findings} == {"x"}
        assert archive.load("y") == {"a": [2.0] * 20}
        assert archive.reindex().findings
        assert list(archive) == ["y"]


@pytest.mark.parametrize("mode", MODES)
def test_a_stranger_s_payload_is_never_indexed(tmp_path: Path, mode: str) -> None:
    """Neither opening, nor saving, nor rebuilding takes one in: it is orphaned."""
    db = tmp_path / "runs.db"
    with Archive(db) as archive:
        archive.save({"a": 1}, "x")
    with Archive(tmp_path / "other.db", mode=mode) as other:
        files = [file for name in "xz" for file in other.save({"b": 2}, name).files]
    for file in files:
        place = tmp_path / STORE / file
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(tmp_path / "other.payloads" / file, place)
        # As a crash would have left it.
        parts = place.name.partition(".")
        (tmp_path / STORE / "tmp" / f"{parts[0][:36]}.{parts[2]}").hardlink_to(place)
    for _ in range(2):
        with Archive(db) as archive:
            archive.save({"a": 2}, "x")
            assert list(archive) == ["x"]
            archive.reindex()
            assert list(archive) == ["x"]
            assert archive.load("x") == {"a": 2}
            there = [file for file in files if (tmp_path / STORE / file).exists()]
            found = archive.verify().findings
            assert sorted(f.file or "" for f in found) == sorted(there)
            assert {f.kind for f in found} <= {"orphaned"}


# Rows that lead elsewhere ----------------------------------------------------------


def outside_rows(tmp_path: Path) -> list[str]:
    """Return names of files that exist, and are not this archive's payloads."""
    (tmp_path / "secret").write_text("secret")
    with Archive(tmp_path / "other.db") as other:
        (file,) = other.save({"secret": [9.0] * 20}, "x").files
    return [
        *("/etc/passwd", "../../etc/passwd", "../secret", f"{tmp_path}/secret"),
        *(f"../other.payloads/{file}", f"{tmp_path}/other.payloads/{file}", file),
        *("archive.json", "locks/catalog", "\x00", "a" * 5000, "../" * 2000),
    ]


@pytest.mark.parametrize("table", ["payload", "version", "array"])
def test_no_row_leads_elsewhere(tmp_path: Path, table: str) -> None:
    """Whatever the catalog's rows say, nothing of another file is ever returned."""
    db = tmp_path / "runs.db"
    value = {"a": [float(number) for number in range(40)], "b": [1.5] * 30}
    with Archive(db) as archive:
        archive.save(value, "x")
        archive.open("x")["c"] = 1  # shares the arrays with the version before
    for name in outside_rows(tmp_path):
        shutil.copyfile(db, tmp_path / "copy.db")
        with closing(sqlite3.connect(db)) as connection:
            if table == "payload":
                connection.execute("UPDATE payload SET file=? WHERE id=1", (name,))
            elif table == "version":
                connection.execute(
                    "UPDATE version SET content=CAST(replace(CAST(content AS TEXT),"
                    '\'"files":["\', \'"files":["\' || ?) AS BLOB)',
                    (name.replace("\x00", "\\u0000"),),
                )
            else:
                connection.execute(
                    "UPDATE array SET offset = offset + 8, length = length - 8"
                )
            connection.commit()
        with Archive(db) as archive:
            asked: list[tuple[Callable[[], Any], Any]] = [
                (lambda: archive.load("x", version=1), value),
                (lambda: archive.load("x"), value | {"c": 1}),
                (lambda: archive["x/a"], value["a"]),
            ]
            for ask, right in asked:
                try:
                    found = ask()
                except ArchiveError:
                    continue
                assert found == right
            archive.verify("quick")
            assert archive.verify().findings or table != "payload"
        (tmp_path / "copy.db").replace(db)
    with Archive(db) as archive:
        archive.reindex()
        assert archive.load("x") == value | {"c": 1}
        assert archive.verify().ok


def test_places_within_the_file_are_proven(tmp_path: Path) -> None:
    """Offsets and lengths that lead elsewhere in the file are found by digest."""
    db = tmp_path / "runs.db"
    value = {"a": [float(number) for number in range(40)], "b": [1.5] * 40}
    with Archive(db) as archive:
        archive.save(value, "x")
    with closing(sqlite3.connect(db)) as connection:
        rows = connection.execute(
            "SELECT offset, length FROM array ORDER BY path"
        ).fetchall()
    (first, length), (second, _) = rows
    for offset, size in (
        *((second, length), (0, length), (first, length - 8), (first, 0)),
        *((first + 8, length), (-8, length), (1 << 62, length), (first, 1 << 62)),
    ):
        with closing(sqlite3.connect(db)) as connection:
            connection.execute(
                "UPDATE array SET offset=?, length=? WHERE path='a'", (offset, size)
            )
            connection.commit()
        with Archive(db, readonly=True) as archive:
            for path in ("a", "b"):
                try:
                    found = archive[f"x/{path}"]
                except ArchiveError:
                    continue
                assert found == value[path]
            assert archive.load("x") == value


# Links where the store's own directories belong ------------------------------------


WAYS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "spool": (
        "incoming",
        lambda place: Archive(place / "runs.db", spool=True).save({"y": 1}, "y"),
    ),
    "ingest": ("incoming", lambda place: Archive(place / "runs.db").ingest()),
    "repair": (
        "tmp",
        lambda place: Archive(place / "runs.db").repair(place / "copy"),
    ),
    "pull": (
        "tmp",
        lambda place: Archive(place / "runs.db").pull(place / "copy" / "runs.db"),
    ),
    "pull's lock": (
        "locks",
        lambda place: Archive(place / "runs.db").pull(place / "copy" / "runs.db"),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_in_leads_through_a_link(tmp_path: Path, way: str) -> None:
    """Each refuses by name, and nothing is written to where the link leads."""
    name, go = WAYS[way]
    with Archive(tmp_path / "copy" / "runs.db") as archive:
        for number in range(3):
            (file,) = archive.save({"a": number}, f"x{number}").files
    shutil.copytree(tmp_path / "copy", tmp_path, dirs_exist_ok=True)
    if way == "repair":
        (tmp_path / STORE / file).unlink()
    else:
        with Archive(tmp_path / "copy" / "runs.db") as archive:
            archive.save({"new": 1}, "new")
    outside = tmp_path / "outside"
    own = tmp_path / STORE / name
    if own.exists():
        own.rename(outside)
    else:
        outside.mkdir()
    own.symlink_to(outside)
    before = everything_below(outside)
    with pytest.raises(StoreError, match=f"{name} is a link"):
        go(tmp_path)
    assert everything_below(outside) == before
    symptoms = Archive.doctor_catalog(tmp_path / "runs.db").symptoms
    assert [each.subject for each in symptoms if str(own) in each.detail] == [
        "payloads"
    ]
    with Archive(tmp_path / "runs.db", readonly=True) as archive:
        assert archive.load("x0") == {"a": 0}
