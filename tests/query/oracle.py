"""
What a question means, told once more: in plain Python, over the dicts themselves.

Nothing here calls what it judges.  A condition is evaluated over the values as
they were given to `save`, never over leaves, skeletons or SQL.
"""

from __future__ import annotations

import datetime as dt
import math
import pathlib
import re
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

import numpy as np

from archivedb.query.nodes import (
    Among,
    And,
    Arithmetic,
    Compare,
    Contains,
    Exists,
    Function,
    IsNaN,
    IsNone,
    Like,
    Literal,
    Matches,
    Not,
    Or,
    Path,
    Truth,
)
from archivedb.values.paths import key_token

UTC = dt.UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = dt.timedelta(microseconds=1)
LONGEST_TEXT, MOST_ITEMS = 1000, 16


@dataclass(frozen=True, eq=False)
class Entry:
    """
    One version of a record.

    Attributes:
        name: Its name.
        data: What was saved.
        metadata: Its metadata.
        tags: Its tags.
        version: The version's number.
        place: The how-manieth record, by creation.
        when: The how-manieth change.
        filled: Whether 1,200 keys more lay in it.

    """

    name: str
    data: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    version: int = 1
    place: int = 0
    when: int = 0
    filled: bool = False


class _Nowhere:
    def __repr__(self) -> str:
        return "NOWHERE"


NOWHERE = _Nowhere()


# What stands at a path ---------------------------------------------------


def standing(entry: Entry, path: Path) -> tuple[Any, str]:
    """Return what stands at a path, or NOWHERE, and on which side."""
    if path.side == "record":
        facts = {"name": entry.name, "version": entry.version, "mode": "json"}
        facts["saved_at"] = EPOCH + entry.when * MICROSECOND  # only its order counts
        return facts[path.path], "record"
    for side in (path.side,) if path.side else ("metadata", "data"):
        root = entry.metadata if side == "metadata" else entry.data
        found = _walk(root, path.steps)
        if found is NOWHERE:
            found = _attribute(root, path.steps)
        if found is not NOWHERE:
            return (found.item() if _is_number(found) else found), side
    return NOWHERE, ""


def _walk(value: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        value = _step(value, step)
        if value is NOWHERE:
            break
    return value


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return {key_token(key): item for key, item in value.items()}.get(step, NOWHERE)
    index = re.fullmatch(r"\[(\d+)\]", step)
    if index and _has_items(value) and not isinstance(value, set | frozenset):
        number = int(index.group(1))
        return value[number] if number < len(value) else NOWHERE
    return NOWHERE


def _attribute(root: Any, steps: tuple[str, ...]) -> Any:
    *above, last = steps
    name = last.removeprefix("$")
    whole = _walk(root, tuple(above)) if above else NOWHERE
    if isinstance(whole, np.ndarray):
        if name in ("dtype", "ndim", "shape") and not _is_number(whole):
            return {
                "dtype": whole.dtype.name,
                "ndim": whole.ndim,
                "shape": tuple(whole.shape),
            }[name]
        if name in ("min", "max", "mean") and whole.dtype.kind in "biuf" and whole.size:
            found = getattr(whole, name)().item()
            return int(found) if type(found) is bool else found
    if isinstance(whole, list | tuple) and name in ("min", "max", "mean"):
        return _range_of_list(whole, name)
    if len(above) > 1 and above[-1].removeprefix("$") == "shape":
        array = _walk(root, tuple(above[:-1]))
        if isinstance(array, np.ndarray):
            return _step(tuple(array.shape), last)
    return NOWHERE


def _is_number(value: Any) -> bool:
    """Return whether a value is an array without axes that is a number."""
    is_array = isinstance(value, np.ndarray) and not value.ndim
    return is_array and value.dtype.kind in "iuf"


def _range_of_list(items: list[Any] | tuple[Any, ...], name: str) -> Any:
    kinds = set(map(kind, items))
    if not kinds or not kinds <= {"number", "nan"}:
        return NOWHERE
    if "nan" in kinds:
        return math.nan
    if name != "mean":
        return (min if name == "min" else max)(items, key=exact)
    return sum(map(_double, items)) / len(items)


def _double(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _has_items(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, list | tuple | set | frozenset)


# Values ------------------------------------------------------------------


def kind(value: Any) -> str:
    """Return what a value is: only values of one kind compare."""
    if isinstance(value, np.datetime64 | np.timedelta64):
        value = value.astype(f"{type(value).__name__}[us]").item()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float | Decimal):
        return "nan" if math.isnan(value) else "number"
    for types, name in KINDS:
        if isinstance(value, types):
            return name
    return "list" if _has_items(value) else "other"


# A bool is an int, too.
KINDS: tuple[tuple[Any, str], ...] = (
    (type(None), "none"),
    (bool, "bool"),
    (int, "number"),
    (str | pathlib.PurePath, "text"),
    (dt.date, "time"),
    (dt.timedelta, "duration"),
    (np.ndarray, "array"),
    (dict, "group"),
)
COMPARABLE = ("number", "bool", "text", "time", "duration")


def exact(value: Any) -> Any:
    """Return what values of one kind are compared by."""
    if isinstance(value, np.datetime64 | np.timedelta64):
        value = value.astype(f"{type(value).__name__}[us]").item()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, float | Decimal):
        return float(value) if math.isinf(value) else Fraction(value)
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - EPOCH) // MICROSECOND
    if isinstance(value, dt.date):
        return exact(dt.datetime(value.year, value.month, value.day, tzinfo=UTC))
    assert isinstance(value, dt.timedelta)
    return value // MICROSECOND


