"""Hypothesis strategies: every value that archivedb keeps without pickling it."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import re
import struct
import types
import zoneinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

ODD_KEYS = (
    *("", ".", "..", "a/b", "/", "%", "%41", "50%", "[0]", "[", "$", "$array"),
    *("$$x", "$ref", "$nodes", "$root", "$dict", ".archivedb", "\0", "\n", "\x7f"),
    *(
        "é",
        "\ud800",
        "\udfff",
        "\ud83d\ude00",
        "😀",
        "\ud800😀",
        "1",
        "null",
        "x" * 300,
    ),
)

# Any 64 bits: NaN with whatever payload, infinities, -0.0 and denormals.
doubles = st.one_of(
    st.floats(),
    st.integers(0, 2**64 - 1).map(
        lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]
    ),
    st.sampled_from([math.nan, -math.nan, math.inf, -math.inf, -0.0, 5e-324]),
)
characters = st.characters(exclude_categories=())
texts = st.one_of(st.text(characters, max_size=8), st.sampled_from(ODD_KEYS))
long_texts = st.builds(
    lambda text, count: text * count,
    st.text(characters, min_size=1, max_size=3),
    st.sampled_from([4096, 4097]),
)
long_bytes = st.builds(
    lambda raw, count: raw * count,
    st.binary(min_size=1, max_size=3),
    st.sampled_from([4096, 4097]),
)
integers = st.one_of(
    st.integers(),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, -(10**300)]),
)
complexes = st.builds(complex, doubles, doubles)
python_leaves = st.one_of(
    st.none(),
    st.booleans(),
    integers,
    doubles,
    complexes,
    texts,
    st.binary(max_size=8),
    long_texts,
    long_bytes,
)

# numpy --------------------------------------------------------------------

_UNITS = ("D", "s", "25s", "ns", "Y")
_plain_dtypes = st.one_of(
    st.builds(
        lambda order, char: np.dtype(order + char),
        st.sampled_from("<>"),
        st.sampled_from([*"?bhilqBHILQefdgFDG", "M8", "m8"]),
    ),
    st.builds(
        lambda order, char, unit: np.dtype(f"{order}{char}8[{unit}]"),
        st.sampled_from("<>"),
        st.sampled_from("Mm"),
        st.sampled_from(_UNITS),
    ),
    st.builds(
        lambda order, char, size: np.dtype(f"{order}{char}{size}"),
        st.sampled_from("<>"),
        st.sampled_from("SUV"),
        st.integers(1, 5),
    ),
)


@st.composite
def _structured(draw: DrawFn, below: SearchStrategy[np.dtype[Any]]) -> np.dtype[Any]:
    names = draw(
        st.lists(
            st.sampled_from(["x", "y", "é", "a/b", "$x", ".", "x y"]),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    fields = []
    for name in names:
        field = draw(below)
        if draw(st.booleans()):
            shape = draw(st.sampled_from([(1,), (2,), (2, 1)]))
            field = np.dtype((field, shape))
        fields.append((name, field))
    made = np.dtype(fields, align=draw(st.booleans()))
    if draw(st.booleans()):
        return made
    spread: dict[str, Any] = {"names": names, "formats": [f for _, f in fields]}
    at, spread["offsets"] = draw(st.integers(0, 3)), []
    for _, field in fields:
        spread["offsets"].append(at)
        at += field.itemsize + draw(st.integers(0, 3))
    spread["itemsize"] = at + draw(st.integers(0, 3))
    if draw(st.booleans()):
        spread["titles"] = [f"the {name}" for name in names]
    return np.dtype(spread)


dtypes = st.recursive(_plain_dtypes, _structured, max_leaves=3)
shapes = st.one_of(
    st.lists(st.integers(1, 3), max_size=3), st.lists(st.integers(0, 3), max_size=3)
).map(tuple)


def _as_bits(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Make bools what numpy would make them: 0 or 1."""
    return array.view("u1").__and__(1).view("?") if array.dtype == bool else array


