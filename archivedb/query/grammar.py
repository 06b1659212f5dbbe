"""
The order of a question's words: what is wrong with it, and what Python makes of it.

Paths, numbers, texts and functions are read from the words, and each becomes a
row of underscores; so `ast` sees operators and brackets alone, and every place
that it tells is one of the text.
"""

from __future__ import annotations

import ast
import keyword
from typing import TYPE_CHECKING, Any, NamedTuple

from archivedb.query import tokens
from archivedb.query.functions import FUNCTIONS, unknown_function
from archivedb.query.literals import literal
from archivedb.query.mistakes import mistake
from archivedb.query.names import ARRAY_FACTS, Names, quoted
from archivedb.query.nodes import Literal, Path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archivedb.errors import QueryError
    from archivedb.query.tokens import Token

_CONSTANTS = {"True": True, "False": False, "None": None}
_LONG = 30
_ARITHMETIC = frozenset("+-*/")
_OPERATORS = frozenset({"==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "is"})
_OPENERS, _CLOSERS = frozenset("([{"), frozenset(")]}")
_WORDS = frozenset({"and", "or", "in", "is", "not"})
_HINTS = {
    **dict.fromkeys(("=", ":=", "==="), "write `==` to compare"),
    "=<": "write `<=`",
    "=>": "write `>=`",
    **dict.fromkeys(("<>", "!=="), "write `!=`"),
    **dict.fromkeys(("&&", "&"), "write `and`"),
    **dict.fromkeys(("||", "|"), "write `or`"),
    **dict.fromkeys(("!", "~"), "write `not`"),
    "=~": 'write `matches(x, "…")`',
    "**": "there are no powers: write `x * x`",
    "%": 'there is no remainder; text patterns are `like(x, "run-*")`',
    "//": "there is no floor division: write `/`",
    "@": "there are no matrix products: archivedb compares numbers",
    "^": "there are no powers: write `x * x`",
    ":": "there are neither slices nor dicts nor lambdas",
    "->": "write `>=` or `>` to compare",
    "?": "a parameter is written by its name alone",
    "$": "a parameter is written by its name alone",
    "`": 'names are not quoted; an odd key is `data["odd key"]`',
    ";": "join conditions by `and`",
    "\\": "a backslash stands in quotes only",
    ".": 'a path begins with a name: `inputs.xc`, or `data["odd key"]`',
}
_WORD_HINTS = {
    **dict.fromkeys(
        ("and", "or", "not", "in", "is"), "write `{lower}` in small letters"
    ),
    "like": 'write `like({left}, "run-*")`',
    "ilike": 'write `like({left}, "run-*")`',
    **dict.fromkeys(("regexp", "rlike", "matches"), 'write `matches({left}, "…")`'),
    "between": "write `1 <= {left} <= 3`",
    "contains": "write `'x' in {left}`",
    "exists": "write `exists({left})`",
    "eq": "write `==`",
    "ne": "write `!=`",
    "lt": "write `<`",
    "gt": "write `>`",
}


class Function(NamedTuple):
    """The name of a function, in front of its arguments."""

    name: str


Atom = Path | Literal | Function


class Reading(NamedTuple):
    """
    What was read.

    Attributes:
        tree: What Python makes of the operators, one column further to the right.
        atoms: By the column of an `ast.Name`: what stands there.

    """

    tree: ast.expr
    atoms: dict[int, Atom]


def read(text: str, parameters: Mapping[str, Any]) -> Reading:
    """
    Read a question as Python does.

    Raises:
        QueryError: It is no question.

    """
    words = tokens.tokens(text)
    if len(words) == 1:
        raise mistake(text, (0, 0), "the expression is empty: say what is asked")
    order = _Order(text, words, parameters)
    order.check()
    source = "(" + "".join(order.mask) + ")"
    try:
        tree = ast.parse(source, mode="eval").body
    except (RecursionError, MemoryError):
        raise tokens.too_deep(text, 0, len(text)) from None
    except SyntaxError as error:
        # None is known; other versions of Python may have some.
        at = max(0, (error.offset or 1) - 2)
        sentence = "this cannot stand here; parentheses may say what is meant"
        raise mistake(text, (at, at + 1), sentence) from None
    return Reading(tree, order.atoms)


class _Order:
    """Goes through the words: operands and operators take turns."""

    def __init__(
        self, text: str, words: list[Token], parameters: Mapping[str, Any]
    ) -> None:
        self.text = text
        self.words = words
        self.parameters = parameters
        self.names = Names(text, words, parameters)
        self.atoms: dict[int, Atom] = {}
        self.mask = [" "] * len(text)
        self.place = 0
        # Of each open bracket: whether it is a call's, and how many arithmetic
        # signs stand in a row, which is how deep Python nests them.
        self.open = [[False, 0]]
        self.signs = 0
        self.last = (0, 0)

    def check(self) -> None:
        """Raise unless operands and operators take turns; fill mask and atoms."""
        wanted = True
        while self.words[self.place].kind != "end":
            wanted = self._operand() if wanted else self._operator()
        if wanted:
            end = self.words[self.place - 1].end
            last = self.words[self.place - 1].text
            sentence = f"the expression ends where something is missing after `{last}`"
            raise mistake(self.text, (end, end), sentence)

    def _keep(self, word: Token) -> None:
        self.mask[word.start : word.end] = word.text
        self.place += 1

    def _atom(self, start: int, end: int, atom: Atom) -> None:
        self.mask[start:end] = "_" * (end - start)
        self.atoms[start] = atom
        self.last = (start, end)

    def _deeper(self, word: Token) -> None:
        self.signs += 1
        if self.signs > tokens.MAX_DEPTH:
            raise tokens.too_deep(self.text, *word[1:3])

    def _wrong(self, word: Token, sentence: str) -> QueryError:
        return mistake(self.text, word[1:3], sentence)

    def _operand(self) -> bool:
        """Read what may begin an operand, and return whether one is still wanted."""
        word = self.words[self.place]
        if word.kind in {"number", "text"}:
            self._value(word)
            return False
        if word.kind == "name" and (
            word.text not in _WORDS and word.text not in _CONSTANTS
        ):
            return self._name(word)
        if word.text in _CONSTANTS:
            self._atom(*word[1:3], Literal(_CONSTANTS[word.text], word[1:3]))
            self.place += 1
            return False
        if word.text in {"not", "-", "+"}:
            if word.text == "not":
                self._check_not(word)
            self._deeper(word)
            self._keep(word)
            return True
        if word.text in _OPENERS:
            self._opened(word, call=False)
            return self._closed_at_once(word)
        if word.text in _CLOSERS and self.words[self.place - 1].text == ",":
            return self._closed(word)
        raise self._no_operand(word)

    def _check_not(self, word: Token) -> None:
        before = self.words[self.place - 1] if self.place else word
        if before.text in _ARITHMETIC or before.text in _OPERATORS - {"and", "or"}:
            sentence = "`not` stands before a whole condition: `not a == b`"
            raise self._wrong(word, sentence)

    def _no_operand(self, word: Token) -> QueryError:
        before = self.words[self.place - 1].text if self.place else ""
        if word.text == "=" and before in {"=", "!", "<", ">", "=="}:
            return self._wrong(word, "an operator is written without spaces inside")
        if word.text in _HINTS:
            return self._wrong(
                word, f"`{word.text}` cannot stand here: {_HINTS[word.text]}"
            )
        return self._wrong(word, f"something is missing before `{word.text}`")

    def _value(self, word: Token) -> None:
        if word.kind == "number":
            value, end = tokens.number_value(self.text, word), word.end
            self.place += 1
        else:
            pieces = []
            while self.words[self.place].kind == "text":
                last = self.words[self.place]
                pieces.append(tokens.string_value(self.text, last))
                self.place += 1
            value, end = "".join(pieces), last.end
        self._atom(word.start, end, Literal(value, (word.start, end)))

    def _name(self, word: Token) -> bool:
        after = self.words[self.place + 1]
        if keyword.iskeyword(word.text):
            raise self._keyword(word)
        if after.text == "(" and word.text != "array":
            return self._function(word)
        bare = after.text not in {".", "["}
        if bare and word.text in self.parameters:
            value = literal(self.parameters[word.text], f"the parameter `{word.text}`")
            self._atom(*word[1:3], Literal(value, word[1:3]))
            self.place += 1
            return False
        path, self.place = self.names.path(self.place)
        self._atom(*path.at, path)
        return False

    def _keyword(self, word: Token) -> QueryError:
        wanted = f"data[{quoted(word.text)}]"
        sentence = f"`{word.text}` is a Python keyword: write `{wanted}` for the key"
        return self._wrong(word, sentence)

    def _function(self, word: Token) -> bool:
        if word.text not in FUNCTIONS:
            raise self._wrong(word, unknown_function(word.text))
        self._atom(*word[1:3], Function(word.text))
        self.place += 1
        opener = self.words[self.place]
        self._opened(opener, call=True)
        return self._closed_at_once(opener)

    def _opened(self, word: Token, *, call: bool) -> None:
        self.open.append([call, self.signs])
        self.signs = 0
        self._keep(word)

    def _closed_at_once(self, opener: Token) -> bool:
        word = self.words[self.place]
        if word.text in _CLOSERS:
            if opener.text == "{":
                raise self._wrong(word, "`{}` is empty: write `[]`")
            return self._closed(word)
        return True

    def _closed(self, word: Token) -> bool:
        self.signs = int(self.open.pop()[1])
        self._keep(word)
        return False

    def _operator(self) -> bool:
        """Read what may follow an operand, and return whether one is wanted then."""
        word = self.words[self.place]
        if word.text in _ARITHMETIC:
            self._deeper(word)
            self._keep(word)
            return True
        if word.kind != "text" and word.text in _OPERATORS:
            self.signs = 0
            self._keep(word)
            if word.text == "is" and self.words[self.place].text == "not":
                self._keep(self.words[self.place])
            return True
        if word.text == "not" and self.words[self.place + 1].text == "in":
            self._keep(word)
            return False
        if word.text == "," and len(self.open) > 1:
            self.signs = 0
            self._keep(word)
            return True
        if word.text in _CLOSERS:
            return self._closed(word)
        raise self._no_operator(word)

    def _no_operator(self, word: Token) -> QueryError:
        before = self.words[self.place - 1]
        if word.text == "=" and self.open[-1][0]:
            return self._wrong(word, "arguments have no names here: leave out `name=`")
        if word.text == ",":
            return self._wrong(word, "`,` joins nothing: write `and` or `or`")
        if word.text in {".", "["}:
            return self._wrong(word, "only a path has keys and items")
        if word.text == "(":
            return self._call(word, before)
        if word.text == "!" and self.words[self.place + 1].text == "=":
            return self._wrong(word, "write `!=` without a space")
        if word.kind == "sign":
            hint = _HINTS.get(word.text, "an operator is missing before it")
            return self._wrong(word, f"`{word.text}` is no operator here: {hint}")
        return self._neighbours(word, before)

    def _call(self, word: Token, before: Token) -> QueryError:
        if before.kind != "name":
            return self._wrong(word, "an operator is missing before `(`")
        if before.text in ARRAY_FACTS:
            sentence = f"`{before.text}` of an array is written without parentheses"
            return mistake(self.text, (word.start, word.end), sentence)
        functions = ", ".join(sorted(FUNCTIONS))
        sentence = f"a path cannot be called; the functions are {functions}"
        return self._wrong(before, sentence)

    def _neighbours(self, word: Token, before: Token) -> QueryError:
        """Return the error for two operands side by side."""
        negated = word.text == "not"
        last = self.words[self.place + 1] if negated else word
        hint = _WORD_HINTS.get(last.text.lower()) if last.kind == "name" else None
        if hint and last.text != "not":
            left = self.text[slice(*self.last)] or "x"
            hint = hint.format(left=left, lower=last.text.lower())
            hint = hint.replace("write `", "write `not ", 1) if negated else hint
            return self._wrong(last, f"`{last.text}` is no operator: {hint}")
        if before.kind == "name" and before.text.lower() == "not":
            return self._wrong(before, "write `not` in small letters")
        if word.kind == "name" and keyword.iskeyword(word.text):
            sentence = (
                f"`{word.text}` has no place in a question: conditions are joined by "
                "`and`, `or` and `not`"
            )
            return self._wrong(word, sentence)
        shown = word.text if len(word.text) <= _LONG else word.text[:_LONG] + "…"
        sentence = f"an operator is missing before `{shown}`, such as `==` or `and`"
        if (
            word.kind == "name"
            and before.kind == "name"
            and word.start - before.end == 1
        ):
            both = f"{before.text} {word.text}"
            sentence += f"; a key with a space is `data[{quoted(both)}]`"
        return self._wrong(word, sentence)