ORDERS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def compared(one: Any, op: str, other: Any) -> bool:
    """Return whether a comparison of two values that are there holds."""
    same = kind(one) == kind(other) and kind(one) in COMPARABLE
    if not same:
        return op == "!="
    return bool(ORDERS[op](exact(one), exact(other)))


def readings(literal: Any) -> list[Any]:
    """Return what a literal means: text may be a time, too."""
    if isinstance(literal, str) and len(literal) >= 10 and literal[:4].isdigit():
        try:
            return [literal, dt.datetime.fromisoformat(literal)]
        except ValueError:
            pass
    return [literal]


def equals(value: Any, wanted: Any) -> bool:
    """Return whether a value equals a literal, item by item."""
    if not isinstance(wanted, list):
        if wanted is None:
            return value is None
        return compared(value, "==", wanted)
    if not _has_items(value) or len(value) != len(wanted):
        return False
    return all(equals(one, other) for one, other in zip(value, wanted, strict=True))


# Numbers -----------------------------------------------------------------


def below(number: Fraction) -> float:
    """Return the largest double that is not above a number."""
    if number > Fraction(sys.float_info.max):
        return sys.float_info.max
    if number < -Fraction(sys.float_info.max):
        return -math.inf
    found = number.numerator / number.denominator
    return math.nextafter(found, -math.inf) if Fraction(found) > number else found


