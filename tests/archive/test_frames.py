"""Values of many records at once: as tuples, frames, and stacked arrays."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sqlalchemy import event

from archivedb.archive.finding import columns as table
from archivedb.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb import Archive

BIG = {f"filler-{number:04}": {"deep": number} for number in range(1200)}
"""More leaves than the index holds; what is put below it is found all the same."""
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
VALUES: list[Any] = [
    *(1, 2.5, True, "text", None, NOON, dt.timedelta(seconds=3)),
    *([1, 2, 3], ["Al", [1, None]], [], list(range(16)), "x" * 2000, "\ud800"),
    *((1 << 63) - 1, (1 << 70) + 1),
]


@pytest.mark.parametrize("filler", [{}, BIG])
def test_values_are_those_that_were_saved(
    fast: Archive, filler: dict[str, Any]
) -> None:
    """Whatever the index holds of them, and whatever it does not."""
    for number, value in enumerate(VALUES):
        fast.save({**filler, "at": {"x": value, "n": number}}, f"runs/{number}")

    found = list(fast.find().order_by("at.n").values("at.n", "at.x"))

    assert found == list(enumerate(VALUES))
    assert [type(x) for _, x in found] == [type(x) for x in VALUES]


@pytest.mark.parametrize("filler", [{}, BIG])
def test_large_values_are_words(fast: Archive, filler: dict[str, Any]) -> None:
    """No array is read for a cell, unless it is short."""
    given = {
        "array": np.zeros((32, 3)),
        "short": np.arange(3.0),
        "long": np.arange(17),
        "list": list(range(400)),
        "some": list(range(17)),
        "groups": [{"a": 1}, {"a": 2}],
        "object": 1j,
    }
    fast.save({**filler, "at": given}, "run")
    names = [*(f"at.{key}" for key in given), "at.array.max", "at.array.shape"]

    (found,) = fast.find().values(*names, "at.array.dtype", "len(at.long)")

    words = (
        "float64 32\u00d73",
        [0.0, 1.0, 2.0],
        "int64 17",
        "list 400",
        "list 17",
        "list 2",
    )
    assert found == (*words, "object", 0.0, [32, 3], "float64", 17)


@pytest.mark.parametrize("filler", [{}, BIG])
def test_metadata_hides_data(fast: Archive, filler: dict[str, Any]) -> None:
    """Record by record, as for a question."""
    for name, metadata in [("a", {}), ("b", {"x": 2}), ("c", {"x": None})]:
        fast.save({**filler, "x": 1}, name, metadata=metadata)
    fast.save({**filler, "x": 1}, "d", metadata={"x": {"y": 3}})

    found = fast.find().order_by("name").values("x", "data.x", "metadata.x", "x + 1")

    assert list(found) == [
        (1, 1, None, 2),
        (2, 1, 2, 3),
        (None, 1, None, None),
        (None, 1, None, None),
    ]


def test_metadata_beyond_the_index_hides_data(fast: Archive) -> None:
    """What the index has is not taken for what the metadata says further on."""
    fast.save({"at": {"x": 1}}, "run", metadata={**BIG, "at": {"x": 2}})

    assert list(fast.find().values("at.x", "at.x * 2")) == [(2, 4)]


def test_items_of_long_arrays_are_read(fast: Archive) -> None:
    """The index has them of short arrays alone."""
    fast.save({"x": np.arange(4)}, "short")
    fast.save({"x": np.arange(100)}, "long")

    found = fast.find().order_by("name").values("x[3]", "x[3] + 1")

    assert list(found) == [(3, 4), (3, 4)]


def test_facts_of_records(fast: Archive) -> None:
    """A record's own facts are columns, too."""
    record = fast.save({"mode": 7}, "al/run", tags=["b", "a"], mode="json")
    names = ["name", "version", "saved_at", "tags", "record.mode", "mode"]

    (found,) = fast.find().values(*names, "record.size", "record.uuid", "data.mode")

    facts = (record.name, 1, record.saved_at, ["a", "b"], "json", 7, record.size)
    assert found[:-2] == facts
    assert found[-2] == record.uuid


