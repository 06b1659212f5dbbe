"""
Conditions of a question as SQL.

Each is true or false, never null, so that ``not`` means what it says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    and_,
    bindparam,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from archivedb.catalog import tables
from archivedb.catalog.dialect import holds as text_holds
from archivedb.catalog.dialect import like
from archivedb.catalog.index import DATA, METADATA
from archivedb.catalog.matching import (
    ODD,
    UNORDERED,
    column_of,
    compare_fact,
    compare_leaf,
    compare_pairs,
    either,
    is_among,
    sought,
    surely,
    text_test,
    unequal,
)
from archivedb.catalog.operands import (
    ARRAYS,
    FACTS,
    LEAF,
    Operands,
    anything,
    first,
    is_at,
    present,
)
from archivedb.errors import QueryError
from archivedb.query.comparing import literal_leaves
from archivedb.query.nodes import (
    TAGS,
    Among,
    And,
    Compare,
    Contains,
    Exists,
    IsNaN,
    IsNone,
    Like,
    Literal,
    Matches,
    Not,
    Or,
    Path,
    Truth,
)
from archivedb.values.leaf import Kind, Leaf, is_storable
from archivedb.values.leaves import SHAPE
from archivedb.values.paths import item_token

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Dialect

    from archivedb.catalog.operands import Test
    from archivedb.catalog.vocabulary import Place, Source, Vocabulary
    from archivedb.query.nodes import Condition

    Sql = ColumnElement[bool]

FEWEST_BYTES = 700
"""Metadata of fewer bytes cannot have more leaves than the index holds."""

MOST_TERMS = 500
"""Conditions joined by one ``and`` or ``or``; databases stop at 1,000."""

_TAGS = Path("record", (TAGS,))
_ONE: ColumnElement[int] = literal_column("1")
_KNOWN, _TAG = tables.path.alias("known"), tables.tag.alias("tagged")
_COMPARED = (Kind.NUMBER, Kind.BOOL, Kind.TIME, Kind.DURATION, Kind.TEXT)


class Compiler:
    """
    Turns conditions into SQL over the tables ``record`` and ``version``.

    Args:
        vocabulary: Which paths there are.
        dialect: The database's.

    """

    def __init__(self, vocabulary: Vocabulary, dialect: Dialect) -> None:
        self.vocabulary = vocabulary
        self.operands = Operands(vocabulary, dialect)
        self._dialect = dialect

    def condition(self, node: Condition) -> Sql:
        """
        Return a condition as SQL.

        Raises:
            QueryError: It is too long for a database.

        """
        if isinstance(node, And | Or):
            return self._joined(node)
        if isinstance(node, Not):
            return not_(self.condition(node.item))
        if isinstance(node, Compare):
            return self._compare(node)
        if isinstance(node, Contains) and node.path == _TAGS:
            return tagged(node.value)
        return self._of_path(node)

    def _joined(self, node: And | Or) -> Sql:
        if len(node.items) > MOST_TERMS:
            msg = (
                f"{len(node.items)} conditions are joined, more than {MOST_TERMS}: "
                "write `path in [...]` instead of many `or`"
            )
            raise QueryError(msg)
        items = [self.condition(item) for item in node.items]
        return and_(true(), *items) if isinstance(node, And) else or_(false(), *items)

    # Comparisons --------------------------------------------------------

    def _compare(self, node: Compare) -> Sql:
        left, right = node.left, node.right
        if isinstance(left, Path) and isinstance(right, Literal):
            if isinstance(right.value, list | tuple):
                return self._compare_list(left, node.op, right.value)
            return self._compare_literal(left, node.op, right.value)
        return self._compare_operands(node)

    def _compare_literal(self, path: Path, op: str, value: Any) -> Sql:
        leaves = literal_leaves(value)
        if path.side == "record":
            kind, column = FACTS[path.path]
            return compare_fact(kind, column, op, leaves)
        place = self.vocabulary.place(path)
        if op == "!=":
            equal = [(leaf, "==") for leaf in leaves]
            differs = first(place, lambda s: unequal(s, equal))
            return or_(differs, self._is_group(path))
        return first(
            place,
            lambda source: either(source, ((x, op) for x in leaves)),
        )

    def _compare_operands(self, node: Compare) -> Sql:
        of = self.operands
        kinds = of.kinds(node.left) & of.kinds(node.right)
        found = []
        for kind in _COMPARED:
            if kind in kinds:
                left, right = of.value(node.left, kind), of.value(node.right, kind)
                op = "==" if node.op == "!=" else node.op
                more = of.rest(node.left, kind), of.rest(node.right, kind)
                found.append(
                    surely(compare_pairs(op, (left, more[0]), (right, more[1])))
                )
        if node.op != "!=":
            return or_(false(), *found)
        there = [self._is_there(each) for each in (node.left, node.right)]
        return and_(*there, not_(or_(false(), *found)))

    def _is_there(self, operand: Any) -> Sql:
        if isinstance(operand, Literal):
            return true()
        if isinstance(operand, Path):
            return self._exists(operand)
        return self.operands.number(operand).is_not(None)

    def _compare_list(self, path: Path, op: str, values: Iterable[Any]) -> Sql:
        if path.side == "record" or op not in UNORDERED:
            return false()
        place = self.vocabulary.place(path)
        items = list(values)
        equal = first(place, lambda source: self._equals_list(source, items))
        if op == "==":
            return equal
        return and_(self._exists(path), not_(equal))

    def _equals_list(self, source: Source, items: list[Any]) -> Sql | None:
        if source.view == "shape":
            below = f"{source.path}/{SHAPE}"
            long_enough = is_at(
                source, lambda x: and_(x.kind.in_(ARRAYS), x.num == len(items))
            )
        elif source.view == "value":
            below = source.path
            long_enough = self._is_long(source, len(items))
        else:
            return None
        conditions = [long_enough]
        for index, item in enumerate(items):
            found = self.vocabulary.source(source.side, f"{below}/{item_token(index)}")
            equal = None if found is None else self._equals(found, item)
            if equal is None:
                return false()
            conditions.append(equal)
        return and_(*conditions)

    def _equals(self, source: Source, item: Any) -> Sql | None:
        if isinstance(item, list | tuple):
            return self._equals_list(source, list(item))
        tests = ((leaf, "==") for leaf in literal_leaves(item)[:1])
        return either(source, tests)

    def _is_long(self, source: Source, length: int) -> Sql:
        """Return whether a list, or an array of one axis, has so many items."""
        listed = is_at(
            source, lambda x: and_(x.kind == int(Kind.LIST), x.num == length)
        )
        shape = self.vocabulary.source(
            source.side, f"{source.path}/{SHAPE}/{item_token(0)}"
        )
        if shape is None or source.kinds.isdisjoint({Kind.ARRAY}):
            return listed
        of_one_axis = and_(
            is_at(source, lambda x: and_(x.kind == int(Kind.ARRAY), x.num == 1)),
            is_at(shape, lambda x: x.num == length),
        )
        return or_(listed, of_one_axis)

    # Conditions on one path ---------------------------------------------

    def _of_path(self, node: Condition) -> Sql:
        if isinstance(node, Among):
            return self._among(node)
        if isinstance(node, Contains):
            return self._contains(node)
        if isinstance(node, Exists):
            return self._exists(node.path)
        if isinstance(node, IsNone):
            return self._of_kind(node.path, Kind.NULL)
        if isinstance(node, IsNaN):
            return self._of_kind(node.path, Kind.NAN)
        if isinstance(node, Truth):
            return self._compare_literal(node.path, "==", True)  # noqa: FBT003 - a value
        if isinstance(node, Like):
            if not is_storable(node.pattern):
                return false()
            return self._text(
                node.of, lambda text: like(text, node.pattern, self._dialect)
            )
        if isinstance(node, Matches):
            pattern = ODD.sub(_escaped, node.pattern)
            return self._text(node.of, lambda text: text.regexp_match(pattern))
        msg = f"{type(node).__name__} is no condition"
        raise TypeError(msg)

    def _of_kind(self, path: Path, kind: Kind) -> Sql:
        if path.side == "record":
            return false()
        place = self.vocabulary.place(path)
        test = (Leaf(kind), "kind")
        return first(place, lambda source: either(source, [test]))

    def _among(self, node: Among) -> Sql:
        leaves = [leaf for value in node.values for leaf in literal_leaves(value)]
        if not isinstance(node.of, Path):
            numbers = [x.num for x in leaves if x.kind is Kind.NUMBER]
            # Of whatever size, beside a number of whatever type.
            given = bindparam(None, numbers, type_=tables.Number(), expanding=True)
            return surely(self.operands.number(node.of).in_(given))
        if node.of.side == "record":
            kind, column = FACTS[node.of.path]
            same = [x for x in leaves if x.kind is kind and sought(x, "==")]
            return column.in_([column_of(leaf) for leaf in same])
        return first(self.vocabulary.place(node.of), lambda s: is_among(s, leaves))

    def _contains(self, node: Contains) -> Sql:
        leaves = literal_leaves(node.value)[:1]
        leaves = tuple(leaf for leaf in leaves if sought(leaf, "=="))
        texts = [leaf.txt for leaf in leaves if leaf.kind is Kind.TEXT]
        if node.path.side == "record":
            kind, column = FACTS[node.path.path]
            if kind is not Kind.TEXT or not texts:
                return false()
            return text_holds(column, texts[0])
        place = self.vocabulary.place(node.path)
        return first(place, lambda source: self._source_holds(source, leaves, texts))

    def _source_holds(
        self, source: Source, leaves: tuple[Leaf, ...], texts: list[str | None]
    ) -> Sql | None:
        conditions: list[Sql] = []
        if texts:
            found = text_test(source, lambda text: text_holds(text, texts[0]))
            conditions += [] if found is None else [found]
        if source.view == "shape":
            source = replace(source, view="value", path=f"{source.path}/{SHAPE}")
        listed = bool(leaves) and source.view == "value"
        items = self.vocabulary.items(source) if listed else []
        if items:
            leaf = LEAF
            statement = select(_ONE).where(
                leaf.c.record_id == tables.record.c.id,
                leaf.c.path_id.in_(items),
                compare_leaf(leaf.c, "==", leaves[0], inexact=True),
            )
            item = statement.limit(1).correlate(tables.record).scalar_subquery()
            conditions.append(item.is_not(None))
        return or_(false(), *conditions)

    def _exists(self, path: Path) -> Sql:
        if path.side == "record":
            return true()
        return or_(anything(self.vocabulary.place(path)), self._is_group(path))

    def _is_group(self, path: Path) -> Sql:
        """Return whether a path means a dict of the data that is not empty."""
        # It has no leaf of its own; in metadata it has one.
        if path.side in (METADATA, "record"):
            return false()
        if not self.vocabulary.is_above(DATA, path.path):
            return false()
        leaf, known, start = LEAF, _KNOWN, f"{path.path}/"
        # No join, which would go over all paths that any record has below it.
        spelt = (
            select(known.c.path)
            .where(known.c.id == leaf.c.path_id, known.c.side == DATA)
            .correlate(leaf)
            .scalar_subquery()
        )
        statement = select(_ONE).where(
            leaf.c.record_id == tables.record.c.id,
            func.substr(spelt, 1, len(start)) == start,
        )
        found = statement.limit(1).correlate(tables.record).scalar_subquery()
        nothing_else = not_(anything(self.vocabulary.place(path)))
        return and_(nothing_else, found.is_not(None))

    def _text(self, path: Path, test: Any) -> Sql:
        if path.side == "record":
            kind, column = FACTS[path.path]
            return test(column) if kind is Kind.TEXT else false()
        place = self.vocabulary.place(path)
        return first(place, lambda source: text_test(source, test))

    # What the index does not say -----------------------------------------

    def in_doubt(self, path: Path, kinds: frozenset[Kind]) -> list[Sql]:
        """
        Return when the index holds not what a path is asked for.

        Args:
            path: The path.
            kinds: Those of the `LONG` kinds whose value would be compared.

        """
        place = self.vocabulary.place(path)
        doubts = []
        for source in place.sources:
            asked = [int(kind) for kind in source.kinds & kinds]
            if asked:
                doubts.append(is_at(source, _one_of(asked)))
        if place.hiders:
            doubts.append(and_(not_(self._known(place)), _is_hidden(place.hiders)))
        return doubts

    def unknown(self, path: Path) -> Sql:
        """Return when a record that the index holds in part may have more."""
        place = self.vocabulary.place(path)
        known = self._known(place)
        if path.side or not place.sources or place.sources[0].side == METADATA:
            return not_(known)
        # Metadata of which leaves were cut off may hide it.
        whole = func.length(tables.version.c.metadata) < FEWEST_BYTES
        return not_(and_(known, whole))

    def _known(self, place: Place) -> Sql:
        # Only what nothing else may hide is surely what is meant.
        return present(place.sources[0]) if place.sources else false()


def _one_of(kinds: list[int]) -> Test:
    return lambda columns: columns.kind.in_(kinds)


def _escaped(odd: re.Match[str]) -> str:
    return f"\\u{ord(odd.group()):04x}"


def tagged(word: Any) -> Sql:
    """Return whether a record has a tag."""
    if not isinstance(word, str) or not is_storable(word):
        return false()
    tag = _TAG
    found = (
        select(_ONE)
        .where(tag.c.record_id == tables.record.c.id, tag.c.tag == word)
        .correlate(tables.record)
        .scalar_subquery()
    )
    return found.is_not(None)


def _is_hidden(ids: tuple[int, ...]) -> Sql:
    leaf = LEAF
    long = (int(Kind.LONG_ARRAY), int(Kind.LONG_LIST))
    found = (
        select(_ONE)
        .where(
            leaf.c.record_id == tables.record.c.id,
            leaf.c.path_id.in_(ids),
            leaf.c.kind.in_(long),
        )
        .limit(1)
        .correlate(tables.record)
        .scalar_subquery()
    )
    return found.is_not(None)
