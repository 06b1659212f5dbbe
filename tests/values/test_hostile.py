"""Skeletons from somebody who means ill: typed errors, and never for long."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from archivedb.errors import ArchiveError, DecodeError
from archivedb.values import dtypes, json, leaves, outline
from archivedb.values.decode import decode, decode_inline
from archivedb.values.encode import encode, encode_key
from archivedb.values.skeleton import Skeleton
from tests.support.payloads import TooSlowError, within
from tests.support.strategies import json_trees, replaced

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
        }
    ).skeleton,
    "skeleton",
)


def fetch(_number: int, _node: Any) -> Any:
    """Return the bytes of any array."""
    return np.zeros(48, np.uint8)


def read(text: bytes) -> Any:
    """Return the value of a skeleton."""
    source = Skeleton(text)
    return decode(source, source.root, fetch, lambda *_: None)


def walk(source: Skeleton) -> None:
    """Do everything that reads a skeleton."""
    todo = [
        lambda: decode(source, source.root, fetch, lambda *_: None),
        lambda: leaves.leaves(source),
        lambda: list(leaves.array_paths(source)),
        lambda: list(outline.outline(source, source.root)),
        lambda: source.at(("a", "b")),
        lambda: source.at(("a", 0)),
        lambda: leaves.lookup(source, "a/a"),
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
}

PROGRAM = """
import resource, sys
import orjson
import numpy as np
from archivedb.errors import ArchiveError
from archivedb.values.decode import decode
from archivedb.values.skeleton import Skeleton
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
try:
    source = Skeleton(sys.stdin.buffer.read())
    decode(source, source.root, lambda *_: np.zeros(48, "u1"), lambda *_: None)
except ArchiveError as error:
    print("typed", type(error).__name__)
"""


def _hangs(name: str) -> bool:
    return ("node" in name and "itself" in name) or "2**60" in name or "GiB" in name


@pytest.mark.parametrize("name", [name for name in CASES if not _hangs(name)])
def test_known_lies(name: str) -> None:
    """Each of these is refused with a `DecodeError`, at once."""
    source_text = json.dumps(CASES[name])
    with within(2), pytest.raises(DecodeError):
        read(source_text)


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
