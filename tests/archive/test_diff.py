"""What differs between two records, or two versions of one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from archivedb import Archive, Diff, Difference
from archivedb.archive.comparing import comparison
from archivedb.errors import PayloadCorruptError, RecordNotFoundError
from archivedb.values.differing import OTHER_BITS, REORDERED

if TYPE_CHECKING:
    from tests.archive.conftest import Reads

MODES = ("hdf5", "json", "cloudpickle")

RUN: dict[str, Any] = {
    "inputs": {"cutoff": 400, "kpts": [4, 4, 4], "box": np.eye(3)},
    "outputs": {"energy": -3.7, "forces": np.zeros((4, 3)), 7: ("a", {1, 2})},
}


def changed() -> dict[str, Any]:
    """Return the run with other inputs and outputs."""
    forces = np.zeros((4, 3))
    forces[2, 1] = 0.25
    return {
        "inputs": {"cutoff": 500, "kpts": [4, 4, 4], "box": np.eye(3)},
        "outputs": {"energy": -3.9, "forces": forces, 7: ("b", {1, 2})},
    }


def facts(diff: Diff) -> list[tuple[str, Any, Any]]:
    """Return path, elements and maximum of each difference."""
    return [(each.path, each.elements, each.maximum) for each in diff]


@pytest.mark.parametrize("one", MODES)
@pytest.mark.parametrize("two", MODES)
def test_modes(fast: Archive, one: str, two: str) -> None:
    """Records are compared across modes, which are no difference themselves."""
    fast.save(RUN, "a", mode=one)
    fast.save(changed(), "b", mode=two)
    fast.save(RUN, "c", mode=two)
    diff = fast.diff("a", "b")
    assert [(each.path, each.before, each.after) for each in diff] == [
        ("inputs/cutoff", "400", "500"),
        ("outputs/energy", "-3.7", "-3.9"),
        ("outputs/forces", *["float64 4\N{MULTIPLICATION SIGN}3 96 B"] * 2),
        ("outputs/$7/[0]", "'a'", "'b'"),
    ]
    assert facts(diff)[2] == ("outputs/forces", 1, 0.25)
    assert not fast.diff("a", "c")
    assert not fast.diff("a", "c").notes


def test_which_versions(fast: Archive) -> None:
    """Two records, two versions of one, or the newest and the one before it."""
    for number in (1, 2, 3):
        fast.save({"n": number}, "a")
    fast.save({"n": 7}, "b")
    first, _, third = fast.versions("a")

    def values(diff: Diff) -> tuple[Any, ...]:
        assert diff.before.version
        return tuple((each.before, each.after) for each in diff)

    assert values(fast.diff("a", "b")) == (("3", "7"),)
    assert values(fast.diff("a")) == (("2", "3"),)
    assert values(fast.diff(third)) == (("2", "3"),)
    assert values(fast.diff(first, third)) == (("1", "3"),)
    assert values(fast.diff("a", versions=(1, 3))) == (("1", "3"),)
    assert values(fast.diff("a", versions=(1, None))) == (("1", "3"),)
    assert values(fast.diff("a", versions=(None, 2))) == (("1", "2"),)
    assert values(fast.diff("a", "b", versions=(2, None))) == (("2", "7"),)
    assert values(fast.diff(first, "b")) == (("1", "7"),)
    assert not fast.diff("a", "a")
    fast.prune("a", keep=2)
    assert values(fast.diff("a")) == (("2", "3"),)
    for arguments in (("b",), (first,), ("none",), ("a", "none")):
        with pytest.raises(RecordNotFoundError):
            fast.diff(*arguments)
    with pytest.raises(RecordNotFoundError):
        fast.diff("a", versions=(2, 9))


def test_equal_arrays_are_not_read(fast: Archive, reads: Reads) -> None:
    """Of arrays with equal digests no byte is read; of equal versions no file."""
    same = np.random.default_rng(1).random(200_000)
    fast.save({"same": same, "x": np.zeros(10), "e": 1}, "a")
    fast.save({"same": same.copy(), "x": np.ones(10), "e": 2}, "b")
    reads.clear()
    assert facts(fast.diff("a", "b")) == [("x", 10, 1.0), ("e", None, 1.0)]
    assert reads.bytes < 10_000
    reads.clear()
    fast.save({"same": same, "x": np.zeros(10), "e": 1}, "c", metadata={"p": 1})
    reads.clear()
    assert [each.side for each in fast.diff("a", "c")] == ["metadata"]
    assert not reads.bytes


def damage(archive: Archive, name: str, array: bytes) -> None:
    """Change a byte of an array of a record, where it lies."""
    (file,) = archive.record(name).files
    path = Path(archive.address).with_suffix(".payloads") / file
    raw = path.read_bytes()
    assert raw.count(array) == 1
    path.chmod(0o600)
    path.write_bytes(raw.replace(array, array[:-1] + b"\xff"))


def test_damage_is_found_where_it_was_read(fast: Archive) -> None:
    """Damage of an equal array is not noticed; of another it is, by its record."""
    same, other = np.arange(100.0), np.arange(100.0) * 2
    fast.save({"same": same, "x": np.zeros(100)}, "a")
    fast.save({"same": same, "x": other}, "b")
    damage(fast, "b", same.tobytes())
    assert facts(fast.diff("a", "b")) == [("x", 99, 198.0)]
    damage(fast, "b", other.tobytes())
    for pair in (("a", "b"), ("b", "a")):
        with pytest.raises(PayloadCorruptError, match=r"^'b' version 1: the array at"):
            fast.diff(*pair)


def test_damaged_skeletons_are_named_once(fast: Archive) -> None:
    """The error says which of the two versions it was."""
    fast.save({"x": 1}, "a")
    fast.save({"x": 12345678}, "b")
    damage(fast, "b", b"12345678")
    for pair in (("a", "b"), ("b", "a")):
        with pytest.raises(PayloadCorruptError) as raised:
            fast.diff(*pair)
        assert str(raised.value).count("version 1: ") == 1
        assert str(raised.value).startswith("'b' version 1: ")


def test_large_arrays_are_read_in_pieces(
    fast: Archive, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays of many MiB are compared piece by piece, and checked by their blocks."""
    monkeypatch.setattr(comparison, "PIECE", 1 << 20)
    one = np.zeros((3, 500_000))
    two = one.copy()
    two[0, 5], two[2, 499_999] = 1, math.nan
    two[1, 7] = -0.0
    fast.save({"x": one}, "a")
    fast.save({"x": two}, "b")
    largest = 0
    real = comparison.Deviation.add

    def add(self: Any, left: Any, right: Any) -> None:
        nonlocal largest
        largest = max(largest, left.nbytes)
        real(self, left, right)

    monkeypatch.setattr(comparison.Deviation, "add", add)
    reads.clear()
    assert facts(fast.diff("a", "b")) == [("x", 2, math.inf)]
    assert largest == 1 << 20
    assert reads.bytes < 2.1 * one.nbytes


