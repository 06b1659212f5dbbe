"""Records in groups, and what is reckoned of each group."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archivedb.archive.finding import frames
from archivedb.errors import QueryError
from archivedb.query.evaluate import sorted_by
from archivedb.values.cells import Brief, key_of
from archivedb.values.leaf import leaf_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pandas import DataFrame
    from rich.table import Table as RichTable

    from archivedb.catalog.values import Page

    Pages = Callable[[list[str]], Iterator[Page]]
    """Returns the values of some columns, page by page."""

LONGEST_CELL = 40
"""Characters of a cell that a printed table shows."""
FUNCTIONS = ("count", "min", "max", "mean")
_HOW = (
    'write agg(n="count", lowest=("outputs.energy", "min")), with one of '
    f"{', '.join(FUNCTIONS)}"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """
    A small table: what was reckoned of groups of records.

    It has a length, yields its rows as dicts, and is one row by its number.

    Attributes:
        columns: What its columns are called, those of the groups first.
        rows: The values of each row, in the order of the columns.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> for i in range(3):
        ...     _ = archive.save({"even": i % 2 == 0, "i": i}, f"runs/{i}")
        >>> found = archive.find().group_by("even").agg(most=("i", "max"))
        >>> list(found)
        [{'even': False, 'most': 1}, {'even': True, 'most': 2}]

    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __len__(self) -> int:
        """Return how many groups there are."""
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a row."""
        return dict(zip(self.columns, self.rows[index], strict=True))

    def to_frame(self) -> DataFrame:
        """
        Return it as a pandas frame.

        Raises:
            ModuleNotFoundError: pandas is not installed.

        """
        pandas = frames.optional("pandas", "to_frame()")
        values = [list(column) for column in zip(*self.rows, strict=True)]
        values = values or [[] for _ in self.columns]
        return frames.frame(pandas, self.columns, values, None)

    def _cells(self) -> list[list[str]]:
        return [[_cell(value) for value in row] for row in self.rows]

    def __repr__(self) -> str:
        """Return the table, a line a row."""
        cells = [list(self.columns), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(
                text.ljust(width) for text, width in zip(row, widths, strict=True)
            ).rstrip()
            for row in cells
        )

    def __rich__(self) -> RichTable:
        """Return the table as rich prints it."""
        from rich.table import Table
        from rich.text import Text

        made = Table()
        for title in self.columns:
            made.add_column(Text(title))
        for row in self._cells():
            made.add_row(*map(Text, row))
        return made

    def _repr_html_(self) -> str:
        def row(tag: str, cells: Any) -> str:
            return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in cells)

        body = "".join(f"<tr>{row('td', cells)}</tr>" for cells in self._cells())
        return f"<table><tr>{row('th', self.columns)}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


class Grouped:
    """
    The records of a selection in groups; see `RecordSet.group_by`.

    Iterating yields the keys of the groups: values, or tuples of several.

    Args:
        pages: Returns the values of some columns, page by page.
        columns: By which the records are grouped.

    """

    def __init__(self, pages: Pages, columns: tuple[str, ...]) -> None:
        if not columns:
            msg = 'name what to group by: group_by("inputs.structure")'
            raise QueryError(msg)
        self._pages, self._columns = pages, columns

    def agg(self, *unnamed: object, **columns: str | tuple[str, str]) -> Summary:
        """
        Return what is reckoned of each group, the groups sorted by their keys.

        Groups of what is not there, or None, have the key None.  ``min`` and
        ``max`` compare as `order_by` does, so numbers come before text; NaN is
        counted, and left out of all else.

        Args:
            unnamed: Nothing: each column has a name.
            columns: What to call each → ``"count"``, of the records, or a path
                or expression and ``"count"`` (how many have one that is not
                None), ``"min"``, ``"max"`` or ``"mean"`` (of numbers).

        Raises:
            QueryError: A column cannot be understood, or no record has it.

        """
        if unnamed:
            msg = f"{unnamed[0]!r:.60} has no name: {_HOW}"
            raise QueryError(msg)
        titles = (*self._columns, *columns)
        if len(set(titles)) != len(titles):
            msg = f"each column of groups has a name of its own, unlike {titles}"
            raise QueryError(msg)
        asked = [(name, *_asked(name, given)) for name, given in columns.items()]
        texts = list(dict.fromkeys(text for _, text, _ in asked if text))
        groups: dict[Any, _Group] = {}
        width = len(self._columns)
        for page in self._pages([*self._columns, *texts]):
            _add(groups, page, width)
        found = sorted(groups.values(), key=lambda group: group.order)
        return Summary(
            (*self._columns, *columns),
            tuple(
                (*group.key, *(group.of(texts, *each[1:]) for each in asked))
                for group in found
            ),
        )

    def count(self) -> Summary:
        """Return how many records each group has."""
        title = "count"
        while title in self._columns:
            title = f"{title}_"
        return self.agg(**{title: "count"})

    def __iter__(self) -> Iterator[Any]:
        """Yield the keys of the groups, in order."""
        single = len(self._columns) == 1
        for row in self.agg().rows:
            yield row[0] if single else row

    def __len__(self) -> int:
        """Return how many groups there are."""
        return len(self.agg())

    def __repr__(self) -> str:
        """Return how many records each group has."""
        return repr(self.count())

    def _repr_html_(self) -> str:
        return self.count()._repr_html_()


def _asked(name: str, given: Any) -> tuple[str | None, str]:
    if given == "count":
        return None, "count"
    if isinstance(given, tuple) and len(given) == 2:  # noqa: PLR2004 - a pair
        text, function = given
        if isinstance(text, str) and function in FUNCTIONS:
            return text, function
    msg = f"{name}={given!r:.60} is nothing that can be reckoned: {_HOW}"
    raise QueryError(msg)


@dataclass(slots=True)
class _Column:
    """What was seen of one column in one group."""

    count: int = 0
    numbers: int = 0
    total: Any = 0.0
    least: Any = None
    largest: Any = None

    def add(self, values: list[Any]) -> None:
        there = [value for value in values if value is not None]
        self.count += len(there)
        types = set(map(type, there))
        if types <= {float, int}:
            numbers = (
                [value for value in there if value == value]  # noqa: PLR0124 - NaN
                if float in types
                else there
            )
            if numbers:
                self._reckon(numbers)
                self._extend(min(numbers), max(numbers))
            return
        numbers = [v for v in there if type(v) in {int, float, Decimal} and v == v]  # noqa: PLR0124 - NaN
        if numbers:
            self._reckon(numbers)
        comparable = [value for value in there if _is_comparable(value)]
        if comparable:
            self._extend(min(comparable, key=_rank), max(comparable, key=_rank))

    def _reckon(self, numbers: list[Any]) -> None:
        self.numbers += len(numbers)
        try:
            self.total += math.fsum(numbers)
        except (OverflowError, ValueError):  # too large, or both infinities
            self.total += sum(map(float, numbers))

    def _extend(self, low: Any, high: Any) -> None:
        if self.least is None or _rank(low) < _rank(self.least):
            self.least = low
        if self.largest is None or _rank(high) > _rank(self.largest):
            self.largest = high

    def of(self, function: str) -> Any:
        if function == "mean":
            return self.total / self.numbers if self.numbers else None
        return {"count": self.count, "min": self.least, "max": self.largest}[function]


@dataclass(slots=True)
class _Group:
    """What was seen of one group."""

    key: tuple[Any, ...]
    count: int = 0
    columns: list[_Column] = field(default_factory=list)

    @property
    def order(self) -> Any:
        return [(value is None, *_rank(value)) for value in self.key]

    def of(self, texts: list[str], text: str | None, function: str) -> Any:
        if text is None:
            return self.count
        return self.columns[texts.index(text)].of(function)


def _add(groups: dict[Any, _Group], page: Page, width: int) -> None:
    """Add the records of a page to their groups."""
    members: dict[Any, list[int]] = {}
    if width == 1:
        hashed: Any = map(key_of, page[0])
    else:
        hashed = zip(*(map(key_of, values) for values in page[:width]), strict=True)
    for at, key in enumerate(hashed):
        known = members.get(key)
        if known is None:
            members[key] = [at]
        else:
            known.append(at)
    for key, its in members.items():
        group = groups.get(key)
        if group is None:
            first = tuple(values[its[0]] for values in page[:width])
            group = groups[key] = _Group(first)
            group.columns = [_Column() for _ in page[width:]]
        group.count += len(its)
        for column, values in zip(group.columns, page[width:], strict=True):
            column.add([values[at] for at in its])


def _is_comparable(value: Any) -> bool:
    if type(value) is Brief or isinstance(value, list):
        return False
    return not (isinstance(value, float | Decimal) and value != value)  # noqa: PLR0124 - NaN


def _rank(value: Any) -> tuple[Any, ...]:
    """Return what sorts as the search does, lists and words behind the rest."""
    if isinstance(value, list):
        return 98, 0, str(value)
    if type(value) is Brief:
        return 99, 0, str(value)
    if isinstance(value, bool | int | float | str | Decimal | datetime | timedelta):
        return sorted_by(leaf_of(value)) or (97, 0, str(value))
    return 97, 0, str(value)
