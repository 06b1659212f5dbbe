"""Skeletons from somebody who means ill: typed errors, and never for long."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import subprocess
import sys
from collections import defaultdict, deque
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from archivedb.errors import ArchiveError, DecodeError, RestoreError
from archivedb.values import classes, dtypes, executable, json, leaves, outline, pickled
from archivedb.values.decode import decode, decode_inline
from archivedb.values.encode import encode, encode_key
from archivedb.values.facts import ArrayFacts
from archivedb.values.objects import Objects, Stub
from archivedb.values.skeleton import Skeleton
from tests.support.payloads import TooSlowError, within
from tests.support.strategies import json_trees, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator


class Colour(enum.Enum):
    """An enum."""

    RED = 1


@dataclasses.dataclass
class Cell:
    """A dataclass."""

    a: float = 1.0


_key = object()
_objects = np.empty(2, object)
_objects[0], _objects[1] = (1, 2.5), None
HONEST: Any = json.loads(
    encode(
        {
            "energy": -3.7,
            "odd": [float("nan"), 2**70, 1j, b"x", "\ud800", np.float32(2)],
            "keys": {1: "a", (2, 3): "b", None: {"c": [()]}},
            "forces": np.zeros((2, 3)),
            "table": np.zeros(2, [("x", "i4"), ("y", "f8", (2,))]),
            "objects": _objects,
            "$": np.datetime64("2026-01-01"),
            "adapted": [{1, 2}, Decimal(1), Path("a"), deque([{"a": 1}], 3), slice(2)],
            "odd arrays": [
                np.ma.array([1, 2]),
                np.zeros(2).astype("T"),
                np.random.PCG64(1),
            ],
            "keys that are": {frozenset({1}): dt.date(2026, 1, 1), _key: (float, _key)},
            "run": [Colour.RED, Cell(1.5), len, lambda: 1, defaultdict(Cell, a=1)],
        }
    ).skeleton,
    "skeleton",
)
PARTS = [HONEST["forces"], {**HONEST["forces"], "shape": [5, 3]}]
HONEST["parts"] = {"$parts": PARTS}


class RanError(BaseException):
    """A stranger's skeleton ran something; no `Exception`, which might be caught."""


@pytest.fixture(autouse=True, scope="module")
def nothing_runs() -> Iterator[None]:
    """Fail where something is unpickled, or imported by a name in a skeleton."""

    def run(*_: object) -> None:
        raise RanError

    with (
        mock.patch.object(pickled, "loads", run),
        mock.patch.object(classes, "find", run),
    ):
        yield


def fetch(_number: int, node: Any) -> Any:
    """Return as many bytes as an array says it has, or some."""
    size = 48
    with suppress(Exception):
        size = math.prod(node["shape"]) * dtypes.tree_dtype(node["dtype"]).itemsize
    return np.zeros(size if 0 <= size <= 1 << 16 else 48, np.uint8)


def fetch_48(_number: int, _node: Any) -> Any:
    """Return 48 bytes, whatever an array says."""
    return np.zeros(48, np.uint8)


REFUSE, STUB = Objects(), Objects(stub=True)


def read(text: bytes, objects: Objects = REFUSE) -> Any:
    """Return the value of a skeleton."""
    source = Skeleton(text)
    return decode(source, source.root, fetch_48, objects)


KNOWN = ArrayFacts((1, 2, 1.5), [1, 2])


def leaf_at(source: Skeleton, steps: tuple[str, ...]) -> None:
    """Do what a search does with what stands at a path."""
    node = source.resolve(source.at(steps))
    leaves.node_leaf(source, node, fetch)
    leaves.derived(source, node, lambda _: KNOWN)


