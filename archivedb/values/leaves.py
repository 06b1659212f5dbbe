"""What of a skeleton goes into the catalog: its leaves, and its arrays."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import ValueCodingError
from archivedb.values import dtypes, facts, paths, skeleton
from archivedb.values.arrays import value_of
from archivedb.values.decode import decode
from archivedb.values.leaf import NUMBERS, OTHER, Kind, Leaf, indexed, leaf_of
from archivedb.values.leaf import value_of as scalar_of
from archivedb.values.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from archivedb.values.arrays import Fetch
    from archivedb.values.dtypes import Bytes
    from archivedb.values.facts import ArrayFacts
    from archivedb.values.skeleton import Skeleton, Tree

    FactsOf = Callable[[int], ArrayFacts | None]
    """Returns what is known of array *n*, or None."""

MOST = 1000
"""Leaves that a record has in the index; `find` reads the rest itself."""

_PATIENCE = 10 * MOST
"""Places that are looked at behind references: a few bytes may stand for endless."""

SHAPE, MIN, MAX, MEAN = "$shape", "$min", "$max", "$mean"
"""The tokens of what an array is asked for; no key of the user's is spelt so."""

_SCALAR_TAGS = frozenset({"$int", "$float", "$str", "$numpy"})
_SCALAR_ADAPTED = frozenset(
    {
        *("datetime.datetime", "datetime.date", "datetime.timedelta"),
        *("decimal.Decimal", "uuid.UUID"),
        *("pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath"),
        *("pathlib.PurePath", "pathlib.PurePosixPath", "pathlib.PureWindowsPath"),
    }
)
_PANDAS = frozenset({"pandas.NaT", "pandas.Timedelta", "pandas.Timestamp"})
_PLAIN = frozenset({float, int, str, bool, type(None)})
_SETS = frozenset({"set", "frozenset"})


def no_facts(_number: int) -> None:
    """Know nothing of any array."""


def leaves(
    source: Skeleton, known: FactsOf = no_facts, *, groups: bool = False
) -> tuple[dict[str, Leaf], bool]:
    """
    Return up to 1,000 leaves by path, nearest the root first, and whether that is all.

    Args:
        source: The skeleton.
        known: What is known of its arrays.
        groups: Also return a leaf for each dict that is not empty: metadata
            hides data there.

    """
    with skeleton.well_formed("skeleton"):
        return _Walk(source, known, groups=groups).run()


class _Walk:
    """One walk over a skeleton, breadth first."""

    def __init__(self, source: Skeleton, known: FactsOf, *, groups: bool) -> None:
        self._source, self._known, self._groups = source, known, groups
        self._found: dict[str, Leaf] = {}
        self._complete = True
        self._fuel = _PATIENCE
        # Path, node, and the references that led there.
        self._queue: deque[tuple[str, Tree, tuple[str, ...]]] = deque()

    def run(self) -> tuple[dict[str, Leaf], bool]:
        self._queue.append(("", self._source.root, ()))
        while self._queue:
            path, node, through = self._queue.popleft()
            if type(node) in _PLAIN:  # most are
                if len(self._found) == MOST:
                    return self._found, False
                self._found.setdefault(path, indexed(leaf_of(node) or OTHER))
                continue
            node = self._source.unfold(node)
            if skeleton.tag_of(node) == skeleton.PATH_TAG:
                target = node[skeleton.PATH_TAG]
                if target in through or f"{path}/".startswith(f"{target}/"):
                    self._complete = False  # a cycle has no end
                    continue
                through = (*through, target)
                node = self._source.resolve(node)
            if through:
                self._fuel -= 1
                if self._fuel < 0:
                    self._complete = False
                    continue
            for where, leaf in self._at(path, node, through):
                if len(self._found) == MOST:
                    return self._found, False
                self._found.setdefault(where, indexed(leaf))
        return self._found, self._complete

    def _at(
        self, path: str, node: Tree, through: tuple[str, ...]
    ) -> Iterator[tuple[str, Leaf]]:
        leaf = _leaf(self._source, node)
        if leaf is not None:
            yield path, leaf
            return
        tag = skeleton.tag_of(node)
        if tag in ("$array", "$parts"):
            complete = yield from array_leaves(path, node, self._known)
            self._complete &= complete
            return
        below = 0
        if skeleton.is_container(node):
            for token, child in skeleton.children(node):
                below += 1
                self._queue.append(
                    (f"{path}/{token}" if path else token, child, through)
                )
        if path:
            yield from self._container(path, node, below)

    def _container(
        self, path: str, node: Tree, below: int
    ) -> Iterator[tuple[str, Leaf]]:
        if is_list(node):
            yield path, Leaf(Kind.LIST, below)
            yield from _range_leaves(path, _range(self._source, node))
        elif skeleton.is_group(node):
            if self._groups or not below:
                yield path, Leaf(Kind.GROUP, below)
        else:
            yield path, OTHER


