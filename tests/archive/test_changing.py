"""Tags, metadata and names: changes of records that make no version."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive, save
from archivedb.archive.writing import changing, saving
from archivedb.errors import (
    ArchiveNotFoundError,
    EncodeError,
    InvalidNameError,
    NameConflictError,
    ReadOnlyError,
    RecordNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BIG = np.arange(30_000.0)


def sound(archive: Archive) -> None:
    """Assert that verify finds nothing, and that a rebuilt catalog says the same."""
    assert archive.verify().findings == ()
    before = archive.inspect().dump()
    assert archive.reindex().findings == ()
    assert archive.inspect().dump() == before
    assert archive.verify().findings == ()


def kinds(archive: Archive, name: str) -> list[tuple[str, str, int | None]]:
    """Return kind, name and version of each change of a record."""
    return [(c.kind, c.name, c.version) for c in archive.history(name)]


def test_tags_come_and_go(fast: Archive, payloads: Callable[[], list[Path]]) -> None:
    """The newest version has other tags; its history knows; nothing is done twice."""
    old = fast.save({"n": 1}, "r", tags=["old"])
    fast.save({"n": 2}, "r", tags=["b"])

    record = fast.tag("r", "a", "c", "a")

    assert (record.tags, record.version) == (("a", "b", "c"), 2)
    assert fast.record("r") == record
    assert fast.record("r").tags == ("a", "b", "c")
    assert fast.untag(record, "b", "none").tags == ("a", "c")
    files = payloads()
    assert fast.tag("r", "a").tags == ("a", "c")
    assert fast.tag("r").tags == fast.untag("r").tags == ("a", "c")
    assert fast.untag("r", "b").tags == ("a", "c")
    assert payloads() == files
    assert [r.tags for r in fast.versions("r")] == [("old",), ("a", "c")]
    assert kinds(fast, "r") == [
        ("save", "r", 1),
        ("save", "r", 2),
        ("tag", "r", 2),
        ("tag", "r", 2),
    ]
    assert fast.load("r") == {"n": 2}
    with pytest.raises(ReadOnlyError, match="version 1 of 'r'"):
        fast.tag(old, "x")
    sound(fast)


def test_metadata_is_merged(fast: Archive, payloads: Callable[[], list[Path]]) -> None:
    """New keys come, old ones change or go, and what is equal writes nothing."""
    fast.save({}, "r", metadata={"a": 1, "b": {"c": [1]}, "remove": 0})

    record = fast.annotate("r", {"remove": 1}, b=2, facts="more", name="own")

    assert record.metadata == {
        "a": 1,
        "b": 2,
        "remove": 1,
        "facts": "more",
        "name": "own",
    }
    assert fast.record("r").metadata == record.metadata
    files = payloads()
    assert fast.annotate("r", a=1).metadata == record.metadata
    assert fast.annotate("r", remove=["none"]).metadata == record.metadata
    assert payloads() == files
    left = fast.annotate("r", remove=["a", "remove", "facts", "name"]).metadata
    assert left == {"b": 2}
    assert fast.annotate("r", remove="b").metadata == {}
    assert [c.kind for c in fast.history("r")] == ["save", *["annotate"] * 3]
    for wrong in (np.arange(3), object()):
        with pytest.raises(EncodeError, match="wrong"):
            fast.annotate("r", wrong=wrong)
    sound(fast)


def test_true_is_not_one(fast: Archive) -> None:
    """What Python calls equal is another fact all the same."""
    fast.save({}, "r", metadata={"a": 1})
    assert fast.annotate("r", a=True).metadata["a"] is True
    assert type(fast.annotate("r", a=1.0).metadata["a"]) is float


def test_what_is_annotated_is_what_was_saved(fast: Archive) -> None:
    """A save compares with the newest tags and facts, and an edit keeps them."""
    fast.save({"n": 1}, "r", metadata={"a": 1}, tags=["t"])
    fast.annotate("r", b=2)
    fast.tag("r", "u")

    assert (
        fast.save({"n": 1}, "r", metadata={"b": 2, "a": 1}, tags=["u", "t"]).version
        == 1
    )
    fast["r/n"] = 2
    record = fast.record("r")
    assert (record.version, record.metadata) == (2, {"a": 1, "b": 2})
    assert record.tags == ("t", "u")
    assert fast.save({"n": 2}, "r", metadata={"a": 1}, tags=["t"]).version == 3
    sound(fast)


def test_a_name_changes_and_nothing_else(fast: Archive) -> None:
    """History, versions, groups and `Record`s go with the record."""
    first = fast.save({"n": 1, "x": BIG}, "old/r", tags=["t"])
    group = fast.open("old/r")
    group["n"] = 2

    record = fast.rename("old/r", "new/name/r")

    assert (record.name, record.version, record.uuid) == ("new/name/r", 2, first.uuid)
    assert list(fast) == ["new/name/r"]
    assert "old/r" not in fast
    assert "old" not in fast
    for ask in (fast.load, fast.history, fast.versions):
        with pytest.raises(RecordNotFoundError):
            ask("old/r")
    assert fast.load(first)["n"] == 1
    assert [r.name for r in fast.versions("new/name/r")] == ["new/name/r"] * 2
    assert kinds(fast, "new/name/r") == [
        ("save", "old/r", 1),
        ("edit", "old/r", 2),
        ("rename", "new/name/r", None),
    ]
    assert fast.history("new/name/r")[2].name_before == "old/r"
    group["n"] = 3
    group.append("x", BIG[:3])
    assert (group.path, group.name) == ("new/name/r", "r")
    assert fast.load("new/name/r")["n"] == 3
    assert fast["new/name/r/x"].shape == (30_003,)
    fast.save({"other": 1}, "old/r")
    assert group["n"] == 3
    assert fast.rename("new/name/r", "new/name/r") == fast.record("new/name/r")
    assert len(fast.history("new/name/r")) == 5
    sound(fast)


def test_a_record_means_itself_under_any_name(fast: Archive) -> None:
    """What was found under a name that is another's by now is not that other."""
    mine = fast.save({"n": 1}, "a")
    fast.rename("a", "b")
    fast.save({"other": 1}, "a")

    assert fast.tag(mine, "t").name == "b"
    assert fast.save({"n": 2}, mine).name == "b"
    with pytest.raises(ReadOnlyError):
        fast.rename(mine, "c")
    fast[mine] = {"n": 3}
    assert fast.delete(mine).names == ("b",)
    assert list(fast) == ["a"]
    for act in (fast.delete, fast.tag, fast.load, fast.__delitem__):
        with pytest.raises(RecordNotFoundError):
            act(mine)
    sound(fast)


