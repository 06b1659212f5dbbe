"""What is one object stays one; cycles close; no depth is too deep."""

from __future__ import annotations

import collections
import sys
import types
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.fidelity.kind import Check, Kind, each, exactly

DEPTH = 5000


class Node:
    """An object that refers to others."""

    def __init__(self, **items: Any) -> None:
        self.__dict__.update(items)


class Linked:
    """One with slots."""

    __slots__ = ("after", "before")


@dataclass
class Tree:
    """A dataclass that refers to others."""

    parent: Any = None
    children: Any = None


class Circle(list[Any]):
    """A list that may hold itself."""


class Twice:
    """A state that is shared with others."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __getstate__(self) -> Any:
        """Return it."""
        return {"items": self.items, "again": self.items}

    def __setstate__(self, state: Any) -> None:
        """Take it back, and see that it is one."""
        assert state["items"] is state["again"]
        self.items = state["items"]


def _requires(*asks: Any) -> Check:
    """Return a check that each question is true of what was loaded."""

    def check(original: Any, loaded: Any) -> None:
        for number, ask in enumerate(asks, 1):
            assert ask(original), f"question {number} is wrong"
            assert ask(loaded), f"question {number}"

    return check


def _shared(item: Any) -> Any:
    return {"a": item, "b": [item, (item,)], "c": {1: item}}


def _one(value: Any) -> bool:
    first = value["a"]
    return (
        value["b"][0] is first and value["b"][1][0] is first and value["c"][1] is first
    )


def _cyclic_list() -> Any:
    made: list[Any] = [1]
    made.append(made)
    return made


def _cyclic_dict() -> Any:
    made: dict[Any, Any] = {"a": {"b": {}}}
    made["a"]["b"]["up"] = made
    made[1] = made["a"]
    return made


def _cyclic_object() -> Any:
    made = Node(x=1)
    made.me = made
    return made


def _parents() -> Any:
    parent = Tree(children=[])
    parent.children += [Tree(parent), Tree(parent)]
    return parent


def _linked() -> Any:
    one, two = Linked(), Linked()
    one.after, two.after = two, one
    one.before, two.before = two, one
    return one


def _tuple_cycle() -> Any:
    inner: list[Any] = []
    made = (inner, 1)
    inner.append(made)
    return made


def _array_cycle() -> Any:
    made = np.empty(2, object)
    made[0], made[1] = made, [made]
    return made


def _circle() -> Any:
    made = Circle()
    made.append(made)
    made.up = [made]
    return made


def _ring() -> Any:
    made: collections.deque[Any] = collections.deque(maxlen=3)
    made.append(made)
    return made


def _ordered() -> Any:
    made: Any = collections.OrderedDict()
    made["me"] = made
    return made


def _defaults() -> Any:
    made: Any = collections.defaultdict(list)
    made["me"].append(made)
    return made


def _space() -> Any:
    made = types.SimpleNamespace()
    made.me = made
    return made


def _in_a_set() -> Any:
    node = Node()
    node.group = {node}
    return node


def _as_a_key() -> Any:
    node = Node()
    return {node: "x", "node": node}


def _caller() -> Any:
    node = Node(x=3)
    node.call = types.MethodType(_get, node)
    return node


def _get(self: Any) -> Any:
    return self.x


def _deep(wrap: Any, begin: Any = None) -> Any:
    made = begin
    for _ in range(DEPTH):
        made = wrap(made)
    return made


def _depth(step: Any) -> Check:
    def check(original: Any, loaded: Any) -> None:
        assert sys.getrecursionlimit() == 1000
        for _ in range(DEPTH):
            assert type(loaded) is type(original)
            original, loaded = step(original), step(loaded)
        exactly(original, loaded)

    return check


def _alternating() -> Any:
    made: Any = np.arange(3)
    for number in range(DEPTH):
        made = ([made], {"a": made}, (made,), {1: made})[number % 4]
    return made


def _any_step(value: Any) -> Any:
    return next(iter(value.values())) if isinstance(value, dict) else value[0]


def _chain() -> Any:
    made: Any = None
    for _ in range(500):
        made = Node(after=made)
    return made


def _diamonds() -> Any:
    made: Any = [1]
    for _ in range(100):
        made = [made, made]
    return made


def _all_diamonds(value: Any) -> bool:
    for _ in range(100):
        if value[0] is not value[1]:
            return False
        value = value[0]
    return bool(value == [1])


def _views() -> Any:
    whole = np.arange(6)
    return [whole, whole, whole[:3]]


SHARED: dict[str, Any] = {
    "list": lambda: [1],
    "dict": lambda: {"x": 1},
    "set": lambda: {1},
    "array": lambda: np.arange(3),
    "object array": lambda: np.array([None, [1]], object),
    "bytearray": lambda: bytearray(b"x"),
    "tuple of a list": lambda: ([1],),
    "object": lambda: Node(x=1),
    "dataclass": Tree,
    "object with slots": Linked,
    "deque": lambda: collections.deque([1]),
    "masked array": lambda: np.ma.masked_array([1, 2], [True, False]),
    "Generator": lambda: np.random.default_rng(1),
    "lambda": lambda: lambda x: x,
    "object()": object,
}
CYCLES = {
    "list": (_cyclic_list, lambda v: v[1] is v),
    "dict": (_cyclic_dict, lambda v: v["a"]["b"]["up"] is v and v[1] is v["a"]),
    "object": (_cyclic_object, lambda v: v.me is v),
    "parent and children": (
        _parents,
        lambda v: len(v.children) == 2 and all(each.parent is v for each in v.children),
    ),
    "objects with slots": (
        _linked,
        lambda v: v.after is not v and v.after.after is v and v.before is v.after,
    ),
    "tuple through a list": (_tuple_cycle, lambda v: v[0][0] is v),
    "object array": (_array_cycle, lambda v: v[0] is v and v[1][0] is v),
    "subclass of list": (_circle, lambda v: v[0] is v and v.up[0] is v),
    "deque": (_ring, lambda v: v[0] is v and v.maxlen == 3),
    "OrderedDict": (_ordered, lambda v: v["me"] is v),
    "defaultdict": (_defaults, lambda v: v["me"][0] is v and v["x"] == []),
    "SimpleNamespace": (_space, lambda v: v.me is v),
    "object in its own set": (_in_a_set, lambda v: v in v.group and len(v.group) == 1),
    "object as key and item": (_as_a_key, lambda v: v[v["node"]] == "x"),
    "bound method of itself": (
        _caller,
        lambda v: v.call.__self__ is v and v.call() == 3,
    ),
}
DEEP = {
    "list": (lambda: _deep(lambda v: [v]), lambda v: v[0]),
    "dict": (lambda: _deep(lambda v: {"a": v}), lambda v: v["a"]),
    "tuple": (lambda: _deep(lambda v: (v,)), lambda v: v[0]),
    "dict with int keys": (lambda: _deep(lambda v: {1: v}), lambda v: v[1]),
    "frozenset": (lambda: _deep(lambda v: frozenset({v})), lambda v: next(iter(v))),
    "deque": (lambda: _deep(lambda v: collections.deque([v])), lambda v: v[0]),
    "object": (lambda: _deep(lambda v: Node(v=v)), lambda v: v.v),
    "dataclass": (lambda: _deep(Tree), lambda v: v.parent),
    "containers of all kinds": (_alternating, _any_step),
}

KINDS = [
    *(
        Kind(f"shared {name}", lambda make=make: _shared(make()), _requires(_one))
        for name, make in SHARED.items()
    ),
    *each(
        {"shared state of an object": lambda: Twice([1])},
        _requires(lambda v: v.items == [1]),
    ),
    *each({"shared many times over, 2¹⁰⁰ paths": _diamonds}, _requires(_all_diamonds)),
    *each(
        {"array and a view of it": _views},
        _requires(
            lambda v: v[0] is v[1] and v[2] is not v[0],
            lambda v: v[2].tolist() == [0, 1, 2],
        ),
    ),
    *each(
        {"two equal lists": lambda: [[1], [1]]},
        _requires(lambda v: v[0] is not v[1], lambda v: v == [[1], [1]]),
    ),
    *(
        Kind(f"cycle through {name}", make, _requires(ask))
        for name, (make, ask) in CYCLES.items()
    ),
    *(
        Kind(f"5,000 deep: {name}", make, _depth(step), large=True)
        for name, (make, step) in DEEP.items()
    ),
]
