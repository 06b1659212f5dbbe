"""Where questions end: sizes, bounds, what the index lacks."""

from __future__ import annotations

import datetime as dt
import json
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import text

from archivedb.archive.finding import query as finding
from archivedb.archive.finding.query import MOST_KEYS, MOST_NODES
from archivedb.catalog import driving, searching
from archivedb.catalog.compiling import FEWEST_BYTES
from archivedb.errors import QueryError
from archivedb.query import literals
from archivedb.query.parse import parse
from archivedb.query.walk import size
from archivedb.values.leaves import MOST

if TYPE_CHECKING:
    from pathlib import Path

    from archivedb import Archive
    from tests.archive.conftest import Reads

HUGE = [2**62, 2**62 + 1, 2**63 - 1, 2**63, 2**64, 2**70, 10**30]
OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


def names(found: Any) -> list[str]:
    """Return the names of records, in their order."""
    return [record.name for record in found]


# Slices ----------------------------------------------------------------------


@pytest.mark.parametrize("huge", HUGE)
@pytest.mark.parametrize("older", [False, True])
def test_huge_slices(fast: Archive, huge: int, *, older: bool) -> None:
    """More than a database can count is as good as all, or as nothing."""
    for number in range(3):
        fast.save({"x": number}, f"r{number}")
    found = fast.find().order_by("x")
    found = found.all_versions() if older else found
    everything = ["r0", "r1", "r2"]

    assert names(found.limit(huge)) == names(found[:huge]) == everything
    assert names(found.limit(huge).limit(huge)) == everything
    assert names(found.offset(1).limit(huge)) == names(found[1:huge]) == everything[1:]
    assert names(found.limit(huge).offset(2)) == everything[2:]
    for nothing in (
        found.offset(huge),
        found[huge:],
        found[huge : huge + 3],
        found[huge : 2 * huge],
        found.offset(huge).offset(huge).limit(huge).offset(1),
        found.limit(huge).offset(huge),
        found[huge : huge - 1],
    ):
        assert names(nothing) == []
        assert nothing.count() == 0
        assert nothing.first() is None
    with pytest.raises(IndexError, match="there are no"):
        found[huge]


def test_slices_end_where_they_say(fast: Archive) -> None:
    """Of slices of slices, each counts from the first that is left."""
    for number in range(6):
        fast.save({"x": number}, f"{number}")
    found = fast.find().order_by("x")

    assert names(found[1:5][1:3]) == ["2", "3"]
    assert names(found[1:3][1:9]) == ["2"]
    assert names(found[2:][:2]) == ["2", "3"]
    assert names(found[:2][2:]) == names(found[3:2]) == names(found.limit(-1)) == []
    assert names(found.offset(-3)[4:]) == ["4", "5"]
    assert found[1:3].count() == 2


# Sizes -----------------------------------------------------------------------


AT_LIMIT = " and ".join(f"({' or '.join(['x == 1'] * n)})" for n in (499, 500))
"""A question of 3,000 nodes: each comparison is itself, a path and a value."""