def test_appended_arrays(fast: Archive, reads: Reads) -> None:
    """Arrays in parts are compared part by part, whole ones with parts, too."""
    rows = np.arange(30_000.0).reshape(-1, 3)
    other = rows.copy()
    other[9_999, 2] += 0.5
    for name, last in (("a", rows), ("b", other)):
        group = fast.create_group(name)
        for part in (rows, rows[:5], last):
            group.append("x", part)
    fast.save({"x": np.concatenate([rows, rows[:5], rows])}, "whole")
    fast.save({"x": rows}, "shorter", mode="json")
    reads.clear()
    assert facts(fast.diff("a", "b")) == [("x", 1, 0.5)]
    assert reads.bytes < 3 * rows.nbytes
    assert not fast.diff("a", "whole")
    assert facts(fast.diff("whole", "b")) == [("x", 1, 0.5)]
    reads.clear()
    (each,) = fast.diff("a", "shorter")
    assert each.before is not None
    assert each.before.endswith("in 3 parts")
    assert each.maximum is None
    assert reads.bytes < rows.nbytes * 2
    fast.compact("a")
    assert facts(fast.diff("a", "b")) == [("x", 1, 0.5)]


def test_dtypes_and_empty_arrays(fast: Archive) -> None:
    """Numbers of other dtypes are compared as numbers; others by what they are."""
    one = {"n": np.arange(3), "t": np.array(["a", "b"]), "e": np.zeros((0, 3))}
    two = {"n": np.arange(3.0), "t": np.array(["a", "c"]), "e": np.zeros((3, 0))}
    fast.save(one | {"s": np.array(5), "b": np.array([True])}, "a")
    fast.save(two | {"s": np.array(6), "b": np.array([1])}, "b", mode="json")
    assert facts(fast.diff("a", "b")) == [
        ("n", 0, 0.0),
        ("t", 1, None),
        ("e", None, None),
        ("s", 1, 1.0),
        ("b", 0, 0.0),
    ]
    assert str(fast.diff("a", "b").differences[0]) == (
        "~ n  int64 3 24 B -> float64 3 24 B  0 items differ by up to 0"
    )


