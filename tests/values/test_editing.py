"""Edits of a skeleton do what the same edits do to the plain value."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivedb.errors import (
    DecodeError,
    EncodeError,
    KeyNotFoundError,
    NotAGroupError,
)
from archivedb.values import paths
from archivedb.values.arrays import array_of
from archivedb.values.decode import decode
from archivedb.values.dtypes import bytes_array
from archivedb.values.editing import (
    Append,
    Assign,
    Edited,
    Editing,
    MakeGroup,
    Remove,
    apply,
)
from archivedb.values.encode import encode
from archivedb.values.objects import Objects
from archivedb.values.skeleton import Skeleton
from tests.support import strategies
from tests.support.exact import difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DataObject

    from tests.support.strategies import Shown


def value_of(edited: Any) -> Any:
    """Return the value of an `Encoded` or `Edited`."""
    source = Skeleton(edited.skeleton)

    def fetch(number: int, _node: Any) -> Any:
        return np.frombuffer(bytearray(edited.arrays[number].raw), np.uint8)

    return decode(source, source.root, fetch, Objects(require=lambda: None))


def copy(value: Any) -> Any:
    """Return an exact copy."""
    return value_of(encode(value))


def require_canonical(edited: Edited, value: Any) -> None:
    """Fail unless the edited skeleton is what the value has, saved afresh."""
    fresh = encode(value)
    assert edited.skeleton == fresh.skeleton
    assert edited.executable == fresh.executable
    assert [a.path for a in edited.arrays] == [a.path for a in fresh.arrays]
    assert [a.digest for a in edited.arrays] == [a.digest for a in fresh.arrays]


# The model ------------------------------------------------------------------


class Model:
    """A plain value, on which the same edits are made by Python's own means."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.appended = False

    def places(self) -> Iterator[tuple[tuple[str, ...], Any, Any, Any]]:
        """Yield some paths, the containers and keys there, and the values."""
        yield (), None, None, self.value
        todo: list[tuple[tuple[str, ...], Any]] = [((), self.value)]
        seen: set[int] = set()
        while todo and len(seen) < 30:
            here, value = todo.pop(0)
            if id(value) in seen:
                continue
            seen.add(id(value))
            for token, key, child in _children(value):
                yield (*here, token), value, key, child
                todo.append(((*here, token), child))

    def put(self, container: Any, key: Any, value: Any) -> None:
        """Put a value where there is one."""
        if container is None:
            self.value = value
        else:
            container[key] = value


def _children(value: Any) -> list[tuple[str, Any, Any]]:
    kind = type(value)
    if kind is dict:
        tree = Skeleton(encode(dict.fromkeys(value)).skeleton)
        from archivedb.values.skeleton import children

        tokens = [token for token, _ in children(tree.root)]
        return list(zip(tokens, value, value.values(), strict=True))
    if kind is np.ndarray and value.dtype == object:
        return [(f"[{i}]", i, x) for i, x in enumerate(list(value.reshape(-1)))]
    if kind in (list, tuple) and not _is_long(value):
        return [(f"[{i}]", i, x) for i, x in enumerate(value)]
    return []


def _is_long(value: Any) -> bool:
    return type(value) is list and b'"as":"list"' in encode(value).skeleton[:200]


def _changeable(container: Any) -> bool:
    return container is None or type(container) in (dict, list)


@pytest.mark.long
@settings(max_examples=400)
@given(strategies.values, st.data())
def test_any_edits_of_any_value(shown: Shown, data: DataObject) -> None:
    """
    Any edits of any value give what Python gives.

    Whatever was shared stays shared, and nothing else becomes so.
    """
    encoded = encode(shown.value)
    model = Model(value_of(encoded))
    ops = []
    for _ in range(data.draw(st.integers(1, 5))):
        op = data.draw(st.sampled_from([_assign, _new, _remove, _group, _append]))
        made = op(model, data)
        if made is not None:
            ops.append(made)
    for join in (None, joined):
        edited = apply(Skeleton(encoded.skeleton), encoded.arrays, ops, join)
        assert difference(model.value, value_of(edited)) is None
        if join or not model.appended:
            # Whatever is shared, where it stands is where `encode` has it.
            assert form(edited) == form(encode(value_of(edited)))
    assert form(edited) == form(encode(model.value))


