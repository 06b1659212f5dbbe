"""Printing: plain lines for pipes, tables for terminals, JSON for programs."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from archivedb.cli import _json
from archivedb.records import Deletion, Finding, Record, readable_size

if TYPE_CHECKING:
    from archivedb.archive.taking.outcome import Taken

# Whatever a terminal may take for a command rather than for text, and what
# reverses the direction of the rest of the line.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""
    Return text with everything that is no text escaped.

    >>> print(printable("a" + chr(27) + "[2J"))
    a\x1b[2J
    """
    return _UNPRINTABLE.sub(
        lambda match: match.group().encode("unicode_escape").decode("ascii"), text
    )


def on_terminal() -> bool:
    """Return whether a person reads stdout, and not a program."""
    return sys.stdout.isatty()


def note(text: str) -> None:
    """Say something beside the data, on stderr."""
    print(printable(text), file=sys.stderr)


def lines(texts: Iterable[str]) -> None:
    """Print each text on a line of its own."""
    # One write for many lines: archives have a million names.
    block: list[str] = []
    for text in texts:
        block.append(printable(text))
        if len(block) == 1000:  # noqa: PLR2004 - any size that is not one
            sys.stdout.write("\n".join(block) + "\n")
            block.clear()
    if block:
        sys.stdout.write("\n".join(block) + "\n")


def line(text: str) -> None:
    """Print a text on a line of its own."""
    lines([text])


def columns(rows: Iterable[Sequence[str]]) -> None:
    """Print rows for other programs, a tab between the columns."""
    for row in rows:
        # A tab inside a text is escaped, so that it is not mistaken for one.
        sys.stdout.write("\t".join(map(printable, row)) + "\n")


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print label and text, one fact a line, the texts in one column."""
    rows = list(rows)
    width = max((len(printable(label)) for label, _ in rows), default=0)
    lines(f"{printable(label):<{width}}  {text}" for label, text in rows)


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()
) -> None:
    """Print a table for a terminal; *right* names the columns of numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        made.add_column(
            heading,
            justify="right" if heading in right else "left",
            overflow="fold",
            no_wrap=heading in right or heading == "saved at",
        )
    for row in rows:
        # Text, so that brackets in a name are not taken for markup.
        made.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(made)


def when(time: datetime) -> str:
    """Return a time as people here read it."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def short(text: str, limit: int = 60) -> str:
    """Return a text, cut if it is long."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def tags(found: Iterable[str], between: str = ",") -> str:
    """
    Return tags as one text; those in which a comma stands are quoted.

    >>> tags(["a", "b,c"])
    'a,"b,c"'
    """
    return between.join(
        _json.one_line(tag) if "," in tag or '"' in tag else tag for tag in found
    )


def document(value: Any) -> Any:
    """Return archivedb's own values as plain dicts and lists, for JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: document(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, date):  # which a datetime is, too
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, list | tuple):
        return [document(item) for item in value]
    if type(value) is dict:
        return {key: document(item) for key, item in value.items()}
    return value


def print_json(value: Any, *, on_one_line: bool = False) -> None:
    """Print a value as one JSON document."""
    ascii_only = not _unicode_terminal()
    for chunk in _json.chunks(value, on_one_line=on_one_line, ascii_only=ascii_only):
        sys.stdout.write(chunk)
    sys.stdout.write("\n")


def print_json_list(values: Iterable[Any]) -> None:
    """Print values as one JSON list, each as it comes."""
    ascii_only = not _unicode_terminal()
    before = "[\n  "
    for value in values:
        sys.stdout.write(before)
        for chunk in _json.chunks(value, ascii_only=ascii_only):
            # No text in JSON has a newline in it.
            sys.stdout.write(chunk.replace("\n", "\n  "))
        before = ",\n  "
    sys.stdout.write("[]\n" if before.startswith("[") else "\n]\n")


def print_csv(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as RFC 4180 has them, the headings first."""
    import csv

    writer = csv.writer(sys.stdout)
    # A file gets each text as it is; a terminal might take it for a command.
    shown = _shown_in_csv if on_terminal() else list
    lines = (shown(row) for row in chain([headings], rows))
    first = next(lines)
    second = next(lines, None)  # what cannot be found raises before a line is out
    writer.writerows([first] if second is None else chain([first, second], lines))


def _shown_in_csv(row: Sequence[str]) -> list[str]:
    return list(map(printable, row))


def _unicode_terminal() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf16")


RECORD_HEADINGS = ("name", "version", "mode", "size", "saved at", "tags")


def record_cells(record: Record) -> tuple[str, ...]:
    """Return a record as a row for people."""
    return (
        record.name,
        str(record.version),
        record.mode,
        readable_size(record.size),
        when(record.saved_at),
        tags(record.tags, ", "),
    )


def record_columns(record: Record) -> tuple[str, ...]:
    """Return a record as a row for programs: bytes, and times in UTC."""
    return (
        record.name,
        str(record.version),
        record.mode,
        str(record.size),
        record.saved_at.isoformat(),
        tags(record.tags),
    )


def record_line(record: Record) -> str:
    """Return what a save made, on one line."""
    return (
        f"{record.name}  {_version(record)}  {record.mode}  "
        f"{readable_size(record.size)}  {record.digest}"
    )


def _version(record: Record) -> str:
    return f"version {record.version}" if record.version else "spooled"


def findings(found: Iterable[Finding]) -> None:
    """Print findings, each with what to do next."""
    for finding in found:
        where = [finding.record or "", finding.path or ""]
        what = "/".join(filter(None, where))
        if finding.record and finding.version is not None:
            what += f" version {finding.version}"
        if finding.file:
            what = f"{what} ({finding.file})" if what else finding.file
        line(f"{finding.kind}: {what}: {finding.detail}")
        line(f"    {finding.advice}")


def deletion(done: Deletion, *, json: bool) -> None:
    """Print what was removed, and how much that freed."""
    if json:
        print_json(document(done))
        return
    lines(f"removed {removed}" for removed in done.names)
    note(f"freed {readable_size(done.freed)}")


def taken(verb: str, done: Taken, *, json: bool) -> None:
    """Print what was taken in from elsewhere, and what was left."""
    if json:
        print_json(document(done))
        return
    for left in done.left:
        note(str(left))
    line(f"{verb} {done.summary()}")
