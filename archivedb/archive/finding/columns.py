"""
Columns of a table over the records of a query.

They come from the index, page by page; what it does not hold is read from the
records themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING, Any

from archivedb.archive.finding.subject import subject_of
from archivedb.catalog import paths as survey
from archivedb.catalog import reading
from archivedb.catalog.doubts import has_partly
from archivedb.catalog.index import METADATA
from archivedb.catalog.values import UNKNOWN, Values
from archivedb.catalog.vocabulary import all_paths
from archivedb.errors import QueryError
from archivedb.query.evaluate import operand_leaf
from archivedb.query.names import shortest
from archivedb.query.nodes import TAGS, Path
from archivedb.query.parse import parse_operand, slash_path, unknown_path
from archivedb.query.walk import paths_of
from archivedb.values.cells import (
    DEEPEST,
    MOST_ITEMS,
    OBJECT,
    array_words,
    is_whole,
    key_of,
    list_words,
    scalar,
)
from archivedb.values.leaf import LONG, Kind
from archivedb.values.leaves import MAX, MEAN, MIN, SHAPE
from archivedb.values.paths import token_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from archivedb.archive.core import Core
    from archivedb.archive.finding.query import Finder
    from archivedb.archive.finding.subject import VersionSubject
    from archivedb.catalog.reading import VersionRow
    from archivedb.catalog.values import Page
    from archivedb.catalog.vocabulary import Vocabulary
    from archivedb.query.evaluate import View
    from archivedb.query.nodes import Operand

PAGE = 10_000
"""Records whose values are read at once."""
FEW = 500
"""Records that are read by themselves, looked up at once."""
MOST_COLUMNS = 40
"""Columns of a table for which none are named."""
_TAGS = {TAGS, f"record.{TAGS}"}
_FACTS = frozenset({SHAPE, MIN, MAX, MEAN})


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column.

    Attributes:
        label: What the user calls it.
        operand: What it holds.

    """

    label: str
    operand: Operand


def column(text: str, vocabulary: Vocabulary) -> Column:
    """
    Return the column that a text means.

    Raises:
        QueryError: It is no path or expression.

    """
    if not isinstance(text, str):
        msg = f'a column is text, like "outputs.energy", not {text!r:.60}'
        raise QueryError(msg)
    if text in _TAGS:
        return Column(text, Path("record", (TAGS,)))
    if "/" in text:
        try:
            path = slash_path(text)
        except QueryError:
            return Column(text, parse_operand(text))
        if vocabulary.place(path).sources:
            return Column(text, path)
    return Column(text, parse_operand(text))


def columns_of(texts: Iterable[str], finder: Finder) -> list[Column]:
    """
    Return the columns that texts mean.

    Raises:
        QueryError: One is no path or expression, or no record has it.

    """
    if isinstance(texts, str):
        msg = f"columns are a list of texts; write [{texts!r}]"
        raise QueryError(msg)
    found = [column(text, finder.vocabulary) for text in texts]
    for each in found:
        for path in paths_of(each.operand):
            _require_known(each.label, path, finder)
    return found


def _require_known(text: str, path: Path, finder: Finder) -> None:
    place = finder.vocabulary.place(path)
    if place.sources or place.hiders or has_partly(finder.connection):
        return
    known = [each for _, each in all_paths(finder.connection)]
    if known:
        raise unknown_path(text, path, known)


# Pages ------------------------------------------------------------------


