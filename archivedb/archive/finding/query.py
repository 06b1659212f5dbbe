"""
From a question to versions: the index first, then the records in doubt.

All of it happens in one transaction, so that it sees one state of the catalog.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from archivedb.archive.finding.subject import subject_of
from archivedb.catalog import driving, reading
from archivedb.catalog.dialect import most_parameters
from archivedb.catalog.doubts import has_partly
from archivedb.catalog.index import DATA, METADATA
from archivedb.catalog.ordering import Key
from archivedb.catalog.searching import SOME, Question, Search
from archivedb.catalog.vocabulary import Vocabulary, all_paths
from archivedb.errors import QueryError
from archivedb.query.advice import misread_keyword, passed_beside
from archivedb.query.evaluate import matches, operand_leaf, sorted_by
from archivedb.query.literals import MOST_VALUES
from archivedb.query.nodes import And, Path
from archivedb.query.parse import (
    equality,
    parse_operand,
    slash_path,
    unknown_path,
)
from archivedb.query.walk import paths_of, size
from archivedb.records import counted
from archivedb.values.leaf import indexed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from archivedb.archive.core import Core
    from archivedb.catalog.ordering import Order
    from archivedb.query.nodes import Condition

MOST = 1 << 62
"""More records than any archive has."""

MOST_NODES, MOST_KEYS = 3_000, 64
"""Of what a question may consist; databases stop at some more."""

PAGE = 500
"""Rows that are read from the catalog at once."""


@dataclass(frozen=True, slots=True)
class Query:
    """
    What a `RecordSet` stands for.

    Attributes:
        texts: Conditions, each with the text that it was read from.
        equal: Paths and the values that they shall equal.
        folder: The folder below which to look; empty for everywhere.
        order: How to sort; empty for the newest first.
        start: How many of the first to leave out.
        most: How many at most, or None.
        older: Whether older versions are looked at, too.

    """

    texts: tuple[tuple[str, Condition], ...] = ()
    equal: tuple[tuple[str, Any], ...] = ()
    folder: str = ""
    order: Order = ()
    order_text: tuple[str, ...] = ()
    start: int = 0
    most: int | None = None
    older: bool = False

    def sliced(self, start: int, stop: int | None) -> Query:
        """Return the part from one index to another, both from 0."""
        most = None if self.most is None else max(self.most - start, 0)
        if stop is not None:
            wanted = max(stop - start, 0)
            most = wanted if most is None else min(most, wanted)
        return replace(self, start=min(self.start + start, MOST), most=most)

    @property
    def stop(self) -> int | None:
        """The index behind the last record, or None."""
        return None if self.most is None else min(self.start + self.most, MOST)

    @property
    def is_cut(self) -> bool:
        """Whether it leaves out some of what matches."""
        return bool(self.start) or self.most is not None


class Finder:
    """
    One run of a query.

    Args:
        core: The open archive.
        connection: A transaction that lasts as long as the run.
        query: What is asked.

    Raises:
        QueryError: It asks for a path that no record has.

    """

    def __init__(self, core: Core, connection: Connection, query: Query) -> None:
        self._core, self.connection, self._query = core, connection, query
        self.vocabulary = Vocabulary(connection)
        self.condition = self._condition()
        self._require_size()
        self._require_known()
        question = Question(self.condition, query.folder, query.order)
        self.search = Search(connection, question, self.vocabulary)

    # The question -------------------------------------------------------

    def _condition(self) -> Condition | None:
        items: list[Condition] = [condition for _, condition in self._query.texts]
        for text, value in self._query.equal:
            items.append(equality(self._keyword(text), value))
        if not items:
            return None
        flat = [
            each
            for item in items
            for each in (item.items if isinstance(item, And) else (item,))
        ]
        return flat[0] if len(flat) == 1 else And(tuple(flat))

    def _keyword(self, text: str) -> Path:
        path = slash_path(text)
        dotted = "." in text and "/" not in text
        if dotted and not self.vocabulary.place(path).sources:
            try:
                found = parse_operand(text)
            except QueryError:
                return path
            return found if isinstance(found, Path) else path
        return path

    def _require_size(self) -> None:
        """Raise for what no database takes, before it works on it for minutes."""
        nodes, values = (0, 0) if self.condition is None else size(self.condition)
        if nodes > MOST_NODES or len(self._query.order) > MOST_KEYS:
            msg = (
                f"the question has {nodes:,} parts and {len(self._query.order)} sort "
                f"keys, more than {MOST_NODES:,} and {MOST_KEYS}; write "
                "`path in [...]` instead of many `or`"
            )
            raise QueryError(msg)
        # Where a search begins and what it looks up both list them.
        most = min(MOST_VALUES, most_parameters(self.connection) // 2 - MOST_NODES)
        if values > most:
            msg = f"the question lists {values:,} values, more than {most:,}"
            raise QueryError(msg)

    def _require_known(self) -> None:
        """Raise for a path that nothing has: a typing error finds nothing, too."""
        if self._query.older:
            return  # nobody has kept which paths those had
        asked = [
            (text, path)
            for text, condition in self._query.texts
            for path in paths_of(condition)
        ]
        asked += [
            (text, path)
            for text, (operand, _) in zip(
                self._query.order_text, self._query.order, strict=True
            )
            for path in paths_of(operand)
        ]
        beside = dict(self._query.equal)
        for text, path in asked:
            if self._may_have(path):
                continue
            known = [each for _, each in all_paths(self.connection)]
            if known and not path.side and path.path in beside:
                raise passed_beside(text, path.at, path.path, beside[path.path])
            if known:
                raise unknown_path(text, path, known)
        for key, value in beside.items():
            self._require_path(key, value)

    def _may_have(self, path: Path) -> bool:
        place = self.vocabulary.place(path)
        return bool(place.sources or place.hiders or has_partly(self.connection))

    def _require_path(self, key: str, value: Any) -> None:
        """Raise for a keyword that no record has, and that meant something else."""
        advice = misread_keyword(key, value)
        if not advice or self._may_have(Path("", (key,))):
            return
        # `clf__C` may be a key of records to come, where there is no `clf`.
        above, underscores, _ = key.partition("__")
        sides = METADATA, DATA
        if not underscores or any(self.vocabulary.is_above(s, above) for s in sides):
            raise QueryError(advice)

    # Answers ------------------------------------------------------------

    def ids(self) -> Iterator[int]:
        """Yield the ids of the records that match, in order."""
        start, stop = self._query.start, self._query.stop
        yield from islice(self._all_ids(stop), start, stop)

    def _all_ids(self, limit: int | None) -> Iterator[int]:
        doubtful = self._doubtful()
        if not doubtful:
            yield from (row[0] for row in self.search.rows(limit))
            return
        key = self.search.ordering.key
        sure = ((key(row[1:]), row[0]) for row in self.search.rows(limit))
        yield from (number for _, number in heapq.merge(sure, doubtful))

    def _doubtful(self) -> list[tuple[tuple[Any, ...], int]]:
        """Return key and id of the records in doubt that match, sorted."""
        found = []
        operands = [operand for operand, _ in self._query.order]
        ordering = self.search.ordering
        for row in self._rows(self.search.doubtful()):
            with subject_of(self._core, row) as subject:
                if self.condition is None or matches(self.condition, subject):
                    keys = [_key(operand, subject) for operand in operands]
                    columns = ordering.columns_of(
                        keys, (row.saved_at, row.id, row.record_id)
                    )
                    found.append((ordering.key(columns), row.record_id))
        return sorted(found)

    def _rows(self, numbers: Iterator[int]) -> Iterator[reading.VersionRow]:
        while page := list(islice(numbers, PAGE)):
            yield from reading.newest_by_ids(self.connection, page)

    def rows(self) -> Iterator[reading.VersionRow]:
        """Yield the versions that match, in order."""
        if self._query.older:
            yield from self._versions()
        else:
            yield from self._rows(self.ids())

    def _versions(self) -> Iterator[reading.VersionRow]:
        """Yield all versions that match, each read by itself."""
        rows = reading.versions_below(self.connection, self._query.folder)
        found: Iterator[reading.VersionRow] = filter(self._holds, rows)
        if self._query.order:
            found = iter(sorted(found, key=self._key_of))
        yield from islice(found, self._query.start, self._query.stop)

    def _holds(self, row: reading.VersionRow) -> bool:
        if self.condition is None:
            return True
        with subject_of(self._core, row) as subject:
            return matches(self.condition, subject)

    def _key_of(self, row: reading.VersionRow) -> tuple[Any, ...]:
        ordering = self.search.ordering
        with subject_of(self._core, row) as subject:
            keys = [_key(operand, subject) for operand, _ in self._query.order]
        return ordering.key(ordering.columns_of(keys, (row.saved_at, row.id, row.id)))

    def explain(self) -> str:
        """Return how the records are found."""
        if self._query.older:
            return "read every version, newest first, and ask its payload"
        found = sum(1 for _ in islice(self.ids(), PAGE))
        steps = [_step(words) for words in self.search.plan]
        if self.search.doubts:
            number = sum(1 for _ in self.search.doubtful())
            held = "the index holds only a part of them"
            steps.append(f"read {counted(number, 'record')}, since {held}")
        more = "the first " if found == PAGE else ""
        return "\n".join(
            [
                *self._clauses(),
                *(f"{number}. {words}" for number, words in enumerate(steps, 1)),
                f"{more}{counted(found, 'record')} found",
            ]
        )

    def _clauses(self) -> Iterator[str]:
        """Yield of each clause how many records the index has for it."""
        clauses = [
            (text[slice(*each.at)] or text, each)
            for text, condition in self._query.texts
            for each in (condition.items if isinstance(condition, And) else [condition])
        ]
        clauses += [
            (f"{path} = {value!r:.40}", equality(self._keyword(path), value))
            for path, value in self._query.equal
        ]
        for words, clause in clauses:
            drivers = driving.drivers(clause, self.vocabulary)
            few = driving.fewest(self.connection, drivers, SOME)
            said = f"{SOME:,} records or more"
            if few is not None:
                said = f"{counted(few[1], 'record')} in the index"
            yield f"`{words:.60}`: {said if drivers else 'asked of each candidate'}"

    def count(self) -> int:
        """Return how many match."""
        if self._query.older:
            return sum(1 for _ in self._versions())
        if self._query.is_cut:
            return sum(1 for _ in self.ids())
        return self.search.count() + len(self._doubtful())


def _step(words: str) -> str:
    """Return a step of a search as people say it."""
    words = words.replace("look up 0 candidates in", "find none in")
    return words.replace("look up 1 candidates", "look up 1 candidate")


def _key(operand: Any, subject: Any) -> Key:
    leaf = operand_leaf(operand, subject)
    found = sorted_by(None if leaf is None else indexed(leaf))
    return Key.missing() if found is None else Key(*found)
