"""The frozen values that users hold."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb import records
from archivedb.records import Finding, Node, Record, Report, readable_size

RECORD = Record(
    name="al/<fcc>",
    version=2,
    mode="hdf5",
    saved_at=datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
    size=1536,
    digest="blake3:00",
    metadata={"project": "a&b"},
    tags=("converged",),
    provenance={"host": "h"},
    files=("00/x.h5",),
    uuid="u",
)
FINDING = Finding("corrupt", "al/run-1", 3, "forces", "00/x.h5", "differs", "repair it")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1536, "1.5 kB"),
        (999_949, "999.9 kB"),
        (1_000_000, "1.0 MB"),
        (2.5e9, "2.5 GB"),
        (1e12, "1.0 TB"),
        (1e18, "1000.0 PB"),
    ],
)
def test_sizes(size: float, text: str) -> None:
    """Sizes are in powers of 1,000, as disks are sold."""
    assert readable_size(size) == text


@given(st.integers(0, 10**15 - 1))
def test_sizes_have_three_digits(size: int) -> None:
    """No size is shown as a thousand of a unit."""
    assert float(readable_size(size).split()[0]) < 1000


def test_records_are_frozen() -> None:
    """Nobody changes a record by assigning to it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECORD.name = "other"  # type: ignore[misc]


def test_records_are_equal_as_versions() -> None:
    """Two records are equal if they are the same version of the same record."""
    renamed = dataclasses.replace(RECORD, name="other", tags=())
    assert renamed == RECORD
    assert hash(renamed) == hash(RECORD)
    for change in ({"version": 3}, {"uuid": "v"}, {"digest": "blake3:01"}):
        assert dataclasses.replace(RECORD, **change) != RECORD
    assert RECORD != "al/fcc"
    assert {RECORD: 1}[renamed] == 1


def test_reprs_of_records() -> None:
    """A record says which version of what it is; HTML is escaped."""
    assert repr(RECORD) == (
        "Record('al/<fcc>', version=2, mode='hdf5', size='1.5 kB', tags=['converged'])"
    )
    html = RECORD._repr_html_()
    assert "al/&lt;fcc&gt;" in html
    assert "a&amp;b" in html
    assert "2026-01-02 03:04:05" in html
    assert dict(RECORD.__rich_repr__())["metadata"] == {"project": "a&b"}


@pytest.mark.parametrize(
    "value",
    [
        RECORD,
        FINDING,
        Report("full", 1, 2, 0.5, (FINDING,)),
        Node(0, "x", "x", "value", "1"),
        records.Deletion(("a",), 5),
        records.Change(1, "save", "a", 1, datetime(2026, 1, 1, tzinfo=UTC), "f"),
        records.Reindexing(1, 2, 3, ()),
        records.Migration("a", "b", None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_frozen_and_travel(value: Any) -> None:
    """Every value is frozen, slotted, and pickles."""
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own
    assert not hasattr(value, "__dict__")
    first = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, first, None)


def test_findings_are_sentences() -> None:
    """A finding says what, where, and what to do, with what it knows."""
    assert str(FINDING) == (
        "corrupt: 'al/run-1' version 3 at 'forces' (00/x.h5): differs; repair it"
    )
    bare = Finding("orphaned", None, None, None, "00/x.h5", "unknown", "wait")
    assert str(bare) == "orphaned: (00/x.h5): unknown; wait"


def test_reports() -> None:
    """A report without findings is sound."""
    sound = Report("quick", 1, 0, 0.1, ())
    damaged = Report("full", 1, 5, 0.1, (FINDING,))
    assert sound.ok
    assert not damaged.ok
    assert "sound" in sound._repr_html_()
    assert "1 findings" in damaged._repr_html_()