def walk(source: Skeleton) -> None:
    """Do everything that reads a skeleton."""
    todo = [
        lambda: decode(source, source.root, fetch, REFUSE),
        lambda: decode(source, source.root, fetch, STUB),
        lambda: decode(source, source.part([("a",)]), fetch_48, STUB),
        lambda: executable.class_names(source),
        lambda: leaves.leaves(source),
        lambda: list(leaves.array_paths(source)),
        lambda: list(outline.outline(source, source.root)),
        lambda: source.at(("a", "b")),
        lambda: source.at(("a", 0)),
        lambda: source.at(("a", "$#0")),
        lambda: source.at(("a", "$state", "$class")),
        lambda: leaves.leaves(source, lambda _: KNOWN, groups=True),
        lambda: leaf_at(source, ("a",)),
        lambda: leaf_at(source, ("a", "a")),
    ]
    for one in todo:
        try:
            with within(2):
                one()
        except ArchiveError:
            pass
        except DeprecationWarning:
            pass  # numpy's, about the spelling of a dtype


@given(json_trees())
@settings(max_examples=300)
def test_any_json(tree: Any) -> None:
    """JSON that looks like a skeleton raises nothing but archivedb's own errors."""
    walk(Skeleton(json.dumps(tree)))
    with suppress(ArchiveError, DeprecationWarning):
        decode_inline(tree)


@given(replaced(HONEST, json_trees()))
@settings(max_examples=200)
def test_honest_skeletons_with_one_lie(tree: Any) -> None:
    """A skeleton of which one part was replaced raises nothing else, either."""
    walk(Skeleton(json.dumps(tree)))


@given(
    st.lists(json_trees("$node", "$nodes", "$root"), max_size=3),
    json_trees("$node", "$nodes", "$root"),
)
# Shrinking what hangs takes too long.
@settings(max_examples=150, phases=[Phase.explicit, Phase.generate])
def test_node_tables(nodes: list[Any], root: Any) -> None:
    """A forged node table raises nothing else, and ends."""
    with suppress(DecodeError):
        walk(Skeleton(json.dumps({"$nodes": nodes, "$root": root})))


@given(json_trees())
def test_dtypes(tree: Any) -> None:
    """A forged dtype is a `DecodeError`, or a dtype that holds bytes alone."""
    try:
        dtype = dtypes.tree_dtype(tree)
    except (DecodeError, DeprecationWarning):
        return
    assert not dtype.hasobject


