"""Records in groups."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import pytest

from archivedb.archive.finding import columns as table
from archivedb.errors import QueryError

if TYPE_CHECKING:
    from archivedb import Archive

BIG = {f"filler-{number:04}": {"deep": number} for number in range(1200)}
"""More leaves than the index holds; what is put below it is found all the same."""


@pytest.mark.parametrize("filler", [{}, BIG])
def test_groups_are_reckoned(
    fast: Archive, filler: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all records, in as many pages as it takes."""
    monkeypatch.setattr(table, "PAGE", 2)
    for number, (metal, energy) in enumerate(
        [("Cu", -3.5), ("Al", -3.7), ("Al", -3.6), (None, -1), ("Al", None)]
    ):
        fast.save({**filler, "in": {"metal": metal, "e": energy}}, f"r{number}")
    fast.save({**filler, "in": {"e": -2.0}}, "none")
    given = {"n": "count", "with_e": ("in.e", "count"), "low": ("in.e", "min")}

    found = (
        fast.find()
        .group_by('data["in"].metal')
        .agg(
            **{name: _spelt(value) for name, value in given.items()},
            high=('data["in"].e', "max"),
            mean=('data["in"].e * 2', "mean"),
        )
    )

    assert found.columns[1:] == ("n", "with_e", "low", "high", "mean")
    assert found.rows == (
        ("Al", 3, 2, -3.7, -3.6, pytest.approx(-7.3)),
        ("Cu", 1, 1, -3.5, -3.5, -7.0),
        (None, 2, 2, -2.0, -1, -3.0),
    )


def _spelt(value: Any) -> Any:
    if isinstance(value, str):
        return value
    path, function = value
    return path.replace("in.", 'data["in"].'), function


def test_keys_of_mixed_types(fast: Archive) -> None:
    """Equal numbers are one group, True is another, and NaN is one."""
    keys = [1, 1.0, True, "1", math.nan, math.nan, [1], [1], 0.5, None]
    for number, key in enumerate(keys):
        fast.save({"k": key}, f"r{number}")

    found = fast.find().group_by("k").count()

    assert [row[1] for row in found.rows] == [1, 2, 1, 1, 2, 2, 1]
    assert [str(row[0]) for row in found.rows] == [
        *("0.5", "1", "True", "1", "nan", "[1]", "None")
    ] or found.rows[1][0] == 1
    assert len(fast.find().group_by("k")) == 7


def test_values_of_mixed_types(fast: Archive) -> None:
    """Numbers come before text; NaN and lists are counted alone."""
    late = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    for number, value in enumerate([3, "b", math.nan, [1, 2], 1 << 70, "a", late]):
        fast.save({"v": value}, f"r{number}")
    of = fast.find().group_by("version")

    found = of.agg(n=("v", "count"), a=("v", "min"), b=("v", "max"), c=("v", "mean"))

    assert found[0] == {
        "version": 1,
        "n": 7,
        "a": 3,
        "b": "b",
        "c": pytest.approx((3 + (1 << 70)) / 2),
    }


def test_groups_of_several_columns(fast: Archive) -> None:
    """Their keys are tuples, and expressions are columns, too."""
    for number in range(4):
        fast.save({"a": number % 2, "b": number}, f"r{number}")

    assert list(fast.find().group_by("a", "b / 2")) == [
        *((0, 0.0), (0, 1.0), (1, 0.5), (1, 1.5))
    ]
    assert list(fast.find().group_by("a")) == [0, 1]
    assert fast.find().group_by("a").count().to_frame()["count"].tolist() == [2, 2]
    assert "<td>2</td>" in fast.find().group_by("a")._repr_html_()
    assert repr(fast.find().group_by("a")) == "a  count\n0  2\n1  2"


def test_nothing_has_no_groups(archive: Archive) -> None:
    """No records, no groups."""
    assert list(archive.find().group_by("x").count()) == []
    assert archive.find().group_by("x").count().to_frame().empty


def test_what_cannot_be_reckoned_is_refused(fast: Archive) -> None:
    """The message says how it is written."""
    fast.save({"x": 1}, "run")
    group = fast.find().group_by("x")

    for wrong in ("mean", ("x", "median"), ("x",), 3):
        with pytest.raises(QueryError, match="write agg"):
            group.agg(y=wrong)  # type: ignore[arg-type]
    for titles in ({"x": "count"}, {"x": ("x", "max"), "y": "count"}):
        with pytest.raises(QueryError, match="a name of its own"):
            group.agg(**titles)
    with pytest.raises(QueryError, match="a name of its own"):
        fast.find().group_by("x", "x").agg(y="count")
    with pytest.raises(QueryError, match="no path `y`"):
        fast.find().group_by("y")
    with pytest.raises(QueryError, match="name what to group by"):
        fast.find().group_by()


def test_a_column_without_a_name(archive: Archive) -> None:
    """What is reckoned has a name; the error says how to write it."""
    archive.save({"n": 1}, "a")
    with pytest.raises(QueryError, match=r"'mean' has no name: write agg\(n="):
        archive.find().group_by("n").agg("mean")


def test_groups_of_what_is_called_count(archive: Archive) -> None:
    """A column of that name keeps it, and the number gets another."""
    for number, text in enumerate(("x" * 100, None)):
        archive.save({"count": text}, f"run-{number}")
    groups = archive.find().group_by("count")

    assert groups.count().columns == ("count", "count_")
    assert "x" * 39 + "…" in repr(groups)
    assert "None" not in repr(groups)