def _is_set(node: Tree) -> bool:
    return _adapted(node) in _SETS


def _adapted(node: Tree) -> str:
    """Return which adapter made what a node holds, or nothing."""
    name = node["$adapted"] if skeleton.tag_of(node) == "$adapted" else ""
    return name if type(name) is str else ""


def _leaf(source: Skeleton, node: Tree) -> Leaf | None:
    """Return the leaf of a scalar node, or None for all else."""
    if type(node) is list:
        return None
    tag = skeleton.tag_of(node)
    if tag is None:
        return None if type(node) is dict else leaf_of(node)
    if tag in _SCALAR_TAGS or _adapted(node) in _SCALAR_ADAPTED:
        # Parts of it may be shared: the zone of a time, with all other times.
        try:
            value = decode(source, node, _no_array, Objects(stub_missing=True))
        except ValueCodingError:
            return OTHER  # a time in a zone of somebody's own making
        return leaf_of(value) or OTHER
    if _adapted(node) in _PANDAS:
        return leaf_of(_numpy_time(node["state"])) or OTHER
    return None


def _numpy_time(state: Tree) -> Any:
    """Return a time of pandas's as numpy has it, whether pandas is there or not."""
    if state is None:
        return np.datetime64("NaT")
    unit = state["unit"]
    if "value" in state:
        return np.timedelta64(state["value"], unit)
    return np.datetime64(state["utc" if "utc" in state else "time"], unit)


def _no_array(number: int, _node: Tree) -> Bytes:
    raise ValueError(number)


def _range(source: Skeleton, node: Tree) -> tuple[Any, Any, float] | None:
    """Return minimum, maximum and mean of a list of numbers, or None."""
    items = node if type(node) is list else node.get("$tuple")
    if not items:
        return None
    numbers = []
    for each in items:
        plain = type(each) is int or type(each) is float
        number = each if plain else _number(source, each)
        if number is None:
            return None
        numbers.append(number)
    # As of an array: where one is NaN, so is all that is known of them.
    if any(number != number for number in numbers):  # noqa: PLR0124
        return math.nan, math.nan, math.nan
    mean = sum(map(_double, numbers)) / len(numbers)
    return min(numbers), max(numbers), mean


def _number(source: Skeleton, node: Tree) -> Any:
    """Return the number that a node is, or None if it is none."""
    node = source.unfold(node)
    if type(node) is not dict:
        return None
    leaf = _leaf(source, node)
    is_number = leaf is not None and (leaf.kind in NUMBERS or leaf.kind is Kind.NAN)
    return scalar_of(leaf) if leaf is not None and is_number else None