def test_as_many_parts_as_may_be(
    fast: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is refused before any SQL is made."""
    fast.save({"x": 1}, "one")
    fast.save({"x": 2}, "two")
    more = AT_LIMIT.replace("x == 1", "not x == 1", 1)
    assert (size(parse(AT_LIMIT))[0], size(parse(more))[0]) == (MOST_NODES, 3001)

    assert fast.find(AT_LIMIT).count() == 1

    monkeypatch.setattr(finding, "Search", None)
    for found in (fast.find(more), fast.find(AT_LIMIT).where("x")):
        with pytest.raises(QueryError, match=r"has 3,00\d parts .* more than 3,000"):
            found.count()
        with pytest.raises(QueryError, match=r"`path in \[...\]`"):
            list(found.all_versions())


def test_as_many_keys_as_may_be(fast: Archive) -> None:
    """By 64 keys things are sorted; more are named."""
    for number in (2, 1, 3):
        fast.save({"x": number, "y": 0}, f"r{number}")
    keys = ["y"] * (MOST_KEYS - 1)

    assert names(fast.find().order_by(*keys, "-x")) == ["r3", "r2", "r1"]
    with pytest.raises(QueryError, match=r"65 sort keys, more than .* 64"):
        list(fast.find().order_by(*keys, "-x", "name"))


def test_as_many_values_as_may_be(
    fast: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever they are given; what is larger says how many it may be."""
    assert literals.MOST_VALUES == 100_000
    for module in (finding, literals):  # the whole of it takes seconds
        monkeypatch.setattr(module, "MOST_VALUES", 1_000)
    fast.save({"x": 999}, "in")
    fast.save({"x": 1_000}, "out")
    given = np.arange(1_000)

    assert names(fast.find("x in many", {"many": given})) == ["in"]
    with pytest.raises(QueryError, match="more than 1,000 values"):
        fast.find("x in many", {"many": np.arange(1_001)}).count()
    twice = fast.find("x in many and x not in few", {"many": given, "few": [7]})
    with pytest.raises(QueryError, match="lists 1,001 values, more than 1,000"):
        twice.count()
    with pytest.raises(QueryError, match="lists 1,001 values, more than 1,000"):
        fast.find("x in [7]").where("x in many", {"many": given}).count()


# Bounds of a search along an index ------------------------------------------


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what is few for many, so that searches go along the order."""
    for name, value in {"FEW": 1, "SOME": 1, "MANY": 1, "CHUNK": 1}.items():
        monkeypatch.setattr(searching, name, value)
    monkeypatch.setattr(searching, "LARGEST_CHUNK", 2)
    monkeypatch.setattr(driving, "WORTH_SHARING", 1)


SMALL = [-math.inf, -3, -0.5, -0.0, 0, 0.1, 2.5, 2**53 - 1, 2**53, 2.0**63, math.inf]
LARGE = [2**53 + 1, 2**53 + 2, 2**63 - 1, -(2**63)]
HUGER = [2**63, 2**63 + 1, 2**64, -(2**63) - 1, 10**300, 10**309]
ODD: list[Any] = [math.nan, "3", "a", True, False, None, [3], {"y": 3}, b"3"]
ODD += [dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.timedelta(seconds=3), np.zeros(2)]


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and value == value  # noqa: PLR0124 - NaN


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("numbers", [SMALL, SMALL + LARGE, SMALL + LARGE + HUGER])
@pytest.mark.parametrize("op", OPERATORS)
def test_bounds_of_numbers(fast: Archive, op: str, numbers: list[Any]) -> None:
    """Sorted by a path that must lie between numbers, which are hit exactly."""
    values = dict(enumerate([*numbers, *ODD]))
    with fast.batch():
        for number, value in values.items():
            fast.save({"x": value}, f"{number}")
        fast.save({"y": 1}, "none")

    for bound in (-math.inf, -3, 0, 2.6, 2**53, 2**53 + 1, 2**63, 2**63 + 1, 10**309):
        right = [n for n, v in values.items() if _is_number(v)]
        right = [n for n in right if OPERATORS[op](values[n], bound)]
        for falls in (False, True):
            # What ties comes in the order of being saved, or the other way.
            wanted = sorted(right, key=lambda n: (values[n], n), reverse=falls)
            found = fast.find(f"x {op} bound", {"bound": bound})
            found = found.order_by("-x" if falls else "x")
            told = op, bound, falls
            assert names(found) == list(map(str, wanted)), told
            assert names(found[:3]) == list(map(str, wanted[:3])), told


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("1 < x < 4", [2, 3]),
        ("1 <= x <= 4", [1, 2, 3, 4]),
        ("x > 1 and x >= 3 and x < 100", [3, 4, 5]),
        ("x > 3 and x < 3", []),
        ("x >= 3 and x <= 3", [3]),
        ("4 > x", [0, 1, 2, 3]),
        ("x > 1 and x != 3", [2, 4, 5]),
        ("x > 1 or x == 0", [0, 2, 3, 4, 5]),
        ("not x > 1", [0, 1]),
        ("x > 2.5 and y < 5", [3, 4]),
        ("near(x, 3, 1)", [2, 3, 4]),
        ("x == 3", [3]),
        ("x > '1'", []),
        ("x >= 3 and x == x", [3, 4, 5]),
    ],
)
def test_several_bounds(fast: Archive, question: str, wanted: list[int]) -> None:
    """Only what all of a question says together bounds a search."""
    for number in (3, 0, 5, 2, 4, 1):
        fast.save({"x": number, "y": number}, f"{number}")

    for falls in (False, True):
        found = fast.find(question).order_by("-x" if falls else "x")
        sort = sorted(wanted, reverse=falls)
        assert names(found) == names(found[:9]) == list(map(str, sort))
        assert names(found[:2]) == list(map(str, sort[:2]))


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("op", OPERATORS)
def test_bounds_of_times(fast: Archive, op: str) -> None:
    """A time window meets the microsecond, newest first, oldest first, or by x."""
    with fast.batch():
        for number in range(5):
            fast.save({"x": -number}, f"{number}")
    for number in range(5, 9):
        fast.save({"x": -number}, f"{number}")
    records = [fast.record(str(number)) for number in range(9)]
    step = dt.timedelta(microseconds=1)
    times = sorted({each.saved_at for each in records})
    assert len(times) >= 5

    for bound in [times[0] - step, *times[:2], times[-2] + step, times[-1]]:
        right = [r.name for r in records if OPERATORS[op](r.saved_at, bound)]
        found = fast.find(f"saved_at {op} bound", {"bound": bound})
        assert names(found) == names(found.limit(9)) == right[::-1]
        assert names(found.order_by("saved_at").limit(9)) == right
        assert names(found.order_by("-saved_at").limit(2)) == right[::-1][:2]
        assert names(found.order_by("x").limit(9)) == right[::-1]
        typed = fast.find(f"saved_at {op} '{bound.isoformat()}'")
        assert names(typed.limit(9)) == right[::-1]
        assert found.count() == len(right)


@pytest.mark.usefixtures("_tiny")
def test_other_kinds_have_no_bounds(fast: Archive) -> None:
    """Times are none for numbers, and where numbers are unequal lies all else."""
    early, late = (dt.datetime(2026, 1, n, tzinfo=dt.UTC) for n in (1, 2))
    for value in (5, "text", early, None, 2, late, 2.0**63):
        fast.save({"x": value}, str(value).replace(" ", "-"))
    times = [str(value).replace(" ", "-") for value in (early, late)]
    huge = str(2.0**63)

    by_x = fast.find("x != 5").order_by("x")
    assert names(by_x) == ["2", huge, *times, "text", "None"]
    assert names(fast.find("x > when", {"when": early}).order_by("x")) == times[1:]
    assert names(fast.find("x <= when", {"when": late}).order_by("-x")) == times[::-1]
    assert names(fast.find(f"x < {2**63 + 1}").order_by("-x")) == [huge, "5", "2"]


@pytest.mark.usefixtures("_tiny")
def test_bounds_of_hidden_data(fast: Archive) -> None:
    """What the metadata says counts, on which side the other value ever lies."""
    fast.save({"x": 1}, "data")
    fast.save({"x": 1}, "larger", metadata={"x": 5})
    fast.save({"x": 5}, "smaller", metadata={"x": 0})
    fast.save({"x": 3}, "text", metadata={"x": "3"})
    fast.save({"x": 9, "n": list(range(40))}, "last")

    assert names(fast.find("x > 2").order_by("x")[:9]) == ["larger", "last"]
    assert names(fast.find("x < 2").order_by("-x")[:9]) == ["data", "smaller"]
    assert names(fast.find("data.x > 2").order_by("data.x")[:9]) == [
        *("text", "smaller", "last")
    ]
    assert names(fast.find("metadata.x >= 0").order_by("-metadata.x")[:9]) == [
        *("larger", "smaller")
    ]


# Arrays without axes ---------------------------------------------------------


def test_arrays_without_axes_are_numbers(fast: Archive) -> None:
    """They are compared, sorted, reckoned with and listed, as in what they hold."""
    fast.save({"x": np.array(2.5)}, "float")
    fast.save({"x": np.array(3, "u8")}, "int")
    fast.save({"x": np.array(2**63 + 1, "u8")}, "large")
    fast.save({"x": np.array(math.nan)}, "nan")
    fast.save({"x": np.array(True)}, "bool")  # noqa: FBT003 - a value
    fast.save({"x": np.array([2.5])}, "list")
    fast.save({"m": 1}, "metadata", metadata={"x": np.float32(2.5)})

    def found(question: str) -> set[str]:
        asked = fast.find(question)
        # Older versions are read, not looked up.
        assert set(names(asked)) == set(names(asked.all_versions())), question
        return set(names(asked))

    assert found("x == 2.5") == {"float", "metadata"}
    assert found("x in [3, 4]") == {"int"}
    assert found(f"x == {2**63 + 1}") == found(f"x > {2**63}") == {"large"}
    assert found(f"x == {float(2**63)!r}") == set()
    assert found("2 <= x < 3") == {"float", "metadata"}
    assert found("x * 2 == 6") == {"int"}
    assert found("near(x, 2.4, 0.2)") == {"float", "metadata"}
    assert found("isnan(x)") == {"nan"}
    assert found("x == 1") == found("x == 0") == set()
    assert found("len(x) == 1") == {"list"}
    assert found("x.max == 2.5") == {"float", "list"}
    assert names(fast.find("x > 0").order_by("-x")) == [
        *("large", "int", "metadata", "float")
    ]
    table = fast.find("x == 3").group_by("x").agg(n="count", most=("x", "max"))
    assert table.rows == ((3, 1, 3),)


# Metadata beyond the index ----------------------------------------------------


@pytest.mark.parametrize("count", [300, 999, 1000, 1001, 1200])
def test_metadata_beyond_the_index(fast: Archive, reads: Reads, count: int) -> None:
    """Each of its values is found, hides the data at its path, and nothing else."""
    many = {f"k{number:04}": number for number in range(count)}
    fast.save({"last": 7, "x": 1, "k0000": -1}, "full", metadata={**many, "last": 8})
    fast.save({"last": 7, "x": 1, "k0000": -1}, "bare", metadata={"a": 1})
    reads.clear()

    for question, wanted in (
        ("last == 8", ["full"]),
        ("last == 7", ["bare"]),
        ("last < 8", ["bare"]),
        ("metadata.last == 8", ["full"]),
        ("data.last == 7", ["bare", "full"]),
        ("not last == 7", ["full"]),
        ("k0000 == -1", ["bare"]),
        ("k0000 == 0", ["full"]),
        (f"k{count - 1:04} == {count - 1}", ["full"]),
        ("x == 1", ["bare", "full"]),
        ("not exists(metadata.last)", ["bare"]),
        ("metadata.last != 8", []),
    ):
        found = fast.find(question)
        assert names(found) == wanted, question
        assert found.count() == len(wanted), question
        assert names(found.all_versions()) == wanted, question
    assert names(fast.find().order_by("last")) == ["bare", "full"]
    assert names(fast.find().order_by("-last")[:1]) == ["full"]
    assert fast.find(last=8).one().name == "full"
    assert list(fast.find().order_by("name").values("name", "last")) == [
        *(("bare", 7), ("full", 8))
    ]


@pytest.mark.parametrize("metadata", [{}, {"a": "b" * 400}, {"a": "b" * 900}])
def test_few_bytes_of_metadata_hide_nothing(
    fast: Archive, reads: Reads, metadata: dict[str, Any]
) -> None:
    """Data beyond the index is read only where something is asked that it lacks."""
    data = {f"d{number:04}": number for number in range(1200)}
    fast.save({"first": 1, **data}, "it", metadata=metadata)
    reads.clear()

    assert names(fast.find("first == 1")) == ["it"]
    # Long metadata may have been cut, and hide it; short metadata cannot.
    assert bool(reads.files) is (len(str(metadata)) > 700)
    assert names(fast.find("d1199 == 1199")) == ["it"]
    assert reads.files


@pytest.mark.parametrize(
    "value",
    [[0] * 16, [[]] * 200, [{}] * 200, [[0]] * 200, [None] * 200, ["", 0] * 200],
    ids=ascii,
)
def test_few_bytes_have_few_leaves(fast: Archive, value: list[Any]) -> None:
    """No metadata of fewer bytes can have more leaves than the index holds."""
    fast.save({}, "it", metadata={"": value})
    with fast._core.reading() as connection:
        counted = "SELECT count(*) FROM leaf"
        leaves = connection.execute(text(counted)).scalar_one()

    # As the catalog has it, without blanks.
    written = len(json.dumps({"": value}, separators=(",", ":")))
    assert len(value) < leaves <= MOST
    assert leaves / written < MOST / FEWEST_BYTES


# Mistakes, and nothing at all --------------------------------------------------


@pytest.mark.parametrize("more", ["y == 2", 3, ["x"], ("x", 1), True])
def test_a_second_text_is_no_parameters(fast: Archive, more: Any) -> None:
    """Questions are joined with `and`; what would be left unasked is an error."""
    fast.save({"x": 1, "y": 1}, "it")
    for find in (fast.find, fast.find().where, fast.find("x == 1").where):
        with pytest.raises(QueryError, match="join questions with `and`"):
            find("x == 1", more)
    with pytest.raises(TypeError):
        fast.find("x == 1", {}, "y == 2")  # type: ignore[call-arg]


def test_changes_of_no_archive(archive: Archive, tmp_path: Path) -> None:
    """They change nothing, and make none."""
    found = archive.find("x > 1", y=2).below("a")

    assert found.tag("t") == found.untag("t") == found.annotate(a=1) == []
    assert found.delete().names == ()
    assert (found.count(), list(found), found.first()) == (0, [], None)
    assert not archive.exists
    assert list(tmp_path.iterdir()) == []
