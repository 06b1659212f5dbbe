"""`Archive.save`: versions, names, and what is said of a record."""

from __future__ import annotations

import datetime as dt
import functools
import os
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.errors import (
    EncodeError,
    InvalidNameError,
    ModeError,
    NameConflictError,
    RecordExistsError,
    RecordNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb import Record

MODES = ("hdf5", "json", "cloudpickle")
FIELDS = (
    *("name", "version", "mode", "saved_at", "size", "digest"),
    *("metadata", "tags", "provenance", "files", "uuid"),
)


def fields(record: Record) -> dict[str, Any]:
    """Return every attribute of a record; its ``==`` compares but three."""
    return {name: getattr(record, name) for name in FIELDS}


@pytest.mark.parametrize("mode", MODES)
def test_what_is_saved_is_loaded(
    archive: Archive, same: Callable[..., bool], mode: str
) -> None:
    """A dict comes back exactly, in every mode."""
    data = {"energy": -3.7, "forces": np.arange(6.0).reshape(2, 3), "n": {"a": [1, 2]}}

    record = archive.save(data, "al/fcc/run-1", mode=mode)

    assert record.mode == mode
    assert same(archive.load("al/fcc/run-1"), data)


def test_the_record_is_the_one_in_the_catalog(archive: Archive) -> None:
    """`save` returns what `record` returns, and what a rebuilt catalog says."""
    saved = archive.save(
        {"a": 1},
        "x/y",
        metadata={"t": (1, 2), "s": {"b": [3, None]}},
        tags=["b", "a", "b"],
    )

    assert fields(archive.record("x/y")) == fields(saved)
    archive.reindex()
    assert fields(archive.record("x/y")) == fields(saved)
    assert saved.tags == ("a", "b")
    assert saved.digest.startswith("blake3:")


def test_the_time_is_now_in_utc(archive: Archive) -> None:
    """``saved_at`` is an aware datetime of this very moment."""
    before = time.time()
    record = archive.save({}, "x")

    assert record.saved_at.utcoffset() == dt.timedelta()
    assert before - 0.001 <= record.saved_at.timestamp() <= time.time() + 0.001


def test_a_second_save_is_a_version(archive: Archive) -> None:
    """Nothing is overwritten: every version stays, and is counted from 1."""
    for number in range(1, 5):
        assert archive.save({"n": number}, "x").version == number

    assert [record.version for record in archive.versions("x")] == [1, 2, 3, 4]
    assert archive.load("x") == {"n": 4}
    assert [archive.load("x", version=n)["n"] for n in range(1, 5)] == [1, 2, 3, 4]
    assert len({record.uuid for record in archive.versions("x")}) == 1


def test_on_exists_error_refuses(archive: Archive) -> None:
    """``on_exists="error"`` saves once, and says how to keep both."""
    archive.save({"n": 1}, "x", on_exists="error")

    with pytest.raises(RecordExistsError, match='on_exists="version"'):
        archive.save({"n": 2}, "x", on_exists="error")
    assert archive.load("x") == {"n": 1}


def test_on_exists_skip_returns_the_newest(
    archive: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """``on_exists="skip"`` writes nothing where there is something."""
    archive.save({"n": 1}, "x", on_exists="skip")
    newest = archive.save({"n": 2}, "x")
    before = payloads()

    assert fields(archive.save({"n": 3}, "x", on_exists="skip")) == fields(newest)
    assert payloads() == before


def test_on_exists_must_be_known(archive: Archive) -> None:
    """A misspelt option is an error that names the others, and saves nothing."""
    with pytest.raises(ValueError, match="version, error, skip"):
        archive.save({}, "x", on_exists="overwrite")
    assert not archive.exists


@pytest.mark.parametrize("mode", MODES)
def test_an_equal_save_writes_nothing(
    archive: Archive, payloads: Callable[[], list[Path]], mode: str
) -> None:
    """A re-run cell does not double the archive."""
    data = {"a": np.arange(5), "b": {"c": "text", "nan": float("nan")}}
    said: dict[str, Any] = {"metadata": {"m": (1, None)}, "tags": ["t"]}
    first = archive.save(data, "x", mode=mode, **said)
    before = payloads()

    again = archive.save(data | {"a": np.arange(5)}, "x", mode=mode, **said)

    assert fields(again) == fields(first)
    assert payloads() == before
    assert len(archive.history("x")) == 1


def test_only_equal_means_equal(archive: Archive) -> None:
    """Other data, another type, other metadata or other tags are a new version."""
    saves: list[tuple[Any, dict[str, Any]]] = [
        ({"a": 1}, {}),
        ({"a": 1.0}, {}),
        ({"a": True}, {}),
        ({"a": np.int64(1)}, {}),
        ({"a": -0.0}, {}),
        ({"a": 0.0}, {}),
        ({"a": [1]}, {}),
        ({"a": (1,)}, {}),
        ({"a": 1}, {}),
        ({"a": 1}, {"metadata": {"m": 1}}),
        ({"a": 1}, {"metadata": {"m": True}}),
        ({"a": 1}, {"metadata": {"m": True}, "tags": ["t"]}),
        ({"a": 1}, {"tags": ["t"]}),
    ]

    numbers = [archive.save(data, "x", **said).version for data, said in saves]

    assert numbers == list(range(1, len(saves) + 1))


def test_what_equals_an_older_version_is_saved(archive: Archive) -> None:
    """Only the newest version counts: going back is a change, too."""
    for value in (1, 2, 1):
        archive.save({"a": value}, "x")

    assert [archive.load("x", version=n)["a"] for n in (1, 2, 3)] == [1, 2, 1]


def test_the_history_names_every_change(archive: Archive) -> None:
    """Positions, kinds, versions, times and files follow each other."""
    records = [archive.save({"n": n}, "x") for n in range(3)]

    history = archive.history("x")

    assert [change.position for change in history] == [1, 2, 3]
    assert [change.kind for change in history] == ["save"] * 3
    assert [change.version for change in history] == [1, 2, 3]
    assert [change.time for change in history] == [r.saved_at for r in records]
    assert [(change.file,) for change in history] == [r.files for r in records]


def test_a_record_stands_for_its_name(archive: Archive) -> None:
    """Where `save` takes a name, a `Record` will do."""
    first = archive.save({"n": 1}, "x")

    assert archive.save({"n": 2}, first).version == 2


@pytest.mark.parametrize("first", [True, False])
def test_a_name_is_not_record_and_folder(archive: Archive, *, first: bool) -> None:
    """Whichever came first, the other is refused, at any depth."""
    there, others = ("a/b", ("a", "a/b/c", "a/b/c/d")) if first else ("a", ("a/b",))
    archive.save({}, there)

    for name in others:
        with pytest.raises(NameConflictError, match="folder"):
            archive.save({}, name)
    assert list(archive) == [there]
    assert archive.verify().ok


def test_neighbours_are_no_folders(archive: Archive) -> None:
    """Only a slash makes a folder, not what sorts beside it."""
    names = ["a", "a-b", "a.b/c", "a0", "aa/b", "a b"]
    for name in names:
        archive.save({}, name)

    assert sorted(archive) == sorted(names)


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/../b", "../x"),
        *("a\0b", "a\nb", "a\x7fb", "a\x85b", "\ud800", "x" * 1025, "é" * 513),
        *(None, 3, b"x", ("a", "b")),
    ],
)
def test_a_bad_name_is_refused(archive: Archive, name: Any) -> None:
    """What cannot be a name says so, and creates nothing."""
    with pytest.raises(InvalidNameError):
        archive.save({}, name)
    assert not archive.exists


