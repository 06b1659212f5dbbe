"""Values that no JSON stands for: taken apart or pickled, and exact all the same."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import types
import uuid
from typing import Any, NamedTuple

import numpy as np
import pytest

from archivedb.errors import RestoreError, UntrustedPayloadError
from archivedb.values import classes, pickled
from archivedb.values.arrays import StoredArray
from archivedb.values.decode import decode
from archivedb.values.encode import encode
from archivedb.values.objects import Objects, Stub
from archivedb.values.skeleton import Skeleton
from tests.support import payloads
from tests.support.exact import difference


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


ADAPTED = [
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
    collections.OrderedDict(a=1),
    collections.Counter("aab"),
    np.dtype("f8"),
    int,
    np.longlong(3),
    np.arange(3, dtype="Q"),
]
"""What adapters take apart, and bring back without running anything."""

EXECUTABLE = [Colour.RED, Point(1, 2.0), Cell(4.05), len, Cell]
"""What cannot come back without importing what a payload names."""

OBJECTS = [*ADAPTED, *EXECUTABLE]


@pytest.mark.parametrize("mode", payloads.MODES)
def test_objects(mode: str) -> None:
    """Objects come back equal and of the same class, in every mode."""
    value = {"objects": OBJECTS, "plain": 1}
    found = payloads.read(mode, payloads.build(mode, value))[0]
    assert difference(value, found) is None


@pytest.mark.parametrize("value", ADAPTED, ids=repr)
def test_adapted_values_run_nothing(value: Any) -> None:
    """Nobody has to be trusted for what an adapter takes apart."""
    assert not encode({"x": [value]}).executable


@pytest.mark.parametrize("value", EXECUTABLE, ids=lambda value: type(value).__name__)
def test_objects_run_code(value: Any) -> None:
    """What names a class or function says so, wherever it stands."""
    for each in ([value], {value: 1} if value.__hash__ else value, {"s": (value,)}):
        assert encode(each).executable


@pytest.mark.parametrize("mode", payloads.MODES)
def test_keys_that_are_objects(mode: str) -> None:
    """A key may be any object, and the very one that stands elsewhere, too."""
    key, cell = object(), frozenset({Colour.RED})
    keys: dict[Any, Any] = {key: 1, Colour.RED: [2], cell: {"x": np.arange(3)}}
    value = {"keys": keys, "key": key}
    found = payloads.read(mode, payloads.build(mode, value))[0]
    one, *others = found["keys"]
    assert type(one) is object
    assert one is found["key"]
    assert others == [Colour.RED, cell]
    assert difference(list(keys.values()), list(found["keys"].values())) is None


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


@pytest.mark.parametrize("mode", payloads.MODES)
def test_a_stub_stands_for_an_object(mode: str) -> None:
    """A stub shows what is there without importing or unpickling anything."""
    value = {"cell": Cell(4.05), "f": lambda: Cell, "set": {Colour.RED}, "plain": 1}
    data = payloads.build(mode, value)
    content = payloads.read_envelope(mode, data).entries[0].content
    assert content is not None
    assert content.signature is not None
    reader = payloads.open_content(mode, data, content)
    source = reader.skeleton

    def nothing(*_: Any) -> Any:
        pytest.fail("nothing has to be read, and nobody to be asked")

    found = decode(source, source.root, nothing, Objects(stub=True, require=nothing))
    assert found["plain"] == 1
    assert facts(found["cell"]) == (f"{__name__}:Cell", "dataclass", {"a": 4.05}, 0, "")
    (red,) = found["set"]
    assert facts(red) == (f"{__name__}:Colour", "enum", {"name": "RED"}, 0, "")
    node = source.root["f"]
    size, digest = node["shape"][0], node["digest"]
    assert facts(found["f"]) == ("builtins:function", "cloudpickle", None, size, digest)


def facts(stub: Any) -> tuple[Any, ...]:
    """Return the attributes of what must be a stub."""
    assert isinstance(stub, Stub)
    return stub.class_name, stub.route, stub.state, stub.size, stub.digest


def stubbed(value: Any) -> Any:
    """Return a value as it is loaded without its objects."""
    encoded = encode(value)
    source = Skeleton(encoded.skeleton)

    def fetch(number: int, _node: Any) -> Any:
        array = encoded.arrays[number]
        assert isinstance(array, StoredArray)
        return np.frombuffer(bytearray(array.raw), np.uint8)

    return decode(source, source.root, fetch, Objects(stub=True))


class Held:
    """An object that is a key or an item wherever it stands, and knows itself."""

    def __init__(self) -> None:
        self.array = np.zeros(2)
        self.me = [self]


@pytest.mark.parametrize(
    "container",
    [
        lambda one, two: {one, two},
        lambda one, two: frozenset([one, two]),
        lambda one, two: {one: 1, two: 2},
        lambda one, two: collections.OrderedDict({one: 1, two: 2}),
        lambda one, two: collections.Counter([one, two]),
        lambda one, two: types.MappingProxyType({one: 1, two: 2}),
    ],
)
def test_stubs_are_keys_and_items(container: Any) -> None:
    """Two objects that look the same are two stubs, wherever they must be hashed."""
    # bug: a stub with a state had no hash, and so nothing of the record loaded.
    one, two = Held(), Held()
    found = stubbed({"all": container(one, two), "one": one, "two": two})
    assert type(found["all"]) is type(container(one, two))
    assert set(found["all"]) == {found["one"], found["two"]}
    assert found["one"] is not found["two"]
    assert found["one"].state["me"][0] is found["one"]


def test_stubs_that_an_adapter_cannot_take() -> None:
    """What cannot be made of stubs is a stub itself, with all that is in it."""
    # bug: a defaultdict of a function of one's own made stub loading fail.
    value = collections.defaultdict(lambda: 1, a=2)
    found = stubbed({"counts": value, "again": value, "plain": 1})
    assert found["plain"] == 1
    assert found["again"] is found["counts"]
    assert found["counts"].class_name == "collections.defaultdict"
    assert found["counts"].route == "adapter"
    assert found["counts"].state["items"] == {"a": 2}
    assert isinstance(found["counts"].state["factory"], Stub)


@pytest.mark.parametrize("value", EXECUTABLE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("mode", payloads.MODES)
def test_a_strangers_objects_are_not_restored(
    mode: str, value: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Nothing that another user signed is imported or unpickled."""
    data = payloads.build(mode, {"x": [value]})
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    for module, name in ((pickled, "loads"), (classes, "find")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("it is restored"))
    with pytest.raises(UntrustedPayloadError):
        payloads.read(mode, data)


@pytest.mark.parametrize("mode", payloads.MODES)
def test_a_strangers_plain_values_are_read(
    mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """What runs nothing needs no trust, also beside a stranger's whole pickle."""
    value = {"adapted": ADAPTED, "array": np.arange(3), "plain": 1}
    data = payloads.build(mode, value)
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    for module, name in ((pickled, "loads"), (classes, "find")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("it is restored"))
    assert difference(value, payloads.read(mode, data)[0]) is None


def test_plain_values_are_not_signed() -> None:
    """What cannot run needs nobody who vouches for it."""
    for mode in ("hdf5", "json"):
        data = payloads.build(mode, {"a": np.arange(3), "b": ADAPTED})
        content = payloads.read_envelope(mode, data).entries[0].content
        assert content is not None
        assert content.signature is None


def test_damaged_pickles_are_typed_errors() -> None:
    """Bytes that are no pickle raise an error that says what helps."""
    with pytest.raises(RestoreError, match="stub"):
        pickled.loads(b"not a pickle")
