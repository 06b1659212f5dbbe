"""
What differs between two skeletons, found without reading an array.

Arrays are compared by the digests that stand in the skeletons; those that have
to be read are named, and somebody else reads them.  Nothing is restored:
objects are compared by what was stored of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archivedb.values import dtypes, json, outline, skeleton
from archivedb.values.deviation import distance, is_numeric
from archivedb.values.likeness import (
    both,
    facts,
    head,
    in_order,
    is_node,
    is_same,
    items_of,
    kind_of,
    path_of,
    pieces,
    scalars_of,
    shape_of,
    signature,
    stands_for,
    text,
    texts,
    value_of,
    with_zone,
)
from archivedb.values.skeleton import tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archivedb.values.skeleton import Skeleton, Tree

ADDED, REMOVED, CHANGED = "added", "removed", "changed"

REORDERED = "some dicts have their keys in another order"
OTHER_BITS = "some numbers are equal, but not bit by bit: 0.0 and -0.0, or two NaNs"
OTHER_PACKAGE = "some objects were made by another version of their package"
"""What is worth a note and is no difference: equal values may be stored like this."""

_FUEL = 10_000
"""Pairs that may be compared behind references, beyond four times all others."""

_SETS = frozenset({"set", "frozenset"})
_ORDERED = "collections.OrderedDict"

_Pair = tuple[Any, "Tree", "Tree"]
"""A trail of tokens, and what stands there before and after, or ``...``."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    One place where two skeletons differ.

    Attributes:
        path: Where it is; empty for the whole.
        kind: `ADDED`, `REMOVED` or `CHANGED`.
        before: What a line says of what was there, or None.
        after: What a line says of what is there now, or None.
        elements: How many items of a short list differ.
        maximum: By how much numbers differ at most.
        arrays: The ``$array`` nodes of both, if their items tell more.
        alike: Whether it is no difference if those items are equal.

    """

    path: str
    kind: str
    before: str | None
    after: str | None
    elements: int | None = None
    maximum: float | None = None
    arrays: tuple[list[Tree], list[Tree]] | None = None
    alike: bool = False


class Comparison:
    """
    One comparison of two skeletons; iterate over it once.

    What is shared is compared where it stands, and so reported once.

    Args:
        before: The one.
        after: The other.

    Attributes:
        notes: What else was noticed, once all of it was iterated over.

    """

    def __init__(self, before: Skeleton, after: Skeleton) -> None:
        self.notes: set[str] = set()
        self._before, self._after = before, after
        self._shares = before.shares or after.shares
        # By the identity of nodes, which the skeletons keep alive, or this list.
        self._seen: set[tuple[int, int]] = set()
        self._made: list[Tree] = []
        self._references: list[_Pair] = []
        self._pairs = 0
        self._whole = True

    def __iter__(self) -> Iterator[Found]:
        """
        Yield the places that differ, in the order in which they stand.

        Raises:
            DecodeError: A skeleton is not of the documented form.

        """
        with skeleton.well_formed("skeleton"):
            yield from self._main()
            fuel = 4 * self._pairs + _FUEL
            for pair in self._references:
                if self._whole and pair[1] == pair[2]:
                    continue  # they lead to one place, and it was compared
                yield from self._shared(pair, fuel)

    def _main(self) -> Iterator[Found]:
        todo: list[_Pair] = [(None, self._before.root, self._after.root)]
        while todo:
            trail, one, two = todo.pop()
            self._pairs += 1
            one, two = self._before.unfold(one), self._after.unfold(two)
            if skeleton.PATH_TAG in (tag_of(one), tag_of(two)) and both(one, two):
                # Only when all else was compared is it known what was.
                self._references.append((trail, one, two))
            else:
                yield from self._pair(trail, one, two, todo)

    def _shared(self, start: _Pair, fuel: int) -> Iterator[Found]:
        """Compare what references lead to, unless it was compared where it is."""
        todo = [start]
        while todo:
            trail, one, two = todo.pop()
            self._pairs += 1
            if both(one, two):
                one, two = self._before.resolve(one), self._after.resolve(two)
                if (id(one), id(two)) not in self._seen and self._pairs > fuel:
                    # Graphs of n objects that refer to each other in another
                    # order would have n² pairs.
                    yield self._changed(*start)
                    return
            yield from self._pair(trail, one, two, todo)

    # Nodes --------------------------------------------------------------

    def _pair(
        self, trail: Any, one: Tree, two: Tree, todo: list[_Pair]
    ) -> Iterator[Found]:
        if not both(one, two):
            yield self._one_sided(trail, one, two)
            return
        if self._shares and is_node(one) and is_node(two):
            if (id(one), id(two)) in self._seen:
                return
            self._seen.add((id(one), id(two)))
        kind = kind_of(one)
        compare = _COMPARE.get(kind)
        if compare is None or kind != kind_of(two):
            yield self._changed(trail, one, two)
        else:
            yield from compare(self, trail, one, two, todo)

    def _one_sided(self, trail: Any, one: Tree, two: Tree) -> Found:
        self._whole = self._whole and not (is_node(one) or is_node(two))
        if one is ...:
            after = text(with_zone(self._after, self._after.unfold(two)))
            return Found(path_of(trail), ADDED, None, after)
        before = text(with_zone(self._before, self._before.unfold(one)))
        return Found(path_of(trail), REMOVED, before, None)

    def _changed(self, trail: Any, one: Tree, two: Tree) -> Found:
        self._whole = self._whole and not (is_node(one) or is_node(two))
        said = with_zone(self._before, one), with_zone(self._after, two)
        return Found(path_of(trail), CHANGED, *texts(*said))

    def _scalars(
        self, trail: Any, one: Tree, two: Tree, _: list[_Pair]
    ) -> Iterator[Found]:
        differ, apart = self._differ(one, two)
        if differ:
            yield Found(path_of(trail), CHANGED, *texts(one, two), maximum=apart)

    def _differ(self, one: Tree, two: Tree) -> tuple[bool, float | None]:
        """Return whether scalars differ, and by how much if they are numbers."""
        if is_same(one, two):
            return False, None
        a, b = value_of(one), value_of(two)
        apart = distance(a, b)
        if apart == 0 and type(a) is type(b):
            self.notes.add(OTHER_BITS)
            return False, None
        return True, apart

    def _groups(
        self, trail: Any, one: Tree, two: Tree, todo: list[_Pair]
    ) -> Iterator[Found]:
        mine, theirs = items_of(self._before, self._after, one, two)
        found: list[_Pair] = []
        for key, child in mine.children.items():
            other = theirs.children.get(key, ...)
            if other is ...:
                found.append(((trail, mine.token(key)), child, ...))
            elif not is_same(child, other):
                found.append(((trail, theirs.token(key)), child, other))
        for key, child in theirs.children.items():
            if key not in mine.children:
                found.append(((trail, theirs.token(key)), ..., child))
        todo.extend(reversed(found))
        if not in_order(mine, theirs):
            self.notes.add(REORDERED)
        return iter(())

    def _sequences(
        self, trail: Any, one: Tree, two: Tree, todo: list[_Pair]
    ) -> Iterator[Found]:
        tag = tag_of(one)
        if tag == "$objects" and one["shape"] != two["shape"]:
            yield self._changed(trail, one, two)
            return
        mine, theirs = (each if tag is None else each[tag] for each in (one, two))
        if tag != "$objects" and None not in map(outline.short_list, (one, two)):
            yield from self._short(trail, (one, two), mine, theirs)
            return
        common = min(len(mine), len(theirs))
        found: list[_Pair] = [
            ((trail, index), child, other)
            for index, (child, other) in enumerate(zip(mine, theirs, strict=False))
            if not is_same(child, other)
        ]
        found += [((trail, i), mine[i], ...) for i in range(common, len(mine))]
        found += [((trail, i), ..., theirs[i]) for i in range(common, len(theirs))]
        todo.extend(reversed(found))

    def _short(
        self, trail: Any, nodes: tuple[Tree, Tree], mine: list[Tree], theirs: list[Tree]
    ) -> Iterator[Found]:
        """Compare lists that a line shows: ``[4, 4, 4]`` and ``[6, 6, 6]``."""
        said = texts(*nodes)
        if len(mine) != len(theirs):
            yield Found(path_of(trail), CHANGED, *said)
            return
        gaps = [self._differ(a, b) for a, b in zip(mine, theirs, strict=True)]
        wide = [apart for differ, apart in gaps if differ]
        if wide:
            numbers = [apart for apart in wide if apart is not None]
            most = max(numbers) if len(numbers) == len(wide) else None
            found = Found(path_of(trail), CHANGED, *said, len(wide), most)
            yield found

    # Arrays -------------------------------------------------------------

    def _arrays(
        self, trail: Any, one: Tree, two: Tree, _: list[_Pair]
    ) -> Iterator[Found]:
        mine, theirs = pieces(one), pieces(two)
        if [facts(each) for each in mine] == [facts(each) for each in theirs]:
            return
        same_shape = shape_of(mine) == shape_of(theirs)
        names = mine[0]["dtype"], theirs[0]["dtype"]
        same_dtype = json.dumps(names[0]) == json.dumps(names[1])
        alike = same_shape and same_dtype and stands_for(one) == stands_for(two)
        kinds = [dtypes.tree_dtype(name) for name in names]
        if not same_shape or not (same_dtype or all(map(is_numeric, kinds))):
            yield self._changed(trail, one, two)
            return
        said = text(one), text(two)
        arrays = mine, theirs
        yield Found(path_of(trail), CHANGED, *said, arrays=arrays, alike=alike)

    def _blobs(
        self, trail: Any, one: Tree, two: Tree, _: list[_Pair]
    ) -> Iterator[Found]:
        if facts(one) != facts(two):
            yield self._changed(trail, one, two)

    # Objects ------------------------------------------------------------

    def _objects(
        self, trail: Any, one: Tree, two: Tree, todo: list[_Pair]
    ) -> Iterator[Found]:
        if head(one) != head(two):
            yield self._changed(trail, one, two)
            return
        if one.get("version") != two.get("version"):
            self.notes.add(OTHER_PACKAGE)
        if "state" in one:
            yield from self._states(trail, one, two, todo)
        if "class" in one:
            trail = trail, skeleton.CLASS
            todo.append((trail, one["class"], two["class"]))

    def _states(
        self, trail: Any, one: Tree, two: Tree, todo: list[_Pair]
    ) -> Iterator[Found]:
        mine, theirs = one["state"], two["state"]
        kind = kind_of(mine)
        differ = self._values_differ(one, two)
        if differ is not None or kind != kind_of(theirs):
            if differ is not False:
                yield self._changed(trail, one, two)
        elif one.get("$adapted") in _SETS and kind == "list":
            yield from self._sets(trail, one, two)
        elif kind in ("array", "blob"):
            todo.append(((trail, skeleton.STATE), mine, theirs))
        else:
            own = scalars_of(one), scalars_of(two)
            if json.dumps_sorted(own[0]) != json.dumps_sorted(own[1]):
                # A time is one value, and not a dict of its parts.
                yield self._changed(trail, one, two)
                mine = {key: child for key, child in mine.items() if key not in own[0]}
                theirs = {k: child for k, child in theirs.items() if k not in own[1]}
                self._made += [mine, theirs]
            todo.append((trail, mine, theirs))
            if one.get("$adapted") == _ORDERED:
                yield from self._order(trail, mine["items"], theirs["items"])

    def _values_differ(self, one: Tree, two: Tree) -> bool | None:
        """Return whether objects that are one value differ; None if they are more."""
        mine, theirs = one["state"], two["state"]
        if one.get("by") == "enum":
            signs = signature(self._before, mine), signature(self._after, theirs)
            return signs[0] != signs[1]
        if kind_of(mine) == kind_of(theirs) == "scalar":
            return self._differ(mine, theirs)[0]
        return None

    def _order(self, trail: Any, one: Tree, two: Tree) -> Iterator[Found]:
        """Compare the order of the keys, where it counts."""
        one, two = self._before.resolve(one), self._after.resolve(two)
        mine, theirs = items_of(self._before, self._after, one, two)
        if not in_order(mine, theirs):
            tokens = [", ".join(map(x.token, x.children)) for x in (mine, theirs)]
            before, after = (outline.cut(f"the order {each}") for each in tokens)
            yield Found(path_of(trail), CHANGED, before, after)

    def _sets(self, trail: Any, one: Tree, two: Tree) -> Iterator[Found]:
        """Compare the items of sets, whose order is anyone's guess."""
        mine = [(signature(self._before, item), item) for item in one["state"]]
        theirs = [(signature(self._after, item), item) for item in two["state"]]
        counts = Counter(sign for sign, _ in mine), Counter(sign for sign, _ in theirs)
        if counts[0] == counts[1]:
            return
        self._whole = False
        if None not in map(outline.short_list, (one, two)):
            yield self._changed(trail, one, two)
            return
        gone, new = counts[0] - counts[1], counts[1] - counts[0]
        for index, (sign, item) in enumerate(mine):
            if gone[sign] > 0:
                gone[sign] -= 1
                yield self._one_sided((trail, index), item, ...)
        for index, (sign, item) in enumerate(theirs):
            if new[sign] > 0:
                new[sign] -= 1
                yield self._one_sided((trail, index), ..., item)


_COMPARE: dict[str, Callable[..., Iterator[Found]]] = {
    "scalar": Comparison._scalars,  # noqa: SLF001 - this module's own class
    "group": Comparison._groups,  # noqa: SLF001
    "list": Comparison._sequences,  # noqa: SLF001
    "$tuple": Comparison._sequences,  # noqa: SLF001
    "$objects": Comparison._sequences,  # noqa: SLF001
    "array": Comparison._arrays,  # noqa: SLF001
    "blob": Comparison._blobs,  # noqa: SLF001
    "object": Comparison._objects,  # noqa: SLF001
}
