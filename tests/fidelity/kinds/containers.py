"""Containers: lists, dicts of any keys, sets, and those of the standard library."""

from __future__ import annotations

import array
import collections
import enum
import types
from collections import (
    ChainMap,
    Counter,
    OrderedDict,
    UserDict,
    UserList,
    defaultdict,
    deque,
    namedtuple,
)
from typing import Any, NamedTuple

import numpy as np

from tests.fidelity.kind import each, exactly, objects

Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - the plain one is tested


class Site(NamedTuple):
    """A typed namedtuple, with a default."""

    symbol: str
    position: Any = (0.0, 0.0, 0.0)


class Words(list[str]):
    """A list with an attribute."""


class Table(dict[Any, Any]):
    """A dict with an attribute and a default for what is missing."""

    def __missing__(self, key: Any) -> Any:
        """Return what is not there."""
        return key


class Name(str):
    """A str with an attribute."""

    __slots__ = ("note",)


class Step(int):
    """An int."""


class Energy(float):
    """A float with an attribute."""


class Flags(set[Any]):
    """A set."""


class Frozen(frozenset[Any]):
    """A frozenset."""


class Row(tuple[Any, ...]):
    """A tuple that is no namedtuple."""

    __slots__ = ()


class Blob(bytes):
    """Bytes."""


class Buffer(bytearray):
    """A bytearray."""


class Ring(deque[Any]):
    """A deque."""


class Ordered(OrderedDict[Any, Any]):
    """An OrderedDict."""


class Odd(complex):
    """A complex number."""


class Text(enum.Enum):
    """Keys that are members."""

    A = "a"


def _with(value: Any, **attributes: Any) -> Any:
    for name, item in attributes.items():
        setattr(value, name, item)
    return value


def _objects(*items: Any) -> Any:
    made = np.empty(len(items), object)
    made[:] = items
    return made


ODD_KEYS = (
    *("", " ", ".", "..", "a/b", "/", "//", "%", "%2F", "[0]", "[", "$", "$array"),
    *("$$x", "$ref", "$dict", "$nodes", "$root", ".archivedb", "\0", "a\0", "\n"),
    *("é", "e\u0301", "😀", "\ud800", "\udfff", "\ud83d\ude00", "K", "k", "1", "null"),
    "x" * 5000,
)

