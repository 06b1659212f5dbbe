"""Questions are read as Python reads expressions, and nothing of them runs."""

from __future__ import annotations

import ast
import datetime as dt
import pickle
import uuid
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivedb.errors import QueryError
from archivedb.query import nodes
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
from archivedb.query.parse import (
    equality,
    parse,
    parse_operand,
    parse_order,
    slash_path,
    spelling,
)
from archivedb.values import paths
from archivedb.values.skeleton import key_step
from tests.support.strategies import ODD_KEYS, characters

UTC = dt.UTC
TAGS = Path("record", ("tags",))
NAME = Path("record", ("name",))
SAVED = Path("record", ("saved_at",))


def path(*steps: str, side: str = "") -> Path:
    """Return a path of these steps."""
    return Path(side, steps)


A, B, C = path("a"), path("b"), path("c")


def equals(one: Path, value: Any) -> Compare:
    """Return the condition that a value stands at a path."""
    return Compare("==", one, Literal(value))


QUESTIONS = {
    "a": Truth(A),
    "a and b and c": And((Truth(A), Truth(B), Truth(C))),
    "a and b or not c": Or((And((Truth(A), Truth(B))), Not(Truth(C)))),
    "not a == 1": Not(equals(A, 1)),
    "1 < a <= 2": And(
        (Compare(">", A, Literal(1)), Compare("<=", A, Literal(2))),
    ),
    "a < b": Compare("<", A, B),
    "3 != a": Compare("!=", A, Literal(3)),
    "a + b * 2 > c / (b - 1)": Compare(
        ">",
        Arithmetic("+", A, Arithmetic("*", B, Literal(2))),
        Arithmetic("/", C, Arithmetic("-", B, Literal(1))),
    ),
    "-a < +b": Compare("<", Function("neg", A), B),
    "a == -2 * 3 + 1": equals(A, -5),
    "a == 1_000_000_000_000_000_000_000": equals(A, 10**21),
    "a == 0x1F": equals(A, 31),
    "a == .5e1": equals(A, 5.0),
    "a < .5": Compare("<", A, Literal(0.5)),
    "a<.5": Compare("<", A, Literal(0.5)),
    "a == -float('inf')": equals(A, float("-inf")),
    "a is None": IsNone(A),
    "a == None": IsNone(A),
    "a is not None": And((Exists(A), Not(IsNone(A)))),
    "a != None": And((Exists(A), Not(IsNone(A)))),
    "a is True": equals(A, value=True),
    "a is not False": Compare("!=", A, Literal(value=False)),
    "a == 'x'": equals(A, "x"),
    r'a == "\x41\u00e9\n" r"\d" """\'"""': equals(A, "Aé\n\\d'"),
    r"a == '\d\N{BULLET}\101'": equals(A, "\\d•A"),
    "a == [4, 4, (4, -1)]": equals(A, [4, 4, [4, -1]]),
    "a in [1, 'x', -2.5]": Among(A, (1, "x", -2.5)),
    "a in (1,)": Among(A, (1,)),
    "a in {1, 2}": Among(A, (1, 2)),
    "a in []": Among(A, ()),
    "a in [1, None]": Or((Among(A, (1,)), IsNone(A))),
    "a in [[1, 2], [3]]": Or((equals(A, [1, 2]), equals(A, [3]))),
    "a in [float('nan'), 1]": Among(A, (1,)),
    "a not in [1]": And((Exists(A), Not(Among(A, (1,))))),
    "name not in ['x']": Not(Among(NAME, ("x",))),
    "a + b not in [1]": And(
        (
            Compare("==", Arithmetic("+", A, B), Arithmetic("+", A, B)),
            Not(Among(Arithmetic("+", A, B), (1,))),
        ),
    ),
    "'Al' in a.b": Contains(path("a", "b"), "Al"),
    "'Al' not in a": And((Exists(A), Not(Contains(A, "Al")))),
    "'x' in tags": Contains(TAGS, "x"),
    "'x' not in record.tags": Not(Contains(TAGS, "x")),
    "'fcc' in name": Contains(NAME, "fcc"),
    "exists(a.b)": Exists(path("a", "b")),
    "isnan(a)": IsNaN(A),
    "like(name, 'al/*')": Like(NAME, "al/*"),
    "matches(a, '^x+$')": Matches(A, "^x+$"),
    "near(a, 4.05, 0.01)": And(
        (Compare(">=", A, Literal(4.04)), Compare("<=", A, Literal(4.06))),
    ),
    "near(a, b, 1)": Compare("<=", Function("abs", Arithmetic("-", A, B)), Literal(1)),
    "abs(a) > len(b)": Compare(">", Function("abs", A), Function("len", B)),
    "date('2026-11-01') < a": Compare(
        ">", A, Literal(dt.datetime(2026, 11, 1, tzinfo=UTC))
    ),
    "a < datetime('2026-11-01T12:00+02:00') - hours(2) * 2": Compare(
        "<", A, Literal(dt.datetime(2026, 11, 1, 6, tzinfo=UTC))
    ),
    "saved_at > '2026-11-01'": Compare(
        ">", SAVED, Literal(dt.datetime(2026, 11, 1, tzinfo=UTC))
    ),
    "a > weeks(1) + days(1) - minutes(5)": Compare(
        ">", A, Literal(dt.timedelta(days=8, minutes=-5))
    ),
    "a == hours(3) / minutes(90)": equals(A, 2.0),
    "version == 2": equals(Path("record", ("version",)), 2),
    "record.mode == 'hdf5'": equals(Path("record", ("mode",)), "hdf5"),
    "data.name == metadata.tags": Compare(
        "==", path("name", side="data"), path("tags", side="metadata")
    ),
    "mode == 1": equals(path("mode"), 1),
    "date > 3": Compare(">", path("date"), Literal(3)),
    "a['odd key'][\"k-points\"][3].b": Truth(
        path("a", "odd key", "k-points", "[3]", "b")
    ),
    'a["x/y"]["50%"]["[0]"][""]': Truth(
        path("a", "x%2Fy", "50%25", "%5B0]", "%"),
    ),
    "a[1.5][True][None]": Truth(path("a", key_step(1.5), "$true", "$null")),
    "a[key(3)][key(-3)][token('$#0')]": Truth(path("a", "$3", "$-3", "$#0")),
    "a['lambda']": Truth(path("a", "lambda")),
    "outputs.forces.max < 1": Compare(
        "<", path("outputs", "forces", "max"), Literal(1)
    ),
    "array(outputs.forces).shape[0] == 32": equals(
        path("outputs", "forces", "$shape", "[0]"), 32
    ),
    "array(data.a).max == 3": equals(path("a", "$max", side="data"), 3),
    "  a\n  and b  # so\n and (\n c)": And((Truth(A), Truth(B), Truth(C))),
    "a . b [ 'c' ]": Truth(path("a", "b", "c")),
    "inputs.µ == 'Å'": equals(path("inputs", "µ"), "Å"),
    "Å.ª > 1": Compare(">", path("Å", "ª"), Literal(1)),
    "e\u0301.x": Truth(path("e\u0301", "x")),
}


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_question_is_its_tree(text: str) -> None:
    """Each form of the language has its nodes."""
    assert parse(text) == QUESTIONS[text]