class Oracle:
    """
    Answers questions.

    Args:
        doubles: Whether the database reckons with doubles alone.

    """

    def __init__(self, *, doubles: bool = False) -> None:
        self._doubles = doubles

    def _plain(self, value: Any) -> float | int | None:
        """Return a value as a number of the database's, or None."""
        if kind(value) != "number":
            return None
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float):
            return value
        found = exact(value)
        if isinstance(found, float):
            return found
        limit = 1 << (63 if isinstance(value, int) else 62)
        if found.denominator == 1 and -limit <= found < limit + isinstance(value, int):
            whole = int(found)
            if whole < 1 << 63 and (isinstance(value, int) or abs(whole) < limit):
                return whole
        return below(found)

    def _double(self, value: Any) -> Any:
        """Return a value as it is compared with a double."""
        plain = self._plain(value) if kind(value) == "number" else None
        return float(plain) if isinstance(plain, int) else value

    def number(self, operand: Any, entry: Entry) -> float | int | None:
        """Return an operand as a number, or None if it is none."""
        if isinstance(operand, Literal):
            return self._plain(operand.value)
        if isinstance(operand, Path):
            return self._plain(standing(entry, operand)[0])
        if isinstance(operand, Function):
            return self._function(operand, entry)
        assert isinstance(operand, Arithmetic)
        left, right = (self.number(x, entry) for x in (operand.left, operand.right))
        if left is None or right is None:
            return None
        if self._doubles:
            left, right = float(left), float(right)
        return _reckoned(operand.op, left, right)

    def _function(self, node: Function, entry: Entry) -> float | int | None:
        if node.name == "len":
            assert isinstance(node.of, Path)
            found, _ = standing(entry, node.of)
            return len(found) if _has_items(found) else None
        number = self.number(node.of, entry)
        if number is None:
            return None
        number = -number if node.name == "neg" else abs(number)
        return float(number) if abs(number) > (1 << 63) - 1 and number > 0 else number

    def value(self, operand: Any, entry: Entry) -> Any:
        """Return what an operand is, or NOWHERE."""
        if isinstance(operand, Path):
            return standing(entry, operand)[0]
        if isinstance(operand, Literal):
            return operand.value
        number = self.number(operand, entry)
        return NOWHERE if number is None else number

    # Conditions ----------------------------------------------------------

    def holds(self, node: Any, entry: Entry) -> bool:
        """Return whether a condition holds of an entry."""
        if isinstance(node, And):
            return all(self.holds(item, entry) for item in node.items)
        if isinstance(node, Or):
            return any(self.holds(item, entry) for item in node.items)
        if isinstance(node, Not):
            return not self.holds(node.item, entry)
        if isinstance(node, Compare):
            return self._compare(node, entry)
        if isinstance(node, Among):
            found = self.value(node.of, entry)
            if found is NOWHERE:
                return False
            wanted = [one for value in node.values for one in readings(value)]
            if not isinstance(node.of, Path):
                wanted = [x for x in wanted if kind(x) == "number"]
            if self._doubles and _reckons(node.of):
                wanted = [self._double(x) for x in wanted]
            return any(compared(found, "==", one) for one in wanted)
        if isinstance(node, Contains):
            return self._contains(node, entry)
        return self._of_path(node, entry)

    def _compare(self, node: Compare, entry: Entry) -> bool:
        left = self.value(node.left, entry)
        right = self.value(node.right, entry)
        if left is NOWHERE or right is NOWHERE:
            return False
        if self._doubles and (_reckons(node.left) or _reckons(node.right)):
            left, right = self._double(left), self._double(right)
        if not isinstance(node.right, Literal):
            return compared(left, node.op, right)
        if isinstance(right, list):
            # Only a path equals a list; lists have no order.
            return node.op in ("==", "!=") and equals(left, right) is (node.op == "==")
        if not isinstance(node.left, Path):
            return compared(left, node.op, right)
        wanted = readings(right)
        if node.op == "!=":
            return all(compared(left, "!=", one) for one in wanted)
        return any(compared(left, node.op, one) for one in wanted)

    def _contains(self, node: Contains, entry: Entry) -> bool:
        if node.path == Path("record", ("tags",)):
            return node.value in entry.tags
        found, _ = standing(entry, node.path)
        if kind(found) == "text":
            return isinstance(node.value, str) and node.value in exact(found)
        return _has_items(found) and any(
            compared(item, "==", node.value) for item in found
        )

    def _of_path(self, node: Any, entry: Entry) -> bool:
        path = node.of if isinstance(node, Like | Matches) else node.path
        found, _ = standing(entry, path)
        if isinstance(node, Exists) or found is NOWHERE:
            return found is not NOWHERE
        if isinstance(node, IsNone):
            return found is None
        if isinstance(node, IsNaN):
            return kind(found) == "nan"
        if isinstance(node, Truth):
            return kind(found) == "bool" and bool(found)
        if kind(found) != "text":
            return False
        if isinstance(node, Matches):
            return re.search(node.pattern, exact(found)) is not None
        return _like(node.pattern, exact(found))

    # Orders --------------------------------------------------------------

    def sorted(
        self, entries: list[Entry], order: tuple[tuple[Any, bool], ...]
    ) -> list[Entry]:
        """Return entries in an order; without one, the newest first."""
        if not order:
            raise ValueError(order)
        falls = order[0][1]
        found = sorted(entries, key=lambda e: e.place, reverse=falls)

        def compare(one: Entry, other: Entry) -> int:
            for operand, down in order:
                first, second = self._key(operand, one), self._key(operand, other)
                if first[0] != second[0]:
                    return -1 if first[0] < second[0] else 1
                if first[1:] != second[1:]:
                    return -1 if (first[1:] < second[1:]) is not down else 1
            return 0

        return sorted(found, key=cmp_to_key(compare))

    def ranks(self, order: tuple[tuple[Any, bool], ...], entry: Entry) -> list[Any]:
        """Return what an entry is sorted by."""
        return [self._key(operand, entry) for operand, _ in order]

    def _key(self, operand: Any, entry: Entry) -> tuple[Any, ...]:
        if isinstance(operand, Path):
            return rank(*standing(entry, operand))
        number = self.number(operand, entry)
        return (99, 0, "") if number is None else rank(number, "")