LISTS = {
    "list empty": list,
    "list mixed": lambda: [1, 1.0, True, "1", None, b"1", 1j],
    "list of 100 ints": lambda: list(range(100)),
    "list of 100 floats with NaN and -0.0": lambda: [float("nan"), -0.0, 0.5, 1.0] * 25,
    "list of 100 bools": lambda: [True, False] * 50,
    "list of 100 ints, floats and bools": lambda: [1, 1.0, True, 0] * 25,
    "list of 100 large ints": lambda: [2**63 - 1, 2**63] * 50,
    "list of lists": lambda: [[1, 2], [3.0, [True]], []],
    "list of 1,000 texts": lambda: [f"text {n}" for n in range(1000)],
    "tuple empty": tuple,
    "tuple": lambda: (1, (2.0, [3], ()), None),
    "tuple of 100 ints": lambda: tuple(range(100)),
    "tuple of one": lambda: (1,),
}
DICTS: dict[str, Any] = {
    "dict empty": dict,
    "dict in insertion order": lambda: {"b": 1, "a": 2, "c": {"z": 1, "y": 2}},
    "dict of odd text keys": lambda: {key: n for n, key in enumerate(ODD_KEYS)},
    "dict of odd text keys with groups": lambda: {key: {key: [1]} for key in ODD_KEYS},
    "dict {1: …, '1': …}": lambda: {1: "int", "1": "text"},
    "dict with bool keys": lambda: {True: 1, False: 0},
    "dict with float keys": lambda: {0.5: 1, float("inf"): 2, -0.0: 3, 1e300: 4},
    "dict with NaN key": lambda: {float("nan"): 1, "nan": 2},
    "dict with None key": lambda: {None: 1, "None": 2},
    "dict with Ellipsis key": lambda: {...: 1},
    "dict with tuple keys": lambda: {(0, 1): 1, (): 2, ("a", (1.5, None)): 3},
    "dict with bytes keys": lambda: {b"a": 1, "a": 2, b"": 3},
    "dict with complex keys": lambda: {1j: 1, complex(0, -0.0): 2},
    "dict with frozenset key": lambda: {frozenset({1, 2}): "pair"},
    "dict with range key": lambda: {range(3): 1},
    "dict with large int keys": lambda: {2**64: 1, -(10**300): 2},
    "dict with numpy scalar keys": lambda: {np.int64(1): 1, np.float32(1.5): 2},
    "dict with numpy text key": lambda: {np.str_("k"): 1},
    "dict with datetime64 key": lambda: {np.datetime64("2026-01-01"): 1},
    "dict with type keys": lambda: {int: "int", float: "float"},
    "dict with Enum keys": lambda: {Text.A: 1, "A": 2},
    "dict with namedtuple keys": lambda: {Pair(1, 2): "pair", (1, 3): "tuple"},
    "dict with long text key": lambda: {"é" * 5000: 1},
    "dict {'a/b': …} beside {'a': {'b': …}}": lambda: {"a/b": 1, "a": {"b": 2}},
    "dict {'.': …, '..': …, '': …}": lambda: {".": 1, "..": 2, "": {"": 3}},
    "dict {'$array': …}": lambda: {"$array": 0, "dtype": "<f8", "shape": [1]},
    "dict {'$ref': …}": lambda: {"$ref": "a", "a": [1]},
    "dict with NUL keys": lambda: {"\0": 1, "a\0": 2, "a": 3},
    "dict with surrogate keys": lambda: {"\ud800": 1, "\ud83d\ude00": 2, "😀": 3},
    "dict of 1,000 keys": lambda: {f"k{n}": n for n in range(1000)},
    "dict of 1,000 int keys": lambda: {n: n / 2 for n in range(1000)},
    "dict of a dict with int keys": lambda: {"a": {1: {"b": {2.5: [np.arange(2)]}}}},
}
SETS = {
    "set empty": set,
    "set of ints": lambda: {3, 1, 2**70},
    "set of texts": lambda: {"b", "a", "\ud800", ""},
    "set of mixed": lambda: {1, "1", None, (1, 2), 2.5, b"1"},
    "set with NaN": lambda: {float("nan"), 1.0},
    "set of 1,000 floats": lambda: {n / 8 for n in range(1000)},
    "frozenset empty": frozenset,
    "frozenset nested": lambda: frozenset({frozenset({1}), 2}),
    "set of frozensets": lambda: {frozenset({1}), frozenset({"a", "b"})},
}
COLLECTIONS: dict[str, Any] = {
    "deque": lambda: deque([1, [2], "3"]),
    "deque with maxlen": lambda: deque([1, 2], maxlen=3),
    "deque with maxlen 0": lambda: deque(maxlen=0),
    "OrderedDict": lambda: OrderedDict([("b", 1), ("a", [2])]),
    "OrderedDict with odd keys": lambda: OrderedDict([(2, 1), ("2", 2), (None, 3)]),
    "defaultdict(list)": lambda: defaultdict(list, {"a": [1], 2: [3]}),
    "defaultdict(int), empty": lambda: defaultdict(int),
    "defaultdict without a factory": lambda: defaultdict(None, {"x": 1}),
    "defaultdict(numpy.float64)": lambda: defaultdict(np.float64, {"x": np.float64(1)}),
    "Counter": lambda: Counter("abca"),
    "Counter with negative counts": lambda: Counter({"a": -1, None: 0, 2: 1.5}),
    "MappingProxyType": lambda: types.MappingProxyType({"a": 1, 2: [3]}),
    "MappingProxyType of OrderedDict": lambda: types.MappingProxyType(
        OrderedDict(b=1, a=2)
    ),
    "SimpleNamespace": lambda: types.SimpleNamespace(energy=-3.7, steps=[1, 2]),
    "SimpleNamespace with odd names": lambda: types.SimpleNamespace(
        **{"a/b": 1, "$x": np.eye(2), "": None}
    ),
    "SimpleNamespace, empty": types.SimpleNamespace,
}
ARRAYS = {
    f"array.array {code!r}": lambda code=code: array.array(code, [0, 1, 2])
    for code in "bBhHiIlLqQfd"
} | {
    "array.array 'u'": lambda: array.array("u", "aé😀"),
    "array.array empty": lambda: array.array("d"),
    "array.array 'd' with NaN": lambda: array.array("d", [float("nan"), -0.0]),
}
OWN = {
    "namedtuple": lambda: Pair(1, [2.5]),
    "namedtuple with arrays": lambda: Pair(np.arange(3), {"a": np.eye(2)}),
    "namedtuple, typed with a default": lambda: Site("Al"),
    "namedtuple in a namedtuple": lambda: Pair(Pair(1, 2), Site("H", [0, 1])),
    "subclass of list": lambda: Words(["a", "b"]),
    "subclass of list with attributes": lambda: _with(Words("ab"), language="en"),
    "subclass of dict": lambda: Table({"a": 1, 2: [3]}),
    "subclass of dict with attributes": lambda: _with(Table(b=1, a=2), unit="eV"),
    "subclass of str": lambda: Name("Al"),
    "subclass of str with a slot": lambda: _with(Name("Al\0"), note=[1]),
    "subclass of int": lambda: Step(3),
    "subclass of int, large": lambda: _with(Step(2**70), unit="fs"),
    "subclass of float": lambda: _with(Energy(-0.0), unit="eV"),
    "subclass of float, NaN": lambda: Energy("nan"),
    "subclass of complex": lambda: Odd(1, -0.0),
    "subclass of tuple": lambda: Row((1, [2])),
    "subclass of set": lambda: _with(Flags({1, "a"}), note="x"),
    "subclass of frozenset": lambda: Frozen({1, 2}),
    "subclass of bytes": lambda: Blob(b"\0\xff"),
    "subclass of bytearray": lambda: Buffer(b"\0\xff"),
}


def _deques(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert loaded.maxlen == original.maxlen
    objects(list(original), list(loaded))
    objects(vars(original), vars(loaded))


def _mappings(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    exactly(list(original.items()), list(loaded.items()))
    objects(vars(original), vars(loaded))


KINDS = [
    *each(LISTS),
    *each(DICTS, check=objects),
    *each(SETS),
    *each(COLLECTIONS),
    *each(ARRAYS),
    *each(OWN, check=objects),
    *each(
        {"subclass of deque": lambda: _with(Ring([1, [2]], 3), note="x")}, check=_deques
    ),
    *each(
        {
            "subclass of OrderedDict": lambda: _with(Ordered(b=1, a=2), note="x"),
            "ChainMap": lambda: ChainMap({"a": 1}, {"a": 2, "b": [3]}),
            "UserDict": lambda: UserDict({"a": [1]}),
        },
        check=_mappings,
    ),
    *each(
        {
            "UserList": lambda: UserList([1, [2]]),
            "UserString": lambda: collections.UserString("a\0"),
        },
        check=lambda original, loaded: exactly(original.data, loaded.data),
    ),
]