def test_nodes_know_where_they_stand() -> None:
    """Places are counted in characters, whatever stands before them."""
    text = "'µ😀' == a\n  and Å.b < (1 + 2)"
    one, other = parse(text).items  # type: ignore[union-attr]
    assert text[slice(*one.left.at)] == "a"
    assert text[slice(*one.right.at)] == "'µ😀'"
    assert text[slice(*other.left.at)] == "Å.b"
    assert text[slice(*other.right.at)] == "1 + 2"
    assert text[slice(*other.at)] == "Å.b < (1 + 2"


def test_now_is_one_instant() -> None:
    """Wherever `now()` stands in a question, it is the same; `today()` begins it."""
    before = dt.datetime.now(UTC)
    one, other, day = (
        item.right.value  # type: ignore[union-attr]
        for item in parse("a < now() or a > now() or a > today()").items  # type: ignore[union-attr]
    )
    assert before <= one <= dt.datetime.now(UTC)
    assert one == other
    assert day == one.replace(hour=0, minute=0, second=0, microsecond=0)


PARAMETERS: list[tuple[Any, Any]] = [
    (True, True),
    (3, 3),
    (2.5, 2.5),
    ("x", "x"),
    (Decimal("0.1"), Decimal("0.1")),
    (Decimal("Infinity"), float("inf")),
    (dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, tzinfo=UTC)),
    (
        dt.datetime(2026, 1, 2, 3),  # noqa: DTZ001
        dt.datetime(2026, 1, 2, 3, tzinfo=UTC),
    ),
    (dt.timedelta(1), dt.timedelta(1)),
    (np.float32(0.5), 0.5),
    (np.bool_(True), True),  # noqa: FBT003
    (np.longdouble(2), 2.0),
    (np.datetime64("2026-01-02", "ns"), dt.datetime(2026, 1, 2, tzinfo=UTC)),
    (np.timedelta64(2, "s"), dt.timedelta(seconds=2)),
    (np.array([1, 2]), [1, 2]),
    (np.array(3), 3),
    ((1, [2]), [1, [2]]),
    (PurePosixPath("/x"), "/x"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
]