def test_a_new_name_must_be_free(fast: Archive, tmp_path: Path) -> None:
    """As for a save: neither record nor folder, nor inside of a record."""
    fast.save({}, "a")
    fast.save({}, "b/c")
    files = sorted(tmp_path.rglob("*"))

    for new in ("b/c", "b", "b/c/d"):
        with pytest.raises(NameConflictError):
            fast.rename("a", new)
    for wrong in ("", "a//b", "../a", "\udc80"):
        with pytest.raises(InvalidNameError):
            fast.rename("a", wrong)
    for none in ("none", "", "\udc80"):
        with pytest.raises(RecordNotFoundError):
            fast.rename(none, "x")
    with pytest.raises(InvalidNameError):
        fast.rename(1, "x")  # type: ignore[call-overload]
    with pytest.raises(RecordNotFoundError, match="recursive=True"):
        fast.rename("b", "x")
    with pytest.raises(RecordNotFoundError):
        fast.rename("none", "x", recursive=True)
    assert list(fast) == ["a", "b/c"]
    assert {p for p in tmp_path.rglob("*") if "locks" not in p.parts} <= set(files)

    # Its own old name is not in the way.
    assert fast.rename("a", "a/b/c").name == "a/b/c"
    assert fast.rename("a/b/c", "a/b").name == "a/b"
    assert fast.rename("b/c", "b").name == "b"
    sound(fast)