CASES = {
    "a NaN too short": {"$float": "00"},
    "a NaN too long": {"$float": "00" * 9},
    "a void of 4 GiB": {"$numpy": "V5", "value": 1 << 32},
    "a void of 1 GiB": {"$numpy": "V5", "value": 1 << 30},
    "no base64": {"$bytes": "?"},
    "no hexadecimal": {"$int": "12z"},
    "no text": {"$str": "/w=="},
    "three numbers": {"$complex": [1, 2, 3]},
    "a tuple in itself": {"$tuple": [{"$ref": ""}]},
    "two tuples in each other": {
        "a": {"$tuple": [{"$ref": "b"}]},
        "b": {"$tuple": [{"$ref": "a"}]},
    },
    "a ref to itself": {"a": {"$ref": "a"}},
    "refs to each other": {"a": {"$ref": "b"}, "b": {"$ref": "a"}},
    "a ref below itself": {"a": {"$ref": "a/x"}},
    "refs below each other": {"a": {"$ref": "b/x"}, "b": {"$ref": "a/x"}},
    "a ref to nothing": {"a": {"$ref": "nowhere"}},
    "a ref to a number": {"a": {"$ref": 5}},
    "a ref to a huge item": {"a": {"$ref": "b/[" + "9" * 5000 + "]"}, "b": []},
    "no such node": {"$nodes": [], "$root": {"$node": 0}},
    "a negative node": {"$nodes": [1], "$root": {"$node": -1}},
    "a node of text": {"$nodes": [1], "$root": {"$node": "0"}},
    "a node that is itself": {"$nodes": [{"$node": 0}], "$root": {"$node": 0}},
    "a node inside of itself": {"$nodes": [[{"$node": 0}]], "$root": {"$node": 0}},
    "2**60 nodes": {
        "$nodes": [[{"$node": n + 1}] * 2 for n in range(60)] + [[1]],
        "$root": {"$node": 0},
    },
    "no root": {"$nodes": [1]},
    "a table that is none": {"$nodes": 5, "$root": 1},
    "an unknown tag": {"$future": 1},
    "an unhashable key": {"$dict": [[[1], 2]]},
    "pairs of three": {"$dict": [[1, 2, 3]]},
    "a negative shape": {"$array": 0, "dtype": "|u1", "shape": [-1, -1], "digest": ""},
    "a huge shape": {"$array": 0, "dtype": "<f8", "shape": [1 << 62], "digest": ""},
    "a shape beyond C": {"$array": 0, "dtype": "|u1", "shape": [2**63], "digest": ""},
    "no shape": {"$array": 0, "dtype": "<f8", "digest": ""},
    "a dtype of objects": {"$array": 0, "dtype": "|O", "shape": [6], "digest": ""},
    "hidden objects": {"$numpy": {"base": "|O", "shape": [1]}, "hex": "00" * 8},
    "no dtype": {"$array": 0, "dtype": "what", "shape": [6], "digest": ""},
    "a wrong dtype": {"$array": 0, "dtype": "<i4", "shape": [6], "digest": ""},
    "an array that stands for what": {
        "$array": 0,
        "dtype": "|u1",
        "shape": [48],
        "digest": "",
        "as": "what",
    },
    "objects of another shape": {"$objects": [1], "shape": [2]},
    "objects of a huge shape": {"$objects": [], "shape": [1 << 40, 1 << 40]},
    "an array inline": {"$numpy": "str", "value": {"$array": 0}},
    "no parts": {"$parts": []},
    "parts that are none": {"$parts": [{"a": 1}]},
    "parts of a pickle": {"$parts": [{**PARTS[0], "as": "pickle"}, PARTS[0]]},
    "parts of two dtypes": {"$parts": [PARTS[0], {**PARTS[0], "dtype": "<i8"}]},
    "parts of two widths": {"$parts": [PARTS[0], {**PARTS[0], "shape": [3, 2]}]},
    "a part without rows": {"$parts": [{**PARTS[0], "shape": []}]},
    "a huge part": {"$parts": [PARTS[0], {**PARTS[0], "shape": [1 << 40, 3]}]},
    "an object": {"$object": "os:system", "by": "reference"},
    "an object to be called": {
        "$object": "os:system",
        "by": "reduce",
        "state": {"call": {"$object": "os:system", "by": "reference"}, "args": ["x"]},
    },
    "an object by nothing": {"$object": "os:system", "by": "what"},
    "an object in a set": {
        "$adapted": "set",
        "state": [{"$object": "os:system", "by": "reference"}],
    },
    "an object in a key": {"$dict": [[{"$key": {"$object": "os:system"}}, 1]]},
    "a pickle": {**PARTS[0], "as": "pickle", "class": "x:X"},
    "an adapter of nothing": {"$adapted": 5, "state": 1},
    "an adapter without a state": {"$adapted": "set"},
    "a set of lists": {"$adapted": "set", "state": [[]]},
    "a set with equal items": {"$adapted": "set", "state": [1, 1.0]},
    "a set in itself": {"$adapted": "set", "state": [{"$ref": ""}]},
    "a frozenset in itself": {"$adapted": "frozenset", "state": [{"$ref": ""}]},
    "a state that is itself": {"a": {"$adapted": "set", "state": {"$ref": "a"}}},
    "a class that is not plain": {"$adapted": "type", "state": "os:system"},
    "a class of a module": {"$adapted": "type", "state": "collections:abc.Mapping"},
    "a factory that is a class": {
        "$adapted": "collections.defaultdict",
        "state": {"items": {}, "factory": {"$object": "os:system", "by": "reference"}},
    },
    "a slice of ranges": {"$adapted": "range", "state": {"start": [], "stop": 1}},
    "a key that is a list": {"$dict": [[{"$key": []}, 1]]},
    "a key that is its own dict": {"$dict": [[{"$key": {"$ref": ""}}, 1]]},
}
"""Lies, of which each is a `DecodeError` or a `RestoreError`."""

UNKNOWN = {
    "an adapter that is not there": {"$adapted": "nobody.knows", "state": 1},
    "an adapter of a module": {"$adapted": "os.system", "state": "true"},
    "a kind of another module": {"$adapted": "numpy.set", "state": []},
}
"""What another archivedb might have written: a `RestoreError`, or a stub."""