@pytest.mark.parametrize(("given", "value"), PARAMETERS)
def test_parameters_are_values(given: Any, value: Any) -> None:
    """A bare name among the parameters is its value, and of a plain type."""
    found = parse("a == x", {"x": given})
    assert found == equals(A, value)
    assert type(found.right.value) is type(value)  # type: ignore[union-attr]
    assert equality(A, given) == equals(A, value)


def test_parameters_win_over_paths_and_stand_anywhere() -> None:
    """They are read in lists, in brackets and in functions, but no path's beginning."""
    given = {"name": "x", "n": 3, "key": "b", "some": {1}}
    assert parse("name == a", given) == equals(A, "x")
    assert parse("a[n][key] < days(n)", given) == Compare(
        "<", path("a", "[3]", "b"), Literal(dt.timedelta(3))
    )
    assert parse("a in some", given) == Among(A, (1,))
    assert parse("a in [n, key]", given) == Among(A, (3, "b"))
    assert parse("n.x", given) == Truth(path("n", "x"))


@pytest.mark.parametrize(
    "value",
    [
        *(b"x", 1j, {}, object(), [b"x"], np.zeros((2, 2))),
        pytest.param(1 << 20_000, id="long"),
        *(np.datetime64("NaT"), np.datetime64("-90000-01-01"), Decimal("sNaN")),
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))),
    ],
)
def test_other_parameters_are_refused(value: Any) -> None:
    """Values that the index has not are refused with the name of the parameter."""
    with pytest.raises(QueryError, match="the parameter `x`"):
        parse("a == x", {"x": value})
    with pytest.raises(QueryError, match="`a`"):
        equality(A, value)


def test_equality() -> None:
    """Keyword equality knows None, tags and lists."""
    assert equality(A, None) == IsNone(A)
    assert equality(A, (1, 2)) == equals(A, [1, 2])
    assert equality(TAGS, ["x", "y"]) == And((Contains(TAGS, "x"), Contains(TAGS, "y")))
    assert equality(SAVED, "2026-01-02") == equals(
        SAVED, dt.datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert equality(A, float("nan")) == Or(())
    for wrong in ({1},):
        with pytest.raises(QueryError, match="equals"):
            equality(A, wrong)


def test_slash_paths() -> None:
    """They are those of the archive, and four names are the record's."""
    assert slash_path("inputs/xc") == path("inputs", "xc")
    assert slash_path("data/x") == path("data", "x")
    assert slash_path("a/[3]/50%/$3/é") == path("a", "[3]", "50%25", "$3", "é")
    assert slash_path("tags") == TAGS
    for wrong in ("", "a//b", "/a", "a/"):
        with pytest.raises(QueryError, match="is no path"):
            slash_path(wrong)


def test_orders() -> None:
    """A minus in front of the whole is descending, else it is arithmetic."""
    assert parse_order("saved_at") == (SAVED, False)
    assert parse_order("-saved_at") == (SAVED, True)
    assert parse_order("-a.b") == (path("a", "b"), True)
    assert parse_order(" -(a+b)") == (Arithmetic("+", A, B), True)
    minus = Function("neg", A)
    assert parse_order("-a + b") == (Arithmetic("+", minus, B), False)
    assert parse_order("--a") == (minus, True)
    for wrong in ("3", "-3", "-", "a < b", "tags", "'x'", "-now()"):
        with pytest.raises(QueryError):
            parse_order(wrong)


def test_operands() -> None:
    """A column is a path or an expression, and says something of a record."""
    assert parse_operand("a / n", {"n": 2}) == Arithmetic("/", A, Literal(2))
    assert parse_operand("len(a)") == Function("len", A)
    for wrong in ("3", "now()", "a == 1", "exists(a)"):
        with pytest.raises(QueryError):
            parse_operand(wrong)


tokens = st.one_of(
    st.one_of(st.text(characters, max_size=6), st.sampled_from(ODD_KEYS)).map(
        paths.key_token
    ),
    st.sampled_from(["name", "tags", "record", "data", "lambda", "None", "key", "µ"]),
    st.sampled_from(["$3", "$max", "$shape", "$true", "$null", "$1.5", "$#0", "$"]),
    st.integers(0, 10**18 - 1).map(paths.item_token),
    st.one_of(st.integers(), st.floats(), st.booleans(), st.none()).map(key_step),
    st.text(characters, min_size=1, max_size=6).filter(lambda text: "/" not in text),
)


@settings(max_examples=200)
@given(
    st.lists(tokens, min_size=1, max_size=4), st.sampled_from(["", "data", "metadata"])
)
def test_a_spelling_is_read_as_its_path(steps: list[str], side: str) -> None:
    """However odd its keys, a path's spelling is that path."""
    found = parse_operand(spelling(steps, side))
    assert isinstance(found, Path)
    assert found.steps == tuple(steps)
    assert found.side == side or (not side and found.side == "data")


@pytest.mark.parametrize("fact", [*nodes.RECORD_FACTS])
def test_facts_are_spelt(fact: str) -> None:
    """A record's facts are read from their spelling, too."""
    assert parse_operand(spelling((fact,), "record")) == Path("record", (fact,))


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (("outputs", "energy"), "outputs.energy"),
        (("outputs", "k-points", "[0]"), 'outputs["k-points"][0]'),
        (("name",), "data.name"),
        (("record", "x"), "data.record.x"),
        (("odd key",), 'data["odd key"]'),
        (("a", "lambda"), 'a["lambda"]'),
        (("a", "$3"), "a[key(3)]"),
        (("a", "$true"), "a[True]"),
        (("a", "$max"), "array(a).max"),
        (("a", "$shape", "[1]"), "array(a).shape[1]"),
        (("µ", "Å"), "µ.Å"),
        (("a", 'x"y\\%0A'), 'a["x\\"y\\\\\\n"]'),
        (("date", "len"), "date.len"),
    ],
)
def test_spellings(steps: tuple[str, ...], text: str) -> None:
    """A path is dotted where it can be."""
    assert spelling(steps) == text


