"""What is removed, joined or cut short: pruning, compacting, crashes, any mix."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from archivedb import Archive
from archivedb.errors import RecordNotFoundError
from archivedb.values.exact import same

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program  # type: ignore[import-not-found]

MODES = ("hdf5", "json", "cloudpickle")
BIG = np.arange(50_000.0)


def sound(archive: Archive) -> None:
    """Assert that verify finds nothing, and that a reindex changes nothing."""
    assert archive.verify().findings == ()
    before = archive.inspect().dump()
    assert archive.reindex().findings == ()
    assert archive.inspect().dump() == before
    assert archive.verify().findings == ()


def total(payloads: list[Path]) -> int:
    """Return the bytes of some files."""
    return sum(path.stat().st_size for path in payloads)


@pytest.mark.parametrize("mode", MODES)
def test_pruning_keeps_what_is_shared(
    fast: Archive, mode: str, payloads: Callable[[], list[Path]]
) -> None:
    """Old versions go, with the files that only they needed; the bytes are told."""
    fast.save({"big": BIG, "old": BIG + 1}, "r", mode=mode)
    run = fast.open("r")
    run.append("big", BIG[:10])
    run["old"] = BIG + 2
    run["n"] = 1
    run.append("big", BIG[10:20])
    run["n"] = 2
    newest, pinned = fast.load("r"), fast.record("r")
    before = total(payloads())

    deletion = fast.prune("r", keep=2)

    assert deletion.names == ("r version 1", "r version 2")
    written = max(payloads(), key=lambda path: path.name).stat().st_size
    assert deletion.freed == before + written - total(payloads())
    assert [record.version for record in fast.versions("r")] == [3, 4]
    assert same(fast.load("r"), newest)
    assert same(fast.load("r", version=3), {**newest, "n": 1})
    with pytest.raises(RecordNotFoundError):
        fast.load("r", version=1)
    sound(fast)
    assert fast.prune("r", keep=2).names == ()
    assert fast.prune("r", keep=9).freed == 0

    run["n"] = 3
    fast.prune("r")
    assert [record.version for record in fast.versions("r")] == [5]
    with pytest.raises(RecordNotFoundError):
        fast.load(pinned)
    assert same(run.load(), {**newest, "n": 3})
    run["old"] = 0
    run.append("big", BIG[:5])
    assert fast.versions("r")[-1].version == 6
    sound(fast)
    with Archive(fast.address) as other:
        assert same(other.load("r"), run.load())


def test_what_is_no_number_of_versions(fast: Archive) -> None:
    """At least one stays."""
    fast.save({}, "r")
    for keep in (0, -1, True, 1.0, "1"):
        with pytest.raises(ValueError, match="at least 1"):
            fast.prune("r", keep=keep)  # type: ignore[arg-type]
    for ask in (fast.prune, fast.compact):
        with pytest.raises(RecordNotFoundError):
            ask("none")


@pytest.mark.parametrize("mode", MODES)
def test_compacting(
    fast: Archive, mode: str, payloads: Callable[[], list[Path]]
) -> None:
    """The newest version stands alone; pruning then frees all else."""
    fast.save({"big": BIG, "n": 0}, "r", mode=mode, metadata={"m": 1}, tags=["t"])
    run = fast.open("r")
    run["rows"] = {"x": np.zeros((0, 2))}
    for turn in range(5):
        run.append("rows/x", np.full((3, 2), float(turn)))
    before = fast.load("r")

    record = fast.compact("r")

    assert same(fast.load("r"), before)
    assert (record.version, record.mode, record.tags) == (3, mode, ("t",))
    assert record.metadata == {"m": 1}
    assert len(record.files) == 1
    digest = fast.save(before, "other", mode=mode).digest
    assert record.digest == digest
    assert fast.compact("r") == record
    sound(fast)
    fast.delete("other")
    fast.prune("r")
    kept = [path for path in payloads() if path.name in record.files[0]]
    assert len(kept) == 1
    assert total(payloads()) < 1.1 * total(kept)
    assert same(run.load(), before)
    run.append("rows/x", np.ones((1, 2)))
    assert len(fast["r/rows/x"]) == 16
    sound(fast)


def test_pruning_what_began_elsewhere(fast: Archive) -> None:
    """The first part of an array is older than what has made its version."""
    fast.save({"x": np.arange(3), "y": BIG}, "r")
    run = fast.open("r")
    run["n"] = 1
    run.append("x", np.arange(2))
    run["n"] = 2
    fast.prune("r")
    assert run["x"].tolist() == [0, 1, 2, 0, 1]
    sound(fast)
    del run["y"]
    run.append("x", np.arange(1))
    run["n"] = 3
    fast.prune("r")
    assert same(run.load(), {"x": np.array([0, 1, 2, 0, 1, 0]), "n": 3})
    sound(fast)
    fast.delete("r")
    sound(fast)


# Crashes ------------------------------------------------------------------------

ABSENT = ("begun", "unwritten", "unsynced", "unlinked")
THERE = ("linked", "published", "uncommitted", "unsettled", "settled")


@pytest.mark.parametrize("what", ["edit", "append", "prune", "compact"])
def test_a_change_that_crashed_is_there_or_not(
    tmp_path: Path, program: Program, what: str
) -> None:
    """It counts once its file has its name; whoever is next goes on from there."""
    points = [*ABSENT, *THERE, *(["unremoved", "removed"] if what == "prune" else [])]
    told = json.loads(program("crash_editing.py", tmp_path, what, *points))
    x = [0, 1, 2, 0, 1]
    for point, seen in told.items():
        there = point not in ABSENT
        versions = {"1": [[0, 1, 2], 0], "2": [x, 1]}
        if there and what == "edit":
            versions["3"] = [[*x, 7], 2]
        elif there and what == "append":
            versions["2"] = [[*x, 7], 1]
        elif there and what == "prune":
            del versions["1"]
        elif there:
            versions["3"] = versions["2"]
        assert seen["versions"] == versions, (point, seen)
        last = versions[max(versions)]
        assert seen["then"] == [[*last[0], 9], 9], (point, seen)
        assert seen["findings"] == [], (point, seen)


# Anything -----------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "g/x", "g/y"])
VALUES = st.sampled_from([0, 1, "text", {}, {"x": {"y": 1}}, [1, [2]], np.arange(40.0)])


class HistoryMachine(RuleBasedStateMachine):
    """Two records and their versions, against dicts; the catalog is their function."""

    @initialize(mode=st.sampled_from(MODES))
    def begin(self, mode: str) -> None:
        """Open an archive in a new directory."""
        self.place = Path(tempfile.mkdtemp())
        self.archive = self.opened(mode)
        self.mode = mode
        self.model: dict[str, dict[int, Any]] = {}

    def opened(self, mode: str) -> Archive:
        """Return the archive."""
        address = self.place / "runs.db"
        return Archive(address, mode=mode, provenance=False, durability="relaxed")

    def teardown(self) -> None:
        """Remove the directory."""
        if hasattr(self, "archive"):
            self.archive.close()
            shutil.rmtree(self.place)

    def changed(self, name: str, value: Any) -> None:
        """Note the next version, unless it equals the last."""
        versions = self.model[name]
        last = max(versions)
        if not same(versions[last], value):
            versions[last + 1] = value

    @rule(name=st.sampled_from("rs"), key=KEYS, value=VALUES)
    def edit(self, name: str, key: str, value: Any) -> None:
        """Set a key; the first saves the record."""
        if name not in self.model:
            self.archive.save({}, name)
            self.model[name] = {1: {}}
        tree = copy.deepcopy(self.model[name][max(self.model[name])])
        self.archive.open(name)[key] = value
        *above, last = key.split("/")
        for token in above:
            tree = tree.setdefault(token, {})
            assert type(tree) is dict
        tree[last] = value
        whole = copy.deepcopy(self.model[name][max(self.model[name])])
        if above:
            whole.setdefault("g", {})[last] = value
        else:
            whole[last] = value
        self.changed(name, whole)

    @rule(name=st.sampled_from("rs"), key=KEYS, pieces=st.integers(1, 3))
    def append(self, name: str, key: str, pieces: int) -> None:
        """Append to a list of rows; a version only if the array is new."""
        if name not in self.model:
            return
        versions = self.model[name]
        last = max(versions)
        key = f"rows-{key[-1]}"
        for _ in range(pieces):
            value = copy.deepcopy(versions[last])
            new = key not in value
            old = value.get(key, np.zeros((0, 2)))
            value[key] = np.concatenate([old, np.full((2, 2), float(len(old)))])
            self.archive.open(name).append(key, value[key][len(old) :])
            last += new
            versions[last] = value

    @rule(name=st.sampled_from("rs"), at=st.integers(0, 5))
    def remove(self, name: str, at: int) -> None:
        """Delete a key."""
        if name not in self.model:
            return
        value = copy.deepcopy(self.model[name][max(self.model[name])])
        if value:
            key = list(value)[at % len(value)]
            del value[key]
            del self.archive.open(name)[key]
            self.changed(name, value)

    @rule(name=st.sampled_from("rs"), mode=st.sampled_from(MODES))
    def save(self, name: str, mode: str) -> None:
        """Save a new version of other data."""
        value = {"saved": len(self.model.get(name, ())), "rows-a": np.zeros((1, 2))}
        record = self.archive.save(value, name, mode=mode)
        self.model.setdefault(name, {})[record.version] = value

    @rule(name=st.sampled_from("rs"), keep=st.integers(1, 3))
    def prune(self, name: str, keep: int) -> None:
        """Remove old versions."""
        if name in self.model:
            self.archive.prune(name, keep=keep)
            for number in sorted(self.model[name])[:-keep]:
                del self.model[name][number]

    @rule(name=st.sampled_from("rs"))
    def compact(self, name: str) -> None:
        """Make the newest version stand alone."""
        if name in self.model:
            versions = self.model[name]
            newest = self.archive.compact(name).version
            versions[newest] = versions[max(versions)]

    @rule(name=st.sampled_from("rs"))
    def delete(self, name: str) -> None:
        """Delete a record."""
        if name in self.model:
            self.archive.delete(name)
            del self.model[name]

    @rule()
    def reopen(self) -> None:
        """Open the archive as somebody else would."""
        self.archive.close()
        self.archive = self.opened(self.mode)

    @rule()
    def rebuilt(self) -> None:
        """Rebuild the catalog, which is a function of the payloads."""
        if self.archive.exists:
            sound(self.archive)

    @invariant()
    def equal(self) -> None:
        """Every version is what it was."""
        if not hasattr(self, "archive"):
            return
        assert list(self.archive) == sorted(self.model)
        for name, versions in self.model.items():
            found = [record.version for record in self.archive.versions(name)]
            assert found == sorted(versions)
            for number, value in versions.items():
                assert same(self.archive.load(name, version=number), value)


def test_any_history() -> None:
    """Whatever is done to records, they hold what dicts would."""

    class Sound(HistoryMachine):
        def teardown(self) -> None:
            if hasattr(self, "archive") and self.archive.exists:
                sound(self.archive)
            super().teardown()

    run_state_machine_as_test(
        Sound,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