@pytest.mark.parametrize(
    "name",
    [
        *("x" * 1024, "é" * 512, "a b/c'd\"e", "%", "50%/[0]/$x", "日本/é", "a\\b"),
        *("-", "*?", ":memory:", "sqlite:/x", "'; DROP TABLE record; --", "😀", "..."),
        *("e\u0301", "\u202e", "A", "a%2Fb", "CON", "~", "/".join("abcdefgh" * 20)),
    ],
)
def test_an_odd_name_is_kept(archive: Archive, name: str) -> None:
    """What may be a name is found under exactly that name."""
    archive.save({"n": 1}, name)
    archive.reindex()

    assert list(archive) == [name]
    assert name in archive
    assert archive.load(name) == {"n": 1}
    assert archive[f"{name}/n"] == 1
    assert archive[(*name.split("/"), "n")] == 1


@pytest.mark.parametrize("name", ["\ud800", 3, None])
def test_an_impossible_name_is_not_found(archive: Archive, name: Any) -> None:
    """Asking for what can be no name raises one of archivedb's errors."""
    archive.save({}, "x")
    for ask in (archive.load, archive.record, archive.delete, archive.history):
        with pytest.raises((RecordNotFoundError, InvalidNameError)):
            ask(name)


def test_names_that_unicode_calls_equal_are_two(archive: Archive) -> None:
    """Names are compared as they are written, byte by byte."""
    archive.save({"n": 1}, "\u00e9")
    archive.save({"n": 2}, "e\u0301")
    archive.save({"n": 3}, "E\u0301")

    assert len(archive) == 3
    assert archive.load("\u00e9") == {"n": 1}