def test_a_folder_is_renamed(fast: Archive, payloads: Callable[[], list[Path]]) -> None:
    """All below it move by one change; also into itself, and out again."""
    for name in ("a/1", "a/b/2", "a/a/3", "ab"):
        fast.save({"name": name}, name)
    before = payloads()

    moved = fast.rename("a", "x/y", recursive=True)

    assert [r.name for r in moved] == ["x/y/1", "x/y/a/3", "x/y/b/2"]
    assert len(payloads()) == len(before) + 1
    assert list(fast) == ["ab", "x/y/1", "x/y/a/3", "x/y/b/2"]
    fast.rename("x", "x/x", recursive=True)
    fast.rename("x/x/y", "x", recursive=True)
    assert list(fast) == ["ab", "x/1", "x/a/3", "x/b/2"]
    assert fast.load("x/a/3") == {"name": "a/a/3"}
    fast.rename("x/a", "x/a/a", recursive=True)
    assert [r.name for r in fast.rename("ab", "x/ab", recursive=True)] == ["x/ab"]
    with pytest.raises(NameConflictError):
        fast.rename("x/b", "x/1", recursive=True)
    assert list(fast) == ["x/1", "x/a/a/3", "x/ab", "x/b/2"]
    assert [c.name for c in fast.history("x/a/a/3")] == [
        *("a/a/3", "x/y/a/3", "x/x/y/a/3", "x/a/3", "x/a/a/3")
    ]
    sound(fast)


