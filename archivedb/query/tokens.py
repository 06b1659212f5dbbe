"""
The words of a question: names, numbers, texts, signs, and brackets that match.

Python's own tokens are not used, because names would be folded (``µ`` to
``μ``), places counted in bytes, and mistakes worded differently in every
version of Python.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, NamedTuple

from archivedb.query.mistakes import mistake

MAX_LENGTH = 1_000_000
"""Characters of a question."""

MAX_DEPTH = 64
"""Levels of a question's tree: whoever walks over it may recurse."""

_SPACE = re.compile(r"(?:\s|#[^\n]*|\\\r?\n)+")
_NAME = re.compile(r"[^\W\d]\w*")
# The letters behind it are no part of any number, but belong to the mistake.
_NUMBER = re.compile(
    r"(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?\w*"
)
_QUOTES = ("'''", '"""', "'", '"')
_BODIES = {
    "'": re.compile(r"(?:[^'\\\n]++|\\.)*+'", re.DOTALL),
    '"': re.compile(r'(?:[^"\\\n]++|\\.)*+"', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]++|\\.|'(?!''))*+'''", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]++|\\.|"(?!""))*+"""', re.DOTALL),
}
_PREFIXES = frozenset({"r", "u", "b", "br", "rb", "f", "fr", "rf", "t", "tr", "rt"})
_SIGN = re.compile(
    r"===|!==|==|!=|<=|>=|<>|=<|=>|=~|&&|\|\||\*\*|//|:=|->|[-+*/%@<>=!&|~^?$:;,.()\[\]{}`\\]"
)
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
# What is pasted from texts that were set in type.
_INSTEAD = {
    **dict.fromkeys("“”„«»″", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"),
    **dict.fromkeys("\u2212\u2013\u2014", "-"),
    **dict.fromkeys("\u00d7·∙", "*"),
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "÷": "/",
    "∈": "in",
    "∉": "not in",
    "∧": "and",
    "\u2228": "or",
    "¬": "not",
}


class Token(NamedTuple):
    """
    One word.

    Attributes:
        kind: ``"name"`` (keywords too), ``"number"``, ``"text"``, ``"sign"``, or
            ``"end"``.
        start: Its first character.
        end: The one behind its last.
        text: The word as it was typed.

    """

    kind: str
    start: int
    end: int
    text: str


def name_end(text: str, start: int) -> int:
    """Return where the name that starts here ends: here, if none does."""
    match = _NAME.match(text, start)
    end = match.end() if match else start
    # Accents that are characters of their own are no letters to `re`.
    while match and end < len(text) and unicodedata.category(text[end])[0] == "M":
        end += 1
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
    return end


def tokens(text: str) -> list[Token]:
    """
    Return the words of a question, ``"end"`` last.

    Raises:
        QueryError: A character, a quote or a bracket is out of place, or the
            text is too long.

    >>> [token.text for token in tokens("a.b < 3")]
    ['a', '.', 'b', '<', '3', '']
    """
    if len(text) > MAX_LENGTH:
        at = (MAX_LENGTH, MAX_LENGTH + 1)
        sentence = f"the expression is longer than {MAX_LENGTH:,} characters"
        raise mistake(text, at, sentence)
    found: list[Token] = []
    place, size = 0, len(text)
    while place < size:
        space = _SPACE.match(text, place)
        if space:
            place = space.end()
            continue
        token = _token(text, place, found)
        found.append(token)
        place = token.end
    found.append(Token("end", size, size, ""))
    _check_brackets(text, found)
    return found


def _token(text: str, place: int, before: list[Token]) -> Token:
    end = name_end(text, place)
    word = text[place:end]
    quoted = text.startswith(("'", '"'), end)
    if quoted and (not word or word.lower() in _PREFIXES):
        return _text(text, place, end)
    if word:
        return Token("name", place, end, word)
    # In `steps.3` the dot belongs to the path, and so it is said.
    last = before[-1] if before else None
    joined = last and last.end == place and (last.kind == "name" or last.text in "])")
    number = None if text[place] == "." and joined else _NUMBER.match(text, place)
    if number:
        return Token("number", place, number.end(), number.group())
    sign = _SIGN.match(text, place)
    if sign:
        return Token("sign", place, sign.end(), sign.group())
    raise mistake(text, (place, place + 1), _strange(text[place]))


def _strange(character: str) -> str:
    instead = _INSTEAD.get(character)
    if instead:
        return f"`{character}` is no operator or quote here: write `{instead}`"
    shown = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    return f'{shown} cannot stand outside of quotes; an odd key is `data["odd key"]`'


def _text(text: str, start: int, quote_at: int) -> Token:
    quote = next(one for one in _QUOTES if text.startswith(one, quote_at))
    prefix = text[start:quote_at].lower()
    if not set(prefix) <= {"r", "u"}:
        kind = "bytes" if "b" in prefix else "a formatted text"
        raise mistake(
            text,
            (start, quote_at + len(quote)),
            f"{kind} cannot be compared: write plain text without `{prefix}`, and "
            "give values that come from code as parameters",
        )
    body = _BODIES[quote].match(text, quote_at + len(quote))
    if not body:
        raise mistake(
            text,
            (start, quote_at + len(quote)),
            f"the quote that opens here is never closed: end the text with `{quote}`",
        )
    return Token("text", start, body.end(), text[start : body.end()])


def _check_brackets(text: str, found: list[Token]) -> None:
    opened: list[Token] = []
    for token in found:
        if token.kind != "sign":
            continue
        if token.text in _CLOSERS:
            opened.append(token)
            if len(opened) > MAX_DEPTH:
                raise too_deep(text, token.start, token.end)
        elif token.text in _CLOSERS.values():
            _check_closing(text, token, opened)
    if opened:
        last = opened[-1]
        sentence = f"`{last.text}` is never closed: add `{_CLOSERS[last.text]}`"
        raise mistake(text, last[1:3], sentence)


def _check_closing(text: str, token: Token, opened: list[Token]) -> None:
    if not opened:
        sentence = f"`{token.text}` closes nothing: take it away, or open it before"
        raise mistake(text, token[1:3], sentence)
    wanted = _CLOSERS[opened.pop().text]
    if wanted != token.text:
        sentence = f"`{token.text}` stands where `{wanted}` is needed"
        raise mistake(text, token[1:3], sentence)


def too_deep(text: str, start: int, end: int) -> Exception:
    """Return the error for what is nested deeper than anybody writes."""
    sentence = (
        f"the expression is nested more than {MAX_DEPTH} levels deep; join conditions "
        "by `and` or `or` without parentheses, values as a list: `x in [1, 2, 3]`"
    )
    return mistake(text, (start, end), sentence)


_ESCAPE = re.compile(
    r"\\(?:(\r?\n)|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})"
    r"|U([0-9a-fA-F]{8})|N\{([^}]+)\}|(.))",
    re.DOTALL,
)
_PLAIN = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))}
_PLAIN |= {one: one for one in "\\'\""}


def string_body(token: Token) -> tuple[int, str, bool]:
    """Return where the inner of a text begins, what is typed there, and if raw."""
    quote_at = re.match("[A-Za-z]*", token.text).end()  # type: ignore[union-attr]
    quote = next(one for one in _QUOTES if token.text.startswith(one, quote_at))
    begin = quote_at + len(quote)
    raw = "r" in token.text[:quote_at].lower()
    return begin, token.text[begin : -len(quote)], raw


def string_value(text: str, token: Token) -> str:
    """
    Return what a text in quotes stands for, escapes and all, as in Python.

    Raises:
        QueryError: An escape is malformed.

    """
    begin, body, raw = string_body(token)
    if raw or "\\" not in body:
        return body

    def escape(match: re.Match[str]) -> str:
        newline, octal, *hexes, name, other = match.groups()
        digits = next(filter(None, hexes), None)
        try:
            if newline:
                return ""
            if octal:
                return chr(int(octal, 8))
            if digits:
                return chr(int(digits, 16))
            if name:
                return unicodedata.lookup(name)
        except (KeyError, ValueError, OverflowError):
            other = "x"
        if other in "xuUN":
            at = token.start + begin + match.start()
            sentence = f"`{match.group()}` begins no character: write `\\\\` for `\\`"
            raise mistake(text, (at, at + len(match.group())), sentence)
        return _PLAIN.get(other, "\\" + other)

    return _ESCAPE.sub(escape, body)


def number_value(text: str, token: Token) -> Any:
    """
    Return the int or float that a word stands for.

    Raises:
        QueryError: It is no number, complex, or an int of 4,300 digits.

    """
    word = token.text
    if word.endswith(("j", "J")) and word[:2] not in {"0x", "0X"}:
        raise mistake(text, token[1:3], "complex numbers are not in the index")
    digits = word.replace("_", "").isdecimal()
    try:
        whole = digits or word[:2].lower() in {"0x", "0o", "0b"}
        return int(word, 0) if whole else float(word)
    except ValueError:
        sentence = f"`{word[:40]}` is no number; text is written in quotes"
    if digits:
        sentence = "ints are written without leading zeros"
        if word[0] != "0":
            sentence = "an int of so many digits cannot be asked for"
    raise mistake(text, token[1:3], sentence)
