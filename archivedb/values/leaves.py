"""What of a skeleton goes into the catalog: its scalars, and its arrays."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.values import paths, skeleton
from archivedb.values.decode import decode_inline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.values.skeleton import Skeleton, Tree

MOST = 1000
"""Leaves that a record has in the index; `find` reads the rest itself."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """
    One scalar, as the index compares it.

    Attributes:
        path: Where it stands.
        kind: ``"null"``, ``"bool"``, ``"number"``, ``"nan"``, ``"text"`` or
            ``"other"``.
        num: The number, an int of 64 bits or a float, or 0 and 1.
        txt: The text; also that of a number which no column holds exactly.

    """

    path: str
    kind: str
    num: int | float | None
    txt: str | None


def leaf_value(value: Any) -> tuple[str, int | float | None, str | None] | None:
    """
    Return kind, number and text of a scalar, or None if it is no leaf.

    Equal Python values give equal triples, so that a search finds them:
    ``1 == 1.0 == np.float32(1)``; but ``True`` is not 1 here, and NaN has a
    kind of its own, since it is equal to nothing.
    """
    if value is None:
        return "null", None, None
    if isinstance(value, np.generic) or (type(value) is np.ndarray and not value.ndim):
        value = value.item()
    if isinstance(value, bool):
        return "bool", int(value), None
    if isinstance(value, int):
        return _int_leaf(int(value))
    if isinstance(value, float):
        number = float(value)
        return ("nan", None, None) if math.isnan(number) else ("number", number, None)
    if isinstance(value, str):
        return "text", None, str.__getitem__(value, slice(None))
    return None


def _int_leaf(value: int) -> tuple[str, int | float | None, str | None]:
    if -(1 << 63) <= value < 1 << 63:
        return "number", value, None
    try:
        number = float(value)
    except OverflowError:
        return "number", None, hex(value)
    # A float that equals it must find it; if none does, its digits are text.
    return ("number", number, None) if number == value else ("number", None, hex(value))


_SCALAR_TAGS = frozenset({"$int", "$float", "$str", "$numpy"})


def leaves(source: Skeleton, *, groups: bool = False) -> tuple[list[Leaf], bool]:
    """
    Return up to 1,000 scalars, nearest the root first, and whether that is all.

    Text with surrogates is left out and counts as cut, since no database
    takes it.

    Args:
        source: The skeleton.
        groups: Also return a leaf of kind ``"other"`` for each path at which
            there is something, but no scalar: metadata hides data there.

    """
    with skeleton.well_formed("skeleton"):
        return _leaves(source, groups=groups)


def _leaves(source: Skeleton, *, groups: bool) -> tuple[list[Leaf], bool]:
    found: list[Leaf] = []
    complete = True
    queue: deque[tuple[str, Tree]] = deque([("", source.root)])
    while queue:
        path, node = queue.popleft()
        node = source.unfold(node)
        leaf = _leaf(node)
        if skeleton.is_container(node):
            for token, child in skeleton.children(node):
                queue.append((f"{path}/{token}" if path else token, child))
        if leaf is None and groups and path:
            leaf = ("other", None, None)
        if leaf is None:
            continue
        if len(found) == MOST:
            return found, False
        if paths.is_utf8(leaf[2] or ""):
            found.append(Leaf(path, *leaf))
        else:
            complete = False
    return found, complete


def _leaf(node: Tree) -> tuple[str, int | float | None, str | None] | None:
    tag = skeleton.tag_of(node)
    if type(node) is list or (tag is None and type(node) is dict):
        return None
    # Arrays and objects are no scalars; a $ref's target is indexed where it
    # stands first.
    if tag is not None and tag not in _SCALAR_TAGS:
        return None
    return leaf_value(decode_inline(node) if tag else node)


def lookup(source: Skeleton, path: str) -> Any:
    """Return the scalar at a path; raises what `Skeleton.at` raises."""
    return decode_inline(source.resolve(source.at(paths.parts(path))))


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