def _reckons(operand: Any) -> bool:
    if isinstance(operand, Function):
        return _reckons(operand.of)
    return isinstance(operand, Arithmetic)


def _reckoned(op: str, left: float, right: float) -> float | int | None:
    if op == "/" or isinstance(left, float) or isinstance(right, float):
        return _in_doubles(op, float(left), float(right))
    found = {"+": left + right, "-": left - right, "*": left * right}[op]
    if -(1 << 63) <= found < 1 << 63:
        return found
    return _in_doubles(op, float(left), float(right))


def _in_doubles(op: str, left: float, right: float) -> float | None:
    with np.errstate(all="ignore"):
        one, other = np.float64(left), np.float64(right)
        if op == "/" and not right:
            return None
        found = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[op](
            one, other
        )
    return None if np.isnan(found) else float(found)


def _like(pattern: str, text: str) -> bool:
    """Match by trying every split, which is slow and plain."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_like(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and _like(pattern[1:], text[1:])


def is_short(text: str) -> bool:
    """Return whether the index holds a text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return len(text) <= LONGEST_TEXT and "\0" not in text


def rank(value: Any, side: str) -> tuple[Any, ...]:
    """Return what a value is sorted by: its rank, a number and a text."""
    what = kind(value)
    if value is NOWHERE or (what == "group" and value and side == "data"):
        return 99, 0, ""
    if what == "text":
        text = exact(value)
        return (5, 0, text) if is_short(text) else (12, len(text), "")
    ranks = {"number": 0, "bool": 2, "time": 3, "duration": 4}
    if what in ranks:
        return ranks[what], exact(value), ""
    if what == "list":
        return (10 if _is_long(value, side) else 8), len(value), ""
    if what == "array":
        short = value.ndim == 1 and value.size <= MOST_ITEMS
        short = short and value.dtype.kind in "biufU"
        return (9 if short else 11), value.ndim, value.dtype.name
    length = len(value) if what == "group" else 0
    return {"nan": 6, "none": 7, "other": 13, "group": 14}[what], length, ""


def _is_long(value: Any, side: str) -> bool:
    """Return whether a list is kept as an array: of numbers, and not in metadata."""
    return (
        side == "data"
        and type(value) is list
        and len(value) > MOST_ITEMS
        and (set(map(type, value)) in ({int}, {float}))
    )