@st.composite
def _contiguous(draw: DrawFn, dtype: np.dtype[Any], shape: Any) -> Any:
    count = math.prod(shape)
    if dtype.kind == "U" and draw(st.booleans()):
        longest = dtype.itemsize // 4
        words = st.text(characters, max_size=longest)
        items = draw(st.lists(words, min_size=count, max_size=count))
        return np.array(items, dtype).reshape(shape)
    size = count * dtype.itemsize
    raw = draw(st.binary(min_size=size, max_size=size))
    array = np.ndarray(shape, dtype, buffer=bytearray(raw)) if size else None
    return np.ndarray(shape, dtype) if array is None else _as_bits(array)


_LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C": lambda array: array,
    "F": np.asfortranarray,
    "transposed": lambda array: array.T,
    "reversed": lambda array: array[::-1] if array.ndim else array,
    "every other": lambda array: array[..., ::2] if array.ndim else array,
}


@st.composite
def arrays(draw: DrawFn) -> Any:
    """Draw an array of any dtype but object, of any layout in memory."""
    array = draw(_contiguous(draw(dtypes), draw(shapes)))
    laid = _LAYOUTS[draw(st.sampled_from(list(_LAYOUTS)))](array)
    # Neither np.void nor an array of another class.
    laid = np.asarray(laid)
    laid.flags.writeable = draw(st.booleans())
    return laid


@st.composite
def numpy_scalars(draw: DrawFn) -> Any:
    """Draw a numpy scalar of any type."""
    array = draw(_contiguous(draw(dtypes), (1,)))
    if array.dtype.kind == "U" and array.view("<u4").max(initial=0) > 0x10FFFF:
        return np.str_("no such characters")
    return array[0]


@st.composite
def object_arrays_of(draw: DrawFn, below: SearchStrategy[Any]) -> Any:
    """Draw an object array that holds whatever there is."""
    shape = draw(shapes)
    flat = np.empty(math.prod(shape), object)
    for index in range(len(flat)):
        flat[index] = draw(below)
    return flat.reshape(shape)


# Containers ---------------------------------------------------------------

keys = st.recursive(
    st.one_of(
        texts,
        texts,
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        integers,
        doubles,
        complexes,
        st.binary(max_size=4),
        st.sampled_from([np.int8(3), np.float32(1.5), np.str_("k"), np.bytes_(b"k")]),
        st.sampled_from([np.datetime64("2026-01-01"), np.float64("nan")]),
        long_texts,
    ),
    lambda below: st.lists(below, max_size=2).map(tuple),
    max_leaves=3,
)
# Not one_of, which would flatten them: arrays shall be a third of all leaves.
leaves = st.sampled_from([python_leaves, arrays(), numpy_scalars()]).flatmap(
    lambda some: some
)
long_lists = st.one_of(
    *(
        st.lists(items, min_size=17, max_size=20)
        for items in (
            st.integers(-9, 9),
            st.integers(2**63 - 2, 2**63),
            doubles,
            st.booleans(),
            st.sampled_from([1, True, 1.0]),
        )
    )
)


