"""
What the golden archives hold; never change it, add to it.

The archive of each revision holds what the one before it could not: what
`first` makes is in that of 0001, what `since_0002` makes in that of 0002.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import string
from collections import OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from archivedb import File

if TYPE_CHECKING:
    from archivedb import Archive


class Colour(enum.Enum):
    """An enum."""

    RED = 1


@dataclasses.dataclass(frozen=True)
class Cell:
    """A dataclass."""

    a: float
    of: Any = None


class Money:
    """An object that says itself how it is made again."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same amount."""
        return isinstance(other, Money) and self.amount == other.amount

    def __hash__(self) -> int:
        """Return the hash of the amount."""
        return hash(self.amount)

    def __repr__(self) -> str:
        """Return the amount."""
        return f"Money({self.amount})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what to call."""
        return Money, (self.amount,)


MODES = ("hdf5", "json", "cloudpickle")

METADATA: dict[str, Any] = {"project": "golden", "big": 2**70, "pair": (1, None)}

VERSIONS: tuple[dict[Any, Any], ...] = (
    {"energy": -3.7, "note": "the first version"},
    {
        "inputs": {"structure": "fcc", "k-points": (4, 4, 4), "odd/key": {"": "%"}},
        "outputs": {
            "energy": -3.7,
            "forces": np.linspace(-1, 1, 96).reshape(32, 3),
            "odd": [float("inf"), -0.0, 1e-323, 0.1 + 0.2],
            "complex": np.array([1 + 2j, 3 - 4j], np.complex64),
            "dates": np.array(["2024-02-29", "NaT"], "M8[D]"),
            "words": np.array(["é", "日本"]),
            "mask": np.array([True, False]),
            "empty": np.zeros((0, 3), np.int16),
            "big-endian": np.arange(3, dtype=">i4"),
        },
        "ints": {"small": -1, "big": 2**64, "huge": -(3**90)},
        "bytes": bytes(range(256)),
        "text": "µ Å \U0001f600 \0 \ud800",
        "mixed": [None, True, 1, 1.0, "1", b"1", (1,), {}],
        7: {"seven": (2, 3)},
        "deep": {"a": {"b": {"c": {"d": [[[1, 2], [3]]]}}}},
        "scalar": np.float32(0.1),
    },
)

OBJECTS: dict[str, Any] = {"objects": [Fraction(1, 3), {"f": Cell(4.05)}], "plain": 1}

DELETED: dict[str, Any] = {"gone": "for good"}

ADAPTED: dict[Any, Any] = {
    "when": dt.datetime(2024, 2, 29, 12, 30, 0, 5, dt.timezone(dt.timedelta(hours=2))),
    "day": dt.date(2024, 2, 29),
    "elements": {"Al", "Cu"},
    "frozen": frozenset({(1, 2)}),
    "price": Decimal("1.10"),
    "ratio": Fraction(1, 3),
    "input": Path("a/INCAR"),
    "queue": deque([{"a": 1}, np.arange(3)], 5),
    "ordered": OrderedDict({"b": 1, (1, 2): [2]}),
    "uuid": UUID(int=5),
    "plain": [range(3), slice(1, None), ..., bytearray(b"ab"), float],
    "dtype": np.dtype([("x", "<i4"), ("y", ">f8")]),
    "log": File.of_bytes("OUTCAR", b"converged\n\0\xff"),
    "longlong": np.longlong(3),
    frozenset({1}): {dt.date(2024, 2, 29): "a key"},
}
"""What adapters take apart: it loads without anybody's key."""

_shared = Cell(4.05)
INSTANCES: dict[str, Any] = {
    "cell": _shared,
    "cells": [_shared, Cell(np.pi, Money(2))],
    "money": Money(3),
    "colour": Colour.RED,
    "template": string.Template("$a"),
    "keys": {Money(1): 1, Colour.RED: 2},
    "function": np.linspace,
    "plain": 1,
}
"""A dataclass, an enum, what reduces itself or has a state, and a function."""

_list = [1, {"x": np.arange(2)}]
BEGUN: dict[str, Any] = {
    "inputs": {"cutoff": 300, "old": 1},
    "rows": np.arange(4.0).reshape(2, 2),
    "one": _list,
    "same": _list,
}
"""What a record is before it is edited."""

EDITED: tuple[dict[str, Any], ...] = (
    BEGUN | {"rows": np.arange(6.0).reshape(3, 2)},
    {
        "inputs": {"cutoff": 350},
        "rows": np.arange(10.0).reshape(5, 2),
        "same": _list,
        "outputs": {"energy": -3.7, "steps": [{"when": dt.date(2024, 2, 29)}]},
        "new": np.arange(3, dtype=">i2"),
    },
)
"""What its two versions are after `edit`."""


