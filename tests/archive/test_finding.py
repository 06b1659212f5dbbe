"""`Archive.find`: by metadata, else by data, and never missing anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.errors import RecordNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

BIG = {f"filler-{number:04}": {"deep": number} for number in range(1200)}
"""More leaves than the index holds; what is put below it is found all the same."""


def names(archive: Archive, under: str = "", /, **equal: Any) -> list[str]:
    """Return the names of what matches, newest first."""
    return [record.name for record in archive.find(**equal).below(under)]


def test_metadata_and_data_are_found(archive: Archive) -> None:
    """A keyword is a path: of the metadata, else of the data."""
    archive.save({"inputs": {"xc": "PBE"}, "n": 1}, "al/1", metadata={"who": "Lise"})
    archive.save({"inputs": {"xc": "LDA"}, "n": 1}, "al/2", metadata={"who": "Emmy"})
    archive.save({"inputs": {"xc": "PBE"}, "n": 2}, "cu/1", metadata={"who": "Lise"})

    assert names(archive, who="Lise") == ["cu/1", "al/1"]
    assert names(archive, **{"inputs/xc": "PBE"}) == ["cu/1", "al/1"]
    assert names(archive, n=1, who="Emmy") == ["al/2"]
    assert names(archive, "al", **{"inputs/xc": "PBE"}) == ["al/1"]
    assert names(archive, "al") == ["al/2", "al/1"]
    assert names(archive, who="Otto") == []
    assert names(archive, nothing=1) == []
    assert names(archive, "a") == []


@pytest.mark.parametrize("filler", [{}, BIG])
def test_metadata_shadows_data(archive: Archive, filler: dict[str, Any]) -> None:
    """A path that the metadata has never means the data."""
    archive.save({"x": 1, **filler}, "plain")
    archive.save({"x": 1, **filler}, "shadowed", metadata={"x": 2})
    archive.save({"x": 2, **filler}, "said", metadata={"x": 1})
    archive.save({"x": 1, **filler}, "null", metadata={"x": None})

    assert names(archive, x=1) == ["said", "plain"]
    assert names(archive, x=2) == ["shadowed"]
    assert names(archive, x=None) == ["null"]


@pytest.mark.parametrize("filler", [{}, BIG])
def test_metadata_shadows_whatever_it_is(
    archive: Archive, filler: dict[str, Any]
) -> None:
    """A group or a list in the metadata is at its path as much as a scalar."""
    archive.save({"x": 1, **filler}, "group", metadata={"x": {"y": 1}})
    archive.save({"x": 1, **filler}, "list", metadata={"x": [1]})
    archive.save({"x": 1, **filler}, "empty", metadata={"x": {}})

    assert names(archive, x=1) == []


EQUAL: list[tuple[Any, list[Any], list[Any]]] = [
    (True, [True, np.True_], [1, 1.0, "True", 0, False]),
    (1, [1, 1.0, np.int8(1), np.float32(1)], [True, "1", 1 + 1e-15, 2]),
    (0.0, [0, -0.0, 0.0], [False, None, "", 1e-323]),
    (2**53, [2**53, float(2**53)], [2**53 + 1, 2**53 - 1]),
    (2**53 + 1, [2**53 + 1], [2**53, float(2**53)]),
    (2**63 - 1, [2**63 - 1], [2**63 - 2, float(2**63), 2**63]),
    (-(2**63), [-(2**63), -float(2**63)], [-(2**63) + 1, -(2**63) - 1]),
    (2**63, [2**63, np.uint64(2**63)], [2**63 + 1, 2**63 - 1]),
    (2**200 + 1, [2**200 + 1], [2**200, -(2**200) - 1]),
    (math.inf, [math.inf, np.inf], [-math.inf, 1.7e308, "inf"]),
    (None, [None], [0, False, "", "null", math.nan]),
    ("é", ["é", np.str_("é")], ["e\u0301", "É", "é ", "é\0"]),
    ("", [""], [None, 0, " "]),
    ("a\0b", ["a\0b"], ["a", "a\0c"]),
    ("1", ["1"], [1]),
    ("\U0001f600", ["\U0001f600"], ["\U0001f601"]),
]


@pytest.mark.parametrize("side", ["data", "metadata"])
@pytest.mark.parametrize("filler", [{}, BIG])
@pytest.mark.parametrize(("value", "equal", "other"), EQUAL)
def test_equal_means_equal(  # noqa: PLR0913, PLR0917 - what a search consists of
    archive: Archive,
    side: str,
    filler: dict[str, Any],
    value: Any,
    equal: list[Any],
    other: list[Any],
) -> None:
    """Values are compared exactly, whether by the index or by the record itself."""
    if side == "data":
        archive.save({**filler, "deep": {"er": {"x": value}}}, "it")
    else:
        archive.save(filler, "it", metadata={"deep": {"er": {"x": value}}})

    for same in equal:
        assert names(archive, **{"deep/er/x": same}) == ["it"], same
    for different in other:
        assert names(archive, **{"deep/er/x": different}) == [], different


@pytest.mark.parametrize("number", [2**64, 2**200, -(2**70)])
def test_huge_ints_equal_their_floats(archive: Archive, number: int) -> None:
    """An int beyond 64 bits is found by the float that equals it, and the reverse."""
    archive.save({"x": number}, "int")
    archive.save({"x": float(number)}, "float")

    assert names(archive, x=float(number)) == ["float", "int"]
    assert names(archive, x=number) == ["float", "int"]


@pytest.mark.parametrize("filler", [{}, BIG])
def test_nan_equals_nothing(archive: Archive, filler: dict[str, Any]) -> None:
    """NaN is neither null nor equal to itself, and hides nothing else."""
    archive.save({**filler, "x": math.nan, "y": 1}, "it", metadata={"m": math.nan})

    assert names(archive, x=None) == []
    assert names(archive, y=1) == ["it"]
    assert names(archive, x=math.nan) == []
    assert names(archive, m=math.nan) == []


@pytest.mark.parametrize("text", ["\ud800", "a\udc80b", "\ud800\U0001f600"])
def test_text_that_no_database_takes_is_found(archive: Archive, text: str) -> None:
    """Text with lone surrogates is found by reading the record."""
    archive.save({"x": text, "y": 1}, "it", metadata={"m": text})
    archive.save({"x": "\ufffd"}, "other")

    assert names(archive, x=text) == ["it"]
    assert names(archive, m=text, y=1) == ["it"]


def test_odd_keys_are_paths(archive: Archive) -> None:
    """Any key can be searched for by its spelling in a path."""
    archive.save({"a/b": {"": 1, 7: 2, "%": 3, "[0]": 4}, "list": [{"x": 5}]}, "it")

    for path, value in {
        "a%2Fb/%": 1,
        "a%2Fb/%25": 3,
        "a%2Fb/%5B0]": 4,
        "list/[0]/x": 5,
    }.items():
        assert names(archive, **{path: value}) == ["it"], path


def test_items_of_lists_are_found(archive: Archive) -> None:
    """An item of a list is found at its path, and so in metadata."""
    archive.save({"l": [1, 2, 3], "m": ["a", None, 1]}, "it", metadata={"k": (4, 5)})

    assert names(archive, **{"m/[0]": "a"}) == ["it"]
    assert names(archive, **{"k/[1]": 5}) == ["it"]
    assert names(archive, **{"l/[1]": 2}) == ["it"]


@pytest.mark.parametrize("value", [[1, 2, 3], (4, 5), np.arange(3), 1j, b"x", {"a": 1}])
def test_what_cannot_be_searched_for_says_so(archive: Archive, value: Any) -> None:
    """A value that `find` cannot compare is found, or is an error; never missed."""
    archive.save({"x": value}, "it")

    try:
        assert names(archive, x=value) == ["it"]
    except (ValueError, TypeError) as error:
        assert " " in str(error)  # noqa: PT017 - either is right


def test_only_the_newest_version_is_found(archive: Archive) -> None:
    """What a record once was does not find it."""
    archive.save({"x": 1, "gone": 1}, "it", metadata={"m": 1}, tags=["t"])
    archive.save({"x": 2}, "it")

    assert names(archive, x=1) == []
    assert names(archive, gone=1) == []
    assert names(archive, m=1) == []
    assert [record.version for record in archive.find(x=2)] == [2]


def test_a_record_may_outgrow_the_index_and_come_back(archive: Archive) -> None:
    """Each version is searched as what it is, cut or whole."""
    archive.save({"x": 1}, "it")
    archive.save({**BIG, "deep": {"x": 1}}, "it")
    assert names(archive, **{"deep/x": 1}) == ["it"]
    assert names(archive, **{"filler-1100/deep": 1100}) == ["it"]
    assert names(archive, **{"filler-1100/deep": 1}) == []
    archive.save({"x": 3}, "it")
    assert names(archive, **{"deep/x": 1}) == []
    assert names(archive, x=3) == ["it"]


def test_a_set_is_lazy_and_newest_first(archive: Archive) -> None:
    """A kept set sees what was saved since; the newest comes first."""
    found = archive.find(x=1)
    assert not found
    for number in range(5):
        archive.save({"x": 1}, f"r{number}")
    archive.save({"x": 1, "y": 1}, "r1")

    assert [record.name for record in found] == ["r1", "r4", "r3", "r2", "r0"]
    assert [record.name for record in found.limit(2)] == ["r1", "r4"]
    assert [record.name for record in found.limit(3).limit(9)] == ["r1", "r4", "r3"]
    assert list(found.limit(0)) == []
    assert (found.count(), bool(found)) == (5, True)


def test_first_and_one(archive: Archive) -> None:
    """`first` is the newest or None; `one` insists, and says what it looked for."""
    archive.save({"x": 1, "y": 1}, "a/1")
    archive.save({"x": 1}, "a/2")

    assert archive.find(x=2).first() is None
    first = archive.find(x=1).first()
    assert first is not None
    assert first.name == "a/2"
    assert archive.find(y=1).one().name == "a/1"
    with pytest.raises(RecordNotFoundError, match="more than one record matches"):
        archive.find(x=1).below("a").one()
    with pytest.raises(RecordNotFoundError, match=r"no record matches.*x=2"):
        archive.find(x=2).one()


def test_saving_while_searching(archive: Archive) -> None:
    """A search sees one state, while the loop around it saves and deletes."""
    for number in range(5):
        archive.save({"x": 1, "n": number}, f"r{number}")
    seen = []
    for record in archive.find(x=1):
        seen.append(record.name)
        archive.save({"x": 1, "again": True}, record)
        if len(seen) == 1:
            archive.delete("r0")

    assert seen == ["r4", "r3", "r2", "r1", "r0"]
    assert archive.find(again=True).count() == 5


def test_reindexing_elsewhere_keeps_the_index_true(
    archive: Archive, tmp_path: Path
) -> None:
    """A save by one who had the archive open while another rebuilt it is found."""
    archive.save({"z": 1, "x": 2, "y": 3}, "one")
    archive.save({"q": 1, "y": 2, "b": 3}, "two")
    with Archive(tmp_path / "runs.db") as other:
        archive.delete("one")
        other.reindex()
        archive.save({"y": 7}, "three")

        assert names(other, y=7) == ["three"]
        assert names(other, q=7) == []
        assert names(other, b=7) == []
        before = other.inspect().dump()
        other.reindex()
        assert other.inspect().dump() == before
