"""Values that no JSON stands for: pickled, signed, and exact all the same."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import uuid
from typing import Any, NamedTuple

import numpy as np
import pytest

from archivedb.errors import RestoreError, UntrustedPayloadError
from archivedb.values import pickled
from archivedb.values.decode import Stub, decode
from tests.support import payloads


class Colour(enum.Enum):
    """An enum."""

    RED = 1


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: float


@dataclasses.dataclass
class Cell:
    """A dataclass."""

    a: float


OBJECTS = [
    {1, 2},
    frozenset({"a"}),
    bytearray(b"ab"),
    range(3),
    slice(1, 2),
    ...,
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    pathlib.PurePosixPath("a/b"),
    uuid.UUID(int=5),
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.timedelta(1, 2, 3),
    Colour.RED,
    Point(1, 2.0),
    Cell(4.05),
    collections.OrderedDict(a=1),
    collections.Counter("aab"),
    np.dtype("f8"),
    int,
]


@pytest.mark.parametrize("mode", payloads.MODES)
def test_objects(mode: str) -> None:
    """Objects come back equal and of the same class, in every mode."""
    value = {"objects": OBJECTS, "plain": 1}
    found = payloads.read(mode, payloads.build(mode, value))[0]
    assert found == value
    assert list(map(type, found["objects"])) == list(map(type, OBJECTS))


@pytest.mark.parametrize("mode", payloads.MODES)
def test_masked_arrays(mode: str) -> None:
    """A masked array keeps its mask and what lies under it."""
    masked = np.ma.masked_array([1.0, 2.0], [True, False], fill_value=7.0)
    found = payloads.read(mode, payloads.build(mode, {"m": masked}))[0]["m"]
    assert type(found) is type(masked)
    assert (found.data.tolist(), found.mask.tolist()) == ([1.0, 2.0], [True, False])
    assert found.fill_value == 7.0


def test_functions_of_this_module() -> None:
    """A lambda is kept by value."""
    value = {"f": lambda x: x + 1}
    assert payloads.read("hdf5", payloads.build("hdf5", value))[0]["f"](1) == 2


def test_a_stub_stands_for_an_object() -> None:
    """A stub says what is there without importing it."""
    data = payloads.build("hdf5", {"cell": Cell(4.05)})
    content = payloads.read_envelope("hdf5", data).entries[0].content
    assert content is not None
    assert content.signature is not None
    source = payloads.open_content("hdf5", data, content).skeleton
    from archivedb.values.decode import stub

    def no_array(*_: Any) -> Any:
        pytest.fail("nothing has to be read")

    found = decode(source, source.root, no_array, lambda _, node: stub(node))
    assert isinstance(found["cell"], Stub)
    assert found["cell"].class_name.endswith(":Cell")
    assert found["cell"].digest == source.root["cell"]["digest"]


@pytest.mark.parametrize("mode", payloads.MODES)
def test_a_strangers_objects_are_not_restored(
    mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Nothing that another user signed is unpickled."""
    data = payloads.build(mode, {"cell": Cell(4.05)})
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    with pytest.raises(UntrustedPayloadError):
        payloads.read(mode, data)


def test_plain_values_are_not_signed() -> None:
    """What cannot run needs nobody who vouches for it."""
    for mode in ("hdf5", "json"):
        data = payloads.build(mode, {"a": np.arange(3)})
        content = payloads.read_envelope(mode, data).entries[0].content
        assert content is not None
        assert content.signature is None


def test_damaged_pickles_are_typed_errors() -> None:
    """Bytes that are no pickle raise an error that says what helps."""
    with pytest.raises(RestoreError, match="stub"):
        pickled.loads(b"not a pickle")