pieces = st.sampled_from(
    [
        *("a", "b.c", "a[0]", 'a["x"]', "name", "tags", "data.x", "saved_at", "limit"),
        *("1", "-2.5", "'x'", "None", "True", "[1, 2]", "()", "now()", "days(3)"),
        *(" and ", " or ", " not ", " in ", " is ", " == ", "<", " != ", " not in "),
        *("+", "-", "*", "/", "(", ")", "[", "]", ",", ".", "=", "{", "}", ":", "\n"),
        *("exists(", "like(", "near(", "abs(", "len(", "array(", "float(", "date("),
        *("'", '"', "\\", "#", "lambda", "if", "f'", "0x", "1e999", "\ud800", "\0"),
    ]
)


@settings(max_examples=300)
@given(st.one_of(st.lists(pieces, max_size=12).map("".join), st.text(characters)))
def test_any_text_is_a_condition_or_a_mistake(text: str) -> None:
    """No text whatever leads to another error, and errors can be shown."""
    for read in (parse, parse_operand, parse_order):
        try:
            found = read(text)
        except QueryError as error:
            str(error).encode()
        else:
            assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301


@settings(max_examples=200)
@given(
    st.recursive(
        st.sampled_from(["a", "b.c"]),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
            inner.map("({})".format),
            inner.map("-{}".format),
        ),
        max_leaves=8,
    )
)
def test_arithmetic_binds_as_in_python(text: str) -> None:
    """Operators have the order that Python gives them."""

    def shape(node: Any) -> Any:
        if isinstance(node, Arithmetic):
            return node.op, shape(node.left), shape(node.right)
        if isinstance(node, Function):
            return "neg", shape(node.of)
        return ".".join(node.steps)

    def wanted(node: Any) -> Any:
        if isinstance(node, ast.BinOp):
            signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
            return signs[type(node.op)], wanted(node.left), wanted(node.right)
        if isinstance(node, ast.UnaryOp):
            return "neg", wanted(node.operand)
        return ast.unparse(node)

    assert shape(parse_operand(text)) == wanted(ast.parse(text, mode="eval").body)


def test_long_questions_are_read() -> None:
    """Flat ones may be as long as they like."""
    assert len(parse("a and " * 20_000 + "a").items) == 20_001  # type: ignore[union-attr]
    numbers = list(range(10_000))
    assert parse(f"a in {numbers}") == Among(A, tuple(numbers))
    assert parse("a in x", {"x": numbers}) == Among(A, tuple(numbers))
    assert len(parse("a" + ".b" * 5_000).path.steps) == 5_001  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "a" + ")" * 10_000,
        "not " * 5_000 + "a",
        "-" * 5_000 + "a < 1",
        "a + " * 20_000 + "a < 1",
        "[" * 500 + "]" * 500 + " == a",
        "not (not " * 40 + "a" + ")" * 40,
        "abs(" * 200 + "a" + ")" * 200 + " < 1",
        "(a and not (b or " * 30 + "c" + "))" * 30,
    ],
)
def test_deep_questions_are_refused(text: str) -> None:
    """Whoever walks over a question's tree may recurse."""
    with pytest.raises(QueryError, match="levels deep"):
        parse(text)


def test_long_text_is_refused() -> None:
    """A megabyte is no question."""
    with pytest.raises(QueryError, match="longer than"):
        parse("a" * 1_000_001)
    with pytest.raises(QueryError, match="text like"):
        parse(3)  # type: ignore[arg-type]
