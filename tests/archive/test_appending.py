"""Rows that are appended to an array of a record: small changes, and no version."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.archive.core import Core
from archivedb.catalog.database import Database
from archivedb.errors import (
    EncodeError,
    NotAGroupError,
    PayloadCorruptError,
    PayloadMissingError,
    ReadOnlyError,
)
from archivedb.values.exact import same

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import (  # type: ignore[import-not-found]
        Program,
        Reads,
    )

MODES = ("hdf5", "json", "cloudpickle")
FRAMES = np.arange(10_000 * 8 * 3, dtype=float).reshape(-1, 8, 3)
ROW = FRAMES[0].nbytes


def sound(archive: Archive) -> None:
    """Assert that verify finds nothing, and that a reindex changes nothing."""
    assert archive.verify().findings == ()
    before = archive.inspect().dump()
    assert not archive.reindex().findings
    assert archive.inspect().dump() == before
    assert archive.verify().findings == ()


@pytest.mark.parametrize("mode", MODES)
def test_a_trajectory_in_pieces(fast: Archive, mode: str, reads: Reads) -> None:
    """10,000 frames in pieces of 100 read back by slices, without the rest."""
    fast.save({"energy": 1.5}, "md", mode=mode)
    run = fast.open("md")
    for start in range(0, len(FRAMES), 100):
        run.append("positions", FRAMES[start : start + 100])

    with Archive(fast.address) as other:
        lazy = other.open("md").open("positions")
        assert (lazy.shape, lazy.dtype, len(lazy)) == (FRAMES.shape, "<f8", 10_000)
        for index in (
            *(slice(250, 350), slice(0, 3), slice(-5, None), slice(700, 500, -7)),
            *(17, -1, slice(0, 0), (slice(99, 101), 3), slice(None, None, 2500)),
        ):
            assert same(np.asarray(lazy[index]), np.asarray(FRAMES[index]))
        reads.clear()
        assert same(lazy[250:350], FRAMES[250:350])
        assert len(reads.files) == 2
        assert reads.bytes == 200 * ROW
        assert same(other["md/positions"], FRAMES)
        assert same(other.load("md"), {"energy": 1.5, "positions": FRAMES})
        assert len(other.versions("md")) == 2
        kinds = [change.kind for change in other.history("md")]
        assert kinds == ["save", "edit", *["append"] * 99]
        sound(other)


def test_large_pieces_are_read_by_block(archive: Archive, reads: Reads) -> None:
    """Of a piece with blocks only those are read in which the rows lie."""
    pieces = [np.random.default_rng(n).random((6, 1 << 17)) for n in range(3)]
    run = archive.create_group("x")
    for piece in pieces:
        run.append("rows", piece)
    lazy = run.open("rows")
    reads.clear()

    assert same(lazy[8:9], pieces[1][2:3])

    assert len(reads.files) == 1
    assert reads.bytes < 1.1 * (1 << 20)
    pieces[1][:] = 0  # what was appended is not what the caller has now
    assert same(lazy[5:7], np.stack([pieces[0][5], archive["x/rows"][6]]))
    assert run["rows"][8].any()


@pytest.mark.parametrize("mode", MODES)
def test_appends_and_edits_in_turn(fast: Archive, mode: str) -> None:
    """Rows go to the newest version; a version that an edit ended grows no more."""
    fast.save({"x": np.arange(2), "n": 0}, "r", mode=mode)
    run = fast.open("r")
    run.append("x", np.arange(3))
    run["n"] = 1
    run.append("x", np.arange(4))
    run["x"] = run["x"][::-1].copy()
    run.append("x", np.arange(1))
    run["y/z"] = 1

    one, two, three = [0, 1, 0, 1, 2], [0, 1, 0, 1, 2, 0, 1, 2, 3], [3, 2, 1, 0, 2]
    expected: list[Any] = [(one, 0), (two, 1), ([*three, 1, 0, 1, 0, 0], 1)]
    found = [fast.load("r", version=n) for n in (1, 2, 3)]
    assert [(each["x"].tolist(), each["n"]) for each in found] == expected
    assert same(fast.load("r"), {**found[2], "y": {"z": 1}})
    assert [change.kind for change in fast.history("r")] == [
        *("save", "append", "edit", "append", "edit", "append", "edit")
    ]
    assert [change.version for change in fast.history("r")] == [1, 1, 2, 2, 3, 3, 4]
    sizes = [record.size for record in fast.versions("r")]
    assert all(size > 8 * len(x) for size, (x, _) in zip(sizes, expected, strict=False))
    assert len({record.digest for record in fast.versions("r")}) == 4
    sound(fast)


def test_a_block_of_appends_is_one_edit(fast: Archive) -> None:
    """Inside of a block rows are seen at once, and kept together or not at all."""
    run = fast.create_group("r")
    with run:
        for number in range(5):
            run.append("x", np.full(2, number))
            assert len(run["x"]) == 2 * number + 2
    assert [change.kind for change in fast.history("r")] == ["save", "edit"]
    with run:
        run.append("x", np.arange(2))
    assert [change.kind for change in fast.history("r")][2:] == ["append"]

    def fail() -> None:
        with run:
            run.append("x", np.arange(2))
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - as raised above
        fail()
    assert same(run["x"], np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 1]))
    sound(fast)


def test_what_does_not_fit_writes_nothing(
    fast: Archive, payloads: Callable[[], list[Path]]
) -> None:
    """Rows of another dtype or shape, or for no array, are refused first."""
    x = np.zeros((2, 3))
    fast.save(
        {
            "x": x,
            "zero": np.array(1.0),
            "list": [1.0, 2.0],
            "n": 1,
            "g": {},
            "objects": np.array([1, "a"], object),
            "text": "abc",
            "tuple": (np.zeros(2),),
            "long": list(range(100)),
            "masked": np.ma.masked_array(np.zeros(3), [0, 1, 0]),
        },
        "r",
    )
    run = fast.open("r")
    run.append("x", x)
    before = payloads(), fast.history("r")

    for key, rows, error in [
        *((k, np.ones(1), EncodeError) for k in ("zero", "list", "n", "g", "objects")),
        *((k, np.ones(1), EncodeError) for k in ("x", "text", "long", "masked")),
        ("x", np.ones((1, 3), "f4"), EncodeError),
        ("x", np.ones((1, 3), ">f8"), EncodeError),
        ("x", np.ones((1, 4)), EncodeError),
        ("x", np.array(1.0), EncodeError),
        ("x", [[1.0, 2.0, 3.0]], EncodeError),
        ("x", np.array([[1, 2, 3]], object), EncodeError),
        ("new", np.array(1.0), EncodeError),
        ("tuple/[0]", np.ones(1), NotAGroupError),
        ("masked/data", np.ones(1), NotAGroupError),
        ("n/x", np.ones(1), NotAGroupError),
    ]:
        with pytest.raises(error):
            run.append(key, rows)
        with pytest.raises(error), run:
            run.append(key, rows)

    assert (payloads(), fast.history("r")) == before
    for pinned in (fast.open("r", version=1), fast.open(fast.record("r"))):
        with pytest.raises(ReadOnlyError):
            pinned.append("x", x)
    with pytest.raises(ReadOnlyError):
        Archive(fast.address, readonly=True).open("r").append("x", x)
    assert (payloads(), fast.history("r")) == before


@pytest.mark.parametrize("block", [False, True])
def test_what_is_shared_stays(fast: Archive, *, block: bool) -> None:
    """Only the array that is appended to grows, not what else was the same one."""
    x = np.arange(3)
    fast.save({"a": x, "b": x, "list": [x], "g": {"y": x + 1}}, "r")
    run = fast.open("r")
    if block:
        with run:
            run.append("a", x)
            run.append("list/[0]", x)
            run.append("g/y", x)
    else:
        run.append("a", x)
        run.append("list/[0]", x)
        run.append("g/y", x)
    grown = np.concatenate([x, x])
    y = np.concatenate([x + 1, x])
    assert same(fast.load("r"), {"a": grown, "b": x, "list": [grown], "g": {"y": y}})
    assert same(fast["r/b"], x)
    sound(fast)


@pytest.mark.long
def test_an_append_costs_the_same_each_time(
    fast: Archive, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of 1,000 appends reads, writes and asks SQLite as the first."""
    steps = 0
    connect = Database._connect

    def counted(database: Database) -> Any:
        connection = connect(database)

        def tick() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection.set_progress_handler(tick, 100)
        return connection

    monkeypatch.setattr(Database, "_connect", counted)
    fast.close()
    run = fast.create_group("r")
    costs = []
    for turn in range(1000):
        if turn % 250 == 50:
            steps = 0
            reads.clear()
        run.append("x", np.array([turn]))
        if turn % 250 == 249:
            costs.append((steps, reads.bytes))
    assert same(run["x"], np.arange(1000))
    assert costs[-1][0] < 1.3 * costs[0][0]
    assert costs[-1][1] <= costs[0][1]