def _double(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _range_leaves(
    path: str, found: tuple[Any, Any, float] | None
) -> Iterator[tuple[str, Leaf]]:
    for token, number in zip((MIN, MAX, MEAN), found or (), strict=False):
        leaf = leaf_of(number)
        if leaf is not None:
            yield (f"{path}/{token}" if path else token), leaf


def array_leaves(
    path: str, node: Tree, known: FactsOf
) -> Generator[tuple[str, Leaf], None, bool]:
    """
    Yield the leaves of an array at a path; return whether they are all.

    Args:
        path: Where it stands; empty if it is all there is.
        node: Its ``$array`` node, or the ``$parts`` that it lies in.
        known: What is known of arrays.

    """
    parts = node.get("$parts", [node])
    first = parts[0]
    stands_for = first.get("as", "array")
    if stands_for not in ("array", "list"):
        text = stands_for == "str"
        yield path, Leaf(Kind.LONG_TEXT, _length(first["shape"][0])) if text else OTHER
        return True
    shape, whole = list(first["shape"]), _known(known, first)
    size = math.prod(shape)
    for part in parts[1:]:
        more, further = math.prod(part["shape"]), _known(known, part)
        if whole is not None and further is not None:
            whole = facts.joined(whole, size, further, more)
        else:
            whole = None
        shape[0] += part["shape"][0]
        size += more
    yield from grown_leaves(path, first, shape, whole or facts.ArrayFacts())
    return whole is not None


def _known(known: FactsOf, node: Tree) -> ArrayFacts | None:
    found = known(node["$array"])
    return None if found is None else found.of_shape(node["shape"])


def _length(length: Any) -> int:
    if type(length) is not int or not 0 <= length < 1 << 63:
        raise ValueError(length)  # no database would take it
    return length


def _is_number(node: Tree) -> bool:
    dtype = dtypes.tree_dtype(node["dtype"])
    return dtype.kind in "iuf"


def grown_leaves(
    path: str, node: Tree, shape: list[int], found: ArrayFacts
) -> Iterator[tuple[str, Leaf]]:
    """Yield the leaves of an array, whatever its parts, of this shape."""
    below = f"{path}/" if path else ""
    if node.get("as") == "list":
        yield path, Leaf(Kind.LONG_LIST, _length(shape[0]))
    elif not shape and found.range is not None and _is_number(node):
        # An array without axes is compared as the number that it holds.
        yield path, leaf_of(found.range[0]) or OTHER
    else:
        kind = Kind.LONG_ARRAY if found.items is None else Kind.ARRAY
        yield path, Leaf(kind, len(shape), dtypes.tree_dtype(node["dtype"]).name)
        for axis, length in enumerate(shape):
            yield (
                f"{below}{SHAPE}/{paths.item_token(axis)}",
                Leaf(Kind.NUMBER, _length(length)),
            )
    yield from _range_leaves(path, found.range)
    for index, item in enumerate(found.items or ()):
        yield f"{below}{paths.item_token(index)}", leaf_of(item) or OTHER


def node_leaf(
    source: Skeleton, node: Tree, fetch: Fetch, known: FactsOf = no_facts
) -> Leaf:
    """
    Return the leaf of a resolved node, a long text read for it.

    Args:
        source: The skeleton that it belongs to.
        node: The node.
        fetch: Returns the bytes of arrays.
        known: What is known of arrays.

    """
    with skeleton.well_formed("skeleton"):
        leaf = _leaf(source, node)
        if leaf is not None:
            return leaf
        tag = skeleton.tag_of(node)
        if tag in ("$array", "$parts"):
            first = node.get("$parts", [node])[0]
            if first.get("as") == "str":
                text = value_of(first, fetch(first["$array"], first))
                return Leaf(Kind.TEXT, None, text)
            if not first["shape"] and _is_number(first):
                number = value_of(first, fetch(first["$array"], first))
                return leaf_of(number) or OTHER
            return next(array_leaves("", node, known))[1]
        listed = is_list(node)
        if not listed and not skeleton.is_group(node):
            return OTHER
        below = sum(1 for _ in skeleton.children(node))
        return Leaf(Kind.LIST if listed else Kind.GROUP, below)


def is_list(node: Tree) -> bool:
    """Return whether a node has items: a list, a tuple or a set."""
    tag = skeleton.tag_of(node)
    return type(node) is list or tag == "$tuple" or _is_set(node)


def derived(source: Skeleton, node: Tree, known: FactsOf) -> dict[str, Leaf]:
    """Return what is known of an array or a list beside its items, by token."""
    with skeleton.well_formed("skeleton"):
        if skeleton.tag_of(node) in ("$array", "$parts"):
            return dict(array_leaves("", node, known))
        return dict(_range_leaves("", _range(source, node))) if is_list(node) else {}


def array_paths(source: Skeleton) -> Iterator[tuple[str, Tree]]:
    """Yield the path and node of every array, where it stands first."""
    for path, node in stored_arrays(source):
        if "$array" in node:
            yield path, node


def stored_arrays(source: Skeleton) -> Iterator[tuple[str, Tree]]:
    """Yield what `array_paths` does, and before its parts an array that has some."""
    with skeleton.well_formed("skeleton"):
        yield from _stored_arrays(source)


def _stored_arrays(source: Skeleton) -> Iterator[tuple[str, Tree]]:
    for path, node in source.places():
        tag = skeleton.tag_of(node)
        if tag == "$parts":
            yield path, node
            for index, part in enumerate(node[tag]):
                yield part_path(path, index), part
        below = skeleton.body(node)
        if skeleton.tag_of(below) == "$array":
            # What stands at the path itself is the object, not its array.
            own = skeleton.STATE if below is not node else ""
            yield (f"{path}/{own}".strip("/") if own else path), below


_PART = "/$part#"


def part_path(path: str, index: int) -> str:
    """Return what the catalog calls a part of the array at a path."""
    return f"{path}{_PART}{index}"


def whole_path(part: str) -> str:
    """Return the path of the array of which this is what a part is called."""
    return part.rpartition(_PART)[0]
