"""What Python made of a question's operators, turned into nodes."""

from __future__ import annotations

import ast
import datetime as dt
from typing import TYPE_CHECKING, Any

from archivedb.errors import QueryError
from archivedb.query import dates, literals
from archivedb.query.calls import Calls
from archivedb.query.functions import CONDITIONS
from archivedb.query.grammar import read
from archivedb.query.mistakes import mistake
from archivedb.query.names import spelling
from archivedb.query.nodes import (
    TAGS,
    Among,
    And,
    Arithmetic,
    Compare,
    Condition,
    Contains,
    Exists,
    Function,
    IsNone,
    Literal,
    Not,
    Operand,
    Or,
    Path,
    Truth,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archivedb.query.nodes import Span

_SIGNS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "==",
    ast.IsNot: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
TAGS_PATH = Path("record", (TAGS,))
_TAGS_HELP = "tags are asked one by one: `'converged' in tags`"


def instant_of(operand: Operand, value: Any) -> Any:
    """Return a value as `saved_at` is compared with it: text says an instant."""
    if operand != Path("record", ("saved_at",)) or not isinstance(value, str):
        return value
    time = dates.instant(value)
    if time is None:
        raise QueryError(
            f"`saved_at` is a time, and {value!r:.40} is none: write {dates.EXAMPLE}, "
            "or `now() - days(30)`"
        )
    return time


class Reader(Calls):
    """Turns what Python made of a question into nodes."""

    def __init__(self, text: object, parameters: Mapping[str, Any] | None) -> None:
        if not isinstance(text, str):
            kind = type(text).__name__
            raise QueryError(
                f"a question is text like 'outputs.energy < 0', not {kind}"
            )
        super().__init__(text)
        self.tree, self.atoms = read(text, parameters or {})

    def condition(self, node: ast.expr) -> Condition:
        """Return what holds or does not; raises QueryError if it is neither."""
        with self.level(node):
            return self._condition(node)

    def _condition(self, node: ast.expr) -> Condition:
        at = self.at(node)
        if isinstance(node, ast.BoolOp):
            items = tuple(self.condition(item) for item in node.values)
            return (And if isinstance(node.op, ast.And) else Or)(items, at)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self.condition(node.operand), at)
        if isinstance(node, ast.Compare):
            return self._comparisons(node)
        if isinstance(node, ast.Call) and self.function(node) in CONDITIONS:
            return self.condition_call(node)
        atom = self.atom(node)
        if isinstance(atom, Path):
            return self._truth(atom)
        if isinstance(node, ast.Tuple):
            raise mistake(self.text, at, "`,` joins no conditions: write `and` or `or`")
        raise mistake(
            self.text,
            at,
            "this is a value and no condition: compare it, as in "
            "`outputs.energy < -3`, or ask `exists(outputs.energy)`",
        )

    def _truth(self, path: Path) -> Condition:
        if path == TAGS_PATH:
            raise mistake(self.text, path.at, _TAGS_HELP)
        if path.side == "record":
            sentence = f"`{path.steps[0]}` of a record is never True: compare it"
            raise mistake(self.text, path.at, sentence)
        return Truth(path, path.at)

    def _comparisons(self, node: ast.Compare) -> Condition:
        sides = [node.left, *node.comparators]
        found = []
        for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
            at = (self.at(left)[0], self.at(right)[1])
            if isinstance(op, ast.In | ast.NotIn):
                negated = isinstance(op, ast.NotIn)
                found.append(self._membership(left, right, at, negated=negated))
            else:
                if isinstance(op, ast.Is | ast.IsNot):
                    self._check_is(right, isinstance(op, ast.IsNot))
                sign = _SIGNS[type(op)]
                one, other = self.operand(left), self.operand(right)
                found.append(self._compare(sign, one, other, at))
        return found[0] if len(found) == 1 else And(tuple(found), self.at(node))

    def _check_is(self, node: ast.expr, negated: bool) -> None:  # noqa: FBT001
        atom = self.atom(node)
        if isinstance(atom, Literal) and (
            atom.value is None or isinstance(atom.value, bool)
        ):
            return
        sign = "!=" if negated else "=="
        word = self.text[slice(*self.at(node))]
        sentence = f"`is` asks for None, True or False; write `{sign} {word[:40]}`"
        if word.lower() in {"null", "none", "nil", "nan"}:
            sentence = f"there is no `{word}`: write `None`, or `isnan(x)`"
        raise mistake(self.text, self.at(node), sentence)

    def _compare(self, op: str, left: Operand, right: Operand, at: Span) -> Condition:
        if isinstance(left, Literal):
            if isinstance(right, Literal):
                sentence = (
                    "both sides are values, which says nothing of a record; a path "
                    "is written without quotes"
                )
                raise mistake(self.text, at, sentence)
            left, right, op = right, left, _TURNED[op]
        self.no_tags(left)
        self.no_tags(right)
        if not isinstance(right, Literal):
            return Compare(op, left, right, at)
        if op in {"==", "!="}:
            return self._equal(op, left, right, at)
        if not self._is_ordered(right.value):
            kind = _kind(right.value)
            sentence = f"`{op}` compares numbers, text and times; {kind} has no order"
            if kind == "a list" and isinstance(left, Path):
                word = spelling(left.steps, left.side)
                sentence += f": ask an item, `{word}[0]`, or `{word}.max`"
            raise mistake(self.text, right.at, sentence)
        self.no_nan(right)
        return Compare(op, left, self.timed(left, right), at)

    def _is_ordered(self, value: Any) -> bool:
        return literals.is_number(value) or isinstance(
            value, str | dt.datetime | dt.timedelta
        )

    def _equal(self, op: str, left: Operand, right: Literal, at: Span) -> Condition:
        value = right.value
        if value is None:
            return self._none(left, at, negated=op == "!=")
        self.no_nan(right)
        if isinstance(value, list) and not isinstance(left, Path):
            raise mistake(self.text, at, "a number equals no list")
        return Compare(op, left, self.timed(left, right), at)

    def _none(self, left: Operand, at: Span, *, negated: bool) -> Condition:
        if not isinstance(left, Path):
            raise mistake(self.text, at, "a number is never None; ask it of a path")
        if left.side == "record":
            sentence = f"`{left.steps[0]}` of a record is never None"
            raise mistake(self.text, at, sentence)
        if negated:
            return And((Exists(left, at), Not(IsNone(left, at), at)), at)
        return IsNone(left, at)

    def timed(self, operand: Operand, given: Literal) -> Literal:
        """Return a literal as an operand is compared with it."""
        try:
            return Literal(instant_of(operand, given.value), given.at)
        except QueryError as error:
            raise mistake(self.text, given.at, str(error)) from None

    def _membership(
        self, left: ast.expr, right: ast.expr, at: Span, *, negated: bool
    ) -> Condition:
        item = self.operand(left)
        if isinstance(right, ast.List | ast.Tuple | ast.Set):
            return self._among(item, self.literal_items(right), at, negated=negated)
        whole = self.operand(right)
        if isinstance(whole, Literal) and isinstance(whole.value, list):
            values = [Literal(value, whole.at) for value in whole.value]
            return self._among(item, values, at, negated=negated)
        if not isinstance(whole, Path):
            sentence = "after `in` stands a list, `[1, 2]`, or the path of a list"
            raise mistake(self.text, self.at(right), sentence)
        if not isinstance(item, Literal):
            sentence = (
                f"before `in` and a path stands a value: `'Al' in "
                f"{spelling(whole.steps, whole.side)}`"
            )
            raise mistake(self.text, self.at(left), sentence)
        return self._contains(whole, item, at, negated=negated)

    def _contains(
        self, path: Path, item: Literal, at: Span, *, negated: bool
    ) -> Condition:
        if isinstance(item.value, list):
            raise mistake(self.text, item.at, "one value at a time is sought in a list")
        self.no_nan(item)
        texts = {(TAGS,), ("name",), ("mode",), ("digest",), ("uuid",)}
        if path.side == "record":
            if path.steps not in texts:
                sentence = f"`{path.steps[0]}` is neither a list nor text: compare it"
                raise mistake(self.text, path.at, sentence)
            if not isinstance(item.value, str):
                sentence = f"`{path.steps[0]}` holds text: write it in quotes"
                raise mistake(self.text, item.at, sentence)
        found = Contains(path, item.value, at)
        if not negated:
            return found
        if path.side == "record":  # always there
            return Not(found, at)
        return And((Exists(path, at), Not(found, at)), at)

    def _among(
        self, operand: Operand, given: list[Literal], at: Span, *, negated: bool
    ) -> Condition:
        if isinstance(operand, Literal):
            sentence = "before `in` and a list of values stands a path"
            raise mistake(self.text, operand.at, sentence)
        self.no_tags(operand)
        found = self._any_of(operand, given, at)
        if not negated:
            return found
        if isinstance(operand, Path):
            there: Condition = Exists(operand, at)
            if operand.side == "record":
                return Not(found, at)
        else:
            there = Compare("==", operand, operand, at)
        return And((there, Not(found, at)), at)

    def _any_of(self, operand: Operand, given: list[Literal], at: Span) -> Condition:
        scalars, others = [], []
        for one in given:
            value = one.value
            if value is None or isinstance(value, list):
                others.append(self._equal("==", operand, one, at))
            elif not literals.is_nan(value):
                scalars.append(self.timed(operand, one).value)
        if not others:
            return Among(operand, tuple(scalars), at)
        if scalars:
            others.insert(0, Among(operand, tuple(scalars), at))
        return others[0] if len(others) == 1 else Or(tuple(others), at)

    def operand_of_records(self, node: ast.expr) -> Operand:
        """Return an operand that depends on the record."""
        found = self.operand(node)
        self.no_tags(found)
        if isinstance(found, Literal):
            sentence = "this is the same for every record; a path is wanted"
            raise mistake(self.text, found.at, sentence)
        return found

    def operand(self, node: ast.expr) -> Operand:
        """Return what has a value; raises QueryError if it has none."""
        with self.level(node):
            return self._operand(node)

    def _operand(self, node: ast.expr) -> Operand:
        at = self.at(node)
        atom = self.atom(node)
        if atom is not None:
            return atom
        if isinstance(node, ast.BinOp):
            left, right = self.operand(node.left), self.operand(node.right)
            return self._arithmetic(_SIGNS[type(node.op)], left, right, at)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return self._signed(node, at)
        if isinstance(node, ast.List | ast.Tuple):
            values = [one.value for one in self.literal_items(node)]
            return Literal(values, at)
        if isinstance(node, ast.Call) and self.function(node) not in CONDITIONS:
            return self.operand_call(node)
        if isinstance(node, ast.Set):
            raise mistake(
                self.text, at, "`{1, 2}` stands after `in` only: write `[1, 2]`"
            )
        raise mistake(
            self.text,
            at,
            "a condition has no value that could be compared or counted: join "
            "conditions by `and`, `or` and `not`",
        )

    def _signed(self, node: ast.UnaryOp, at: Span) -> Operand:
        inner = self.operand(node.operand)
        negative = isinstance(node.op, ast.USub)
        if not isinstance(inner, Literal):
            self.no_tags(inner)
            return Function("neg", inner, at) if negative else inner
        value = inner.value
        if not literals.is_number(value) and not isinstance(value, dt.timedelta):
            sentence = f"`{'-' if negative else '+'}` has no meaning for {_kind(value)}"
            raise mistake(self.text, at, sentence)
        return Literal(-value if negative else value, at)

    def _arithmetic(self, op: str, left: Operand, right: Operand, at: Span) -> Operand:
        if isinstance(left, Literal) and isinstance(right, Literal):
            return self.combined(op, left, right, at)
        for one, other in ((left, right), (right, left)):
            self.no_tags(one)
            if isinstance(one, Literal) and not literals.is_number(one.value):
                sentence = f"`{op}` takes numbers; {_kind(one.value)} is none"
                if isinstance(one.value, dt.datetime | dt.timedelta):
                    name = self.text[slice(*other.at)][:40]
                    sentence = (
                        "arithmetic with times stands on a side of its own: "
                        f"`{name} > now() - days(30)`"
                    )
                    if name in {"now", "today"}:
                        sentence = (
                            f"`{name}` is a key here; for the time write `{name}()`"
                        )
                        at = other.at
                raise mistake(self.text, at, sentence)
        return Arithmetic(op, left, right, at)

    def no_tags(self, operand: Operand) -> None:
        """Raise if an operand is what only `in` can ask."""
        if operand == TAGS_PATH:
            raise mistake(self.text, operand.at, _TAGS_HELP)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return repr(value)
    names = {str: "text", list: "a list", dt.datetime: "a time"}
    names |= {dt.timedelta: "a duration"}
    return names.get(type(value), "a number")