def test_two_processes_append_to_one_array(fast: Archive, program: Program) -> None:
    """Both begin at once; no row is lost, and each one's come in their order."""
    fast.save({"x": np.zeros((0, 2), int)}, "r")
    fast.close()
    program("group_writers.py", fast.address, "append")
    rows = fast["r/x"]
    assert sorted(map(tuple, rows.tolist())) == [
        (who, n) for who in range(2) for n in range(120)
    ]
    for who in range(2):
        assert rows[rows[:, 0] == who][:, 1].tolist() == list(range(120))
    sound(fast)


def run_all(
    writers: list[threading.Thread],
    readers: list[threading.Thread],
    done: threading.Event,
) -> None:
    """Let some threads read for as long as others write."""
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()


def test_threads_append_and_read(fast: Archive) -> None:
    """Threads that share a group see whole rows, and more of them each time."""
    run = fast.create_group("r")
    run.append("x", np.zeros((1, 2), int))
    done = threading.Event()
    failed: list[BaseException] = []

    def write(who: int) -> None:
        for turn in range(60):
            run.append("x", np.full((1, 2), who * 1000 + turn))

    def read() -> None:
        seen = 0
        while not done.is_set():
            for rows in (run["x"], run.load()["x"], np.asarray(run.open("x"))):
                assert (rows[:, 0] == rows[:, 1]).all()
                assert len(rows) >= seen
                seen = len(rows)

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)
            raise

    readers = [threading.Thread(target=guarded, args=(read,)) for _ in range(2)]
    works = [functools.partial(write, who) for who in (1, 2)]
    writers = [threading.Thread(target=guarded, args=(work,)) for work in works]
    run_all(writers, readers, done)
    assert not failed, failed
    assert len(run["x"]) == 121
    sound(fast)