class Table:
    """
    Columns over the records of one run of a query.

    Args:
        core: The open archive.
        finder: The run.
        older: Whether it looks at older versions, which are not in the index.

    """

    def __init__(self, core: Core, finder: Finder, *, older: bool) -> None:
        self._core, self._finder, self._older = core, finder, older
        self._numbers: Iterator[int] = iter(()) if older else finder.ids()

    def pages(self, columns: Sequence[Column]) -> Iterator[Page]:
        """Yield the values of columns, up to 10,000 records at a time, in order."""
        operands = [each.operand for each in columns]
        if self._older:
            yield from self._read_pages(operands)
            return
        values = Values(self._finder.connection, self._finder.vocabulary, operands)
        while some := list(islice(self._numbers, PAGE)):
            page = values.page(some)
            self._read_unknown(operands, page, some)
            yield page

    def _read_unknown(
        self, operands: list[Operand], page: Page, numbers: list[int]
    ) -> None:
        """Fill in what the index does not hold, from the records."""
        missing: dict[int, list[int]] = {}
        for index, values in enumerate(page):
            if type(UNKNOWN) not in set(map(type, values)):
                continue
            for at, value in enumerate(values):
                if value is UNKNOWN:
                    missing.setdefault(at, []).append(index)
        todo = iter(sorted(missing))
        while some := list(islice(todo, FEW)):
            ids = [numbers[at] for at in some]
            rows = reading.newest_by_ids(self._finder.connection, ids)
            for at, row in zip(some, rows, strict=True):
                with subject_of(self._core, row) as subject:
                    for index in missing[at]:
                        page[index][at] = read(operands[index], subject)

    def _read_pages(self, operands: list[Operand]) -> Iterator[Page]:
        rows = self._finder.rows()
        while some := list(islice(rows, FEW)):
            found = [self._read_row(operands, row) for row in some]
            yield [list(values) for values in zip(*found, strict=True)]

    def _read_row(self, operands: list[Operand], row: VersionRow) -> list[Any]:
        with subject_of(self._core, row) as subject:
            return [read(operand, subject) for operand in operands]

    def whole(self, columns: Sequence[Column]) -> Page:
        """Return the values of columns for all records."""
        found: Page = [[] for _ in columns]
        for page in self.pages(columns):
            for values, more in zip(found, page, strict=True):
                values.extend(more)
        return found

    def chosen(self, most: int = MOST_COLUMNS) -> list[Column]:
        """
        Return the columns of a table for which none are named.

        Those that vary among the first 10,000 records; all of them if there is
        but one record, or if older versions are asked for.  To be asked before
        the pages.
        """
        ids = self._finder.ids()
        numbers = list(islice(ids, PAGE))
        if not self._older:
            self._numbers = chain(numbers, ids)
        found: dict[str, _Seen] = {}
        for each in survey.of_records(self._finder.connection, numbers):
            _see(found, each, len(numbers))
        all_of_them = self._older or len(numbers) == 1
        wanted = [
            (path, seen)
            for path, seen in found.items()
            if seen.shown and (seen.varies or all_of_them)
        ]
        wanted.sort(key=lambda pair: (-pair[1].count, pair[1].id))
        some = wanted[:most]
        some.sort(key=lambda pair: (pair[1].side != METADATA, pair[1].id))
        return [
            Column(shortest(steps, seen.side), Path("", steps))
            for steps, seen in ((tuple(path.split("/")), seen) for path, seen in some)
        ]


def read(operand: Operand, subject: VersionSubject) -> Any:
    """Return the value of a column, read from a version of a record."""
    if not isinstance(operand, Path):
        leaf = operand_leaf(operand, subject)
        return None if leaf is None else scalar(leaf)
    if operand.side == "record":
        if operand.path == TAGS:
            return sorted(subject.tags)
        return scalar(subject.fact(operand.path))
    view = subject.at(operand.side, operand.steps)
    if view is None:
        return None
    if view.leaf.kind in (Kind.ARRAY, Kind.LONG_ARRAY):
        return _array(operand, view, subject)
    return _cell(view, 0)


def _array(path: Path, view: View, subject: VersionSubject) -> Any:
    dtype = view.leaf.txt or ""
    shape = []
    for axis in range(int(view.leaf.num or 0)):
        length = subject.at(path.side, (*path.steps, SHAPE, f"[{axis}]"))
        shape.append("?" if length is None else length.leaf.num)
    if len(shape) == 1 and int(shape[0] or 0) <= MOST_ITEMS and _is_plain(dtype):
        return [scalar(item.leaf) for item in view.items() or ()]
    return array_words(dtype, shape)


def _is_plain(dtype: str) -> bool:
    """Return whether the index holds the items of short arrays of a dtype."""
    return dtype.startswith(("bool", "int", "uint", "float", "str"))


def _cell(view: View, depth: int) -> Any:
    """Return what stands somewhere, lists with their items if they are few."""
    leaf = view.leaf
    if leaf.kind is not Kind.LIST:
        return scalar(leaf)
    length = int(leaf.num or 0)
    if length > MOST_ITEMS or depth > DEEPEST:
        return list_words(length)
    found = [
        OBJECT if item.leaf.kind is Kind.GROUP else _cell(item, depth + 1)
        for item in view.items() or ()
    ]
    return found if is_whole(found) else list_words(length)


# Columns that nobody named ----------------------------------------------

_SHOWN = frozenset(Kind) - LONG - {Kind.OTHER, Kind.GROUP}


@dataclass(slots=True)
class _Seen:
    """What was seen of a path."""

    id: int
    side: str
    count: int = 0
    varies: bool = False
    shown: bool = False


def _see(found: dict[str, _Seen], each: survey.Found, records: int) -> None:
    steps = each.path.split("/")
    own = list(takewhile(_is_key, steps))
    if not own or not own[0]:
        return
    seen = found.setdefault("/".join(own), _Seen(each.id, each.side))
    seen.varies |= each.least != each.largest
    if len(own) < len(steps):
        return  # an item, or what is known of an array: it says that that varies
    seen.id, seen.side = each.id, each.side
    seen.varies |= each.count < records
    seen.count += each.count
    seen.shown |= each.kind in _SHOWN


def _is_key(step: str) -> bool:
    return step not in _FACTS and token_item(step) is None


def varying(page: Page) -> list[int]:
    """Return which columns have more than one value."""
    return [
        index
        for index, values in enumerate(page)
        if len({key_of(value) for value in values}) > 1
    ]