METADATA = {
    "none": None,
    "flag": True,
    "int": 2**70,
    "negative": -(2**63),
    "float": -0.0,
    "inf": float("-inf"),
    "complex": 1 + 2j,
    "bytes": b"\0\xff",
    "text": "µ Å \u0301 😀 \0",
    "tuple": (1, (2, [3])),
    "numpy": np.float32(0.1),
    "$int": {"$float": "nan"},
    "a/b": {"": 1, "..": 2},
    3: "three",
    (1, 2): "pair",
}


@pytest.mark.parametrize("mode", MODES)
def test_metadata_may_be_what_json_cannot_hold(
    archive: Archive, same: Callable[..., bool], mode: str
) -> None:
    """Metadata comes back exactly, from the catalog and from a rebuilt one."""
    saved = archive.save({"a": 1}, "x", metadata=METADATA, mode=mode)

    assert same(saved.metadata, METADATA)
    assert same(archive.record("x").metadata, METADATA)
    archive.reindex()
    assert same(archive.record("x").metadata, METADATA)


@pytest.mark.parametrize(
    "value",
    [
        *(object(), len, os.PathLike, Archive, Path.touch, lambda: 1, {len}),
        functools.partial(os.getpid),
    ],
    ids=lambda value: type(value).__name__,
)
def test_metadata_that_would_run_code_is_refused(archive: Archive, value: Any) -> None:
    """Metadata is shown without trust, so it holds nothing that must be unpickled."""
    with pytest.raises(EncodeError, match="odd"):
        archive.save({"a": 1}, "x", metadata={"in": {"odd": value}})
    assert not archive.exists


@pytest.mark.parametrize("mode", MODES)
def test_metadata_may_be_what_runs_no_code(
    archive: Archive, same: Callable[..., bool], mode: str
) -> None:
    """Dates, sets, paths and classes that anybody may name are metadata, too."""
    facts = {
        "when": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "kind": dt.timedelta,
        "price": Decimal("1.10"),
        "elements": {"Al", "Cu"},
        "input": Path("a/INCAR"),
        "steps": [range(3), slice(None)],
        dt.date(2026, 1, 1): {(1, frozenset({2})): float},
    }
    saved = archive.save({"a": 1}, "x", metadata=facts, mode=mode)
    for found in (saved, archive.record("x")):
        assert same(found.metadata, facts)
    archive.reindex()
    assert same(archive.record("x").metadata, facts)


