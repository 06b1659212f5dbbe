"""Hypothesis strategies: every value that archivedb keeps without pickling it."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
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
)
_WORDS = (
    *("", "a", "b", "a/a", "a/b", "b/a", "[0]", "[0]/[0]", "a/[0]", "$1", "%", "%zz"),
    *("<f8", "|O", "|V4", "<U2", "?", "str", "bytes", "list", "pickle", "array", "nan"),
    *("00", "7ff8000000000001", "0x1", "-0x", "AA==", "A", "T", "g", "M8[s]", "f8,O"),
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
