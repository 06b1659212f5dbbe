"""What went wrong, as one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from archivedb.cli._output import printable
from archivedb.errors import (
    ArchiveError,
    ArchiveNotFoundError,
    CatalogError,
    QueryError,
)

CANNOT, WRONG_USAGE, CANNOT_OPEN = 1, 2, 3
BUG, INTERRUPTED, READER_GONE = 70, 130, 141

EXIT_CODES = """
\b
Exit codes:
    0  done, or sound
    1  findings, or it could not be done
    2  wrong usage
    3  the archive cannot be opened
   70  a bug in archivedb; ARCHIVEDB_DEBUG=1 shows where
  130  interrupted
  141  the reader of a pipe went away
"""


def report(error: BaseException) -> int | None:
    """
    Say on stderr what went wrong, and return the exit code.

    Returns:
        None for an error that Typer reports itself, or that the user wants
        to see with its traceback.

    """
    if hasattr(error, "format_message"):  # a usage error
        return None
    if isinstance(error, QueryError):
        # As it is: its last line points at a character of the one above.
        shown = "\n".join(map(printable, str(error).split("\n")))
        print(f"archivedb: {shown}", file=sys.stderr)
        return WRONG_USAGE
    for kind, code, sentence in _KNOWN:
        if isinstance(error, kind):
            return _say(sentence(error), code)
    if os.environ.get("ARCHIVEDB_DEBUG", "0") not in ("", "0"):
        return None
    return _say(
        f"this is a bug in archivedb: {type(error).__name__}: {error}; please "
        "report it with what ARCHIVEDB_DEBUG=1 in front of the command prints",
        BUG,
    )


def _os_sentence(error: Any) -> str:
    what = error.strerror or str(error) or type(error).__name__
    if isinstance(error.filename, str | bytes | os.PathLike):
        return f"{os.fsdecode(error.filename)}: {what}"
    return str(what)


_KNOWN: tuple[tuple[Any, int, Callable[[BaseException], str]], ...] = (
    (BrokenPipeError, READER_GONE, lambda _: ""),
    (KeyboardInterrupt, INTERRUPTED, lambda _: "interrupted"),
    ((ArchiveNotFoundError, CatalogError), CANNOT_OPEN, str),
    (ArchiveError, CANNOT, str),
    (OSError, CANNOT, _os_sentence),
    (MemoryError, CANNOT, lambda _: "there is not enough memory for this"),
)
"""What may happen to anybody, the first that fits; all else is a bug."""


def _say(sentence: str, code: int) -> int:
    line = printable(" ".join(sentence.split()))
    if line:
        print(f"archivedb: {line}", file=sys.stderr)
    return code
