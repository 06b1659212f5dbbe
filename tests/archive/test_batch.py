"""`Archive.batch`: many changes, one commit, all or nothing."""

from __future__ import annotations

import json
import os
import pickle
import threading
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from archivedb import Archive
from archivedb.archive.writing import saving
from archivedb.errors import (
    BatchConflictError,
    BatchError,
    EncodeError,
    NameConflictError,
    ReadOnlyError,
    RecordExistsError,
    RecordNotFoundError,
    StoreError,
)
from archivedb.store.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Program  # type: ignore[import-not-found]

MODES = ("hdf5", "json", "cloudpickle")
LARGE = (5 << 20) // 8
"""The items of an array that is not copied by itself."""


def sound(archive: Archive) -> None:
    """Assert that verify finds nothing, and that a rebuilt catalog says the same."""
    assert archive.verify().findings == ()
    before = archive.inspect().dump()
    assert archive.reindex().findings == ()
    assert archive.inspect().dump() == before
    assert archive.verify().findings == ()


def test_a_batch_is_one_payload(
    fast: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """Nobody sees anything of it before its end, and then all."""
    with fast.batch() as batch:
        for number in range(50):
            fast.save({"n": number, "x": np.arange(number)}, f"s/{number}")
        fast["a"] = {"n": "a"}
        assert (len(fast), payloads(), len(batch)) == (0, [], 51)
        assert "51 changes, begun" in repr(batch)

    assert (len(fast), len(payloads()), len(batch)) == (51, 1, 51)
    assert "51 changes, ended" in repr(batch)
    names = [*(f"s/{n}" for n in range(50)), "a"]
    assert batch.records == [fast.record(name) for name in names]
    assert {record.files for record in batch.records} == {fast.record("a").files}
    for number in range(50):
        assert fast.load(f"s/{number}")["x"].tolist() == list(range(number))
        assert fast[f"s/{number}/n"] == number
    sound(fast)


def test_what_will_be(fast: Archive) -> None:
    """A save returns the record as it will be, and the next knows of it."""
    fast.save({"n": 0}, "old", metadata={"m": 0}, tags=["t"])
    with fast.batch() as batch:
        first = fast.save({"n": 1}, "new", tags=["u"])
        again = fast.save({"n": 1}, "new", tags=["u"])
        second = fast.save({"n": 2}, "new", mode="json")
        assert again is first
        assert (first.version, second.version) == (1, 2)
        assert first.uuid == second.uuid
        assert first.files == ()
        assert fast.save({"n": 0}, "old", metadata={"m": 0}, tags=["t"]).version == 1
        assert fast.save({"n": 0}, "old").version == 2
        assert fast.save({"n": 0}, "old").version == 2
        assert fast.save({"n": 9}, "old", on_exists="skip").version == 2
        with pytest.raises(RecordExistsError):
            fast.save({"n": 9}, "new", on_exists="error")
        assert fast.tag("new", "v").tags == ("v",)
        assert fast.annotate("new", a=1).metadata == {"a": 1}
        assert fast.untag("new", "v", "none").tags == ()
        with pytest.raises(ReadOnlyError, match="version 1"):
            fast.tag(first, "w")
        moved = fast.rename(second, "newer")
        assert (moved.name, moved.version, moved.metadata) == ("newer", 2, {"a": 1})
        assert fast.save({"n": 3}, second).version == 3
        with pytest.raises(RecordNotFoundError):
            fast.tag("new", "w")
        assert fast.save({"n": "x"}, "new").version == 1
        assert fast.rename("new", "new").name == "new"
        assert fast.tag("old").version == 2

    saved = [fast.record("newer", version=n) for n in (1, 2)]
    assert [(r.digest, r.saved_at, r.tags) for r in saved] == [
        (r.digest, r.saved_at, r.tags) for r in (first, second)
    ]
    assert [r.metadata for r in fast.versions("newer")] == [{}, {"a": 1}, {}]
    assert [c.kind for c in fast.history("newer")] == [
        *("save", "save", "tag", "annotate", "tag", "rename", "save")
    ]
    assert [fast.load("newer", version=n)["n"] for n in (1, 2, 3)] == [1, 2, 3]
    assert {r.name for r in batch.records} == {"newer", "old", "new"}
    assert fast.load("old", version=2) == {"n": 0}
    sound(fast)


@pytest.mark.parametrize("mode", MODES)
def test_values_are_as_they_were(fast: Archive, mode: str) -> None:
    """What a loop does to its arrays and dicts afterwards is not in the batch."""
    small, large, data = np.zeros(3), np.zeros(LARGE), {"list": [1]}
    text = bytearray(b"x" * 100_000)
    with fast.batch():
        for number in range(3):
            small[:], large[:] = number, number
            data["list"].append(number)
            value = {"small": small, "large": large, "data": data, "text": text}
            fast.save(value, f"r/{number}", mode=mode)
            text[:] = b"y" * len(text)
        small[:] = large[:] = 9
        data.clear()

    for number in range(3):
        found = fast.load(f"r/{number}")
        assert found["small"].tolist() == [number] * 3
        assert (found["large"] == number).all()
        assert found["data"]["list"] == [1, *range(number + 1)]
        assert found["text"] == (b"y" if number else b"x") * 100_000
    sound(fast)


def test_the_whole_pickle_is_as_it_was(
    fast: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """Also what Python alone would read from a zip."""
    import zipfile

    data: dict[str, Any] = {"n": 1, "x": np.arange(20_000.0)}
    with fast.batch():
        fast.save(data, "r", mode="cloudpickle")
        data["n"], data["x"][:] = 2, 0
        fast.save(data, "s", mode="cloudpickle")
    (path,) = payloads()
    with zipfile.ZipFile(path) as file:
        value = pickle.loads(file.read("0/pickle"), buffers=[file.read("0/0")])  # noqa: S301 - our own
    assert value["n"] == 1
    assert value["x"][3] == 3


def test_errors_come_at_once(fast: Archive) -> None:
    """What cannot be saved says so where it is saved; the rest goes on."""
    fast.save({}, "there")
    fast.save({}, "folder/there")
    with fast.batch():
        fast.save({"n": 1}, "a/b")
        with pytest.raises(EncodeError):
            fast.save({"n": 1}, "wrong", metadata={"x": object()})
        for name in ("a", "a/b/c", "there/in", "folder"):
            with pytest.raises(NameConflictError):
                fast.save({"n": 2}, name)
        with pytest.raises(BatchError):
            fast["there/in"] = 1
        fast.rename("there", "moved/there")
        fast.save({"n": 3}, "there/in")
        for new in ("a", "a/b", "a/b/c", "folder/there", "folder", "there"):
            with pytest.raises(NameConflictError):
                fast.rename("moved/there", new)
        fast.delete("folder/there")
        fast.save({"n": 4}, "folder")
        with pytest.raises(RecordNotFoundError):
            fast.delete("none")
        with pytest.raises(RecordNotFoundError):
            fast.annotate("folder/there", a=1)

    assert list(fast) == ["a/b", "folder", "moved/there", "there/in"]
    sound(fast)


def test_what_a_batch_does_not_do(fast: Archive) -> None:
    """What would be durable by itself is refused, and says when to do it."""
    fast.save({"x": np.arange(3), "g": {}}, "r")
    group = fast.open("r")
    acts: list[Callable[[], Any]] = [
        lambda: fast.create_group("new"),
        lambda: fast.prune("r"),
        lambda: fast.compact("r"),
        lambda: group.append("x", np.arange(2)),
        lambda: group.update(y=1),
        lambda: fast.__setitem__("r/g/y", 1),
        lambda: fast.__delitem__("r/x"),
        fast.reindex,
    ]
    before = fast.inspect().dump()
    with fast.batch():
        for act in acts:
            with pytest.raises(BatchError, match="when the batch has ended"):
                act()
        with pytest.raises(BatchError, match="open already"), fast.batch():
            pass
        assert fast.load("r")["x"].tolist() == [0, 1, 2]
    assert fast.inspect().dump() == before
    ended = fast.batch()
    with ended:
        pass
    with pytest.raises(BatchError, match="ended"), ended:
        pass
    with Archive(fast.address, readonly=True) as other, pytest.raises(ReadOnlyError):
        other.batch().__enter__()
    fast["r/g/y"] = 1


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing(
    fast: Archive, payloads: Callable[[], list[Path]], kind: type[BaseException]
) -> None:
    """Neither files nor rows; and the next batch begins anew."""
    fast.save({"n": 1}, "r")
    before, files = fast.inspect().dump(), payloads()
    batch = fast.batch()

    def change() -> None:
        with batch:
            fast.save({"n": 2}, "r")
            fast.save({"n": 3}, "s", mode="json")
            fast.tag("r", "t")
            raise kind

    with pytest.raises(kind):
        change()
    assert "nothing was written" in repr(batch)
    assert (fast.inspect().dump(), payloads()) == (before, files)
    fast.save({"n": 4}, "s")
    assert list(fast) == ["r", "s"]


def test_an_empty_batch_writes_nothing(tmp_path: Path) -> None:
    """It does not even make the archive; nor does one that changes nothing."""
    with Archive(tmp_path / "runs.db", provenance=False) as archive:
        with archive.batch() as batch:
            assert batch
        assert not archive.exists
        assert list(tmp_path.iterdir()) == []
        with archive.batch():
            archive.save({"n": 1}, "r")
            archive.delete("r")
            with pytest.raises(RecordNotFoundError):
                archive.delete("r")
        assert not archive.exists
        with archive.batch():
            archive.save({"n": 1}, "r")
            archive.tag("r", "t")
            archive.rename("r", "s")
        assert archive.record("s").tags == ("t",)
        with archive.batch():
            archive.tag("s", "t")
            archive.save({"n": 1}, "s", tags=["t"])
        assert len(archive.history("s")) == 3
        sound(archive)


def test_deletes_and_names(fast: Archive) -> None:
    """Records come, go and take each other's names in one batch."""
    for name in ("a", "b", "f/1", "f/2"):
        fast.save({"was": name, "x": np.arange(100)}, name)
    with fast.batch() as batch:
        fast.rename("a", "t")
        fast.rename("b", "a")
        fast.rename("t", "b")
        fast.save({"new": 1}, "f/3")
        fast.save({"new": 1}, "f/4")
        fast.delete("f/4")
        deleted = fast.delete("f", recursive=True)
        assert (sorted(deleted.names), deleted.freed) == (["f/1", "f/2", "f/3"], 0)
        fast.save({"new": 2}, "f")
        fast.tag("a", "gone")
        fast.rename("a", "c")
        fast.save({"new": 3}, "a")
        del fast["c"]
        fast.delete("f")
        fast.save({"new": 4}, "f/1")
        assert fast.rename("f", "g/h", recursive=True)[0].name == "g/h/1"

    assert batch.freed > 0
    assert list(fast) == ["a", "b", "g/h/1"]
    assert fast.load("b")["was"] == "a"
    assert (fast.load("a"), fast.load("g/h/1")) == ({"new": 3}, {"new": 4})
    sound(fast)


def test_only_this_thread(fast: Archive, tmp_path: Path) -> None:
    """What other threads do, or other objects, is not part of it."""
    other = Archive(tmp_path / "runs.db")
    with fast.batch():
        fast.save({}, "mine")
        thread = threading.Thread(target=lambda: fast.save({}, "thread"))
        thread.start()
        thread.join()
        other.save({}, "other")
        assert list(fast) == ["other", "thread"]
    assert list(other) == ["mine", "other", "thread"]
    other.close()


# Others -------------------------------------------------------------------------


def test_somebody_else_changes_a_record(
    fast: Archive, tmp_path: Path, payloads: Callable[[], list[Path]]
) -> None:
    """Then nothing is written, whatever it was; and what was only read is not meant."""
    other = Archive(tmp_path / "runs.db", provenance=False)
    for name in ("r", "skipped"):
        fast.save({"n": 0}, name)
    acts: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
        (lambda: fast.save({"n": 1}, "r"), lambda: other.save({"n": 2}, "r")),
        (lambda: fast.save({"n": 1}, "r"), lambda: other.tag("r", "t")),
        (lambda: fast.tag("r", "u"), lambda: other.rename("r", "q")),
        (lambda: fast.rename("q", "s"), lambda: other.save({"n": 4}, "s")),
        (lambda: fast.save({}, "v"), lambda: other.save({"n": 4}, "v")),
        (lambda: fast.save({}, "w"), lambda: other.save({"n": 4}, "w/x")),
        (lambda: fast.save({}, "y/z"), lambda: other.save({"n": 4}, "y")),
        (lambda: fast.delete("q"), lambda: other.delete("q")),
    ]
    for mine, theirs in acts:

        def change(mine: Any = mine, theirs: Any = theirs) -> None:
            with fast.batch():
                fast.save({"n": 1}, "beside", mode="json")
                mine()
                theirs()
                change.dump = other.inspect().dump()  # type: ignore[attr-defined]
                change.files = payloads()  # type: ignore[attr-defined]

        with pytest.raises(BatchConflictError, match="nothing of the batch"):
            change()
        assert fast.inspect().dump() == change.dump  # type: ignore[attr-defined]
        assert payloads() == change.files  # type: ignore[attr-defined]
    with fast.batch():
        fast.save({"n": 9}, "skipped", on_exists="skip")
        fast.save({"n": 0}, "skipped")
        fast.save({"n": 9}, "fine")
        other.save({"n": 1}, "skipped")
    assert "fine" in other
    sound(fast)
    other.close()
    assert list((tmp_path / "runs.payloads" / "tmp").iterdir()) == []


def test_the_child_of_a_fork_does_not_commit(fast: Archive) -> None:
    """Only the process that began it does."""
    listen, say = os.pipe()
    with fast.batch() as batch:
        fast.save({}, "r")
        pid = os.fork()
        if pid == 0:
            try:
                batch.__exit__(None, None, None)
                os.write(say, b"committed")
            except BatchError:
                os.write(say, b"refused")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    assert os.read(listen, 9) == b"refused"
    assert list(fast) == ["r"]
    os.close(listen)
    os.close(say)


# Files --------------------------------------------------------------------------


def test_a_mode_is_a_payload(fast: Archive, payloads: Callable[[], list[Path]]) -> None:
    """Changes without content are in one of them; each says which count together."""
    fast.save({}, "r")
    before = set(payloads())
    with fast.batch():
        for mode in MODES:
            fast.save({"x": np.arange(3.0)}, mode, mode=mode)
        fast.tag("r", "t")
    new = sorted(set(payloads()) - before)
    assert sorted(path.suffix for path in new) == [".h5", ".json", ".zip"]
    (text,) = (path for path in new if path.suffix == ".json")
    envelope = json.loads(text.read_text())["envelope"]
    assert sorted(envelope["batch"]) == sorted(path.name[:36] for path in new)
    assert [change["kind"] for change in envelope["changes"]] == ["save", "tag"]
    with fast.batch():
        fast.save({}, "alone", mode="hdf5")
        fast.tag("r", "u")
    (path,) = set(payloads()) - before - set(new)
    assert path.suffix == ".h5"
    with fast.batch():
        fast.tag("r", "v")
    (last,) = set(payloads()) - before - {*new, path}
    assert last.suffix == ".json"
    assert "batch" not in json.loads(last.read_text())["envelope"]
    sound(fast)


def test_provenance_is_there_once(
    archive: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """A thousand saves of one program need not say so a thousand times."""
    archive.save({}, "first", mode="json")  # imports whatever there is to import
    archive.delete("first")
    with archive.batch():
        for number in range(10):
            archive.save({}, f"r/{number}", mode="json")
        archive.tag("r/0", "t")
    path = max(payloads(), key=lambda path: path.name)
    envelope = json.loads(path.read_text())["envelope"]
    numbers = [change.get("provenance") for change in envelope["changes"]]
    assert numbers == [0] * 10 + [None]
    assert len(envelope["provenance"]) == 1
    found = [record.provenance for record in map(archive.record, archive)]
    assert found == [found[0]] * 10
    assert "python" in found[0]
    sound(archive)


def test_hdf5_shows_every_version(
    fast: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """Other tools find each array below its record's name."""
    with fast.batch():
        for number in range(3):
            fast.save({"x": np.full(2, number)}, "al/r")
        fast.save({"x": np.full(2, 7)}, "al/s")
    (path,) = payloads()
    with h5py.File(path) as file:
        found = {name: file[f"al/{name}/x"][0] for name in file["al"]}
    assert found == {"r": 0, "r@2": 1, "r@3": 2, "s": 7}
    assert [fast.load("al/r", version=n)["x"][0] for n in (1, 2, 3)] == [0, 1, 2]


@pytest.mark.parametrize("mode", MODES)
def test_a_payload_goes_with_its_last_record(
    fast: Archive, mode: str, payloads: Callable[[], list[Path]]
) -> None:
    """Deletes and prunes leave what others need, also what edits share."""
    with fast.batch():
        for name in "abc":
            fast.save({"n": 1, "x": np.arange(9.0), "y": np.ones(9)}, name, mode=mode)
        fast.save({"n": 2, "x": np.arange(9.0)}, "c", mode=mode)
    (path,) = payloads()
    fast["b/n"] = 3
    fast.open("b").append("x", np.zeros(1))
    fast["b/n"] = 4
    for step in (
        lambda: fast.delete("a"),
        lambda: fast.prune("b"),
        lambda: fast.prune("c"),
        lambda: fast.delete("c"),
    ):
        step()
        assert path.exists() or mode == "json"
        assert fast.load("b")["x"].tolist() == [*range(9), 0]
        assert fast["b/y"].sum() == 9
        sound(fast)
    fast.delete("b")
    assert not path.exists()
    sound(fast)


def test_the_payloads_of_a_batch_go_together(
    fast: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """One whose records are gone stays: without it the others would not count."""
    with fast.batch():
        for mode in MODES:
            fast.save({"x": np.arange(3.0)}, mode, mode=mode)
    first = payloads()
    for gone, mode in enumerate(MODES[1:]):
        fast.delete(mode)
        assert set(first) <= set(payloads()), gone
        sound(fast)
        with Archive(fast.address) as again:
            assert again.load("hdf5")["x"].tolist() == [0, 1, 2]
    fast["hdf5/n"] = 1
    fast.compact("hdf5")
    fast.prune("hdf5")
    assert not set(first) & set(payloads())
    sound(fast)


def test_a_batch_that_is_not_whole(
    fast: Archive, payloads: Callable[[], list[Path]], tmp_path: Path
) -> None:
    """A part of one does not count, and verify calls it by its name."""
    fast.save({"n": 0}, "r")
    before = set(payloads())
    with fast.batch():
        fast.save({"n": 1}, "r", mode="json")
        fast.save({"n": 2}, "r", mode="hdf5")
        fast.save({"n": 3}, "r", mode="json")
    one, other = sorted(set(payloads()) - before)
    text = other.read_bytes()
    other.unlink()
    assert {f.kind for f in fast.verify().findings} == {"missing"}

    fast.reindex()

    assert [fast.load(r)["n"] for r in fast.versions("r")] == [0]
    (finding,) = fast.verify().findings
    assert (finding.kind, finding.file) == ("orphaned", f"{one.parent.name}/{one.name}")
    assert "of 2 of a batch that was cut short" in finding.detail
    fast.close()
    for path in tmp_path.glob("runs.db*"):
        path.unlink()
    other.write_bytes(text)
    with Archive(fast.address) as again:
        assert [again.load(r)["n"] for r in again.versions("r")] == [0, 1, 2, 3]
        sound(again)


def test_a_full_disk(
    fast: Archive, payloads: Callable[[], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the second payload cannot be written, the first is not there either."""
    fast.save({"n": 0}, "r")
    before, dump = payloads(), fast.inspect().dump()

    def change() -> None:
        with fast.batch():
            fast.save({"n": 1}, "r", mode="json")
            fast.save({"n": 2}, "s", mode="hdf5")

    for method in ("write", "publish"):
        real, calls = getattr(Pending, method), [0]

        def second(
            self: Any, *arguments: Any, real: Any = real, calls: Any = calls
        ) -> Any:
            calls[0] += 1
            if calls[0] == 2:
                msg = "no space left"
                raise StoreError(msg)
            return real(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Pending, method, second)
            with pytest.raises(StoreError):
                change()
        assert (payloads(), fast.inspect().dump()) == (before, dump)
        assert list((before[0].parents[1] / "tmp").iterdir()) == []
    change()
    assert fast.load("s") == {"n": 2}
    sound(fast)


def test_a_commit_that_is_not_known(
    fast: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error after the commit leaves all of it, for the next to settle."""
    real = saving._apply

    def broken(*arguments: Any) -> None:
        real(*arguments)
        msg = "cut off"
        raise StoreError(msg)

    def change() -> None:
        with fast.batch():
            fast.save({"n": 1}, "r", mode="json")
            fast.save({"n": 2}, "s", mode="hdf5")

    with monkeypatch.context() as patch:
        patch.setattr(saving, "_apply", broken)
        with pytest.raises(StoreError):
            change()
    assert list(fast) == []
    sound(fast)


# Crashes ------------------------------------------------------------------------


def test_a_batch_that_crashed_is_there_or_not(tmp_path: Path, program: Program) -> None:
    """It counts once its last payload has its name; before that, nothing of it."""
    assert program("crashing_batch.py", tmp_path / "runs.db", 0, 0) == "sound\n"


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_batch_is_whole(tmp_path: Path, program: Program, seed: int) -> None:
    """Killed at any moment, all of a batch is there or nothing."""
    assert program("crashing_batch.py", tmp_path / "runs.db", seed, 15) == "sound\n"