def test_notes(fast: Archive) -> None:
    """What is equal in another form is no difference, and said so."""
    fast.save({"a": np.array([0.0]), "b": 1}, "a")
    fast.save({"b": 1, "a": np.array([-0.0])}, "b")
    diff = fast.diff("a", "b")
    assert not diff
    assert diff.notes == (REORDERED, OTHER_BITS)
    assert str(diff).splitlines()[1:] == [f"  ({REORDERED})", f"  ({OTHER_BITS})"]


def test_metadata_and_tags(fast: Archive) -> None:
    """What the user said of a record is compared like what is in it."""
    fast.save({}, "a", metadata={"p": "x", "n": {"q": 1}}, tags=["good", "old"])
    fast.save({}, "b", metadata={"p": "y", "n": {"q": 1, "r": 2}}, tags=["new", "good"])
    diff = fast.diff("a", "b")
    assert list(map(str, diff)) == [
        "~ metadata: p  'x' -> 'y'",
        "+ metadata: n/r  2",
        "- tags: old",
        "+ tags: new",
    ]
    assert [each.side for each in diff] == ["metadata"] * 2 + ["tags"] * 2


class Loud:
    """An object that says when it is restored."""

    restored = 0

    def __init__(self, x: int) -> None:
        self.x = x
        self.y = np.full(3, x)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Count."""
        type(self).restored += 1
        self.__dict__.update(state)


def test_strangers_objects_are_compared_and_not_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects are compared by their state, whoever signed them; nothing runs."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"o": Loud(1), "f": lambda: 1}, "a")
        archive.save({"o": Loud(2), "f": lambda: 2}, "b", mode="cloudpickle")
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "other.key"))
    with Archive(tmp_path / "runs.db") as archive:
        diff = archive.diff("a", "b")
    assert [(each.path, each.maximum) for each in diff][:2] == [
        ("o/state/x", 1.0),
        ("o/state/y", 1.0),
    ]
    assert diff.differences[2].path == "f"
    assert not Loud.restored


def test_any_depth(fast: Archive) -> None:
    """A record nested 5,000 deep is compared as any other."""
    for name, leaf in (("a", 1), ("b", 2)):
        value: Any = leaf
        for _ in range(5000):
            value = {"d": value}
        fast.save(value, name)
    (each,) = fast.diff("a", "b")
    assert each.path == "/".join(["d"] * 5000)


DIFF_TEXT = """\
'a' version 1 -> 'b' version 1: 3 differences
  ~ inputs/<x>  400 -> 500
  + new         dict of 0 keys
  ~ forces      float64 2 16 B  1 item differs by up to 1"""


def test_reprs(fast: Archive) -> None:
    """A diff is a table as text and in HTML, one line in short, and frozen."""
    fast.save({"inputs": {"<x>": 400}, "forces": np.zeros(2)}, "a")
    fast.save({"inputs": {"<x>": 500}, "new": {}, "forces": np.array([0.0, 1])}, "b")
    diff = fast.diff("a", "b")
    inputs, forces, new = diff
    diff = Diff(diff.before, diff.after, (inputs, new, forces), ("a <note>",))
    assert str(diff) == DIFF_TEXT + "\n  (a <note>)"
    assert repr(diff) == "<Diff 'a' version 1 -> 'b' version 1, 3 differences>"
    html = diff._repr_html_()
    assert "inputs/&lt;x&gt;" in html
    assert "a &lt;note&gt;" in html
    console = Console(width=100, record=True)
    with console.capture() as capture:
        console.print(diff)
    assert "inputs/<x>  400 -> 500" in capture.get()
    assert len(diff) == 3
    assert diff
    assert inputs == Difference("inputs/<x>", "changed", "400", "500", 100.0)
    assert str(Difference("", "changed", "1", "2")) == "~ (the whole)  1 -> 2"
    with pytest.raises(AttributeError):
        inputs.path = ""  # type: ignore[misc]
