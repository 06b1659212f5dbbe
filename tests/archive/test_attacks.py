"""What hostile stores, clocks, threads and values once did, and no longer do."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest

from archivedb import Archive, ArchiveError, load, save
from archivedb.errors import (
    CatalogError,
    EncodeError,
    PayloadMissingError,
    RecordNotFoundError,
    StoreError,
)
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft
from archivedb.formats.envelope import Entry
from archivedb.values.encode import encode

if TYPE_CHECKING:
    from pathlib import Path

    from archivedb.archive.core import Core

MODES = ("hdf5", "json", "cloudpickle")


class Subclassed(np.float64):
    """A scalar of whose class numpy's pickling knows nothing."""


class Noted(np.ndarray[Any, Any]):
    """An array with an attribute that numpy's pickling forgets."""


def forge(db: Path, **fields: Any) -> None:
    """Publish a payload whose only change says these things."""
    with Archive(db) as archive:
        archive.save({"ok": 1}, "good")
        core: Core = archive._core
        said = {
            "kind": "save",
            "record": uuids.uuid7(),
            "name": "evil",
            "position": 1,
            "time": 10**15,
            "version": 1,
        }
        entry = Entry(**{**said, **fields})
        uuid = uuids.uuid7()
        pending = core.store.begin(uuid, ".json")
        value = None if fields.get("kind") == "adopt" else encode({"x": 1})
        draft = Draft(entry, value)
        form = get_format("json")
        pending.write(form.build(core.uuid, uuid, [draft], str(pending.path)))
        pending.publish()
        pending.settle()


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 2**63},
        {"version": None},
        {"position": 2**63},
        {"position": 0},
        {"time": 2**62},
        {"kind": "adopt", "adopted": "../../etc/passwd"},
        {"kind": "adopt", "adopted": "x"},
        {"tags": ("a", "a")},
        {"name": "../../x"},
        {"name": "a\x00b"},
        {"metadata": {"a": {"$unknown": 0}}},
        {"provenance": {"a": {"$unknown": 0}}},
        {"name": "good"},
        {"name": "good/below"},
    ],
    ids=str,
)
def test_one_odd_payload_does_not_shut_out_the_rest(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    """Whatever a payload claims, the archive opens, and the others load."""
    db = tmp_path / "runs.db"
    forge(db, **fields)

    with Archive(db) as archive:
        assert archive.load("good") == {"ok": 1}
        assert [record.name for record in archive.find()] == ["good"]
        assert archive.reindex().findings
        assert not archive.verify().ok
        assert archive.save({"n": 1}, "new").version == 1


def test_nothing_is_swept_through_a_link(tmp_path: Path) -> None:
    """A link in place of ``tmp`` does not lead to what is swept."""
    db, theirs = tmp_path / "runs.db", tmp_path / "thesis"
    with Archive(db) as archive:
        archive.save({"x": 1}, "a")
    theirs.mkdir()
    for name in ("thesis.tex", f"{uuids.uuid7()}.h5"):
        (theirs / name).write_text("years of work")
        os.utime(theirs / name, (1, 1))
    shutil.rmtree(tmp_path / "runs.payloads" / "tmp")
    (tmp_path / "runs.payloads" / "tmp").symlink_to(theirs)

    Archive(db).close()
    assert len(list(theirs.iterdir())) == 2


def test_a_linked_shard_is_not_followed(tmp_path: Path) -> None:
    """A link in place of a shard is neither read nor removed through."""
    mine, other = tmp_path / "mine.db", tmp_path / "other.db"
    with Archive(mine) as archive:
        (file,) = archive.save({"x": 1}, "precious").files
    with Archive(other) as archive:
        archive.save({"y": 1}, "z")
        shard = tmp_path / "other.payloads" / file[:2]
        shutil.rmtree(shard, ignore_errors=True)
        shard.symlink_to(tmp_path / "mine.payloads" / file[:2])
        store = archive._core.store
        for touch in (store.open, store.remove, store.size):
            with pytest.raises(CatalogError):
                touch(file)
    assert Archive(mine).load("precious") == {"x": 1}


def test_a_pipe_in_the_store_does_not_hang(tmp_path: Path) -> None:
    """A pipe in place of a payload is an error at once."""
    with Archive(tmp_path / "runs.db") as archive:
        (file,) = archive.save({"x": 1}, "a").files
        path = tmp_path / "runs.payloads" / file
        path.unlink()
        os.mkfifo(path)
        with pytest.raises((StoreError, PayloadMissingError)):
            archive.load("a")
        assert [finding.kind for finding in archive.verify().findings] == ["missing"]


def test_a_hard_linked_backup_does_not_close_the_archive(tmp_path: Path) -> None:
    """A left-over file that a backup has linked is no published payload."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"x": 1}, "a")
    left = tmp_path / "runs.payloads" / "tmp" / f"{uuids.uuid7()}.h5"
    left.write_text("x")
    (tmp_path / "backup").hardlink_to(left)

    assert Archive(tmp_path / "runs.db").load("a") == {"x": 1}


def test_a_clock_that_was_ahead_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restore, saves are found although an older one is from the future."""
    monkeypatch.setattr(uuids, "_last", 0)  # and set back after the test
    db = tmp_path / "runs.db"
    real = time.time_ns
    with (
        mock.patch("time.time_ns", return_value=real() + 365 * 86_400 * 10**9),
        Archive(db) as archive,
    ):
        archive.save({"n": 0}, "future")
    shutil.copy(db, tmp_path / "backup")
    # As another process would, whose uuids do not go on from the future's.
    monkeypatch.setattr(uuids, "_last", 0)
    with Archive(db) as archive:
        for number in range(4):
            archive.save({"n": number}, f"n{number}")
    shutil.copy(tmp_path / "backup", db)

    assert list(Archive(db)) == ["future", "n0", "n1", "n2", "n3"]


@pytest.mark.parametrize("how", ["restored", "deleted"])
def test_a_catalog_replaced_under_an_open_archive(tmp_path: Path, how: str) -> None:
    """Neither the ids of its paths nor its records outlive a catalog's file."""
    db, backup = tmp_path / "runs.db", tmp_path / "backup"
    archive = Archive(db)
    archive.save({"q1": 1}, "zero")
    archive.close()
    shutil.copy(db, backup)
    for number in range(5):
        archive.save({f"p{number}": number}, f"run/{number}")
    if how == "restored":
        backup.replace(db)
    else:
        for path in tmp_path.glob("runs.db*"):
            path.unlink()

    archive.save({"p1": 5}, "two")
    assert [record.name for record in archive.find(p1=5)] == ["two"]
    assert archive.find(q1=5).count() == 0
    assert len(archive) == 7
    assert archive.verify().ok


@pytest.mark.parametrize(
    ("mode", "items"),
    # Small arrays are copied, large ones looked at again.
    [*((mode, 1000) for mode in MODES), ("hdf5", 10**6), ("cloudpickle", 10**6)],
)
def test_an_array_that_changes_while_it_is_saved(
    tmp_path: Path, mode: str, items: int
) -> None:
    """What `save` acknowledges loads, though another thread writes into it."""
    archive = Archive(tmp_path / "runs.db")
    array, stop = np.zeros(items), threading.Event()

    def write() -> None:
        while not stop.is_set():
            array.__iadd__(1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            try:
                archive.save({"x": array}, f"{number}", mode=mode)
            except EncodeError as error:
                assert "x: changed" in str(error)  # noqa: PT017 - either is right
                assert items > 1000
            else:
                archive.load(f"{number}")
    finally:
        stop.set()
        thread.join()
    assert archive.verify().ok


@pytest.mark.parametrize("mode", MODES)
def test_what_pickling_would_change_is_refused(tmp_path: Path, mode: str) -> None:
    """Values that come back as something else are refused, with the path."""
    noted = np.zeros(2).view(Noted)
    noted.note = "eV"  # type: ignore[attr-defined]
    archive = Archive(tmp_path / "runs.db")
    for value in (Subclassed(1.5), noted, memoryview(b"x"), {Subclassed(1.5)}):
        with pytest.raises(EncodeError, match="outputs/v"):
            archive.save({"outputs": {"v": value}}, "x", mode=mode)
    assert not archive.exists


@pytest.mark.parametrize("mode", MODES)
def test_arrays_that_formats_cannot_describe(tmp_path: Path, mode: str) -> None:
    """Wide and deep structures, and empty arrays of huge axes, come back."""
    deep: Any = np.dtype("i4")
    for _ in range(90):
        deep = np.dtype([("a", deep)])
    nested: Any = np.zeros(1, deep)
    for _ in range(98):
        nested = [nested]
    value = {
        "wide": np.zeros(3, [(f"f{n}_{'x' * 40}", "f8") for n in range(3000)]),
        "empty": np.zeros((2**40, 0)),
        "nested": nested,
    }
    archive = Archive(tmp_path / "runs.db")
    archive.save(value, "x", mode=mode)
    found = archive.load("x")
    assert found["wide"].dtype == value["wide"].dtype
    assert found["empty"].shape == (2**40, 0)
    while isinstance(nested, list):
        (nested,), (found["nested"],) = nested, found["nested"]
    assert found["nested"].dtype == deep


def test_shared_values_under_odd_keys_load_in_linear_time(tmp_path: Path) -> None:
    """A thousand references into one dict do not spell its keys a thousand times."""
    shared = {("k", n): [n] for n in range(3000)}
    archive = Archive(tmp_path / "runs.db")
    archive.save({"d": shared, "l": list(shared.values())}, "x")
    spelt = []
    real = encode.__globals__["encode_key"]
    with mock.patch(
        "archivedb.values.encode.encode_key", lambda key: spelt.append(1) or real(key)
    ):
        found = archive.load("x")
    assert found["l"][7] is found["d"]["k", 7]
    # Once for each reference at most, never for each pair.
    assert len(spelt) <= 3000


# Whose payloads these are --------------------------------------------------


def test_one_store_has_one_catalog(tmp_path: Path) -> None:
    """A mistyped name does not make a second catalog over the same payloads."""
    Archive(tmp_path / "runs.db").save({"n": 1}, "x")
    for name in ("runs", "runs.sqlite"):
        with pytest.raises(CatalogError, match=r"runs\.db"):
            Archive(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_both_may_be_renamed_together(tmp_path: Path) -> None:
    """An archive may be moved, and its catalog renamed with its store."""
    Archive(tmp_path / "runs.db").save({"n": 1}, "x")
    (tmp_path / "runs.db").rename(tmp_path / "old.db")
    (tmp_path / "runs.payloads").rename(tmp_path / "old.payloads")

    with Archive(tmp_path / "old.db") as archive:
        assert archive.load("x") == {"n": 1}
    (tmp_path / "old.db").unlink()
    assert Archive(tmp_path / "old.db").load("x") == {"n": 1}


def test_a_linked_catalog_has_its_own_payloads(tmp_path: Path) -> None:
    """The payloads lie beside the catalog, not beside a link to it."""
    Archive(tmp_path / "runs.db").save({"n": 1}, "x")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "runs.db").symlink_to(tmp_path / "runs.db")

    assert Archive(tmp_path / "links" / "runs.db").load("x") == {"n": 1}
    assert not (tmp_path / "links" / "runs.payloads").exists()


def test_a_catalog_without_its_payloads_says_so(tmp_path: Path) -> None:
    """A catalog that was moved alone asks for its payloads, and makes none."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"n": 1}, "x")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "runs.db", tmp_path / "elsewhere" / "runs.db")

    with pytest.raises(CatalogError, match="payloads="):
        Archive(tmp_path / "elsewhere" / "runs.db")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["runs.db"]


def test_payloads_alone_are_an_archive(tmp_path: Path) -> None:
    """Catalog and ``archive.json`` may both be lost: the payloads say it all."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"n": 1}, "x")
        uuid = archive._core.uuid
    (tmp_path / "runs.db").unlink()
    (tmp_path / "runs.payloads" / "archive.json").unlink()

    with Archive(tmp_path / "runs.db") as archive:
        assert archive._core.uuid == uuid
        assert archive.load("x") == {"n": 1}
        assert archive.verify().ok


# Small things --------------------------------------------------------------


def test_records_are_found_by_their_tags(tmp_path: Path) -> None:
    """``tags`` is a word, or several that a record must all have."""
    archive = Archive(tmp_path / "runs.db")
    archive.save({"n": 1}, "a", tags=["good", "new"])
    archive.save({"n": 2}, "b", tags=["good"])

    assert {record.name for record in archive.find(tags="good")} == {"a", "b"}
    assert archive.find(tags=["good", "new"]).one().name == "a"
    assert archive.find(tags="good", n=2).one().name == "b"
    assert archive.find(tags="goo").count() == 0
    with pytest.raises(ValueError, match="word"):
        archive.find(tags=[1]).count()


def test_a_record_is_in_the_archive_as_its_version(tmp_path: Path) -> None:
    """A kept `Record` is not found in its successor of the same name."""
    archive = Archive(tmp_path / "runs.db")
    first = archive.save({"n": 1}, "x")
    assert first in archive
    archive.delete("x")
    archive.save({"n": 2}, "x")
    assert first not in archive


@pytest.mark.parametrize("version", [0, -1, 2, 2**70, "1", 1.5, True])
def test_a_version_that_never_was(tmp_path: Path, version: Any) -> None:
    """Whatever is no version of a record is not found, in one sentence."""
    archive = Archive(tmp_path / "runs.db")
    archive.save({"n": 1}, "x")
    with pytest.raises(RecordNotFoundError):
        archive.load("x", version=version)


@pytest.mark.parametrize("path", [0, None, b"x"])
def test_what_is_no_path_is_a_key_error(tmp_path: Path, path: Any) -> None:
    """`[]` takes text, tuples and records, and says so."""
    archive = Archive(tmp_path / "runs.db")
    archive.save({"n": 1}, "x")
    with pytest.raises(KeyError, match="a path is"):
        archive[path]


def test_metadata_is_compared_without_its_order(tmp_path: Path) -> None:
    """The same facts in another order make no new version."""
    archive = Archive(tmp_path / "runs.db")
    archive.save({"n": 1}, "x", metadata={"a": 1, "b": 2})
    assert archive.save({"n": 1}, "x", metadata={"b": 2, "a": 1}).version == 1


class Raising:
    """An object that raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        """Raise."""
        raise RuntimeError(name)


def test_a_hostile_object_is_no_search_value(tmp_path: Path) -> None:
    """An object whose attributes raise is refused as any other."""
    archive = Archive(tmp_path / "runs.db")
    archive.save({"n": 1}, "x")
    with pytest.raises(ArchiveError, match="compares"):
        archive.find(n=Raising()).count()


def test_paths_that_are_no_text(tmp_path: Path) -> None:
    """A folder's name may be any bytes, in a plain directory and in an archive's."""
    place = tmp_path / os.fsdecode(b"run-\xff")
    save({"n": 1}, place)
    assert load(place) == {"n": 1}
    with Archive(f"{place}.db") as archive:
        archive.save({"n": 2}, "x")
        assert archive.verify().ok
    with Archive(f"{place}.db", readonly=True) as archive:
        assert archive.load("x") == {"n": 2}


@pytest.mark.parametrize("path", ["/tmp/" + "x" * 300, "a\0b", 5])  # noqa: S108
def test_paths_that_are_none(path: Any) -> None:
    """What can be no file's path is one sentence, wherever a path is taken."""
    for use in (Archive, load, lambda path: save({}, path)):
        with pytest.raises((StoreError, TypeError), match=r"(?i)path"):
            use(path)