def _containers(below: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.one_of(
        st.lists(below, max_size=3),
        st.lists(below, max_size=3).map(tuple),
        st.dictionaries(texts, below, max_size=4),
        st.dictionaries(keys, below, max_size=4),
        object_arrays_of(below),
    )


trees = st.recursive(leaves | long_lists, _containers, max_leaves=12)


def _node(draw: DrawFn, kind: str, before: list[Any]) -> Any:
    """Return what can be filled later; but a tuple with what was made before it."""
    if kind == "t":
        items = draw(st.lists(st.integers(-2, len(before) - 1), max_size=3))
        return tuple(before[item] if item >= 0 else item for item in items)
    if kind == "a":
        return np.arange(draw(st.integers(0, 3)))
    if kind == "o":
        return np.empty(draw(st.integers(1, 3)), object)
    return [] if kind == "l" else {}


@st.composite
def graphs(draw: DrawFn) -> Any:
    """Draw a value with shared references and cycles."""
    kinds = draw(st.lists(st.sampled_from("ldtoa"), min_size=1, max_size=6))
    nodes: list[Any] = []
    for kind in kinds:
        nodes.append(_node(draw, kind, nodes))
    # Not sampled_from(nodes): Hypothesis would show, and so follow, the cycles.
    anything = st.integers(0, len(nodes) - 1)
    for node in nodes:
        some = st.lists(anything, max_size=3)
        if type(node) is list:
            node += [nodes[i] for i in draw(some)]
        elif type(node) is dict:
            node |= {
                key: nodes[draw(anything)] for key in draw(st.lists(keys, max_size=3))
            }
        elif isinstance(node, np.ndarray) and node.dtype == object:
            node[:] = [None] * len(node)
            for index, other in enumerate(draw(some)[: len(node)]):
                node[index] = nodes[other]
    return Shown({"nodes": nodes} if draw(st.booleans()) else nodes[0])


class Shown:
    """A value that Hypothesis shows by its kinds: its repr might not end."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        """Return the skeleton, which has no cycles, and no numpy that cannot."""
        from archivedb.values.encode import encode

        return f"Shown({encode(self.value).skeleton.decode()})"


@st.composite
def shown(draw: DrawFn, some: SearchStrategy[Any]) -> Shown:
    """Draw something of which Hypothesis shall not ask the repr."""
    return Shown(draw(some))


values = st.one_of(shown(trees), shown(leaves), graphs())

# Hostile JSON -------------------------------------------------------------

_TAGS = (
    *("$int", "$float", "$complex", "$str", "$bytes", "$tuple", "$dict", "$numpy"),
    *("$objects", "$array", "$ref", "$unknown", "value", "hex", "shape", "dtype"),
    *("digest", "as", "class", "data", "base64", "a", "b"),
    *("$adapted", "$object", "$parts", "$key", "state", "by", "version", "items"),
    *("start", "values", "mapping", "call", "args"),
)
_WORDS = (
    *("", "a", "b", "a/a", "a/b", "b/a", "[0]", "[0]/[0]", "a/[0]", "$1", "%", "%zz"),
    *("<f8", "|O", "|V4", "<U2", "?", "str", "bytes", "list", "pickle", "array", "nan"),
    *("00", "7ff8000000000001", "0x1", "-0x", "AA==", "A", "T", "g", "M8[s]", "f8,O"),
    *("set", "frozenset", "bytearray", "slice", "type", "mappingproxy", "$state"),
    *("collections.deque", "collections.defaultdict", "numpy.ndarray", "os:system"),
    *("pathlib.Path", "decimal.Decimal", "datetime.datetime", "re.Pattern", "$#0"),
    *("reference", "enum", "storable", "dataclass", "state", "reduce", "$key#0"),
)
_json_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**62, 2**63 - 1, -(2**63), 1.5, 1e308]),
    st.sampled_from(_WORDS),
)


def json_trees(*more_tags: str) -> SearchStrategy[Any]:
    """Return JSON that looks like a skeleton, from somebody who means ill."""
    names = st.sampled_from(_TAGS + more_tags)
    return st.recursive(
        _json_leaves,
        lambda below: st.one_of(
            st.lists(below, max_size=3),
            st.dictionaries(names, below, max_size=3),
            st.builds(
                lambda tag, body, rest: {tag: body, **rest},
                names,
                below,
                st.dictionaries(names, below, max_size=3),
            ),
        ),
        max_leaves=12,
    )


@st.composite
def replaced(draw: DrawFn, tree: Any, by: SearchStrategy[Any]) -> Any:
    """Draw JSON of which one part was replaced by something else."""
    if type(tree) is dict and tree and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(list(tree)))
        return {**tree, key: draw(replaced(tree[key], by))}
    if type(tree) is list and tree and draw(st.integers(0, 5)):
        index = draw(st.integers(0, len(tree) - 1))
        return [*tree[:index], draw(replaced(tree[index], by)), *tree[index + 1 :]]
    return draw(by)


# Everything that has an adapter, or is an object --------------------------------


class Colour(enum.Enum):
    """An Enum."""

    RED = "r"
    GREEN = ("g", 1)


class Task(enum.Flag):
    """A Flag."""

    RELAX = 1
    MD = 2


class Pair(NamedTuple):
    """A namedtuple."""

    left: Any
    right: Any

    def __eq__(self, other: object) -> bool:
        """Compare types and bits, too."""
        from tests.support.exact import difference

        return type(other) is Pair and difference([*self], [*other]) is None

    __hash__ = tuple.__hash__


class _Alike:
    """Objects that are equal if all their attributes are the same."""

    def __eq__(self, other: object) -> bool:
        """Compare types and bits, too."""
        from tests.support.exact import difference

        if type(other) is not type(self):
            return NotImplemented
        return difference(self._facts(), other._facts()) is None  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]

    def _facts(self) -> Any:
        return dict(self.__dict__)


@dataclasses.dataclass(eq=False)
class Fields(_Alike):
    """A dataclass."""

    x: Any
    y: Any = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A frozen dataclass, which can be a key."""

    n: int
    text: str


class Plain(_Alike):
    """An object that knows nothing of storages."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y


class Slotted(_Alike):
    """One whose attributes are slots."""

    __slots__ = ("x", "y")

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def _facts(self) -> Any:
        return [self.x, self.y]


class Stateful(Plain):
    """One whose state is whatever ``x`` is, and never false."""

    def __getstate__(self) -> Any:
        """Return a tuple."""
        return (self.x, [self.y])

    def __setstate__(self, state: Any) -> None:
        """Take it back."""
        self.x, (self.y,) = state


class Called(Plain):
    """One that is called with what it consists of."""

    def __reduce__(self) -> Any:
        """Return the call."""
        return Called, (self.x, self.y)


class Filled(list[Any], _Alike):
    """A list that reduces to all six parts but a setter."""

    def __reduce__(self) -> Any:
        """Return call, state, and items."""
        return Filled, (), dict(self.__dict__) or None, iter(list(self))

    __eq__ = _Alike.__eq__
    __hash__ = None  # type: ignore[assignment]

    def _facts(self) -> Any:
        return [[*self], dict(self.__dict__)]


def _set_state(value: Any, state: Any) -> None:
    value.x, value.y = state["kept"]


class Told(Plain):
    """One that says what sets its state."""

    def __reduce__(self) -> Any:
        """Return six parts."""
        return Told, (None, None), {"kept": [self.x, self.y]}, None, None, _set_state


class Table(_Alike):
    """One that holds something of pandas."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def _facts(self) -> Any:
        held = self.held
        columns = [held] if held.ndim == 1 else [held[name] for name in held.columns]
        return [
            [type(held), held.ndim, list(held.index), repr(held.index)],
            [
                (str(each.name), str(each.dtype), each.to_numpy(object))
                for each in columns
            ],
        ]


zones = st.one_of(
    st.none(),
    st.just(dt.UTC),
    st.sampled_from(["Europe/Berlin", "Asia/Kolkata"]).map(zoneinfo.ZoneInfo),
    st.integers(-86399, 86399).map(lambda n: dt.timezone(dt.timedelta(seconds=n))),
)
dates = st.one_of(
    st.datetimes(),
    st.builds(
        lambda naive, zone, fold: naive.replace(tzinfo=zone, fold=fold),
        st.datetimes(),
        zones,
        st.integers(0, 1),
    ),
    st.dates(),
    st.times(),
    st.timedeltas(),
)
exact_numbers = st.one_of(
    st.decimals(), st.fractions(), st.sampled_from([decimal.Decimal("-0.00")])
)
names = st.one_of(
    st.uuids(),
    st.text("ab./\\é", max_size=6).map(pathlib.PurePosixPath),
    st.sampled_from([re.compile("a+", re.IGNORECASE), re.compile(b"\0[\xff]")]),
    st.sampled_from([int, list, np.float64, ..., NotImplemented]),
    st.sampled_from([*Colour, *Task, Task(0), Task(3)]),
    st.builds(range, st.integers(), st.integers(), st.integers(1, 9)),
    st.builds(slice, st.none() | st.integers(), st.none() | texts),
)
buffers = st.one_of(
    st.binary(max_size=8).map(bytearray),
    st.lists(doubles, max_size=3).map(lambda items: array.array("d", items)),
    st.builds(
        lambda pairs, fill: np.ma.masked_array(
            [item for item, _ in pairs],
            [mask for _, mask in pairs],
            fill_value=fill,
            dtype="f8",
        ),
        st.lists(st.tuples(st.floats(), st.booleans()), max_size=3),
        st.integers(-9, 9),
    ),
    st.lists(st.text(max_size=3), max_size=3).map(
        lambda words: np.array(words, np.dtypes.StringDType())
    ),
)


def _tables() -> SearchStrategy[Any]:
    pd = pytest.importorskip("pandas")
    numbers = st.lists(st.floats(), min_size=2, max_size=2)
    words = st.lists(st.sampled_from(["a", "é", None]), min_size=2, max_size=2)
    labels = st.sampled_from([["a", "b"], [1, 1], [0.5, "x"]])
    return st.one_of(
        st.builds(lambda x, at: Table(pd.Series(x, at, name="x")), numbers, labels),
        st.builds(
            lambda x, y, at: Table(
                pd.DataFrame({"x": x, "y": y, "z": pd.Categorical(y)}, index=at)
            ),
            numbers,
            words,
            labels,
        ),
        st.sampled_from(["2026", "1970-01-01T00:00:00.000000001"]).map(pd.Timestamp),
        st.sampled_from([pd.NaT, pd.NA, pd.Timedelta(3, "ns"), pd.Period("2026", "M")]),
    )


rich_leaves = st.one_of(
    *(dates, exact_numbers, names, buffers),
    *(st.deferred(_tables), leaves),
)
hashable = st.one_of(
    *(keys, keys, dates, st.uuids(), st.fractions()),
    st.decimals(allow_nan=False),
    st.sampled_from([*Colour, Task.MD, int, float]),
    st.builds(Frozen, st.integers(0, 3), st.text(max_size=2)),
    st.builds(Pair, keys, keys),
    st.frozensets(st.integers(-3, 3), max_size=3),
)
members = st.one_of(
    *(st.none(), integers, texts, st.binary(max_size=3)),
    st.floats(allow_nan=False),
    st.tuples(st.integers(0, 3), texts),
)


def _rich_containers(below: SearchStrategy[Any]) -> SearchStrategy[Any]:
    some = st.lists(below, max_size=3)
    named = st.dictionaries(st.sampled_from(["x", "y", "a/b", "$x"]), below, max_size=3)
    return st.one_of(
        some,
        some.map(tuple),
        st.dictionaries(texts, below, max_size=3),
        st.dictionaries(hashable, below, max_size=3),
        object_arrays_of(below),
        st.sets(members, max_size=4),
        st.frozensets(members, max_size=4),
        st.builds(collections.deque, some, st.sampled_from([None, 3, 9])),
        st.dictionaries(hashable, below, max_size=3).map(collections.OrderedDict),
        st.builds(
            collections.defaultdict, st.sampled_from([None, list, np.float64]), named
        ),
        named.map(lambda items: types.SimpleNamespace(**items)),
        named.map(types.MappingProxyType),
        *(
            st.builds(cls, below, below)
            for cls in (Pair, Fields, Plain, Slotted, Stateful, Called, Told)
        ),
        st.builds(_filled, some, named),
        # One object in several places.
        below.map(lambda item: [item, {"again": item}, (item,)]),
        below.map(lambda item: Plain(item, [item])),
    )


def _filled(items: list[Any], attributes: dict[str, Any]) -> Filled:
    made = Filled(items)
    made.__dict__.update(attributes)
    return made


rich_trees = st.recursive(rich_leaves, _rich_containers, max_leaves=10)
rich_values = shown(rich_trees)