@pytest.fixture
def three(fast: Archive, payloads: Callable[[], list[Path]]) -> list[Path]:
    """Return the files of three parts of 1,000 rows, in their order."""
    files: list[Path] = []
    run = fast.create_group("r")
    for start in range(3):
        before = set(payloads())
        run.append("x", np.arange(1000.0) + start * 1000)
        files += set(payloads()) - before
    return files


def test_a_flipped_bit_in_one_part(fast: Archive, three: list[Path]) -> None:
    """It is found by whoever reads that part, and by verify; others get on."""
    data = bytearray(three[1].read_bytes())
    at = data.index(np.arange(1000.0, 2000.0).tobytes())
    data[at + 800] ^= 1
    three[1].chmod(0o644)
    three[1].write_bytes(data)
    whole = np.arange(3000.0)

    for opened in (fast, Archive(fast.address)):
        run = opened.open("r")
        lazy = run.open("x")
        assert same(lazy[:1000], whole[:1000])
        assert same(lazy[2000:], whole[2000:])
        for ask in (
            lambda run=run: run["x"],
            lambda lazy=lazy: lazy[1500],
            lambda opened=opened: opened.load("r"),
            lambda opened=opened: opened["r/x"],
            lambda opened=opened: opened.load("r", only=["x"]),
        ):
            with pytest.raises(PayloadCorruptError, match="r"):
                ask()
    (finding,) = fast.verify().findings
    assert finding.kind == "corrupt"
    assert three[1].name in finding.file


def test_a_missing_part(fast: Archive, three: list[Path]) -> None:
    """Its absence is a typed error for those who need it, and a finding."""
    three[1].unlink()
    run = fast.open("r")
    assert same(run.open("x")[2500:], np.arange(2500.0, 3000.0))
    for ask in (lambda: run["x"], lambda: run.open("x")[1500], lambda: fast["r/x"]):
        with pytest.raises(PayloadMissingError):
            ask()
    assert [finding.kind for finding in fast.verify("quick").findings] == ["missing"]
    with pytest.raises(PayloadMissingError):
        fast.compact("r")
    run.append("x", np.arange(2.0))
    assert len(run.open("x")) == 3002


def test_a_version_that_a_reindex_renumbered(fast: Archive) -> None:
    """A group that is open does not take another version for its own."""
    run = fast.create_group("r")
    rng = np.random.default_rng(1)
    for turn in range(30):
        other = Archive(fast.address, provenance=False, durability="relaxed")
        other.save({"n": turn}, f"other{turn % 3}")
        if rng.random() < 0.4:
            other.delete(f"other{turn % 3}")
        if rng.random() < 0.5:
            other.reindex()
        other.open("r")["turn"] = turn
        other.close()
        assert run["turn"] == turn
    assert isinstance(fast._core, Core)
