"""What `find` was asked: expressions, KEY=VALUE pairs, and lists with commas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from archivedb.cli._options import check_text
from archivedb.cli._pairs import parse_pairs
from archivedb.errors import QueryError

if TYPE_CHECKING:
    from archivedb import Archive, RecordSet

# A key has nothing in it that would make it an expression: `n>=1`, `like(name, "a=b")`
# and `a == 1` are none; `n=>1` is a mistake that the parser knows.
_PAIR = re.compile(r"""([^\s=<>!~()'"`+*,]+)=(?![=<>])""")
_ITEM = re.compile(r"(?<=[^/])\[(?=\d+\])")
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def conditions(texts: Iterable[str]) -> tuple[list[str], dict[str, Any]]:
    """
    Return what was typed as expressions, and as facts that must be equal.

    >>> conditions(["n >= 1", "project=al", "x==2"])
    (['n >= 1', 'x==2'], {'project': 'al'})
    """
    expressions: list[str] = []
    pairs: list[str] = []
    for text in map(check_text, texts):
        (pairs if _PAIR.match(text) else expressions).append(text)
    facts = parse_pairs(pairs, option="CONDITION")
    return expressions, {_key(key): value for key, value in facts.items()}


def _key(text: str) -> str:
    """Return a key as `Archive.find` takes it: ``kpts[0]`` is ``kpts/[0]`` there."""
    return text if "." in text else _ITEM.sub("/[", text)


def matching(
    archive: Archive, expressions: Iterable[str], facts: dict[str, Any]
) -> RecordSet:
    """
    Return the records of which all of it holds.

    Raises:
        QueryError: One of the expressions cannot be understood.

    """
    found = archive.find(**facts)
    for text in expressions:
        found = found.where(text)
    return found


def unknown(archive: Archive, facts: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each key that no record has: a typing error, maybe."""
    from archivedb.query.parse import slash_path, spelling

    for key in facts:
        dotted = "." in key and "/" not in key
        text = key if dotted else spelling(slash_path(key).steps)
        try:
            # Whoever sorts by what nothing has is told so, and what is near.
            archive.find().order_by(text).first()
        except QueryError as error:
            yield str(error).partition("\n")[0]


def listed(texts: Iterable[str]) -> list[str]:
    """
    Return the parts of texts between their commas.

    A comma inside of brackets or quotes parts nothing.

    >>> listed(["name,near(a, 1, 2)", ' x["b,c"] '])
    ['name', 'near(a, 1, 2)', 'x["b,c"]']
    """
    found = [part.strip() for text in map(check_text, texts) for part in _parts(text)]
    return [part for part in found if part]


def _parts(text: str) -> Iterator[str]:
    start = depth = 0
    quote = ""
    escaped = False
    for place, character in enumerate(text):
        if quote:
            if not escaped and character == quote:
                quote = ""
            escaped = character == "\\" and not escaped
        elif character in "'\"":
            quote = character
        elif character == "," and depth <= 0:
            yield text[start:place]
            start = place + 1
        else:
            depth += _BRACKETS.get(character, 0)
    yield text[start:]
