"""Random records and random questions, of so few paths and values that they meet."""

from __future__ import annotations

import datetime as dt
import math
import pathlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

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
from archivedb.values.paths import item_token, key_token
from tests.query.oracle import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb import Archive

    Draw = Callable[[st.SearchStrategy[Any]], Any]

UTC = dt.UTC
KEYS = ("a", "b", "k-points", "lambda", "µ", "a/b")
ODD_KEYS = ("k-points", "lambda", "a/b")
INNER = ("x", "max", "shape", "k-points", "1")
SETS = "s"
TAGS = ("converged", "x", "é")
FOLDERS = ("al", "al/fcc", "cu")
FILLER = {f"filler-{number:04}": number for number in range(1200)}

PLAIN = (
    *(-3, -1, 0, 1, 2, 3, 0.0, -0.0, 0.5, 1.0, 1.5, 2.5, -0.5),
    *(True, False, None, math.nan),
    *("", "a", "A", "b", "ab", "fcc", "fcc b", "1", "é", "a_b%", "[x]*", "True"),
)
ODD = (
    *(2**53, 2**53 + 1, 2.0**53, 2**63 - 1, 2**63, 2.0**63, -(2**63), -(2**63) - 1),
    *(2**64, 10**30, 1e30, 2**62 + 1, 10**400, -(10**400), math.inf, -math.inf),
    *(1e308, -1e308, 5e-324, 0.1, 1e-300, 3e200),
    *(Decimal("0.1"), Decimal(1), Decimal("1.5"), Decimal("1E+400"), Decimal("-0.1")),
    *(Decimal("NaN"), Decimal("Infinity"), Decimal(2) ** 63, Decimal("1E-400")),
    *("a\0b", "\ud800", "x" * 1500, "fcc" + "y" * 1500, "é" * 5000, "\U0001f600"),
    *("2026-01-01", "2026-01-01T12:00:00+02:00", "2026-01-02", "20260101T00"),
    *(dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=UTC)),  # noqa: DTZ001
    dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    *(dt.date(2026, 1, 2), dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    *(dt.timedelta(0), dt.timedelta(1), dt.timedelta(-1), dt.timedelta(0, 0, 1)),
    *(np.float32(0.5), np.int8(1), np.True_, np.float64(math.nan), np.uint64(2**63)),
    *(np.datetime64("2026-01-01"), np.timedelta64(1, "D"), np.str_("a")),
    *(pathlib.PurePosixPath("a"), b"x", 1j),
)
ARRAYS = (
    np.arange(3),
    np.array([4, 4, 4]),
    np.array([0.5, 1.5]),
    np.array([1.0, math.nan]),
    np.array([1.0, math.inf], dtype=np.float32),
    np.array([True, False]),
    np.array(["a", "fcc"]),
    np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]"),
    np.array([2**63, 1], dtype=np.uint64),
    np.zeros(0),
    np.zeros((0, 3)),
    np.arange(20) - 3,
    np.arange(20) / 2,
    np.array([math.nan] * 17),
    np.array(["a"] * 17),
    np.array([[1, 2], [3, 4]]),
    np.array([[0.5, 1.0, 1.5]]),
    np.zeros((2, 2, 2), dtype=np.int8),
    np.array(2.5),
    np.array([1j, 2]),
)
LISTS: tuple[Any, ...] = (
    [],
    (),
    [1],
    [4, 4, 4],
    (4, 4, 4),
    [0, 1, 2],
    [0.5, 1.5],
    [1.0, math.nan],
    [1, math.inf],
    [2**70, 1],
    [True, False],
    ["a", "fcc"],
    ("a", None, 1),
    [None],
    [[1, 2], [3, 4]],
    [[], [1]],
    [{"x": 1}, {"x": "a"}],
    list(range(-3, 17)),
    tuple(range(17)),
    [n / 2 for n in range(20)],
    [math.nan] * 17,
    ["a"] * 17,
    [1, 0.5] * 10,
    [dt.datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01"],
)
PATTERNS = ("*", "a*", "*b", "?", "fcc*", "a?b", "[x]*", "*_*", "é", "", "*c*b", "al/*")
EXPRESSIONS = ("^a", "b$", "[a-c]+", "1", "^$", "é|A", "^fcc")
ORDERED = ("<", "<=", ">", ">=")
OPERATORS = ("==", "!=", *ORDERED)


def is_literal(value: Any) -> bool:
    """Return whether a value can stand in a question."""
    if isinstance(value, Decimal | float):
        return not math.isnan(value)
    if isinstance(value, np.generic | bytes | complex | pathlib.PurePath):
        return False
    return value is not None


def plain_list(value: Any) -> list[Any] | None:
    """Return a list as a question can have it, or None."""
    found = []
    for item in value:
        if isinstance(item, list | tuple):
            inner = plain_list(item)
            if inner is None:
                return None
            found.append(inner)
        elif isinstance(item, dict) or (item is not None and not is_literal(item)):
            return None
        else:
            found.append(_utc(item))
    return found


def _utc(value: Any) -> Any:
    """Return a time as questions have them."""
    if isinstance(value, dt.datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, Decimal) and value.is_infinite():
        return float(value)
    return value


class Records:
    """
    Draws records.

    Args:
        draw: Hypothesis's.

    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        size = st.integers(3, 8)
        self.pool: list[Any] = draw(
            st.lists(st.sampled_from(PLAIN), min_size=3, max_size=draw(size))
        ) + draw(st.lists(st.sampled_from(ODD), max_size=5))
        self.lists = draw(st.lists(st.sampled_from(LISTS), min_size=1, max_size=4))
        self.arrays = draw(st.lists(st.sampled_from(ARRAYS), min_size=1, max_size=4))
        self._scalars = st.sampled_from(self.pool)
        self._of_data = st.sampled_from([*self.pool * 2, *self.lists, *self.arrays])
        self._of_metadata = st.sampled_from([*self.pool * 2, *self.lists])
        inner = st.dictionaries(st.sampled_from(INNER), self._of_data, max_size=3)
        of_key = st.one_of(self._of_data, self._of_data, inner)
        self._data = st.dictionaries(st.sampled_from(KEYS), of_key, max_size=5)
        inner = st.dictionaries(st.sampled_from(INNER), self._of_metadata, max_size=2)
        of_key = st.one_of(self._of_metadata, self._of_metadata, inner)
        self._metadata = st.one_of(
            st.just({}), st.dictionaries(st.sampled_from(KEYS), of_key, max_size=2)
        )
        hashable = [x for x in self.pool if x == x]  # noqa: PLR0124 - NaN
        self._sets = st.frozensets(st.sampled_from(hashable or [1]), max_size=3)

    def data(self) -> dict[str, Any]:
        """Draw what is saved."""
        draw = self._draw
        found = dict(draw(self._data))
        if draw(st.integers(0, 4)) == 0:
            found[SETS] = set(draw(self._sets))
        if found and draw(st.integers(0, 4)) == 0:
            # The same object at two places.
            source = draw(st.sampled_from(sorted(found)))
            if source != SETS:
                found[draw(st.sampled_from(KEYS))] = found[source]
        return found

    def entries(self, count: int) -> list[list[Entry]]:
        """Draw records, each as its versions."""
        draw, records = self._draw, []
        for place in range(count):
            folder = draw(st.sampled_from(FOLDERS))
            filled = draw(st.integers(0, 9)) == 0
            versions = [
                Entry(
                    f"{folder}/{place}",
                    # What was saved just so before makes no new version.
                    self.data() | ({"edition": number} if number > 1 else {}),
                    dict(draw(self._metadata)),
                    tuple(sorted(draw(st.sets(st.sampled_from(TAGS), max_size=2)))),
                    number,
                    place,
                    2 * place + number,
                    filled,
                )
                for number in range(1, 3 if draw(st.integers(0, 5)) == 0 else 2)
            ]
            records.append(versions)
        return records


def saved(entry: Entry) -> dict[str, Any]:
    """Return what is saved of an entry: 1,200 keys more, if it is filled."""
    if not entry.filled:
        return entry.data
    # In front of some, behind the others.
    front = entry.place % 3
    items = list(entry.data.items())
    return {**dict(items[:front]), **FILLER, **dict(items[front:])}


def fill(archive: Archive, histories: list[list[Entry]]) -> None:
    """Save the versions of records."""
    for entry in (entry for versions in histories for entry in versions):
        archive.save(
            saved(entry),
            entry.name,
            metadata=entry.metadata,
            tags=list(entry.tags),
            mode="json",
        )


class Questions:
    """
    Draws questions that some of the records may answer.

    Args:
        draw: Hypothesis's.
        records: What the records were made of.

    """

    def __init__(self, draw: Draw, records: Records) -> None:
        self._draw = draw
        self._pick = lambda *values: draw(st.sampled_from(values))
        literals = [_utc(x) for x in records.pool if is_literal(x)]
        self._literals = st.sampled_from([*literals, 0, 1, 0.5, "a", "2026-01-01"])
        lists = [
            [_utc(x) for x in each.tolist()] if isinstance(each, np.ndarray) else each
            for each in (*records.lists, *records.arrays)
            if not (isinstance(each, np.ndarray) and not each.ndim)
        ]
        plain = [found for x in lists if (found := plain_list(x)) is not None]
        self._lists = st.sampled_from([*plain, [], [4, 4, 4]])

    def path(self, *, sets: bool = True) -> Path:
        """Draw a path."""
        pick = self._pick
        side = pick("", "", "", "data", "metadata")
        if sets and pick(*range(12)) == 0:
            return Path(side, (SETS,))
        key = pick(*KEYS)
        if key in ODD_KEYS and not side:
            side = pick("data", "data", "metadata")  # only so can they be spelt
        steps = [key_token(key)]
        more = pick(0, 0, 0, 1, 1, 2, 3, 4, 5)
        if more == 1:
            steps.append(key_token(pick(*INNER)))
        elif more == 2:
            steps.append(item_token(pick(0, 1, 2, 16)))
        elif more == 3:
            steps.append(pick("min", "max", "mean", "dtype", "ndim", "shape"))
        elif more == 4:
            steps += ["shape", item_token(pick(0, 1))]
        elif more == 5:
            last = pick("x", item_token(1), "$max", "$mean", "$min", "$shape")
            steps += [item_token(pick(0, 1)), last]
            if last[0] == "$":
                del steps[1]
                steps += [item_token(pick(0, 1))] if last == "$shape" else []
        return Path(side, tuple(steps))

    def number(self, depth: int = 0) -> Any:
        """Draw what has a number."""
        pick = self._pick
        what = pick(0, 1, 2, 3) if depth < 2 else pick(0, 3)
        if what == 1:
            left, right = self.number(depth + 1), self.number(depth + 1)
            if isinstance(left, Literal) and isinstance(right, Literal):
                left = self.path(sets=False)
            return Arithmetic(pick("+", "-", "*", "/"), left, right)
        if what == 2:
            name = pick("neg", "abs", "len")
            of = self.path() if name == "len" else self.number(depth + 1)
            return of if isinstance(of, Literal) else Function(name, of)
        if what == 3 and depth:
            found = self._draw(self._literals)
            usable = type(found) in (int, float) and abs(found) < 10**300
            return Literal(found if usable else 2)
        return self.path(sets=False)

    def _fact(self) -> Any:
        pick = self._pick
        which = pick(0, 1, 2, 3)
        if which == 0:
            value = pick(1, 2, 1.5, Decimal("1.1"), 10**30, -math.inf)
            return Compare(
                pick(*OPERATORS), Path("record", ("version",)), Literal(value)
            )
        name = Path("record", ("name",))
        if which == 1:
            value = pick("al/1", "al/fcc", "cu/3", "x\0", "\ud800")
            return Compare(pick(*OPERATORS), name, Literal(value))
        if which == 2:
            return pick(Like(name, pick(*PATTERNS)), Matches(name, "l/[0-4]$"))
        values = ("al/0", "al/1", "cu/2", "al/fcc/3", "\ud800")
        return pick(Among(name, values), Contains(name, "fcc"))

    def condition(self, depth: int = 0) -> Any:
        """Draw a condition."""
        pick = self._pick
        what = pick(*range(15 if depth < 3 else 11))
        if what >= 13:
            return Not(self.condition(depth + 1))
        if what >= 11:
            items = [self.condition(depth + 1) for _ in range(pick(2, 2, 3))]
            return pick(And, Or)(tuple(items))
        if what <= 3:
            return self._compare(what)
        return self._of_path(what)

    def _of_path(self, what: int) -> Any:
        pick, draw, path = self._pick, self._draw, self.path()
        if what == 4:
            values = draw(st.lists(self._literals, max_size=4))
            of = pick(path, self.number(), path)
            return Among(path if isinstance(of, Literal) else of, tuple(values))
        if what == 5:
            tag = Contains(Path("record", ("tags",)), pick(*TAGS, "none", "\ud800"))
            return pick(tag, Contains(path, draw(self._literals)))
        if what == 6:
            return pick(Exists, IsNone, IsNaN, Truth)(path)
        if what == 7:
            return Like(path, pick(*PATTERNS))
        if what == 8:
            return Matches(path, pick(*EXPRESSIONS))
        if what == 9:
            return self._fact()
        given = draw(self._lists)
        return Compare(pick("==", "!="), self.path(sets=False), Literal(given))

    def _compare(self, what: int) -> Any:
        pick = self._pick
        if what <= 1:
            given = self._draw(self._literals)
            operators = ("==", "!=") if type(given) is bool else OPERATORS
            return Compare(pick(*operators), self.path(), Literal(given))
        if what == 2 and pick(0, 1):
            path = self.path()
            low, high = self._draw(self._literals), self._draw(self._literals)
            if type(low) is not bool and type(high) is not bool:
                above = Compare(pick(">", ">="), path, Literal(low))
                return And((above, Compare(pick("<", "<="), path, Literal(high))))
        left, right = self.number(), pick(self.number(1), self.path())
        if isinstance(left, Literal):
            left = self.path()
        if isinstance(right, Literal) and type(right.value) is bool:
            right = Literal(1)
        return Compare(pick(*OPERATORS), left, right)

    def order(self) -> tuple[tuple[Any, bool], ...]:
        """Draw what to sort by."""
        pick = self._pick
        facts = [Path("record", (x,)) for x in ("name", "version", "saved_at")]
        found = []
        for _ in range(pick(1, 1, 1, 2)):
            which = pick(0, 0, 0, 1, 2)
            operand = (self.path(), self.number(), pick(*facts))[which]
            # A sign in front says that the largest comes first.
            if isinstance(operand, Literal) or getattr(operand, "name", "") == "neg":
                operand = self.path()
            found.append((operand, bool(pick(0, 1))))
        return tuple(found)


class Case:
    """
    Records and what is asked of them.

    Args:
        draw: Hypothesis's.
        records: How many records.
        questions: How many questions.

    """

    def __init__(self, draw: Draw, records: int, questions: int) -> None:
        drawn = Records(draw)
        self.histories = drawn.entries(records)
        asked = Questions(draw, drawn)
        self.questions = [(asked.condition(), asked.order()) for _ in range(questions)]

    def __repr__(self) -> str:
        """Return nothing of it: what fails is told by whoever finds it."""
        return "a case"


@st.composite
def cases(draw: Draw, records: int, questions: int) -> Case:
    """Draw records and questions."""
    return Case(draw, records, questions)
