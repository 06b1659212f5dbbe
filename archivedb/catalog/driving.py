"""
Where a search may begin: queries for the ids of all records that might match.

Each says one necessary condition in a form that an index looks up.  How many
it yields is counted, up to a bound, before one is chosen: no planner guesses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, intersect, literal_column, or_, select, union

from archivedb.catalog import tables
from archivedb.catalog.matching import among, compare, compare_leaf, sought, viewed
from archivedb.catalog.operands import FACTS
from archivedb.query.comparing import literal_leaves
from archivedb.query.nodes import (
    Among,
    And,
    Compare,
    Contains,
    IsNaN,
    IsNone,
    Like,
    Literal,
    Or,
    Path,
    Truth,
)
from archivedb.values.leaf import NUMBERS, Kind, Leaf, is_storable
from archivedb.values.paths import is_utf8, item_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from archivedb.catalog.operands import Test
    from archivedb.catalog.vocabulary import Source, Vocabulary
    from archivedb.query.nodes import Condition

WORTH_SHARING = 500
"""Candidates beyond which other conditions are looked up in the index, too."""
SHARED = 10
"""How many times as many entries of it those may be."""

_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Driver:
    """
    A query for the ids of all records that may match.

    Attributes:
        ids: The query; its column is called ``id``.
        repeats: Whether it may yield one more than once.

    """

    ids: Any
    repeats: bool = False

    @property
    def distinct(self) -> Any:
        """The query for each id once."""
        # DISTINCT would have SQLite go along whatever is sorted by the id.
        return union(self.ids, _nothing().ids) if self.repeats else self.ids


def drivers(node: Condition, vocabulary: Vocabulary) -> list[Driver]:
    """Return the queries that each yield all records of which a condition holds."""
    if isinstance(node, And):
        items = list(_flat(node))
        alone = [each for item in items for each in drivers(item, vocabulary)]
        return [*_ranges(items, vocabulary), *alone]
    if isinstance(node, Or):
        found = [drivers(item, vocabulary) for item in node.items]
        if not found or not all(found):
            return []
        return [_union([each[0] for each in found])]
    return _of_one(node, vocabulary)


def _flat(node: And) -> Iterator[Condition]:
    for item in node.items:
        if isinstance(item, And):
            yield from _flat(item)
        else:
            yield item


def _ranges(items: list[Condition], vocabulary: Vocabulary) -> list[Driver]:
    """Return the queries for paths of which several bounds are asked."""
    bounds: dict[Path, list[tuple[str, tuple[Leaf, ...]]]] = {}
    for item in items:
        if isinstance(item, Compare) and item.op in _BOUNDS:
            path, given = item.left, item.right
            if isinstance(path, Path) and isinstance(given, Literal):
                leaves = literal_leaves(given.value)
                bounds.setdefault(path, []).append((item.op, leaves))
    return [
        driver
        for path, several in bounds.items()
        if len(several) > 1 and (driver := _range(path, several, vocabulary))
    ]


_BOUNDS = frozenset({"<", "<=", ">", ">="})


def _range(
    path: Path, bounds: list[tuple[str, tuple[Leaf, ...]]], vocabulary: Vocabulary
) -> Driver | None:
    """Return the query for what lies within all bounds."""
    found: list[Driver] = []
    for kind in (Kind.NUMBER, Kind.TIME, Kind.DURATION, Kind.TEXT):
        kinds = NUMBERS if kind is Kind.NUMBER else {kind}
        asked = [
            (leaf, op) for op, leaves in bounds for leaf in leaves if leaf.kind in kinds
        ]
        if len(asked) < len(bounds):
            continue  # nothing is of two kinds
        if path.side != "record":
            sources = vocabulary.place(path).sources
            found += _within(sources, asked)
        elif path.path == "saved_at" and kind is Kind.TIME:
            column = tables.version.c.saved_at
            within = [compare(column, op, leaf.num) for leaf, op in asked]
            ids = select(tables.version.c.record_id.label("id")).where(*within)
            found.append(Driver(ids, repeats=True))
    return _union(found) if found else None


def _within(
    sources: Iterable[Source], asked: list[tuple[Leaf, str]]
) -> Iterator[Driver]:
    leaf = tables.leaf
    for source in sources:
        # Each kind alone, so that the index goes from one bound to the other.
        inexact = Kind.INEXACT in source.kinds
        exact = replace(source, kinds=source.kinds - {Kind.INEXACT})
        for one in (exact, source) if inexact else (exact,):
            tests = [viewed(one, *each) for each in asked]
            conditions = [test(leaf.c) for test in tests if test is not None]
            if len(conditions) < len(asked):
                continue
            if one is source and inexact:
                conditions.append(leaf.c.kind == int(Kind.INEXACT))
            ids = select(leaf.c.record_id.label("id")).where(
                leaf.c.path_id == source.id, *conditions
            )
            yield Driver(ids)


def _union(found: list[Driver]) -> Driver:
    if len(found) == 1:
        return found[0]
    return Driver(union(*(select(each.ids.subquery().c.id) for each in found)))


def both(found: list[Driver]) -> Driver:
    """Return the query for what each of these yields."""
    if len(found) == 1:
        return found[0]
    return Driver(intersect(*(select(each.ids.subquery().c.id) for each in found)))


def _of_one(node: Condition, vocabulary: Vocabulary) -> list[Driver]:
    if isinstance(node, Compare):
        return _of_compare(node, vocabulary)
    if isinstance(node, Contains):
        return _of_contains(node, vocabulary)
    if isinstance(node, Among) and isinstance(node.of, Path):
        leaves = [leaf for value in node.values for leaf in literal_leaves(value)]
        if node.of.side == "record":
            return _of_fact(node.of, "==", leaves)
        sources = vocabulary.place(node.of).sources
        return _from_leaves(sources, lambda source: among(source, leaves))
    if isinstance(node, Truth):
        return _of_leaf(node.path, Leaf(Kind.BOOL, 1), "==", vocabulary)
    if isinstance(node, IsNone | IsNaN):
        kind = Kind.NULL if isinstance(node, IsNone) else Kind.NAN
        return _of_leaf(node.path, Leaf(kind), "kind", vocabulary)
    if isinstance(node, Like):
        return _of_like(node, vocabulary)
    return []


def _of_compare(node: Compare, vocabulary: Vocabulary) -> list[Driver]:
    path, literal = node.left, node.right
    if not (isinstance(path, Path) and isinstance(literal, Literal)):
        return []
    if node.op == "!=":
        return []
    if isinstance(literal.value, list | tuple):
        return _of_list(path, literal.value, vocabulary) if node.op == "==" else []
    leaves = literal_leaves(literal.value)
    if path.side == "record":
        return _of_fact(path, node.op, leaves)
    found = [_of_leaf(path, leaf, node.op, vocabulary) for leaf in leaves]
    if not found:
        return [_nothing()]
    return [_union([each[0] for each in found])] if all(found) else []


def _nothing() -> Driver:
    return Driver(select(tables.record.c.id.label("id")).where(literal_column("1 = 0")))


def _records() -> Any:
    return select(tables.record.c.id.label("id"))


def _of_leaf(path: Path, leaf: Leaf, op: str, vocabulary: Vocabulary) -> list[Driver]:
    if path.side == "record":
        return []
    asked = sought(leaf, op)
    if asked is None:
        return [_nothing()]
    sources = vocabulary.place(path).sources
    return _from_leaves(sources, lambda source: viewed(source, *asked))


def _from_leaves(sources: Iterable[Source], test: Any) -> list[Driver]:
    selects = []
    for source in sources:
        found: Test | None = test(source)
        if found is not None:
            leaf = tables.leaf
            ids = select(leaf.c.record_id.label("id")).where(
                leaf.c.path_id == source.id, found(leaf.c)
            )
            selects.append(Driver(ids))
    return [_union(selects)] if selects else [_nothing()]


def _of_list(path: Path, values: Any, vocabulary: Vocabulary) -> list[Driver]:
    if path.side == "record":
        return [_nothing()]
    for index, value in enumerate(values):
        # The first scalar among the items: all of them must be equal.
        leaves = literal_leaves(value)[:1]
        if leaves:
            steps = (*path.steps, item_token(index))
            return _of_leaf(Path(path.side, steps), leaves[0], "==", vocabulary)
    return []


def _of_contains(node: Contains, vocabulary: Vocabulary) -> list[Driver]:
    leaves = literal_leaves(node.value)[:1]
    if node.path.side == "record":
        if node.path.path != "tags" or not isinstance(node.value, str):
            return []
        if not is_storable(node.value):
            return [_nothing()]
        tag = tables.tag
        ids = select(tag.c.record_id.label("id")).where(tag.c.tag == node.value)
        return [Driver(ids)]
    sources = vocabulary.place(node.path).sources
    if any(s.view != "value" or Kind.TEXT in s.kinds for s in sources):
        return []
    if not leaves or sought(leaves[0], "==") is None:
        return [_nothing()]
    items = [each for source in sources for each in vocabulary.items(source)]
    if not items:
        return [_nothing()]
    leaf = tables.leaf
    found = select(leaf.c.record_id.label("id")).where(
        leaf.c.path_id.in_(items), compare_leaf(leaf.c, "==", leaves[0], inexact=True)
    )
    return [Driver(found, repeats=True)]


def _of_like(node: Like, vocabulary: Vocabulary) -> list[Driver]:
    prefix = node.pattern.partition("*")[0].partition("?")[0]
    if not prefix or not is_storable(prefix):
        return []
    if node.of.side == "record":
        if node.of.path != "name":
            return []
        name = tables.record.c.name
        between = name >= prefix, name <= f"{prefix}{_LAST}"
        return [Driver(_records().where(*between, tables.LIVES))]

    def test(source: Source) -> Test | None:
        if source.view != "value":
            return None
        return lambda x: and_(
            x.kind == int(Kind.TEXT),
            x.num.is_(None),
            x.txt >= prefix,
            x.txt <= f"{prefix}{_LAST}",
        )

    sources = vocabulary.place(node.of).sources
    return (
        [] if any(s.view != "value" for s in sources) else _from_leaves(sources, test)
    )


def _of_fact(path: Path, op: str, leaves: Iterable[Leaf]) -> list[Driver]:
    kind, column = FACTS[path.path]
    same = [leaf for leaf in leaves if leaf.kind is kind]
    if path.path in ("name", "uuid"):
        texts = [leaf.txt for leaf in same if is_storable(leaf.txt or "")]
        if op != "==":
            return []
        return [Driver(_records().where(column.in_(texts), tables.LIVES))]
    if path.path == "saved_at" and same:
        version = tables.version
        conditions = [compare(version.c.saved_at, op, leaf.num) for leaf in same]
        statement = select(version.c.record_id.label("id"))
        return [Driver(statement.where(or_(*conditions)), repeats=True)]
    return []


def below(folder: str) -> list[Driver]:
    """Return the query for the records below a folder."""
    if not folder or not is_utf8(folder):
        return []
    name = tables.record.c.name
    between = name > f"{folder}/", name < f"{folder}0"
    return [Driver(_records().where(*between, tables.LIVES))]


def amount(connection: Connection, driver: Driver, most: int) -> int:
    """Return how many ids a query yields, or *most* if they are more."""
    some = driver.ids.limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def chosen(
    connection: Connection, found: list[Driver], most: int
) -> tuple[Driver, int] | None:
    """
    Return the query to begin with: that of the fewest ids, or what several share.

    Going along an index is many times faster than looking a record up, so that
    it pays to read some more of it.
    """
    best = fewest(connection, found, most)
    if best is None or best[1] < WORTH_SHARING:
        return best
    driver, number = best
    bound = SHARED * number
    others = [
        each
        for each in found
        if each is not driver and amount(connection, each, bound) < bound
    ]
    return both([driver, *others]), number


def fewest(
    connection: Connection, found: list[Driver], most: int
) -> tuple[Driver, int] | None:
    """
    Return the query that yields the fewest ids, and how many they are.

    None if each yields *most* or more.
    """
    best, least = None, most
    for driver in found:
        number = amount(connection, driver, least)
        if number < least:
            best, least = driver, number
    return None if best is None else (best, least)


def is_exact(node: Condition, vocabulary: Vocabulary) -> bool:
    """Return whether the query for a condition yields what matches and no more."""
    if isinstance(node, Contains):
        return node.path == Path("record", ("tags",)) and isinstance(node.value, str)
    if isinstance(node, Compare):
        path, literal = node.left, node.right
        if node.op == "!=" or not isinstance(literal, Literal):
            return False
        if isinstance(literal.value, list | tuple):
            return False
    elif isinstance(node, Among):
        path = node.of
    elif isinstance(node, Truth | IsNone | IsNaN):
        path = node.path
    else:
        return False
    if not isinstance(path, Path) or path.side == "record":
        return False
    # What hides something is not looked at.
    return len(vocabulary.place(path).sources) == 1
