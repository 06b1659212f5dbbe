"""A record as a group: a dict whose edits are versions that share what stays."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.archive import core
from archivedb.errors import (
    InvalidNameError,
    KeyNotFoundError,
    NameConflictError,
    NotAGroupError,
    ReadOnlyError,
    RecordNotFoundError,
)
from archivedb.testing import StorageConformance
from archivedb.values.exact import same
from tests.support.payloads import within

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import (  # type: ignore[import-not-found]
        Program,
        Reads,
    )

    from archivedb.storage.generic import GenericStorage

MODES = ("hdf5", "json", "cloudpickle")
BIG = np.arange(100_000.0)


class RecordCase(StorageConformance):
    """A record of an archive that waits for nothing."""

    mode: str

    def archive(self) -> Archive:
        """Return the archive of the test, opened anew."""
        address = self.directory / "runs.db"
        return Archive(address, mode=self.mode, durability="relaxed", provenance=False)

    def make_storage(self) -> GenericStorage:
        """Return a new record."""
        self._paths += 1
        return self.archive().create_group(f"al/run-{self._paths}")

    def reopen(self, storage: Any) -> GenericStorage:
        """Return the record as another process would open it."""
        return self.archive().open(storage.path)


class TestHDF5Record(RecordCase):
    """A record in mode hdf5."""

    mode = "hdf5"


class TestJSONRecord(RecordCase):
    """A record in mode json."""

    mode = "json"


class TestPickleRecord(RecordCase):
    """A record in mode cloudpickle."""

    mode = "cloudpickle"


# Edits ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_edits_share_what_they_leave(
    fast: Archive, payloads: Callable[[], list[Path]], mode: str, reads: Reads
) -> None:
    """An edit is a small version; the big array stays where it was written."""
    first = fast.save({"big": BIG, "n": 0}, "r", mode=mode, tags=["t"])
    (origin,) = payloads()
    run = fast.open("r")
    for turn in range(1, 6):
        run[f"g/k{turn}"] = np.full(10, turn)
        run["n"] = turn
    expected = {"big": BIG, "n": 5, "g": {f"k{n}": np.full(10, n) for n in range(1, 6)}}

    assert len(fast.versions("r")) == 11
    if mode != "json":  # where arrays are inline
        assert sum(p.stat().st_size for p in payloads()) < BIG.nbytes * 1.2
        reads.clear()
        assert same(fast["r/big"], BIG)
        assert [origin.name] == [name.rpartition("/")[2] for name in reads.files]
        assert origin.name in str(fast.record("r").files)
    for opened in (fast, Archive(fast.address)):
        assert same(opened.load("r"), expected)
        assert same(opened.open("r").load(), expected)
        assert same(opened.load(first), {"big": BIG, "n": 0})
        assert same(opened["r/g/k3"], np.full(10, 3))
    assert fast.verify().findings == ()
    before = fast.inspect().dump()
    fast.reindex()
    assert fast.inspect().dump() == before


@pytest.mark.parametrize("mode", MODES)
def test_what_is_said_of_a_record_stays(fast: Archive, mode: str) -> None:
    """Metadata, tags and mode are carried over by edits and appends."""
    fast.save({"x": 1}, "r", mode=mode, metadata={"p": {"q": 1.5}}, tags=["a", "b"])
    run = fast.open("r")
    run["y"] = 2
    run.append("z", np.arange(2))
    run.append("z", np.arange(2))
    with run:
        del run["x"]
        run["w"] = {1: 2}
    record = fast.record("r")
    said = record.mode, record.metadata, record.tags, record.version
    assert said == (mode, {"p": {"q": 1.5}}, ("a", "b"), 4)
    assert [each.name for each in fast.find(tags="a", y=2)] == ["r"]
    assert not list(fast.find(x=1))
    assert fast.load("r") | {"z": 0} == {"y": 2, "z": 0, "w": {1: 2}}


def test_an_edit_that_changes_nothing_writes_nothing(
    fast: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """What equals the newest version is no change, also after rows were appended."""
    run = fast.create_group("r")
    run["x"] = {"y": [1, 2], "z": np.arange(3)}
    run.append("x/z", np.arange(2))
    before = payloads(), fast.history("r")
    run["x/y"] = [1, 2]
    run.create_group("x")
    with run:
        run["x/y/[0]"] = 5
        run["new"] = 1
        del run["new"]
        run["x/y/[0]"] = 1
    with run:
        pass
    run.update({})
    assert (payloads(), fast.history("r")) == before
    run["x/z"] = run["x/z"]  # one piece, where there were two
    assert same(fast.load("r"), {"x": {"y": [1, 2], "z": np.array([0, 1, 2, 0, 1])}})


def test_a_block_is_one_change(fast: Archive, payloads: Any) -> None:
    """Nothing of it is there before its end, nor after an exception."""
    run = fast.create_group("r")
    before = payloads()
    with run, run.create_group("g") as inner:
        inner["x"] = 1
        run["y"] = BIG
        assert payloads() == before
        assert fast.load("r") == {}
    assert len(payloads()) == len(before) + 1
    assert [change.kind for change in fast.history("r")] == ["save", "edit"]

    def fail() -> None:
        with run:
            run["z"] = 1
            del run["g"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert len(payloads()) == len(before) + 1
    assert same(run.load(), {"g": {"x": 1}, "y": BIG})


def test_what_may_be_edited(fast: Archive) -> None:
    """Dicts and lists, also through what is shared; no tuples and no objects."""
    shared = {"n": 1}
    odd: dict[Any, Any] = {1: {"x": 1}, (2, 3): [4], "a/b": 5}
    fast.save(
        {
            "a": shared,
            "b": shared,
            "list": [{"e": 1}, 2],
            "t": ({"x": 1}, 2),
            "odd": odd,
            "frac": np.ma.masked_array([1.0, 2.0], [0, 1]),
        },
        "r",
    )
    run = fast.open("r")
    run["b/n"] = 2
    run["list/[0]/e"] = 3
    run["list", 1] = {"f": 4}
    run["odd", 1, "x"] = 6
    run["odd", (2, 3), 0] = 7
    for path in ("t/[0]", "t/[0]/y", "t/new", "frac/data", "frac/new"):
        if path != "t/[0]/y":
            with pytest.raises(NotAGroupError):
                run[path] = 1
    for path in ("t/[1]", "frac/data", "a/n/deeper"):
        with pytest.raises((NotAGroupError, KeyNotFoundError)):
            del run[path]
    with pytest.raises(KeyNotFoundError):
        run["list/[5]"] = 1
    found = fast.load("r")
    assert found["a"] is found["b"]
    assert found["a"] == {"n": 2}
    assert found["list"] == [{"e": 3}, {"f": 4}]
    assert found["odd"] == {1: {"x": 6}, (2, 3): [7], "a/b": 5}


def test_two_processes_keep_each_others_keys(fast: Archive, program: Program) -> None:
    """240 keys that two processes set at once, one by one and in blocks."""
    fast.create_group("r")
    fast.close()
    program("group_writers.py", fast.address, "edit")
    found = fast.load("r")
    assert found.pop("last") in (0, 1)
    for who in range(2):
        expected = {str(turn): turn for turn in range(120)}
        assert same(found[f"p{who}"], expected)
    assert len(fast.versions("r")) == 241
    assert [change.position for change in fast.history("r")] == [*range(1, 242)]
    assert fast.verify().findings == ()


def test_threads_share_a_group(fast: Archive) -> None:
    """No key is lost, and no block is seen before its end or torn by another."""
    run = fast.create_group("r")
    failed: list[BaseException] = []

    def work(who: int) -> None:
        try:
            for turn in range(25):
                with run:
                    run[f"{who}/{turn}/a"] = turn
                    assert run[f"{who}/{turn}"].load() == {"a": turn}
                    run[f"{who}/{turn}/b"] = turn
                for each in run.load().values():
                    assert all(len(pair) == 2 for pair in each.values())
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    expected = {str(turn): {"a": turn, "b": turn} for turn in range(25)}
    assert {key: value.load() for key, value in run.items()} == {
        str(who): expected for who in range(4)
    }
    assert len(fast.versions("r")) == 101


def test_an_archive_that_nobody_holds(fast: Archive) -> None:
    """It is closed also where this thread holds the lock that closing takes."""
    fast.save({"x": 1}, "r")
    other = Archive(fast.address)
    other.load("r")
    with within(20), fast._core.writing():
        del other
        gc.collect()
        assert len(core._abandoned) == 1
    fast.open("r")["x"] = 2
    assert not core._abandoned
    assert fast.load("r") == {"x": 2}


# Versions and names -------------------------------------------------------------


def test_a_group_follows_the_newest(fast: Archive) -> None:
    """It shows what others save; a version, or a `Record`, stays what it is."""
    first = fast.save({"x": {"y": 1}}, "r")
    run, below = fast.open("r"), fast.open("r")["x"]
    pinned = [fast.open("r", version=1), fast.open(first), fast[first]]
    fast.save({"x": {"y": 2}, "z": 3}, "r")
    assert run.load() == {"x": {"y": 2}, "z": 3}
    assert below.load() == {"y": 2}
    for group in pinned:
        assert group.load() == {"x": {"y": 1}}
        for change in (
            lambda group=group: group.__setitem__("x/y", 5),
            lambda group=group: group.__delitem__("x"),
            lambda group=group: group.create_group("new"),
            lambda group=group: group["x"].update(y=7),
            lambda group=group: group.append("rows", np.arange(2)),
        ):
            with pytest.raises(ReadOnlyError, match="version 1"):
                change()
    fast.save([1, 2], "r")
    with pytest.raises(KeyNotFoundError):
        below.load()
    assert run.load() == [1, 2]
    with pytest.raises(NotAGroupError, match="load"):
        fast.open("r")
    with pytest.raises(RecordNotFoundError):
        fast.open("r", version=9)


def test_a_record_that_is_deleted_meanwhile(fast: Archive) -> None:
    """Its groups say so, and do not take another of its name for it."""
    fast.save({"x": {"y": 1}}, "r")
    run = fast.open("r")
    below = run["x"]
    fast.delete("r")
    fast.save({"x": {"y": 2}}, "r")
    for use in (
        *(run.load, below.load, lambda: run["x"], lambda: len(run), lambda: "x" in run),
        *(lambda: run.append("z", np.arange(2)), lambda: run.create_group("g")),
        *(
            lambda: below.update(y=3),
            lambda: run.__delitem__("x"),
            lambda: run.get("x"),
        ),
    ):
        with pytest.raises(RecordNotFoundError, match="was deleted"):
            use()
    assert "not there" in repr(run) + repr(below)
    assert "not there" in run._repr_html_()
    assert fast.load("r") == {"x": {"y": 2}}


def test_a_record_that_is_deleted_in_a_block(fast: Archive) -> None:
    """The block fails at its end, and nothing rises again."""
    run = fast.create_group("r")

    def edit() -> None:
        with run:
            run["x"] = 1
            Archive(fast.address).delete("r")

    with pytest.raises(RecordNotFoundError, match="was deleted"):
        edit()
    assert list(fast) == []
    assert fast.verify().ok


def test_a_readonly_archive_is_not_edited(fast: Archive) -> None:
    """Reading works; whatever would change is refused."""
    fast.save({"x": {"y": 1}}, "r")
    readonly = Archive(fast.address, readonly=True)
    run = readonly.create_group("r")
    assert run["x"].load() == run.create_group("x").load() == {"y": 1}

    def block() -> None:
        with run:
            run["x/y"] = 2

    for change in (
        block,
        *(lambda: run.update(z=1), run.clear, lambda: run.create_group("g")),
        *(lambda: run.append("z", np.arange(2)), lambda: readonly.prune("r")),
        *(lambda: readonly.compact("r"), lambda: readonly.create_group("new")),
        *(lambda: readonly.__setitem__("r/x", 1), lambda: readonly.__delitem__("r")),
    ):
        with pytest.raises(ReadOnlyError):
            change()
    assert fast.load("r") == {"x": {"y": 1}}


def test_items_of_an_archive(fast: Archive) -> None:
    """Assigning saves a record or edits one; a folder is not lost by accident."""
    fast["al/run/x"] = {"n": 1}
    fast["al/run/x/deep/er"] = 2
    fast["al"]["run/y"] = {"n": 2}
    fast["al", "run", "x", "a/b"] = 3
    assert fast.load("al/run/x") == {"n": 1, "deep": {"er": 2}, "a/b": 3}
    fast["copy"] = fast["al/run/x/deep"]
    assert fast.load("copy") == {"er": 2}
    del fast["al/run/x/deep"]
    with pytest.raises(KeyNotFoundError):
        del fast["al/run/x/deep"]
    for name in ("al", "al/run"):
        call = rf"delete\('{name}', recursive=True\)"
        with pytest.raises(NameConflictError, match=call):
            fast[name] = {"n": 1}
        with pytest.raises(NameConflictError, match=call):
            del fast[name]
        with pytest.raises(NameConflictError, match=call):
            fast[name].clear()
    with pytest.raises(NameConflictError, match=r"delete\('al/run', recursive=True\)"):
        fast["al"]["run"] = 1
    for wrong in (None, 3, b"x"):
        with pytest.raises(InvalidNameError):
            fast[wrong] = 1  # type: ignore[index]
        with pytest.raises(InvalidNameError):
            del fast[wrong]  # type: ignore[arg-type]
    record = fast.record("copy")
    fast[record] = {"again": 1}
    assert fast["copy"].load() == {"again": 1}
    del fast["al/run/x"], fast["copy"]
    with pytest.raises(RecordNotFoundError):
        del fast["copy"]
    assert list(fast) == ["al/run/y"]
    fast.delete("al", recursive=True)
    assert len(fast) == 0


def test_facts_are_gathered_as_the_archive_says(tmp_path: Path) -> None:
    """An edit through ``archive[…]`` records provenance if saves do."""
    for wanted in (True, False):
        with Archive(tmp_path / f"{wanted}.db", provenance=wanted) as archive:
            archive["r"] = {"g": {}}
            archive["r"]["g/x"] = 1
            archive["r/g/y"] = 2
            archive.open("r").append("z", np.arange(2))
            for record in archive.versions("r"):
                assert bool(record.provenance) is wanted