def edit(archive: Archive, name: str) -> None:
    """Edit a record that was begun, and append to its arrays, before and after."""
    with archive.open(name) as group:
        group.append("rows", np.array([[4.0, 5.0]]))
    with archive.open(name) as group:
        group["inputs/cutoff"] = 350
        del group["inputs/old"]
        # What stands in two places moves to where it is left.
        del group["one"]
        group["outputs"] = {"energy": -3.7, "steps": [{"when": None}]}
        group["outputs/steps/[0]/when"] = dt.date(2024, 2, 29)
        group.append("new", np.arange(2, dtype=">i2"))
        group.append("new", np.array([2], ">i2"))
    group.append("rows", np.array([[6.0, 7.0], [8.0, 9.0]]))


def first(archive: Archive) -> None:
    """Make what revision 0001 knew."""
    for mode in MODES:
        for data in VERSIONS:
            archive.save(
                data, f"runs/{mode}", mode=mode, metadata=METADATA, tags=["t", mode]
            )
        archive.save(OBJECTS, f"objects/{mode}", mode=mode)
    archive.save(BEGUN, "edited", mode="json")
    edit(archive, "edited")
    archive.save(ADAPTED, "adapted", mode="json")
    archive.save(INSTANCES, "instances", mode="json")
    archive.save(DELETED, "deleted")
    archive.delete("deleted")


# Since revision 0002 ------------------------------------------------------------

SEARCHED: dict[str, Any] = {
    "inputs": {"elements": ["Al", "Cu"], "kpts": (4, 4, 4), "cutoff": 450.5},
    "outputs": {
        "forces": np.array([[0.5, -0.25], [0.125, 2.0]]),
        "spins": np.array([1, -1, 3], np.int8),
        "residuals": [1e-3 * n for n in range(20)],
    },
    "begun": dt.datetime(2024, 2, 29, 12, 0, 0, 5, dt.UTC),
    "day": dt.date(2024, 3, 1),
    "took": dt.timedelta(hours=1),
    "numpys": np.datetime64("2024-02-29T12:00:00.000000001"),
    "price": Decimal("1.10"),
    "exact": 2**64 + 1,
    "file": Path("a/INCAR"),
    "rows": np.arange(3.0),
}
"""What questions are asked of; three rows come later, as one."""

ODD: dict[str, Any] = {
    "none": np.zeros((0, 3)),
    "nan": np.array([1.0, np.nan]),
    "words": np.array(["é", "日本"]),
    "mask": np.array([True, False]),
    "large": np.array([2**64 - 1], np.uint64),
    "mixed": [None, True, 1, float("nan"), [np.float32(0.1), {}]],
    "key/of": {7: {"$x": 1}},
    "text": "x" * 1001,
}
"""Of what the index holds much or little."""

GROWN = SEARCHED | {"rows": np.arange(6.0)}
"""What it is after that."""

BATCHED: dict[str, Any] = {"n": 1, "array": np.arange(20)}
"""What a record of each mode holds that came in a batch."""

RAN = {"inputs": {"cutoff": 500}, "outputs": {"energy": -3.7}}
"""What a run leaves."""


def since_0002(archive: Archive) -> None:
    """Make the changes that revision 0001 did not know."""
    for mode in MODES:
        name = f"searched/{mode}"
        archive.save(
            SEARCHED, name, mode=mode, metadata={"draft": True, "n": 1}, tags=["new"]
        )
        archive.open(name).append("rows", np.arange(3.0, 6.0))
    archive.save(ODD, "odd", mode="json")
    archive.tag("searched/json", "checked", "good")
    archive.untag("searched/json", "new")
    archive.annotate("searched/json", quality="good", n=2, remove=["draft"])
    archive.save({"n": 1}, "before", mode="json")
    archive.rename("before", "after/that")
    archive.save({"n": 2}, "after/that", mode="json")
    archive.save({"n": 3}, "before", mode="json")
    with archive.batch():
        for mode in MODES:
            archive.save(BATCHED, f"batch/{mode}", mode=mode)
        archive.annotate("batch/json", kept=True)
        archive.rename("before", "batch/renamed")
    archive.save(BATCHED | {"n": 2}, "batch/json", mode="json")
    with archive.run("ran", RAN["inputs"], mode="json") as run:
        run["energy"] = -3.7