def form(edited: Any) -> tuple[bytes, bool, list[str]]:
    """Return all of a skeleton but what tells the bits of arrays and scalars."""
    # numpy copies structures without the bytes between their fields.
    text = re.sub(rb'"(digest|hex)":"[^"]*"', b"", edited.skeleton)
    return text, edited.executable, [array.path for array in edited.arrays]


def joined(parts: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Return one array of several."""
    node = parts[0][1]
    shape = sum(part["shape"][0] for _, part in parts), *node["shape"][1:]
    raw = np.frombuffer(b"".join(array.raw for array, _ in parts), np.uint8)
    whole = encode(array_of({**node, "shape": shape}, raw))
    return whole.arrays[0], Skeleton(whole.skeleton).root


def _draw(data: DataObject, some: list[Any]) -> Any:
    return some[data.draw(st.integers(0, len(some) - 1))] if some else None


def _value(data: DataObject) -> Any:
    # A copy: of a strided array the bytes between fields are chance each time.
    return copy(data.draw(strategies.values).value)


def _assign(model: Model, data: DataObject) -> Any:
    some = [place for place in model.places() if _changeable(place[1])]
    where, container, key, _ = _draw(data, some)
    value = _value(data)
    model.put(container, key, copy(value))
    return Assign(where, encode(value, at=where))


def _new(model: Model, data: DataObject) -> Any:
    place = _draw(data, [p for p in model.places() if type(p[3]) is dict])
    if place is None:
        return None
    above = data.draw(st.lists(strategies.texts, max_size=2))
    keys = [*above, data.draw(strategies.texts)]
    value = _value(data)
    where, group = place[0], place[3]
    if keys[0] in group:
        return None
    for key in above:
        group[key] = group = {}
    group[keys[-1]] = copy(value)
    where = (*where, *map(paths.key_token, keys))
    return Assign(where, encode(value, at=where))


def _remove(model: Model, data: DataObject) -> Any:
    some = [p for p in model.places() if type(p[1]) in (dict, list)]
    place = _draw(data, some)
    if place is None:
        return None
    del place[1][place[2]]
    return Remove(place[0])


def _group(model: Model, data: DataObject) -> Any:
    place = _draw(data, [p for p in model.places() if type(p[3]) is dict])
    if place is None:
        return None
    key = data.draw(strategies.texts)
    if key in place[3]:
        return None
    place[3][key] = {}
    return MakeGroup((*place[0], paths.key_token(key)))


def _append(model: Model, data: DataObject) -> Any:
    some = [
        place
        for place in model.places()
        if _changeable(place[1])
        and type(place[3]) is np.ndarray
        and place[3].dtype != object
        and place[3].ndim
        and encode(place[3]).skeleton.startswith(b'{"$array"')
    ]
    place = _draw(data, some)
    if place is None:
        return None
    where, container, key, array = place
    rows = copy(array[: data.draw(st.integers(0, 2))])
    # Bytes between fields are copied, too.
    raw = np.frombuffer(bytearray(array.tobytes() + rows.tobytes()), np.uint8)
    shape = (len(array) + len(rows), *array.shape[1:])
    whole = bytes_array(raw, array.dtype, shape)
    model.put(container, key, whole)
    model.appended = True
    return Append(where, encode(rows, at=where))


# By hand ----------------------------------------------------------------


def edit(value: Any, *ops: Any) -> Edited:
    """Return what edits make of a value."""
    encoded = encode(value)
    return apply(Skeleton(encoded.skeleton), encoded.arrays, ops)


def steps(path: str) -> tuple[str, ...]:
    """Return the steps of a path."""
    return paths.parts(path)


def assign(path: str, value: Any) -> Assign:
    """Return the edit that puts a value at a path."""
    return Assign(steps(path), encode(value, at=steps(path)))


def append(path: str, rows: Any) -> Append:
    """Return the edit that appends rows at a path."""
    return Append(steps(path), encode(rows, at=steps(path)))


def remove(path: str) -> Remove:
    """Return the edit that removes what is at a path."""
    return Remove(steps(path))


def test_what_is_referred_to_moves() -> None:
    """Its first place is the one that is left; references into it follow."""
    inner = [1]
    shared = {"inner": inner, "self": None, "array": np.arange(3)}
    shared["self"] = shared
    value = {"a": shared, "b": [shared, inner], "c": inner, "d": shared["array"]}
    edited = edit(value, remove("a"))
    del value["a"]
    assert difference(value, value_of(edited)) is None
    assert b'"self":{"$ref":"b/[0]"}' in edited.skeleton
    assert [array.path for array in edited.arrays] == ["b/[0]/array"]
    edited = edit(value, assign("b/[0]", 5), remove("d"))
    require_canonical(edited, {"b": [5, inner], "c": inner})


def test_references_of_what_is_assigned() -> None:
    """They lead into the value, wherever it ends up."""
    value: dict[str, Any] = {"x": {}}
    cycle: list[Any] = [{"deep": None}]
    cycle[0]["deep"] = cycle
    for path in ("x/a", "x/50%", "x/$1", "x/[0]", "a", ""):
        edited = edit(value, assign(path, cycle))
        node = Skeleton(edited.skeleton).at(steps(path))
        assert difference(cycle, value_of(edit(None, assign("", cycle)))) is None
        found = value_of(edited)
        for step in steps(path):
            found = found[paths.token_key(step)]
        assert difference(cycle, found) is None
        assert type(node) is list


def test_keys_that_are_no_text() -> None:
    """A dict is written with pairs for as long as it needs to be."""
    value = {1: "one", "x": 2, None: {"y": 3}}
    edits = [assign("$1", "eins"), assign("x", 0), assign("$null/y", 4)]
    edited = edit(value, *edits, assign("new", 5), assign("$2", 6))
    expected = {1: "eins", "x": 0, None: {"y": 4}, "new": 5, "$2": 6}
    require_canonical(edited, expected)
    edited = edit(value, remove("$1"), remove("$null"))
    require_canonical(edited, {"x": 2})
    require_canonical(
        edit({"x": 1}, Assign(("%ED%A0%80",), encode(2))), {"x": 1, "\ud800": 2}
    )
    nans = {math.nan: 1, float("nan"): 2, 3: 3}
    first, second, _ = (token for token, _, _ in _children(nans))
    assert [*value_of(edit(nans, remove(second))).values()] == [1, 3]
    assert [*value_of(edit(nans, remove(first))).values()] == [2, 3]
    # What is left has the spelling that only the first of them has.
    assert [*value_of(edit(nans, remove(first), remove(first))).values()] == [3]


class Key:
    """An object that is a key by what it is."""


class Thing:
    """An object with attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def local_class() -> type:
    """Return a class that nobody can import."""

    class Local:
        def __init__(self, x: Any) -> None:
            self.x = x

    return Local


def test_objects() -> None:
    """What an edit does not touch stays as `encode` has written it."""
    local = local_class()
    array = np.arange(5)
    value: dict[Any, Any] = {
        "first": 0,
        "things": {Key(): array, Key(): [Thing(a=array, b={"c": {1, 2}})], "x": 1},
        "local": [local(array), local([np.arange(3)])],
        "set": {1, 2, (3, "x")},
        "range": range(3),
        "thing": Thing(array=np.arange(9), again=array),
        "function": len,
        "text": "x" * 5000,
    }
    value["loop"] = Thing(top=None)
    value["loop"].top = value["loop"]
    encoded = encode(value)
    same = apply(Skeleton(encoded.skeleton), encoded.arrays, [])
    assert same.skeleton == encoded.skeleton
    assert same.executable
    assert [a.path for a in same.arrays] == [a.path for a in encoded.arrays]
    for keys in (("first",), ("things",), ("first", "local"), tuple(value)):
        less = {key: item for key, item in value.items() if key not in keys}
        ops = [Remove((key,)) for key in keys]
        fresh, edited = (
            encode(less),
            apply(Skeleton(encoded.skeleton), encoded.arrays, ops),
        )
        assert edited.skeleton == fresh.skeleton
        assert edited.executable == fresh.executable == bool(less)
    edited = edit(
        value, remove("things/$#0"), assign("things/$#0", 5), remove("things/x")
    )
    assert [*value_of(edited)["things"].values()] == [5]
    assert type(next(iter(value_of(edited)["things"]))) is Key
    # What was there last stays the shared one.
    back = value_of(edited)
    assert back["thing"].again is back["local"][0].x


def test_deep() -> None:
    """Values 5,000 deep are edited, at any depth."""
    value: Any = 1
    for number in range(2500):
        value = {"d": [value]} if number % 7 else {1: (value,)}
    path = []
    found = value
    while type(found) is dict:
        key = next(iter(found))
        path += ["d" if key == "d" else "$1", "[0]"]
        found = found[key][0]
    where = (*path[:-1],)
    ops = [
        MakeGroup(("new", *["x"] * 5000)),
        Assign(("new", *["x"] * 5000, "y"), encode(value, at=("new", "y"))),
        Append(("rows",), encode(np.arange(2))),
    ]
    edited = edit(value, *ops[1:], Remove(where))
    back = value_of(edited)
    assert difference(back["rows"], np.arange(2)) is None
    require_canonical(edited, back)
    nodes = edit(value)
    assert nodes.skeleton == encode(value).skeleton


def test_lists_of_numbers() -> None:
    """A list that has become one of numbers is an array, as if saved afresh."""
    value = {"x": [*range(20), "last"]}
    require_canonical(edit(value, remove("x/[20]")), {"x": list(range(20))})
    floats = {"x": [math.nan, *map(float, range(20)), None]}
    edited = edit(floats, assign("x/[21]", -0.0))
    require_canonical(edited, {"x": [math.nan, *map(float, range(20)), -0.0]})
    edited = edit(value, assign("x/[20]", 2**70))
    require_canonical(edited, {"x": [*range(20), 2**70]})
    with pytest.raises(NotAGroupError, match="is a leaf"):
        edit({"x": list(range(20))}, assign("x/[3]", 1))


def test_appending() -> None:
    """Rows make an array in parts, and other places keep what they had."""
    array = np.arange(6.0).reshape(3, 2)
    value = {"a": array, "b": array, "c": [array]}
    edited = edit(
        value, append("a", array[:1]), append("a", array), append("new", array)
    )
    back = value_of(edited)
    whole = np.concatenate([array, array[:1], array])
    assert difference(back["a"], whole) is None
    assert difference(back["b"], array) is None
    assert back["b"] is back["c"][0]
    shapes = [part["shape"] for part in Skeleton(edited.skeleton).root["a"]["$parts"]]
    assert shapes == [[3, 2], [1, 2], [3, 2]]
    names = [array.path for array in edited.arrays]
    assert names == ["a/$part#0", "a/$part#1", "a/$part#2", "b", "new"]
    more = apply(Skeleton(edited.skeleton), edited.arrays, [append("a", array)])
    assert difference(value_of(more)["a"], np.concatenate([whole, array])) is None
    assert (
        difference(value_of(edit(array, append("", array))), whole[[0, 1, 2] * 2])
        is None
    )


def test_appending_costs_what_is_appended() -> None:
    """Ten thousand appends in one edit are no trouble."""
    rows = encode(np.arange(2))
    encoded = encode({})
    ops = [Append(("x",), rows)] * 10_000
    edited = apply(Skeleton(encoded.skeleton), encoded.arrays, ops)
    assert len(edited.arrays) == 10_000


def test_groups() -> None:
    """A group is made once, with those above it; a group that is there stays."""
    ops = [MakeGroup(steps(path)) for path in ("a/b/c", "a/b", "a/b/c", "", "x")]
    require_canonical(
        edit({"x": {"y": 1}}, *ops), {"x": {"y": 1}, "a": {"b": {"c": {}}}}
    )
    require_canonical(
        edit({"t": ({},)}, MakeGroup(steps("t/[0]/x"))), {"t": ({"x": {}},)}
    )
    require_canonical(edit({"t": ({},)}, MakeGroup(steps("t/[0]"))), {"t": ({},)})


REFUSED = {
    "leaf": 1,
    "list": [1, {"x": 1}],
    "tuple": (1, [2]),
    "array": np.arange(3),
    "scalar": np.array(1),
    "objects": np.array([None], object),
    "thing": Thing(x={"y": 1}),
}


@pytest.mark.parametrize(
    ("op", "error"),
    [
        (remove("nothing"), KeyNotFoundError),
        (remove("nothing/more"), KeyNotFoundError),
        (remove("list/[2]"), KeyNotFoundError),
        (remove("list/[2]/x"), KeyNotFoundError),
        (remove("list/x"), KeyNotFoundError),
        (remove("tuple/[2]"), KeyNotFoundError),
        (remove("tuple/[1]/[1]"), KeyNotFoundError),
        (remove("tuple/[1]"), NotAGroupError),
        (remove("objects/[0]"), NotAGroupError),
        (remove("thing/x"), NotAGroupError),
        (remove("thing/x/y"), NotAGroupError),
        (remove("leaf/x"), NotAGroupError),
        (remove(""), NotAGroupError),
        (assign("leaf/x", 1), NotAGroupError),
        (assign("leaf/x/y", 1), NotAGroupError),
        (assign("array/[0]", 1), NotAGroupError),
        (assign("tuple/[0]", 1), NotAGroupError),
        (assign("tuple/x/y", 1), KeyNotFoundError),
        (assign("objects/[0]", 1), NotAGroupError),
        (assign("thing/x", 1), NotAGroupError),
        (assign("thing/x/y", 1), NotAGroupError),
        (assign("list/[2]", 1), KeyNotFoundError),
        (assign("list/[2]/x", 1), KeyNotFoundError),
        (assign("list/x", 1), KeyNotFoundError),
        (MakeGroup(("leaf",)), NotAGroupError),
        (MakeGroup(("list",)), NotAGroupError),
        (MakeGroup(("thing",)), NotAGroupError),
        (MakeGroup(("thing", "x")), NotAGroupError),
        (MakeGroup(("list", "[2]")), KeyNotFoundError),
        (append("leaf", np.arange(2)), EncodeError),
        (append("list", np.arange(2)), EncodeError),
        (append("scalar", np.arange(2)), EncodeError),
        (append("thing", np.arange(2)), EncodeError),
        (append("array", np.arange(2.0)), EncodeError),
        (append("array", np.arange(2)[None]), EncodeError),
        (append("array", np.array(2)), EncodeError),
        (append("array", [1, 2]), EncodeError),
        (append("array", list(range(20))), EncodeError),
        (append("array", np.array([None])), EncodeError),
        (append("array/x", np.arange(2)), NotAGroupError),
        (append("list/[2]", np.arange(2)), KeyNotFoundError),
    ],
    ids=lambda value: f"{type(value).__name__} {'/'.join(getattr(value, 'steps', ()))}",
)
def test_refusals(op: Any, error: type[Exception]) -> None:
    """What cannot be done raises a typed error that names the place."""
    encoded = encode(REFUSED)
    editing = Editing(Skeleton(encoded.skeleton), encoded.arrays)
    with pytest.raises(error):
        editing.do(op)
    assert editing.finish().skeleton == encoded.skeleton


@settings(max_examples=300)
@given(strategies.json_trees("$adapted", "$parts", "$key", "state", "$nodes", "$root"))
def test_hostile_skeletons(tree: Any) -> None:
    """Whatever JSON stands for a skeleton, an edit works or raises a typed error."""
    try:
        source = Skeleton.of(tree)
    except DecodeError:
        return
    arrays = [None] * 5
    for op in ([], [assign("a/b", 1)], [remove("a")], [append("a", np.arange(2))]):
        try:
            apply(source, arrays, op)
        except (DecodeError, KeyNotFoundError, NotAGroupError, EncodeError):
            continue