PROGRAM = """
import resource, sys
import orjson
import numpy as np
from archivedb.errors import ArchiveError
from archivedb.values.decode import decode
from archivedb.values.objects import Objects
from archivedb.values.skeleton import Skeleton
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
try:
    source = Skeleton(sys.stdin.buffer.read())
    decode(source, source.root, lambda *_: np.zeros(48, "u1"), Objects())
except ArchiveError as error:
    print("typed", type(error).__name__)
"""


def _hangs(name: str) -> bool:
    return ("node" in name and "itself" in name) or any(
        word in name for word in ("2**60", "GiB", "a huge part")
    )


@pytest.mark.parametrize("name", [name for name in CASES if not _hangs(name)])
def test_known_lies(name: str) -> None:
    """Each of these is refused with a `DecodeError`, at once."""
    source_text = json.dumps(CASES[name])
    with within(2), pytest.raises(DecodeError):
        read(source_text)


@pytest.mark.parametrize("name", [name for name in CASES if not _hangs(name)])
def test_stubs_of_known_lies(name: str) -> None:
    """With stubs, each ends with one or with a `DecodeError`, and runs nothing."""
    with within(2), suppress(DecodeError):
        read(json.dumps(CASES[name]), STUB)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_no_adapter_knows(name: str) -> None:
    """It is refused with what may help, or stands there as a stub."""
    source_text = json.dumps(UNKNOWN[name])
    with pytest.raises(RestoreError, match='objects="stub"'):
        read(source_text)
    stub = read(source_text, STUB)
    assert (stub.class_name, stub.route) == (UNKNOWN[name]["$adapted"], "adapter")
    assert stub.state == UNKNOWN[name]["state"]


def test_what_holds_objects_says_so() -> None:
    """Nothing of an honest skeleton is restored without being asked for."""
    source_text = json.dumps(HONEST)
    with pytest.raises(DecodeError, match="none can be"):
        decode(Skeleton(source_text), HONEST, fetch, REFUSE)
    names = executable.class_names(Skeleton(source_text))
    assert names == sorted(
        ["builtins:function", "builtins:len", "builtins:object"]
        + [f"{__name__}:{name}" for name in ("Cell", "Colour")]
    )
    found = decode(Skeleton(source_text), HONEST, fetch, STUB)
    assert [type(each) for each in found["run"]] == [Stub] * 5
    assert found["adapted"] == [
        {1, 2},
        Decimal(1),
        Path("a"),
        deque([{"a": 1}]),
        slice(2),
    ]
    assert found["parts"].shape == (7, 3)


@pytest.mark.parametrize("name", list(filter(_hangs, CASES)))
def test_lies_that_could_take_the_machine_down(name: str) -> None:
    """These are refused before they take time or memory."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(CASES[name]),
        capture_output=True,
        check=False,
        timeout=4,
    )
    assert result.stdout == b"typed DecodeError\n", result.stderr.decode()[-500:]


@pytest.mark.parametrize("name", [name for name in CASES if "node" in name])
def test_outlines_of_forged_tables_end(name: str) -> None:
    """Catalog and outline refuse them, too, or pass them by."""
    source_text = json.dumps(CASES[name])
    for walk_over in (
        leaves.leaves,
        lambda source: list(leaves.array_paths(source)),
        lambda source: list(outline.outline(source, source.root)),
    ):
        try:
            with within(0.3):
                walk_over(Skeleton(source_text))
        except ArchiveError:
            pass
        except TooSlowError as error:
            pytest.fail(str(error))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"nul", b"\xff", b"NaN", b'"\\ud800"', b"[" * 5000, b"1 2"]
)
def test_what_is_not_json(text: bytes) -> None:
    """Bytes that are not JSON raise a `DecodeError`."""
    with pytest.raises(DecodeError):
        Skeleton(text)


def test_keys_stand_alone() -> None:
    """A key is read without any array or object."""
    assert decode_inline(encode_key((1, "a", None))) == (1, "a", None)
    with pytest.raises(DecodeError):
        decode_inline({"$array": 0, "dtype": "<f8", "shape": [0], "digest": ""})
