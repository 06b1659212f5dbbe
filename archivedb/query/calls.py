"""What the functions of a question become: conditions, operands or literals."""

from __future__ import annotations

import ast
import datetime as dt
import re
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archivedb.query import dates, grammar, literals, tokens
from archivedb.query.functions import FUNCTIONS, arity
from archivedb.query.mistakes import mistake
from archivedb.query.nodes import (
    And,
    Arithmetic,
    Compare,
    Condition,
    Exists,
    Function,
    IsNaN,
    Like,
    Literal,
    Matches,
    Operand,
    Path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.query.nodes import Span

MAX_PATTERN = 1000
"""Characters of a regular expression."""

MAX_LIKE = 10_000
"""Characters of a pattern of `like`; SQLite stops at 50,000 bytes."""

_TEXT_FACTS = frozenset({"name", "mode", "digest", "uuid"})


class Calls:
    """
    The part of the reader that knows functions.

    Args:
        text: The question.

    """

    tree: ast.expr
    atoms: dict[int, grammar.Atom]

    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0

    def operand(self, node: ast.expr) -> Operand:
        """Return what has a value."""
        raise NotImplementedError

    def no_tags(self, operand: Operand) -> None:
        """Raise if an operand is what only `in` can ask."""
        raise NotImplementedError

    def timed(self, operand: Operand, given: Literal) -> Literal:
        """Return a literal as an operand is compared with it."""
        raise NotImplementedError

    def at(self, node: ast.expr) -> Span:
        """Return where in the text a node stands."""
        # The source that Python read is one line, with a bracket in front.
        return node.col_offset - 1, (node.end_col_offset or node.col_offset + 1) - 1

    def atom(self, node: ast.expr) -> Path | Literal | None:
        """Return the path or literal that a node is, or None."""
        if not isinstance(node, ast.Name):
            return None
        found = self.atoms[node.col_offset - 1]
        return None if isinstance(found, grammar.Function) else found

    def function(self, node: ast.Call) -> str:
        """Return the name of the function that is called."""
        found = self.atoms[node.func.col_offset - 1]
        return found.name if isinstance(found, grammar.Function) else ""

    @contextmanager
    def level(self, node: ast.expr) -> Iterator[None]:
        """Go one level down the tree, or raise if nobody should."""
        if self.depth >= tokens.MAX_DEPTH:
            raise tokens.too_deep(self.text, *self.at(node))
        self.depth += 1
        yield
        self.depth -= 1

    @cached_property
    def now(self) -> dt.datetime:
        """The instant of a question: the same wherever it stands in it."""
        return dates.now()

    def no_nan(self, given: Operand) -> None:
        """Raise if a value compares with nothing."""
        if isinstance(given, Literal) and literals.is_nan(given.value):
            raise mistake(self.text, given.at, "NaN equals nothing: write `isnan(x)`")

    def literal_items(self, node: ast.List | ast.Tuple | ast.Set) -> list[Literal]:
        """Return the values of a list; raises QueryError if one is none."""
        found = []
        for item in node.elts:
            value = self.operand(item)
            if not isinstance(value, Literal):
                sentence = (
                    "a list holds values; text is written in quotes, and a path is "
                    "compared by itself"
                )
                raise mistake(self.text, value.at, sentence)
            found.append(value)
        return found

    def combined(self, op: str, left: Literal, right: Literal, at: Span) -> Literal:
        """Return the literal that an operator makes of two."""
        try:
            return Literal(literals.combine(op, left.value, right.value), at)
        except TypeError:
            sentence = f"`{op}` has no meaning between these two values"
        except ZeroDivisionError:
            sentence = "this divides by zero"
        except ArithmeticError:
            sentence = "the result is too large"
        raise mistake(self.text, at, sentence)

    def _arguments(self, node: ast.Call) -> list[Operand]:
        name = self.function(node)
        wanted = arity(name)
        if len(node.args) != wanted:
            count = (
                f"{wanted} argument{'s' * (wanted != 1)}" if wanted else "no argument"
            )
            sentence = (
                f"`{name}` takes {count}, not {len(node.args)}: `{FUNCTIONS[name]}`"
            )
            raise mistake(self.text, self.at(node), sentence)
        return [self.operand(one) for one in node.args]

    def condition_call(self, node: ast.Call) -> Condition:
        """Return the condition that a call is."""
        name = self.function(node)
        first, *others = self._arguments(node)
        at = self.at(node)
        if name == "near":
            return self._near(first, others[0], others[1], at)
        path = self._path(name, first)
        if name in {"like", "matches"}:
            pattern = self._text(name, others[0])
            if path.side == "record" and path.steps[0] not in _TEXT_FACTS:
                sentence = f"`{path.steps[0]}` is no text: compare it"
                raise mistake(self.text, path.at, sentence)
            self._check_length(name, pattern, others[0].at)
            if name == "like":
                return Like(path, pattern, at)
            self._check_pattern(pattern, others[0].at)
            return Matches(path, pattern, at)
        if path.side == "record":
            sentence = f"every record has `{path.steps[0]}`: compare it"
            raise mistake(self.text, path.at, sentence)
        return Exists(path, at) if name == "exists" else IsNaN(path, at)

    def _path(self, name: str, operand: Operand) -> Path:
        self.no_tags(operand)
        if isinstance(operand, Path):
            return operand
        sentence = f"`{name}` takes a path, without quotes: `{FUNCTIONS[name]}`"
        raise mistake(self.text, operand.at, sentence)

    def _text(self, name: str, operand: Operand) -> str:
        if isinstance(operand, Literal) and isinstance(operand.value, str):
            return operand.value
        sentence = f"the pattern of `{name}` is text in quotes: `{FUNCTIONS[name]}`"
        raise mistake(self.text, operand.at, sentence)

    def _check_length(self, name: str, pattern: str, at: Span) -> None:
        most = MAX_LIKE if name == "like" else MAX_PATTERN
        if len(pattern) > most:
            sentence = f"the pattern is longer than {most:,} characters"
            raise mistake(self.text, at, sentence)

    def _check_pattern(self, pattern: str, at: Span) -> None:
        try:
            re.compile(pattern)
        except re.error as error:
            sentence = f"the pattern is no regular expression: {error.msg}"
            raise mistake(self.text, self._inside(at, error.pos), sentence) from None
        except (
            RecursionError,
            OverflowError,
            MemoryError,
            ValueError,
            Warning,
        ) as error:
            sentence = f"the pattern is no sound regular expression: {error}"
            raise mistake(self.text, at, sentence) from None

    def _inside(self, at: Span, place: int | None) -> Span:
        """Return where in the text a character of a text in quotes stands."""
        typed = self.text[slice(*at)]
        if place is None or typed[:1] not in {"'", '"', "r", "R"}:
            return at
        word = tokens.Token("text", at[0], at[1], typed)
        begin, body, raw = tokens.string_body(word)
        if "\\" in body and not raw:
            return at
        start = min(at[0] + begin + place, at[1] - 1)
        return start, start + 1

    def _near(
        self, operand: Operand, middle: Operand, width: Operand, at: Span
    ) -> Condition:
        self.no_tags(operand)
        if isinstance(operand, Literal):
            sentence = f"`near` takes a path first: `{FUNCTIONS['near']}`"
            raise mistake(self.text, operand.at, sentence)
        self.no_nan(middle)
        self.no_nan(width)
        known = isinstance(middle, Literal) and isinstance(width, Literal)
        if isinstance(width, Literal) and (
            not (
                literals.is_number(width.value) or isinstance(width.value, dt.timedelta)
            )
            or width.value < width.value * 0
        ):
            raise mistake(self.text, width.at, "the tolerance is a number from 0 on")
        if known and isinstance(operand, Path):
            return self._between(operand, middle, width, at)
        for one in (middle, width):
            if isinstance(one, Literal) and not literals.is_number(one.value):
                raise mistake(self.text, one.at, "this is no number")
        distance = Function("abs", Arithmetic("-", operand, middle, at), at)
        return Compare("<=", distance, width, at)

    def _between(self, path: Path, middle: Any, width: Any, at: Span) -> Condition:
        """Return a comparison with bounds, which the index answers."""
        try:
            bounds = literals.around(self.timed(path, middle).value, width.value)
        except (TypeError, ArithmeticError, ValueError):
            sentence = "value and tolerance are numbers, or a time and a duration"
            raise mistake(self.text, (middle.at[0], width.at[1]), sentence) from None
        low, high = (Literal(bound, middle.at) for bound in bounds)
        return And((Compare(">=", path, low, at), Compare("<=", path, high, at)), at)

    def operand_call(self, node: ast.Call) -> Operand:
        """Return the operand that a call is."""
        name = self.function(node)
        arguments = self._arguments(node)
        at = self.at(node)
        if name == "now":
            return Literal(self.now, at)
        if name == "today":
            return Literal(dates.utc(self.now.date()), at)
        argument = arguments[0]
        if name == "len":
            path = self._path(name, argument)
            if path.side == "record":
                raise mistake(
                    self.text, at, "`len` counts the items of a list or array"
                )
            return Function("len", path, at)
        if name == "abs" and not isinstance(argument, Literal):
            self.no_tags(argument)
            return Function("abs", argument, at)
        return Literal(self._computed(name, argument), at)

    def _computed(self, name: str, argument: Operand) -> Any:
        if not isinstance(argument, Literal):
            sentence = f"`{name}` takes a value, not a path: `{FUNCTIONS[name]}`"
            raise mistake(self.text, argument.at, sentence)
        value = argument.value
        try:
            if name == "abs":
                return abs(value)
            if name == "float":
                return float(value)
            if name in {"date", "datetime"}:
                return _time(name, value)
            if literals.is_number(value):
                return dt.timedelta(**{name: float(value)})
        except (TypeError, ValueError, ArithmeticError):
            pass
        sentence = f"`{name}` cannot take this value: write `{FUNCTIONS[name]}`"
        raise mistake(self.text, argument.at, sentence)


def _time(name: str, value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):  # a parameter
        return dates.utc(value.date()) if name == "date" else value
    if not isinstance(value, str):
        raise TypeError(value)
    found = dates.day(value) if name == "date" else dates.instant(value)
    if found is None:
        raise ValueError(value)
    return found
