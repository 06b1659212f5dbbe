"""Errors that point at the characters of a question which they are about."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from archivedb.errors import QueryError

if TYPE_CHECKING:
    from archivedb.query.nodes import Span

_WIDTH = 76
_MOST_MARKS = 60


def mistake(text: str, at: Span, sentence: str) -> QueryError:
    """
    Return an error: what is wrong, the line, and marks below the characters.

    Args:
        text: The question.
        at: Which of its characters are meant.
        sentence: What is wrong, and what to write instead.

    >>> print(mistake("a = 3", (2, 3), "`=` compares nothing: write `==`"))
    `=` compares nothing: write `==`
      a = 3
        ^
    """
    sentence = _shown(sentence)
    shown = excerpt(text, at)
    return QueryError(f"{sentence}\n{shown}" if shown else sentence)


def excerpt(text: str, at: Span) -> str:
    """Return the line with these characters, cut to 76, and a line of marks."""
    if not text.strip():
        return ""
    start = min(max(at[0], 0), len(text))
    if at[1] <= at[0] or start == len(text):
        # The end of a text that goes on with spaces is where its last word ends.
        start = min(start, len(text.rstrip()))
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    line = text[first : len(text) if last < 0 else last]
    begin = start - first
    end = min(max(at[1] - first, begin + 1), max(len(line), begin + 1))
    cut = max(0, min(begin - _WIDTH // 3, len(line) - _WIDTH))
    piece = line[cut : cut + _WIDTH]
    before = "…" if cut else ""
    after = "…" if cut + _WIDTH < len(line) else ""
    lead = _shown(before + piece[: begin - cut])
    marks = _shown(line[begin : min(end, cut + _WIDTH)]) or " "
    return (
        f"  {before}{_shown(piece)}{after}\n"
        f"  {' ' * _columns(lead)}{'^' * max(1, min(_columns(marks), _MOST_MARKS))}"
    )


def _shown(line: str) -> str:
    """Return a line as a terminal shows it, a character for each."""
    return "".join(
        one if one.isprintable() or unicodedata.combining(one) else _stand_in(one)
        for one in line
    )


def _stand_in(character: str) -> str:
    return " " if character.isspace() else "�"


def _columns(line: str) -> int:
    return sum(
        0
        if unicodedata.combining(one)
        else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in line
    )