def test_many_records_are_one_change(
    fast: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """What a selection needs: one payload, whichever of them change."""
    names = [f"r/{number}" for number in range(20)]
    for name in names:
        fast.save({"name": name}, name, tags=["t"] if name.endswith("3") else [])
    core, before = fast._core, len(payloads())

    records = changing.tag(core, names, ["t"], ["u"])
    changing.annotate(core, names, {"m": 1}, ["n"])

    assert [(r.name, r.tags) for r in records] == [(name, ("t",)) for name in names]
    assert len(payloads()) == before + 2
    assert changing.tag(core, [], ["t"]) == []
    with pytest.raises(RecordNotFoundError):
        changing.tag(core, [*names, "none"], ["v"])
    assert fast.record("r/0").metadata == {"m": 1}
    assert fast.record("r/0").tags == ("t",)
    assert len(fast.history("r/3")) == 2
    sound(fast)
    deletion = saving.delete(core, lambda _: names[:19], "these")
    assert len(deletion.names) == 19
    sound(fast)
    fast.delete("r/19")
    assert len(payloads()) == 2
    sound(fast)


def test_swapped_names(fast: Archive, tmp_path: Path) -> None:
    """Whatever is left of old names, each record is found under its own."""
    a = fast.save({"was": "a"}, "a")
    b = fast.save({"was": "b"}, "b")
    for old, new in (("a", "t"), ("b", "a"), ("t", "b")):
        fast.rename(old, new)
    assert (fast.load("a"), fast.load("b")) == ({"was": "b"}, {"was": "a"})
    fast.save({"was": "a", "n": 2}, "b")
    fast.prune("b")
    fast.rename("b", "c")
    fast.save({"was": "new"}, "b")
    assert (fast.record("c").uuid, fast.record("a").uuid) == (a.uuid, b.uuid)
    sound(fast)
    fast.close()
    for path in tmp_path.glob("runs.db*"):
        path.unlink()
    with Archive(fast.address) as again:
        assert {name: again.load(name)["was"] for name in again} == {
            "a": "b",
            "b": "new",
            "c": "a",
        }
        sound(again)


def test_pruned_records_that_were_renamed(
    fast: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """Early changes are gone, and the name is another's since: all is rebuilt."""
    fast.save({"n": 1, "x": BIG}, "x", tags=["one"])
    fast.tag("x", "gone")
    fast.annotate("x", gone=1)
    fast["x/n"] = 2
    fast.tag("x", "two")
    fast["x/n"] = 3
    fast.annotate("x", three=3)
    fast.rename("x", "y")
    fast.tag("y", "three")
    fast.save({"n": "other"}, "x")
    sound(fast)

    fast.prune("y", keep=1)

    assert kinds(fast, "y") == [
        ("edit", "x", 3),
        ("annotate", "x", 3),
        ("rename", "y", None),
        ("tag", "y", 3),
        ("prune", "y", None),
    ]
    record = fast.record("y")
    assert record.tags == ("gone", "one", "three", "two")
    assert record.metadata == {"gone": 1, "three": 3}
    sound(fast)
    fast.save({"n": 4}, "y")
    fast.prune("y")
    sound(fast)
    fast.rename("y", "z")
    fast.save({"n": 5}, "y")
    fast.delete("x")
    sound(fast)
    assert {name: fast.load(name)["n"] for name in fast} == {"y": 5, "z": 4}
    fast.delete("z")
    fast.delete("y")
    sound(fast)
    assert len(payloads()) == 3  # the deletes, which are kept for good


def test_a_lost_change(fast: Archive, payloads: Callable[[], list[Path]]) -> None:
    """Without the rename its record stays where it was, and the other is told."""
    fast.save({"n": 1}, "x")
    fast.tag("x", "t")
    fast.rename("x", "y")
    fast.save({"n": 2}, "x")
    saved, tagged, renamed, other = sorted(payloads(), key=lambda path: path.name)
    text = renamed.read_bytes()
    renamed.unlink()

    findings = fast.reindex().findings

    assert [(f.kind, f.file) for f in findings] == [
        ("unindexed", f"{other.parent.name}/{other.name}"),
        ("missing", f"{renamed.parent.name}/{renamed.name}"),
    ]
    assert fast.load("x") == {"n": 1}
    renamed.write_bytes(text)
    assert fast.reindex().findings == ()
    assert (fast.load("y"), fast.load("x")) == ({"n": 1}, {"n": 2})
    text = saved.read_bytes()
    saved.unlink()
    findings = fast.reindex().findings
    damaged = [f for f in findings if f.kind == "corrupt"]
    assert f"{tagged.parent.name}/{tagged.name}" in {f.file for f in damaged}
    assert list(fast) == ["x"]
    assert "are lost" in damaged[-1].detail
    # Which version that was, the old catalog has known.
    assert [(f.record, f.version) for f in findings if f.kind == "missing"] == [
        ("y", 1)
    ]
    saved.write_bytes(text)
    assert fast.reindex().findings == ()
    assert fast.record("y").tags == ("t",)
    sound(fast)


def test_a_plain_directory_whose_record_was_renamed(tmp_path: Path) -> None:
    """What is saved there anew is a record of its own, under its name."""
    place = tmp_path / "run"
    save({"n": 1}, place)
    with Archive(place) as archive:
        archive.rename("run", "first")
    with Archive(place) as archive:
        assert list(archive) == ["first"]
    save({"n": 2}, place)
    for _ in range(2):
        with Archive(place) as archive:
            assert archive.load("run") == {"n": 2}
            assert archive.load("first") == {"n": 1}
            sound(archive)
    save({"n": 3}, place)
    with Archive(place) as archive:
        assert archive.load("run") == {"n": 3}
        assert archive.record("run").version == 2
        sound(archive)


def test_edits_beside_renames(fast: Archive) -> None:
    """An edit finds its record under the name that another thread gave it."""
    fast.save({"n": -1}, "r/0")
    group, failed = fast.open("r/0"), []

    def rename() -> None:
        try:
            for number in range(20):
                fast.rename(f"r/{number}", f"r/{number + 1}")
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    thread = threading.Thread(target=rename)
    thread.start()
    for number in range(20):
        group[f"k{number}"] = number
    thread.join()

    assert not failed
    assert group.load() == {"n": -1, **{f"k{n}": n for n in range(20)}}
    positions = [change.position for change in fast.history("r/20")]
    assert positions == list(range(1, 42))
    sound(fast)


def test_where_nothing_can_be_changed(tmp_path: Path) -> None:
    """Not where there is no archive, nor in one that is read-only."""
    acts: list[Callable[[Archive], Any]] = [
        lambda archive: archive.tag("r", "t"),
        lambda archive: archive.annotate("r", a=1),
        lambda archive: archive.rename("r", "s"),
        lambda archive: archive.rename("r", "s", recursive=True),
    ]
    for act in acts:
        with pytest.raises(ArchiveNotFoundError):
            act(Archive(tmp_path / "none.db"))
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({}, "r")
        for wrong in ("", "\udc80", 1):
            with pytest.raises(EncodeError):
                archive.tag("r", wrong)  # type: ignore[arg-type]
    with Archive(tmp_path / "runs.db", readonly=True) as archive:
        for act in acts:
            with pytest.raises(ReadOnlyError):
                act(archive)
    assert list(tmp_path.glob("none*")) == []
