"""Questions that were written otherwise than `find` takes them: what is said then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from archivedb.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb import Archive


@pytest.fixture
def runs(fast: Archive) -> Archive:
    """Return an archive of three runs."""
    for number in range(1, 4):
        value = {"inputs": {"cutoff": number, "kpts": [4, 4]}, "energy": -number}
        fast.save(value, f"run-{number}", metadata={"a__b": 1}, tags=["t"])
    return fast


def test_keywords_that_are_no_paths(runs: Archive) -> None:
    """A fact of records, and underscores for dots, are no paths; others may be."""
    with pytest.raises(QueryError) as caught:
        runs.find(mode="hdf5").count()
    assert "find(\"record.mode == 'hdf5'\")" in str(caught.value)
    assert runs.find("record.mode == 'hdf5'").count() == 3
    with pytest.raises(QueryError) as caught:
        runs.find(inputs__cutoff=2).count()
    assert 'find("inputs.cutoff == 2")' in str(caught.value)
    assert 'find(**{"inputs.cutoff": 2})' in str(caught.value)
    assert runs.find(**{"inputs.cutoff": 2}).count() == 1

    assert runs.find(a__b=1).count() == 3
    assert runs.find(clf__C=1).count() == runs.find(nonsense=1).count() == 0
    assert runs.find(name="run-1", version=1).count() == 1
    runs.save({"mode": "fast"}, "its-own")
    assert runs.find(mode="fast").one().name == "its-own"


@pytest.mark.parametrize(
    ("question", "given"),
    [
        ("energy < limit", {"limit": 3}),
        ("energy in limit", {"limit": {3}}),
        ("-energy in limit", {"limit": [3, 4]}),
    ],
)
def test_parameters_given_as_keywords(
    runs: Archive, question: str, given: dict[str, Any]
) -> None:
    """They are keywords of equality; it is said where parameters go."""
    with pytest.raises(QueryError) as caught:
        runs.find(question, **given).count()
    sentence, line, marks = str(caught.value).split("\n")
    assert f'find("{question}", {{"limit": {given["limit"]!r}}})' in sentence
    assert line[marks.index("^") :].startswith("limit")


def test_other_errors_stay_what_they_are(runs: Archive) -> None:
    """A keyword whose name happens to stand in the question's words is no parameter."""
    with pytest.raises(QueryError, match="cannot be compared"):
        runs.find("energy < 3", n=object())
    with pytest.raises(QueryError, match="something is missing"):
        runs.find("energy <", energy=3)


ONE_AND_TWO: list[Any] = [
    *(range(1, 3), {1: 0, 2: 0}.keys(), {"a": 1, "b": 2}.values(), {1, 2}),
    *(frozenset({1, 2}), (1, 2), np.array([1, 2]), np.array([1.0, 2.0], np.float32)),
    *(pd.Series([1, 2]), pd.Index([1, 2]), pd.Series([1, 2], dtype="Int64")),
]


@pytest.mark.parametrize("values", ONE_AND_TWO, ids=lambda x: type(x).__name__)
def test_whatever_lists_values_is_a_parameter(runs: Archive, values: Any) -> None:
    """Ranges, views of dicts, sets, arrays of one axis, and columns of pandas."""
    assert runs.find("inputs.cutoff in values", {"values": values}).count() == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((x for x in [1]), r"generator is empty once.*give list"),
        (map(int, [1]), r"map is empty once"),
        (range(10**12), "more than 100,000 values"),
        (pd.DataFrame({"a": [1]}), "DataFrame cannot be compared"),
        (pd.Series([pd.NA]), "NAType cannot be compared"),
        (np.zeros((2, 2)), "array of 2 dimensions"),
    ],
)
def test_what_lists_no_values_says_so(runs: Archive, values: Any, words: str) -> None:
    """What is read but once, has no end, or more than one axis."""
    with pytest.raises(QueryError, match=words):
        runs.find("inputs.cutoff in values", {"values": values})


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda a: a.find()["energy"], TypeError, r"found\.values\('energy'\)"),
        (lambda a: a.find().to_frame({"a": 1}), QueryError, "a list of texts"),
        (lambda a: a.find().to_frame({"energy"}), QueryError, "a list of texts"),
        (lambda a: a.find().to_frame(5), QueryError, "a list of texts"),
        (lambda a: a.find().order_by(["a"]), QueryError, r'order_by\("-saved_at", '),
        (lambda a: a.annotate("run-1", 5), TypeError, 'quality="good"'),
        (lambda a: a.find().annotate(5), TypeError, 'quality="good"'),
        (lambda a: a.find("inputs.kpts < [4]"), QueryError, r"`inputs\.kpts\[0\]`"),
    ],
)
def test_what_is_given_otherwise(
    runs: Archive, wrong: Callable[[Any], Any], error: Any, words: str
) -> None:
    """The error says what to write."""
    with pytest.raises(error, match=words):
        wrong(runs)


def test_explain_says_what_each_clause_finds(runs: Archive) -> None:
    """And how many records are read because the index does not hold all of them."""
    question = "inputs.cutoff < 3 and 't' in tags and not energy > 0"
    assert runs.find(question, a__b=1).explain().splitlines() == [
        "`inputs.cutoff < 3`: 2 records in the index",
        "`'t' in tags`: 3 records in the index",
        "`not energy > 0`: asked of each candidate",
        "`a__b = 1`: 3 records in the index",
        "1. look up 2 candidates in the index",
        "2 records found",
    ]
    runs.save({"trace": list(range(1000))}, "long")
    assert runs.find("trace[700] == 700").explain().splitlines() == [
        "`trace[700] == 700`: 0 records in the index",
        "1. find none in the index",
        "2. read 1 record, since the index holds only a part of them",
        "1 record found",
    ]
    assert "1 candidate in" in runs.find(energy=-1).explain()
