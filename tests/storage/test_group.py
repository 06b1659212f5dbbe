"""A group is a mapping that reads only what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb.errors import KeyNotFoundError, NotAGroupError
from archivedb.storage.group import Group
from archivedb.values.decode import decode
from archivedb.values.encode import encode
from archivedb.values.skeleton import Skeleton
from tests.support import strategies
from tests.support.exact import difference

if TYPE_CHECKING:
    from tests.support.strategies import Shown

VALUE: dict[Any, Any] = {
    "inputs": {"cutoff": 500, "label": "<b>"},
    "forces": np.arange(6.0),
    "steps": [{"x": 1, "a/b": {"y": 2}}, 5],
    "odd": {1: "int", "1": "text", None: {"deep": 3}},
    "a/b": 1,
    "": {"": 2},
}


def group_of(value: Any) -> tuple[Group, list[Any]]:
    """Return a value as a group, and the list of what it reads from now on."""
    encoded = encode(value)
    source = Skeleton(encoded.skeleton)
    reads: list[Any] = []

    def fetch(number: int, _node: Any) -> Any:
        reads.append(number)
        return np.frombuffer(bytearray(encoded.arrays[number].raw), np.uint8)

    def read(node: Any) -> Any:
        return decode(source, node, fetch, lambda *_: pytest.fail("no objects here"))

    return Group(source, source.root, "al/run-1", (), read), reads


def test_it_is_a_mapping() -> None:
    """Keys, length, iteration, membership and `get` are those of a mapping."""
    group, _ = group_of(VALUE)
    assert isinstance(group, Mapping)
    assert list(group) == ["inputs", "forces", "steps", "odd", "a%2Fb", "%"]
    assert len(group) == 6
    assert list(group.keys()) == list(group)
    assert dict(group["inputs"].items()) == {"cutoff": 500, "label": "<b>"}
    assert list(group["inputs"].values()) == [500, "<b>"]
    assert group.get("nowhere", 7) == 7
    assert group["inputs"] == {"cutoff": 500, "label": "<b>"}


def test_items() -> None:
    """A dict is a group again; everything else is the object itself."""
    group, _ = group_of(VALUE)
    assert isinstance(group["inputs"], Group)
    assert isinstance(group["odd"], Group)
    assert difference(VALUE["forces"], group["forces"]) is None
    assert difference(VALUE["steps"], group["steps"]) is None
    assert group["inputs/cutoff"] == group["inputs"]["cutoff"] == 500
    assert group["steps/[0]/x"] == group["steps", 0, "x"] == 1
    assert group["odd", 1] == group["odd/$1"] == "int"
    assert group["odd/1"] == "text"
    assert group["odd", None, "deep"] == 3
    assert group["a%2Fb"] == group[("a/b",)] == 1
    assert group["%/%"] == group["", ""] == 2


def test_every_key_leads_somewhere() -> None:
    """What iteration gives can be asked for, at every level."""
    group, _ = group_of(VALUE)
    for key in group:
        assert key in group
        for below in group[key] if isinstance(group[key], Group) else ():
            assert f"{key}/{below}" in group


@pytest.mark.parametrize("path", ["nowhere", "inputs/x", "steps/[9]", ("odd", 2)])
def test_missing_keys(path: Any) -> None:
    """A key that is not there is a `KeyError`, and not `in` the group."""
    group, _ = group_of(VALUE)
    assert path not in group
    with pytest.raises(KeyNotFoundError, match="there is no key") as caught:
        group[path]
    assert isinstance(caught.value, KeyError)


def test_below_a_leaf() -> None:
    """A path below a leaf is an error of its own, and not `in` the group."""
    group, _ = group_of(VALUE)
    assert "inputs/cutoff/x" not in group
    assert 5 not in group
    with pytest.raises(NotAGroupError):
        group["inputs/cutoff/x"]


def test_nothing_is_read_before_it_is_asked_for() -> None:
    """Looking around reads no array; asking for one reads that one."""
    group, reads = group_of(VALUE)
    repr(group)
    group._repr_html_()
    assert "forces" in group
    assert len(group["odd"]) == 3
    assert reads == []
    assert group["forces"].shape == (6,)
    assert reads == [0]


def test_load() -> None:
    """`load` is the plain dict, at every level."""
    group, _ = group_of(VALUE)
    assert difference(VALUE, group.load()) is None
    assert difference(VALUE["odd"], group["odd"].load()) is None
    assert difference({"deep": 3}, group["odd/$null"].load()) is None


def test_names_and_paths() -> None:
    """A group knows where it is, from the record's name on."""
    group, _ = group_of(VALUE)
    assert (group.name, group.path) == ("run-1", "al/run-1")
    assert group["inputs"].name == "inputs"
    assert group["inputs"].path == "al/run-1/inputs"
    assert group["odd", None].path == "al/run-1/odd/$null"
    assert group["%"].path == "al/run-1/%"
    assert group["steps/[0]"].path == "al/run-1/steps/[0]"
    assert group["steps/[0]/a%2Fb"].path == "al/run-1/steps/[0]/a%2Fb"


@pytest.mark.parametrize(
    "path", [("steps", 0), ("steps", 0, "a/b"), ("odd", None), ("",), ("steps", -2)]
)
def test_printed_paths_paste_back(path: tuple[Any, ...]) -> None:
    """The path of a group leads to that group, however it was reached."""
    group, _ = group_of(VALUE)
    found = group[path]
    printed = found.path.removeprefix("al/run-1/")
    assert group[printed].load() == found.load()
    assert found.name == printed.rpartition("/")[2]


def test_repr() -> None:
    """The repr shows keys and kinds, and escapes them in HTML."""
    group, _ = group_of(VALUE)
    assert repr(group).splitlines()[:3] == [
        "<Group 'al/run-1', 6 keys>",
        "  inputs: group, 2 keys",
        "  forces: array, float64 6 48 B",
    ]
    assert repr(group["inputs"]).splitlines()[1:] == ["  cutoff: 500", "  label: '<b>'"]
    assert "<b>'" not in group["inputs"]._repr_html_()
    many, _ = group_of({str(n): n for n in range(20)})
    assert len(repr(many).splitlines()) == 14
    assert repr(many).endswith("… 8 more")
    assert group._ipython_key_completions_() == list(group)


def test_shared_groups() -> None:
    """A group that stands twice is found at both places."""
    shared: dict[str, Any] = {"x": np.arange(3)}
    shared["self"] = shared
    group, _ = group_of({"a": shared, "b": [shared]})
    assert group["b/[0]/x"].tolist() == [0, 1, 2]
    assert group["a/self/self/x"].tolist() == [0, 1, 2]
    assert "self" in group["b/[0]"]


@given(
    strategies.shown(st.dictionaries(strategies.keys, strategies.leaves, max_size=5))
)
def test_any_dict(shown: Shown) -> None:
    """A group has an item for each of the dict's, in its order."""
    value = shown.value
    group, _ = group_of({"top": value})
    top = group["top"]
    assert len(top) == len(list(top)) == len(value)
    for token, item in zip(top, value.values(), strict=True):
        found = top[token]
        assert difference(item, found) is None