def test_a_page_ends_where_the_next_begins(
    fast: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost or repeated between pages."""
    monkeypatch.setattr(table, "PAGE", 3)
    with fast.batch():
        for number in range(10):
            fast.save({"n": number}, f"runs/{number}")

    assert list(fast.find().order_by("n").values("n")) == [(n,) for n in range(10)]
    assert list(fast.find().order_by("-n")[2:9].to_frame(["n"])["n"]) == [
        *range(7, 0, -1)
    ]


def test_a_frame_has_sensible_types(fast: Archive) -> None:
    """Ints stay ints, times are times, and what is missing is missing."""
    for number in range(3):
        run = {"i": number, "f": number / 2, "b": number > 1, "s": str(number)}
        late = NOON + dt.timedelta(days=number)
        more = {"half": number} if number else {}
        fast.save({**run, "t": late, "big": (1 << 70) + number, **more}, f"r{number}")

    found = fast.find().order_by("i").to_frame(["i", "f", "b", "s", "t", "big", "half"])

    assert list(found.index) == ["r0", "r1", "r2"]
    assert found.index.name == "name"
    assert found["i"].dtype == np.int64
    assert found["f"].dtype == np.float64
    assert found["b"].dtype == bool
    assert list(found["s"]) == ["0", "1", "2"]
    assert found["t"].dtype == "datetime64[us, UTC]"
    assert found["t"].iloc[1] == pd.Timestamp("2026-11-24 12:00", tz="UTC")
    assert list(found["big"]) == [(1 << 70) + number for number in range(3)]
    assert math.isnan(found["half"].iloc[0])
    assert list(found["half"])[1:] == [1, 2]


def test_columns_that_nobody_named_vary(fast: Archive) -> None:
    """Constants, large arrays and objects are left out."""
    for number in range(4):
        inputs = {"cutoff": 300 + number, "xc": "PBE", "k": [number, 1]}
        outputs = {"energy": -number, "forces": np.full((9, 9), number)}
        run = {"inputs": inputs, "outputs": outputs, "maybe": 1} if number else inputs
        fast.save(run, f"r{number}", metadata={"who": "ab"[number % 2]})

    some = fast.find("outputs.energy <= 0").to_frame()
    one = fast.find("outputs.energy == -2").to_frame(index=None)

    assert list(some) == [
        *("saved_at", "who", "inputs.cutoff", "inputs.k", "outputs.energy")
    ]
    assert [*one] == [
        *("saved_at", "who", "maybe", "inputs.cutoff", "inputs.xc", "inputs.k"),
        "outputs.energy",
    ]


def test_nothing_makes_an_empty_frame(archive: Archive) -> None:
    """Neither an archive that is not there, nor one without matches, fails."""
    assert archive.find().to_frame(["x"]).shape == (0, 1)
    assert archive.find().to_frame().empty
    archive.save({"x": 1}, "run")
    assert archive.find(x=2).to_frame(["x"]).shape == (0, 1)
    assert archive.find(x=2).to_frame().empty
    assert list(archive.find(x=2).values("x")) == []
    assert archive.find().limit(0).to_frame(["x"]).empty


def test_versions_are_read_by_themselves(fast: Archive) -> None:
    """The index knows the newest alone."""
    for number in range(3):
        data = {"x": [number], "same": 1, "a": np.zeros((number + 1, 2))}
        fast.save(data, "run", tags=[f"t{number}"])
    versions = fast.find().all_versions()

    found = list(versions.values("version", "x", "a", "tags"))

    assert found == [
        (n + 1, [n], f"float64 {n + 1}\u00d72", [f"t{n}"]) for n in (2, 1, 0)
    ]
    assert list(versions.to_frame()) == ["version", "saved_at", "x"]
    assert list(versions.to_frame(["same"])["same"]) == [1, 1, 1]


def test_columns_that_no_record_has_are_refused(fast: Archive) -> None:
    """With a proposal; one text is no list of columns."""
    fast.save({"outputs": {"energy": 1}}, "run")

    with pytest.raises(QueryError, match=r"did you mean `outputs.energy`"):
        fast.find().to_frame(["outputs.enrgy"])
    with pytest.raises(QueryError, match="a list of texts"):
        fast.find().to_frame("outputs.energy")
    with pytest.raises(QueryError, match="a column is text"):
        list(fast.find().values(3))  # type: ignore[arg-type]


def test_statements_do_not_grow_with_the_records(fast: Archive) -> None:
    """A frame of many records takes no more of them than one of few."""

    def save(count: int) -> None:
        with fast.batch():
            for number in range(count):
                run = {"x": number, "k": [number, 2], "a": np.zeros((20, number % 3))}
                fast.save(run, f"runs/{count}/{number}")

    def taken(use: Callable[[], object]) -> int:
        said: list[str] = []

        def note(*given: Any) -> None:
            said.append(given[2])

        engine = fast._core._database.engine  # type: ignore[union-attr]
        event.listen(engine, "before_cursor_execute", note)
        use()
        event.remove(engine, "before_cursor_execute", note)
        return len(said)

    names = ["name", "x", "k", "a", "x * 2", "tags"]
    save(5)
    few = [taken(lambda: fast.find().to_frame(names)), taken(fast.find().to_frame)]
    save(60)
    many = [taken(lambda: fast.find().to_frame(names)), taken(fast.find().to_frame)]

    assert many == few
    assert max(many) < 15


def test_a_missing_library_is_named(
    fast: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)

    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        fast.find().to_frame()
    with pytest.raises(ModuleNotFoundError, match="pip install xarray"):
        fast.find().to_xarray("x")


def test_arrays_are_stacked(fast: Archive) -> None:
    """With the names, and with whatever else is asked for, as coordinates."""
    for number in range(3):
        fast.save({"f": np.full((2, 3), number), "e": number / 2}, f"r{number}")
    found = fast.find().order_by("name")

    array = found.to_xarray("f", ["atom", "axis"], coords=["e"])

    assert array.dims == ("record", "atom", "axis")
    assert array.to_numpy().tolist() == [np.full((2, 3), n).tolist() for n in range(3)]
    assert list(array["name"].values) == ["r0", "r1", "r2"]
    assert list(array["e"].values) == [0, 0.5, 1]
    assert found.to_xarray("e").to_numpy().tolist() == [0, 0.5, 1]
    assert found.to_xarray("f.max").to_numpy().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"f": np.zeros((2, 4))}, "float64 2\u00d74 in 'z'"),
        ({"f": np.zeros((2, 3), int)}, "int64 2\u00d73 in 'z'"),
        ({"g": 1}, "not in 'z'"),
        ({"f": {"g": 1}}, "neither array nor number in 'z'"),
        ({"f": [[1], [2, 3]]}, "neither array nor number in 'z'"),
    ],
)
def test_arrays_that_cannot_be_stacked_are_named(
    fast: Archive, other: dict[str, Any], words: str
) -> None:
    """The message says which record, and how it differs."""
    fast.save({"f": np.zeros((2, 3))}, "a")
    fast.save(other, "z")

    with pytest.raises(QueryError, match=words):
        fast.find().order_by("name").to_xarray("f")
    with pytest.raises(QueryError, match="2 axes"):
        fast.find(name="a").to_xarray("f", ["x"])


def test_tables_for_people(fast: Archive) -> None:
    """The terminal's and Jupyter's show what varies, and nothing is markup."""
    for number in range(25):
        fast.save({"x": number, "s": f"<b>[red]{number % 2}"}, f"r{number:02}")
    console = Console(width=120, record=True, file=__import__("io").StringIO())

    console.print(fast.find().order_by("x"))

    text, page = console.export_text(), fast.find().order_by("x")._repr_html_()
    assert "r19" in text
    assert "r20" not in text
    assert "<b>[red]1" in text
    assert "&lt;b&gt;[red]1" in page
    assert "<b>" not in page
