"""
Names of paths: read from the words of a question, and spelt so that they are.

A dotted name is a path; its keys are what was typed, to the character.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Any

from archivedb.errors import EncodeError, QueryError
from archivedb.query import mistakes, tokens
from archivedb.query.literals import literal
from archivedb.query.nodes import RECORD_FACTS, TAGS, Path
from archivedb.values import json, paths
from archivedb.values.skeleton import key_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archivedb.query.tokens import Token

BARE = ("name", "version", "saved_at", TAGS)
"""Names that are the record's without ``record.``."""

SIDES = ("metadata", "data", "record")
ARRAY_FACTS = ("dtype", "ndim", "shape", "min", "max", "mean")
"""What ``array(x).`` may be followed by; each is the token ``$`` and its name."""

_RESERVED = frozenset({*BARE, *SIDES})
_CONSTANTS = {"True": True, "False": False, "None": None}
_PLAIN_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def is_plain(key: str) -> bool:
    """Return whether a key can stand behind a dot."""
    return (
        bool(key) and tokens.name_end(key, 0) == len(key) and not keyword.iskeyword(key)
    )


def quoted(text: str) -> str:
    """Return a text in double quotes, as a question has it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(one: str) -> str:
    if one in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[one]
    return one if one.isprintable() else repr(one)[1:-1]


def spelling(steps: Iterable[str], side: str = "") -> str:
    """
    Return how a path is written in a question.

    Args:
        steps: Its tokens, as `archivedb.values.paths` spells them.
        side: As in `nodes.Path`; where a path of no side would be taken for
            something else, its spelling says ``data``.

    >>> spelling(["outputs", "k-points", "[0]"]), spelling(["name"])
    ('outputs["k-points"][0]', 'data.name')
    """
    steps = tuple(steps)
    return _array_fact(steps, side) or _spelling(steps, side)


def shortest(steps: Iterable[str], side: str) -> str:
    """
    Return how a path of a side is written, the side left out where it may be.

    >>> shortest(["project"], "metadata"), shortest(["odd key"], "metadata")
    ('project', 'metadata["odd key"]')
    """
    steps = tuple(steps)
    bare = spelling(steps)
    return spelling(steps, side) if bare.startswith(("data.", "data[")) else bare


def _array_fact(steps: tuple[str, ...], side: str) -> str:
    for length in (1, 2):
        fact = steps[-length:]
        if len(steps) > length and _is_fact(fact):
            item = "".join(fact[1:])
            return f"array({_spelling(steps[:-length], side)}).{fact[0][1:]}{item}"
    return ""


def _spelling(steps: tuple[str, ...], side: str) -> str:
    if side == "record":
        return steps[0] if steps[0] in BARE else f"record.{steps[0]}"
    first = steps[0] if steps else ""
    if side or not steps or first in _RESERVED or not is_plain(first):
        root = side or "data"
    else:
        root, steps = first, steps[1:]
    return root + "".join(map(_step, steps))


def _is_fact(steps: tuple[str, ...]) -> bool:
    if len(steps) == 1:
        return steps[0][:1] == "$" and steps[0][1:] in ARRAY_FACTS
    return steps[0] == "$shape" and _is_item(steps[1])


def _is_item(token: str) -> bool:
    index = paths.token_item(token)
    return index is not None and paths.item_token(index) == token


def _step(token: str) -> str:
    if _is_item(token):
        return token
    key = paths.token_key(token)
    if token and paths.key_token(key) == token:
        return f".{key}" if is_plain(key) else f"[{quoted(key)}]"
    other = _other_key(token)
    if other is None:
        return f"[token({quoted(token)})]"
    # A number alone in brackets is an item's.
    return f"[key({other})]" if type(other) in {int, float} else f"[{other}]"


def _other_key(token: str) -> Any:
    """Return the number or truth value that is the key of a token, else None."""
    try:
        key = json.loads(token[1:].encode(), "key")
    except (ValueError, QueryError):
        return None
    if type(key) not in {bool, int, float} or key_step(key) != token:
        return None
    return key


def slash_path(text: str) -> Path:
    """
    Return the path that a text with slashes names, as in ``find(**{"a/b": 1})``.

    Raises:
        QueryError: It is empty, or has an empty part.

    >>> slash_path("inputs/xc").steps
    ('inputs', 'xc')
    """
    if text in BARE:
        return Path("record", (text,))
    steps = tuple(map(_typed_token, text.split("/")))
    if not all(steps):
        raise QueryError(
            f"{text[:60]!r} is no path: keys are joined by single slashes, like "
            "'inputs/xc', and an empty key is '%'"
        )
    return Path("", steps)


def _typed_token(part: str) -> str:
    index = paths.token_item(part)
    if index is not None:
        return paths.item_token(index)
    return part if part[:1] in {"", "$"} else key_step(part)


class Names:
    """
    Reads paths from the words of a question.

    Args:
        text: The question.
        words: Its words.
        parameters: Values that a key in brackets may be.

    """

    def __init__(
        self, text: str, words: list[Token], parameters: Mapping[str, Any]
    ) -> None:
        self.text = text
        self.words = words
        self.parameters = parameters

    def path(self, place: int) -> tuple[Path, int]:
        """
        Return the path that begins at a word, and the place of the word behind.

        Raises:
            QueryError: No path is spelt like this.

        """
        first = self.words[place]
        if first.text == "array" and self.words[place + 1].text == "(":
            return self._array(place)
        steps, behind = self._steps(first, place + 1)
        at = (first.start, self.words[behind - 1].end)
        return self._rooted(first.text, steps, at), behind

    def _rooted(self, root: str, steps: list[str], at: tuple[int, int]) -> Path:
        if root == "record":
            return self._fact(steps, at)
        if root in SIDES:
            if not steps:
                sentence = (
                    f"`{root}` says which side a path is of: write `{root}.key`, or "
                    f"`data.{root}` for a key of this name"
                )
                raise mistakes.mistake(self.text, at, sentence)
            return Path(root, tuple(steps), at)
        if root in BARE:
            if steps:
                inner = spelling((root, *steps))
                sentence = (
                    f"`{root}` is a fact of the record itself, with nothing inside; "
                    f"for a key of this name write `{inner}`"
                )
                raise mistakes.mistake(self.text, at, sentence)
            return Path("record", (root,), at)
        return Path("", (paths.key_token(root), *steps), at)

    def _fact(self, steps: list[str], at: tuple[int, int]) -> Path:
        if len(steps) == 1 and steps[0] in (*RECORD_FACTS, TAGS):
            return Path("record", (steps[0],), at)
        facts = ", ".join((*RECORD_FACTS, TAGS))
        sentence = (
            f"a record has of itself: {facts}; "
            f"for a key write `{spelling(('record', *steps))}`"
        )
        raise mistakes.mistake(self.text, at, sentence)

    def _steps(self, first: Token, place: int) -> tuple[list[str], int]:
        steps: list[str] = []
        while self.words[place].text in {".", "["}:
            if self.words[place].text == ".":
                steps.append(self._attribute(first, place + 1))
                place += 2
            else:
                token, place = self._key(place + 1)
                steps.append(token)
        return steps, place

    def _attribute(self, first: Token, place: int) -> str:
        word = self.words[place]
        if word.kind == "name" and not keyword.iskeyword(word.text):
            return paths.key_token(word.text)
        if word.kind == "name":
            raise self._keyword(first, word)
        rest = re.compile(r"[\w.]*").match(self.text, word.start)
        tail = rest.group() if rest else ""
        at = (word.start, max(word.end, word.start + len(tail)))
        if tail[:1].isdecimal():
            wanted = self.text[first.start : word.start] + tail
            wanted = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", wanted)
            key = re.split(r"\.", tail)[0]
            sentence = f"an item is written in brackets: `{wanted}`"
            if not key.isdecimal():
                wanted = f"{self.text[first.start : word.start - 1]}[{quoted(key)}]"
                sentence = f"a key that begins with a digit is written `{wanted}`"
            raise mistakes.mistake(self.text, at, sentence)
        sentence = 'a key is missing behind the dot; an odd one is `["odd key"]`'
        raise mistakes.mistake(self.text, at, sentence)

    def _keyword(self, first: Token, word: Token) -> QueryError:
        before = self.text[first.start : word.start].rstrip().removesuffix(".")
        wanted = f"{before}[{quoted(word.text)}]"
        sentence = f"`{word.text}` is a Python keyword: write `{wanted}`"
        return mistakes.mistake(self.text, word[1:3], sentence)

    def _key(self, place: int) -> tuple[str, int]:
        """Read what stands in brackets, and the closing one."""
        word = self.words[place]
        token, behind = self._token_of(word, place)
        if token is None or self.words[behind].text != "]":
            sentence = (
                'in brackets stands a text in quotes, `["odd key"]`, or the number '
                "of an item, `[3]`"
            )
            if word.kind == "name":
                sentence += f"; without quotes `{word.text}` is a parameter's name"
            if any(one.text == ":" for one in self.words[place : behind + 2]):
                sentence = "there are no slices: `[3]` is one item"
            raise mistakes.mistake(self.text, word[1:3], sentence)
        return token, behind + 1

    def _token_of(self, word: Token, place: int) -> tuple[str | None, int]:
        if word.kind in {"text", "number"} or word.text in {"-", "+"}:
            key, behind = self._literal(place)
            if type(key) is int:
                return self._item(key, (word.start, self.words[behind - 1].end)), behind
            return self._key_token(key, word), behind
        if word.kind == "name" and self.words[place + 1].text == "(":
            return self._spelt(word, place + 2)
        if word.text in _CONSTANTS or word.text in self.parameters:
            key, behind = self._literal(place)
            if type(key) is int:
                return self._item(key, word[1:3]), behind
            return self._key_token(key, word), behind
        return None, place

    def _spelt(self, word: Token, place: int) -> tuple[str | None, int]:
        """Read ``key(3)``, a dict's key that is a number, or ``token("$3")``."""
        if word.text not in {"key", "token"}:
            return None, place
        key, behind = self._literal(place)
        if self.words[behind].text != ")":
            return None, place
        if word.text == "key":
            return self._key_token(key, word), behind + 1
        if type(key) is not str or not key or "/" in key:
            sentence = "`token` takes one part of a path as `archivedb tree` prints it"
            raise mistakes.mistake(self.text, word[1:3], sentence)
        return key, behind + 1

    def _literal(self, place: int) -> tuple[Any, int]:
        word = self.words[place]
        if word.kind == "text":
            return tokens.string_value(self.text, word), place + 1
        negative = word.text == "-"
        if negative or word.text == "+":
            place += 1
            word = self.words[place]
        if word.kind == "number":
            number = tokens.number_value(self.text, word)
            return (-number if negative else number), place + 1
        if not negative and word.text in self.parameters:
            return literal(self.parameters[word.text], word.text), place + 1
        if negative or word.text not in _CONSTANTS:
            sentence = "a key is written as it is: a text in quotes, or a number"
            raise mistakes.mistake(self.text, word[1:3], sentence)
        return _CONSTANTS[word.text], place + 1

    def _item(self, index: int, at: tuple[int, int]) -> str:
        if index < 0:
            sentence = "items are counted from the first, which is `[0]`"
            raise mistakes.mistake(self.text, at, sentence)
        token = paths.item_token(index)
        if not _is_item(token):
            raise mistakes.mistake(self.text, at, "no list has so many items")
        return token

    def _key_token(self, key: Any, word: Token) -> str:
        if type(key) is str:
            return paths.key_token(key)
        try:
            return key_step(key)
        except EncodeError:
            sentence = f"a {type(key).__name__} cannot be asked for as a key"
            raise mistakes.mistake(self.text, word[1:3], sentence) from None

    def _array(self, place: int) -> tuple[Path, int]:
        """Read ``array(x).max`` or ``array(x).shape[0]``."""
        first = self.words[place]
        inner = self.words[place + 2]
        nested = inner.text == "array" and self.words[place + 3].text == "("
        if inner.kind != "name" or keyword.iskeyword(inner.text) or nested:
            raise self._array_mistake(first, inner)
        path, behind = self.path(place + 2)
        closing, dot, fact = (*self.words[behind : behind + 3], first)[:3]
        if closing.text != ")" or dot.text != "." or fact.text not in ARRAY_FACTS:
            raise self._array_mistake(first, fact if dot.text == "." else closing)
        steps = [f"${fact.text}"]
        more, behind = self._steps(first, behind + 3)
        if more and (fact.text != "shape" or len(more) > 1 or not _is_item(more[0])):
            raise self._array_mistake(first, fact)
        at = (first.start, self.words[behind - 1].end)
        if path.side == "record":
            raise self._array_mistake(first, inner)
        return Path(path.side, (*path.steps, *steps, *more), at), behind

    def _array_mistake(self, first: Token, word: Token) -> QueryError:
        facts = ", ".join(ARRAY_FACTS)
        sentence = (
            "`array` is written with a path and one fact, `array(outputs.forces).max` "
            f"or `array(outputs.forces).shape[0]`; the facts are {facts}"
        )
        at = (first.start, max(word.end, first.end))
        return mistakes.mistake(self.text, at, sentence)
