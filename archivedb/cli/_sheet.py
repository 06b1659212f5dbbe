"""What `find` prints: records, or columns of what they say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from archivedb.cli import _json
from archivedb.cli import _output as output
from archivedb.cli._pairs import format_pairs

if TYPE_CHECKING:
    from archivedb import RecordSet
    from archivedb.records import Record

CSV_HEADINGS = ("name", "version", "mode", "size", "saved_at", "tags", "metadata")
LONGEST_FACT = 30
"""Characters of a fact that a table shows."""
_TAGS = ("tags", "record.tags")
_NUMBERS = int | float | Decimal


class Sheet:
    """
    Records in one of the forms in which they are printed, row by row.

    Args:
        found: The records.
        columns: Paths and expressions; the records themselves if there are none.
        versions: Whether a name alone does not say which version is meant.

    Attributes:
        printed: Whether there was any row.

    """

    def __init__(
        self, found: RecordSet, columns: Sequence[str], *, versions: bool
    ) -> None:
        self._found, self._whole = found, not columns
        self._columns = list(columns) or (["name", "version"] if versions else ["name"])
        self.printed = False

    # Rows -----------------------------------------------------------------

    def _records(self) -> Iterator[Record]:
        for record in self._found:
            self.printed = True
            yield record

    def _values(self) -> Iterator[tuple[Any, ...]]:
        for row in self._found.values(*self._columns):
            self.printed = True
            yield row

    def _lines(self) -> Iterator[tuple[str, ...]]:
        """Yield the columns for programs; of whole records the names."""
        for row in self._values():
            yield self._row(row, text_of)

    def _row(
        self, values: Iterable[Any], text: Callable[[Any], str]
    ) -> tuple[str, ...]:
        """Return values as texts; tags with commas, as everywhere."""
        return tuple(
            output.tags(value) if heading in _TAGS else text(value)
            for heading, value in zip(self._columns, values, strict=True)
        )

    # Forms ----------------------------------------------------------------

    def print_lines(self) -> None:
        """Print a line each: the name, or the columns with tabs between them."""
        output.columns(self._lines())

    def print_null(self) -> None:
        """Print the same, each ended by a zero byte, and just as it is."""
        for row in self._lines():
            sys.stdout.write("\t".join(row) + "\0")

    def print_json(self) -> None:
        """Print a list of records, or of objects with the columns."""
        if self._whole:
            output.print_json_list(map(output.document, self._records()))
            return
        output.print_json_list(
            dict(zip(self._columns, map(written, row), strict=True))
            for row in self._values()
        )

    def print_csv(self) -> None:
        """Print a table for other programs."""
        if not self._whole:
            output.print_csv(self._columns, self._lines())
            return
        rows = (
            (
                *output.record_columns(record),
                _json.one_line(output.document(record.metadata)),
            )
            for record in self._records()
        )
        output.print_csv(CSV_HEADINGS, rows)

    def print_table(self, most: int | None) -> None:
        """Print a table for people; of many records the first."""
        if self._whole:
            self._print_records(most)
        else:
            self._print_columns(most)

    def _print_records(self, most: int | None) -> None:
        rows = (
            (*output.record_cells(record), _facts(record.metadata))
            for record in self._records()
        )
        output.table(
            (*output.RECORD_HEADINGS, "metadata"),
            _first(rows, most),
            right=("version", "size"),
        )

    def _print_columns(self, most: int | None) -> None:
        rows = _first(self._values(), most)
        numbers = [
            heading
            for at, heading in enumerate(self._columns)
            if all(row[at] is None or isinstance(row[at], _NUMBERS) for row in rows)
        ]
        cells = [self._row(row, _cell) for row in rows]
        output.table(self._columns, cells, right=numbers)


def _first(rows: Iterator[Any], most: int | None) -> list[Any]:
    """Return the rows that fit a terminal, and say so if there are more."""
    shown = list(islice(rows, most))
    if most is not None and next(rows, None) is not None:
        output.note(
            f"these are the first {most:,}; --limit shows more, --count counts them, "
            "and a pipe gets all"
        )
    return shown


def _facts(metadata: Mapping[str, Any]) -> str:
    """Return facts for people: what a run says of itself is for `show`."""
    from archivedb.archive.running.run import FACTS

    if {"status", "started", "pid"} <= metadata.keys():
        own = FACTS - {"status"}
        metadata = {key: metadata[key] for key in metadata if key not in own}
    pairs = (format_pairs({key: value}) for key, value in metadata.items())
    return output.short(" ".join(output.short(each, LONGEST_FACT) for each in pairs))


def _cell(value: Any) -> str:
    """Return a value for people, who have no use for the last digits."""
    if type(value) is float:
        return f"{value:.7g}"
    if isinstance(value, datetime):
        return output.when(value)
    return output.short(text_of(value))


def text_of(value: Any) -> str:
    """
    Return a value for a column: numbers exactly, times in ISO 8601.

    >>> text_of(0.1), text_of(None), text_of([1, "a"])
    ('0.1', '', '[1, "a"]')
    """
    value = written(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    # JSON spells `True` otherwise, and what is not finite as an object.
    return repr(value) if type(value) in {bool, float} else _json.one_line(value)


def written(value: Any) -> Any:
    """Return a value as JSON may have it; text for what it has no word for."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta | Decimal) else value
