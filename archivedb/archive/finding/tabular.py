"""The records of a selection as a table: rows, frames, arrays, groups."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archivedb.archive import resolving
from archivedb.archive.finding import columns as table
from archivedb.archive.finding import frames
from archivedb.archive.finding.columns import Column, Table
from archivedb.archive.finding.grouping import Grouped
from archivedb.archive.finding.query import Finder, Query
from archivedb.archive.finding.subject import subject_of
from archivedb.errors import QueryError, StorageError
from archivedb.query.nodes import Path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandas import DataFrame
    from rich.table import Table as RichTable

    from archivedb.archive.core import Core
    from archivedb.catalog.reading import VersionRow

SHOWN = 20
"""Records that a table shows."""
SHOWN_COLUMNS = 8
"""Columns that a table shows beside those that each has."""
LONGEST_CELL = 40
"""Characters of a cell that a table shows."""
_MANY = 200
"""Columns of older versions that are looked at for whether they vary."""
_NAME = "name"


class Tabular:
    """The part of `RecordSet` that is about the values in the records."""

    _core: Core
    _query: Query

    def values(self, *columns: str) -> Iterator[tuple[Any, ...]]:
        """
        Yield the values of some columns, a tuple a record, in constant memory.

        They come from the index, so that no record is opened but for what it
        lacks: texts of more than 1,000 characters, and what lies beyond a
        record's first 1,000 leaves.  Lists and arrays of one axis come with
        their items if there are up to 16; in the place of larger ones, and of
        objects, stand a few words: the dtype and the shape of an array.

        Args:
            columns: ``"outputs.energy"``, ``"outputs.energy / inputs.natoms"``,
                ``"outputs.forces.max"``, ``"name"``, ``"record.size"``, ``"tags"``.

        Yields:
            A value for each column; None for what is not there.

        Raises:
            QueryError: A column cannot be understood, or no record has it.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> _ = archive.save({"n": 4, "energy": -14.8}, "al/run-1")
            >>> list(archive.find().values("name", "energy / n"))
            [('al/run-1', -3.7)]

        """
        with self._table() as (finder, found):
            if finder is None or found is None:
                return
            for page in found.pages(table.columns_of(columns, finder)):
                yield from zip(*page, strict=True)

    def to_frame(
        self, columns: Iterable[str] | None = None, *, index: str | None = _NAME
    ) -> DataFrame:
        """
        Return the values of some columns as a pandas frame, a row a record.

        See `values` for what columns are and hold.  Numbers and booleans keep
        their type, times are ``datetime64`` in UTC, and ints that are too large
        for 64 bits stay exact, as objects.  What is large comes as words, as in
        `values`: the dtype and the shape, or ``object``, stand for what `to_xarray`, or
        `Archive.load`, reads.

        Args:
            columns: Paths and expressions; if left out, ``saved_at`` and up to
                40 paths whose values vary.
            index: What the rows are called; None numbers them.

        Raises:
            ModuleNotFoundError: pandas is not installed.
            QueryError: A column cannot be understood, or no record has it.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> for a in (4.0, 4.1):
            ...     _ = archive.save({"xc": "PBE", "a": a}, f"al/{a}")
            >>> archive.find().order_by("a").to_frame(["a"])
                      a
            name
            al/4.0  4.0
            al/4.1  4.1

        """
        pandas = frames.optional("pandas", "to_frame()")
        labels = None if columns is None else _listed(columns)
        first = [] if index is None else [index]
        with self._table() as (finder, found):
            if finder is None or found is None:
                names = [*first, *(labels or ())]
                return frames.frame(pandas, labels or [], [[] for _ in names], index)
            own = table.columns_of(first, finder)
            if labels is None:
                wanted, values = self._of_all(found, own)
            else:
                wanted = table.columns_of(labels, finder)
                values = found.whole([*own, *wanted])
        return frames.frame(pandas, [each.label for each in wanted], values, index)

    def _of_all(
        self, found: Table, own: list[Column]
    ) -> tuple[list[Column], list[list[Any]]]:
        """Return the columns of a table for which none are named, and its values."""
        older = self._query.older
        leaves = found.chosen(_MANY if older else table.MOST_COLUMNS)
        names = ["version", "saved_at"] if older else ["saved_at"]
        wanted = [*(Column(name, Path("record", (name,))) for name in names), *leaves]
        values = found.whole([*own, *wanted])
        if older:
            start = len(own)
            keep = set(range(len(names)))
            keep |= set(table.varying(values[start:])) if len(values[0]) > 1 else set()
            few = sorted(keep)[: table.MOST_COLUMNS]
            values = [*values[:start], *(values[start + at] for at in few)]
            wanted = [wanted[at] for at in few]
        return wanted, values

    def to_xarray(
        self,
        path: str,
        dims: Iterable[str] | None = None,
        *,
        coords: Iterable[str] = (),
    ) -> Any:
        """
        Return the arrays at a path, stacked along a new dimension ``record``.

        Every array is read from its payload and checked.

        Args:
            path: Where they stand: arrays of one shape and dtype, or numbers.
            dims: What their axes are called.
            coords: More coordinates of the records beside ``name``; see
                `values` for what a column may be.

        Returns:
            An ``xarray.DataArray``.

        Raises:
            ModuleNotFoundError: xarray is not installed.
            QueryError: A record has none, or another shape; says which.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> for i in range(3):
            ...     _ = archive.save({"forces": np.zeros((2, 3))}, f"al/{i}")
            >>> archive.find().to_xarray("forces", ["atom", "axis"]).sizes
            Frozen({'record': 3, 'atom': 2, 'axis': 3})

        """
        xarray = frames.optional("xarray", "to_xarray()")
        more = _listed(coords)
        rows: list[tuple[str, Any]] = []
        names: list[str] = []
        values: dict[str, list[Any]] = {each: [] for each in more}
        with self._table() as (finder, _):
            if finder is not None:
                wanted = table.columns_of([path, *more], finder)
                for row in finder.rows():
                    label = f"{row.name} version {row.version}"
                    label = label if self._query.older else row.name
                    rows.append((label, self._stackable(row, wanted[0])))
                    names.append(row.name)
                    with subject_of(self._core, row) as subject:
                        for each in wanted[1:]:
                            value = table.read(each.operand, subject)
                            values[each.label].append(value)
        return frames.stacked(xarray, path, dims, rows, {_NAME: names, **values})

    def _stackable(self, row: VersionRow, column: Column) -> Any:
        """Return what stands at a path of a version, read and checked."""
        operand = column.operand
        with subject_of(self._core, row) as subject:
            if isinstance(operand, Path) and operand.side in {"", "data"}:
                of_metadata = (
                    None if operand.side else subject.at("metadata", operand.steps)
                )
                if of_metadata is None:
                    try:
                        return resolving.read_path(self._core, row, operand.steps)
                    except StorageError:
                        pass  # what is known of an array stands at no path
            value = table.read(operand, subject)
        if value is None:
            msg = f"`{column.label}` is not in {row.name!r}"
            raise QueryError(msg)
        return value

    def group_by(self, *columns: str) -> Grouped:
        """
        Return the records in groups, each of those that agree in some columns.

        Args:
            columns: See `values` for what they may be.

        Raises:
            QueryError: A column cannot be understood, or no record has it.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> for metal, energy in [("Al", -3.7), ("Al", -3.6), ("Cu", -3.5)]:
            ...     run = {"metal": metal, "energy": energy}
            ...     _ = archive.save(run, f"{metal}/{energy}")
            >>> archive.find().group_by("metal").agg(n="count", best=("energy", "min"))
            metal  n  best
            Al     2  -3.7
            Cu     1  -3.5

        """
        with self._table() as (finder, _):
            if finder is not None:
                table.columns_of(columns, finder)
        return Grouped(self._pages_of, tuple(columns))

    def _pages_of(self, texts: list[str]) -> Iterator[list[list[Any]]]:
        with self._table() as (finder, found):
            if finder is not None and found is not None:
                yield from found.pages(table.columns_of(texts, finder))

    @contextmanager
    def _table(
        self, query: Query | None = None
    ) -> Iterator[tuple[Finder | None, Table | None]]:
        """Run the query, or another; nothing is found where there is no archive."""
        query = query or self._query
        if not self._core.exists or query.most == 0:
            yield None, None
            return
        with self._core.reading() as connection:
            finder = Finder(self._core, connection, query)
            yield finder, Table(self._core, finder, older=query.older)

    # Being shown --------------------------------------------------------

    def _shown(self) -> tuple[list[str], list[tuple[str, ...]], bool]:
        """Return titles and cells of the first records, and whether there are more."""
        names = ["name", "version", "saved_at"]
        with self._table(self._query.sliced(0, SHOWN + 1)) as (finder, found):
            if finder is None or found is None:
                return names, [], False
            facts = [Column(name, Path("record", (name,))) for name in names]
            leaves = found.chosen(SHOWN_COLUMNS)
            tags = Column("tags", Path("record", ("tags",)))
            wanted = [*facts, *leaves, tags]
            values = found.whole(wanted)
        more = len(values[0]) > SHOWN
        if not any(values[-1]):
            wanted, values = wanted[:-1], values[:-1]
        rows = list(zip(*(map(cell, column[:SHOWN]) for column in values), strict=True))
        return [each.label for each in wanted], rows, more

    def __rich__(self) -> RichTable:
        """Return the first records and what varies among them, as rich prints it."""
        from rich.table import Table as RichTable
        from rich.text import Text

        titles, rows, more = self._shown()
        made = RichTable()
        for title in titles:
            made.add_column(Text(title))
        for row in rows:
            made.add_row(*map(Text, row))
        if more:
            made.add_row("…")
        return made

    def _html(self) -> str:
        """Return the same as a table of HTML."""
        titles, rows, more = self._shown()
        head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>"
            for row in rows
        )
        return f"<table><tr>{head}</tr>{body}</table>{'…' * more}"


def _listed(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        msg = f"columns are a list of texts; write [{texts!r}]"
        raise QueryError(msg)
    if isinstance(texts, Mapping | AbstractSet) or not isinstance(texts, Iterable):
        msg = f'columns are a list of texts, ["outputs.energy"], not {texts!r:.60}'
        raise QueryError(msg)
    return list(texts)


def cell(value: Any) -> str:
    """
    Return a value as a table shows it.

    >>> cell(-3.74567891), cell(None), cell(["Al", "Cu"])
    ('-3.745679', '', 'Al, Cu')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, list):
        return _short(", ".join(map(cell, value)))
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d %H:%M:%S"))
    return _short(str(value))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_CELL else f"{line[: LONGEST_CELL - 1]}…"