@pytest.mark.parametrize("tags", [[""], [3], ["\ud800"], [None]])
def test_a_tag_is_a_word(archive: Archive, tags: Any) -> None:
    """What is no text cannot be a tag."""
    with pytest.raises(EncodeError, match="tag"):
        archive.save({}, "x", tags=tags)
    assert not archive.exists


def test_one_tag_need_not_be_a_list(archive: Archive) -> None:
    """A single word is one tag, not its letters."""
    assert archive.save({}, "x", tags="good").tags == ("good",)


def test_what_cannot_be_stored_writes_nothing(
    archive: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """An `EncodeError` names the path, and the archive stays as it is."""
    archive.save({"a": 1}, "x")
    before = payloads()

    with pytest.raises(EncodeError, match="inner"):
        archive.save({"outer": {"inner": (n for n in ())}}, "x")
    assert payloads() == before
    assert archive.record("x").version == 1


@pytest.mark.parametrize(
    "text", ["\ud800", "\udfff x", "\ud800\U0001f600", "\udc80é\uffff"]
)
def test_text_that_no_database_takes_is_saved(archive: Archive, text: str) -> None:
    """Lone surrogates are kept exactly, in data and metadata."""
    archive.save({"a": text, text: 1}, "x", metadata={"m": text})

    assert archive.load("x") == {"a": text, text: 1}
    assert archive.record("x").metadata == {"m": text}


def test_a_mode_must_be_known(archive: Archive, tmp_path: Path) -> None:
    """A misspelt mode is an error, of the archive's or of the save's."""
    with pytest.raises(ModeError, match="hdf4"):
        archive.save({}, "x", mode="hdf4")
    with pytest.raises(ModeError, match="hdf4"):
        Archive(tmp_path / "other.db", mode="hdf4")
    assert not archive.exists


def test_provenance_says_where_it_came_from(archive: Archive) -> None:
    """User, host, Python, versions, argv and SLURM's facts are gathered."""
    found = archive.save({}, "x").provenance

    assert found["python"].count(".") == 2
    assert found["packages"]["numpy"] == np.__version__
    assert found["directory"] == os.getcwd()  # noqa: PTH109 - the text
    assert {"user", "host", "argv"} <= set(found)


def test_provenance_follows_the_job(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts are refreshed when they change, and differ from version to version."""
    archive.save({"n": 1}, "x")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    archive.save({"n": 2}, "x")

    first, second = (record.provenance for record in archive.versions("x"))
    assert "slurm" not in first
    assert second["slurm"]["SLURM_JOB_ID"] == "4711"


def test_provenance_may_be_left_out(
    tmp_path: Path, payloads: Callable[[], list[Path]]
) -> None:
    """``provenance=False`` writes nothing about anybody, not into the file either."""
    with Archive(tmp_path / "runs.db", provenance=False, mode="json") as archive:
        assert archive.save({"a": 1}, "x").provenance == {}

    assert b"provenance" not in payloads()[0].read_bytes()
    assert os.uname().nodename.encode() not in payloads()[0].read_bytes()


def test_relaxed_durability_saves_as_well(tmp_path: Path) -> None:
    """What is saved without fsync is there as long as the power is."""
    with Archive(tmp_path / "runs.db", durability="relaxed") as archive:
        archive.save({"a": 1}, "x")
    with Archive(tmp_path / "runs.db") as archive:
        assert archive.load("x") == {"a": 1}
    with pytest.raises(ValueError, match="full, relaxed"):
        Archive(tmp_path / "runs.db", durability="none")


def test_durable_means_synced(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file, its directory and the catalog's log are synced before `save` ends."""
    archive.save({"a": 0}, "warm")
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    record = archive.save({"a": 1}, "x")

    shard = str((tmp_path / "runs.payloads" / record.files[0]).parent)
    assert synced[0].startswith(str(tmp_path / "runs.payloads" / "tmp"))
    assert synced[-1] == shard
    with archive._core.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
