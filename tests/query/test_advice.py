"""Errors point at the characters that are meant, and say what to write."""

from __future__ import annotations

import pickle
import random
import string
import time

import pytest

from archivedb.errors import QueryError
from archivedb.query.nodes import Path
from archivedb.query.parse import parse, unknown_path

MISTAKES = [
    # text, what is marked, words of the sentence
    ("", "", "is empty"),
    (" \n ", "", "is empty"),
    ("inputs.lambda > 3", "lambda", '`inputs["lambda"]`'),
    ("a.b['c d'].class.x", "class", "`a.b['c d'][\"class\"]`"),
    ("lambda > 3", "lambda", '`data["lambda"]`'),
    ("a = 3", "=", "write `==`"),
    ("a := 3", ":=", "write `==`"),
    ("a === 3", "===", "write `==`"),
    ("a && b", "&&", "write `and`"),
    ("a & b", "&", "write `and`"),
    ("a || b", "||", "write `or`"),
    ("a | b", "|", "write `or`"),
    ("!a", "!", "write `not`"),
    ("~a", "~", "write `not`"),
    ("a ! = 3", "!", "`!=`"),
    ("a <> 3", "<>", "write `!=`"),
    ("a =< 3", "=<", "write `<=`"),
    ("a => 3", "=>", "write `>=`"),
    ("a ** 2 > 3", "**", "powers"),
    ("a % 2 == 0", "%", "remainder"),
    ("a // 2 == 0", "//", "write `/`"),
    ("a @ b", "@", "matrix"),
    ("a AND b", "AND", "write `and`"),
    ("NOT a", "NOT", "write `not`"),
    ("a NOT IN [1]", "NOT", "write `not`"),
    ("x.a LIKE 'b*'", "LIKE", '`like(x.a, "run-*")`'),
    ("x.a not like 'b*'", "like", '`not like(x.a, "run-*")`'),
    ("x.a BETWEEN 1 AND 2", "BETWEEN", "`1 <= x.a <= 3`"),
    ("a is not null", "null", "write `None`"),
    ("a is 'x'", "'x'", "write `== 'x'`"),
    ("a is b", "b", "write `== b`"),
    ("a == 'b", "'", "never closed"),
    ("a == '''b", "'''", "never closed"),
    ("(a and b", "(", "add `)`"),
    ("a and b)", ")", "closes nothing"),
    ("a[1)", ")", "`]` is needed"),
    ("steps.3.energy > 2", "3.energy", "`steps[3].energy`"),
    ("steps.3d > 2", "3d", '`steps["3d"]`'),
    ("a.", " ", "missing behind the dot"),
    ("a..b", ".", "missing behind the dot"),
    ("exist(a)", "exist", "did you mean `exists`"),
    ("foo(a)", "foo", "there are abs, "),
    ("max(a) < 3", "max", "outputs.forces.max"),
    ("contains(a, 'x')", "contains", "'x' in path"),
    ("a.max() < 3", "(", "without parentheses"),
    ("a.get('x') < 3", "get", "a path cannot be called"),
    ("like(a)", "like(a)", "takes 2 arguments, not 1"),
    ("a < now(3)", "now(3)", "takes no argument"),
    ("like(a, pattern='x')", "=", "no names"),
    ("like('x', a)", "'x'", "takes a path"),
    ("like(a, b)", "b", "text in quotes"),
    ("matches(a, 'x(y')", "(", "no regular expression"),
    ("matches(a, '\\\\x(y')", "'\\\\x(y'", "no regular expression"),
    ("near(a, 1, -1)", "-1", "from 0 on"),
    ("near(a, 'x', 1)", "'x', 1", "numbers"),
    ("a < date('2026-13-01')", "'2026-13-01'", "write `date("),
    ("a < date(2026, 1, 1)", "date(2026, 1, 1)", "takes 1 argument"),
    ("saved_at > 'yesterday'", "'yesterday'", "`now() - days(30)`"),
    ("now() - saved_at < days(3)", "now() - saved_at", "`saved_at > now()"),
    ("saved_at > now - days(30)", "now", "write `now()`"),
    ("a < days(10 ** 9)", "**", "powers"),
    ("a < days(10000000000)", "10000000000", "cannot take"),
    ("a < now() + days(99999999)", "now() + days(99999999)", "too large"),
    ("a < 1 / 0", "1 / 0", "divides by zero"),
    ("a < 'x' + 1", "'x' + 1", "no meaning"),
    ("a + 'x' < 1", "a + 'x'", "takes numbers"),
    ("-'x' == a", "-'x'", "no meaning for text"),
    ("a < True", "True", "True has no order"),
    ("a < [1]", "[1]", "a list has no order"),
    ("a == float('nan')", "float('nan')", "`isnan(x)`"),
    ("a < float('nan')", "float('nan')", "`isnan(x)`"),
    ("float('nan') in a", "float('nan')", "`isnan(x)`"),
    ("near(a, float('nan'), 1)", "float('nan')", "`isnan(x)`"),
    ("a == " + "9" * 4000 + " * " + "9" * 4000, "9", "too large"),
    ("1 == 2", "1 == 2", "both sides are values"),
    ("'abc'", "'abc'", "no condition"),
    ("3", "3", "no condition"),
    ("a + 1", "a + 1", "no condition"),
    ("(a < b) == True", "a < b", "a condition has no value"),
    ("a == not b", "not", "`not a == b`"),
    ("a, b", ",", "write `and`"),
    ("(a, b)", "(a, b)", "write `and`"),
    ("a b", "b", '`data["a b"]`'),
    ("a 3", "3", "operator is missing"),
    ("a and", " ", "after `and`"),
    ("and a", "and", "missing before `and`"),
    ("a in b", "a", "`'Al' in b`"),
    ("a in 'abc'", "'abc'", "a list"),
    ("a in [b]", "b", "a list holds values"),
    ("1 in [1]", "1", "stands a path"),
    ("{} in a", "}", "write `[]`"),
    ("{'a': 1} == a", ":", "dicts"),
    ("tags == 'x'", "tags", "`'converged' in tags`"),
    ("tags", "tags", "`'converged' in tags`"),
    ("exists(tags)", "tags", "`'converged' in tags`"),
    ("3 in tags", "3", "in quotes"),
    ("name", "name", "never True"),
    ("name is None", "name is None", "never None"),
    ("exists(name)", "name", "every record"),
    ("name.x == 3", "name.x", "`data.name.x`"),
    ("record.foo == 1", "record.foo", "mode, size"),
    ("data == 1", "data", "`data.data`"),
    ("a[-1] == 1", "-1", "from the first"),
    ("a[1:2] == 1", "1", "slices"),
    ("a[b] == 1", "b", "a parameter's name"),
    ("a[] == 1", "]", "in brackets"),
    ("a[9999999999999999999]", "9999999999999999999", "so many items"),
    ("(a)[0]", "[", "only a path"),
    ("'x'.upper() == a", ".", "only a path"),
    ("array(a) < 3", "array(a)", "one fact"),
    ("f'{a}' == b", "f'", "formatted"),
    ("b'x' == a", "b'", "bytes"),
    ("a == 3j", "3j", "complex"),
    ("a == 007", "007", "leading zeros"),
    ("a == 12abc", "12abc", "no number"),
    ("a == " + "9" * 5000, "9", "so many digits"),
    ("a == '\\xzz'", "\\x", "begins no character"),
    ("a ≤ 3", "≤", "write `<=`"),
    ("a == “x”", "“", 'write `"`'),
    ("a \0 b", "\0", "U+0000"),
    ("a \ud800 b", "\ud800", "U+D800"),
    ("a '\ud800'", "'\ud800'", "operator is missing"),
    ("a if b else c", "if", "no place"),
    ("[a for a in b]", "for", "no place"),
    ("(yield a)", "yield", "keyword"),
    ("`a` == 1", "`", "not quoted"),
    ("$a == 1", "$", "by its name"),
    ("a; b", ";", "by `and`"),
]


@pytest.mark.parametrize(("text", "marked", "words"), MISTAKES)
def test_mistakes(text: str, marked: str, words: str) -> None:
    """Each mistake is marked where it is, and one sentence says what to write."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    message = str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == message  # noqa: S301
    message.encode()
    sentence, *excerpt = message.split("\n")
    assert words in sentence
    if text.strip():
        line, marks = excerpt
        begin = marks.index("^")
        found = line[begin : len(marks)]
        shown = "".join(one if one.isprintable() else "�" for one in marked)
        # Behind the text there is nothing to be seen.
        assert (found or " ")[: len(shown)] == shown
        # Many characters are marked by as many marks.
        assert len(marked) == 1 or len(found) == len(shown)
    else:
        assert not excerpt


def test_marks_stand_below_wide_and_many_lines() -> None:
    """Of many lines one is shown, and characters of two columns count twice."""
    with pytest.raises(QueryError) as caught:
        parse("a == 1\n  and 能量 = 3\n  and b")
    assert str(caught.value).split("\n")[1:] == [
        "    and 能量 = 3",
        "             ^",
    ]


def test_long_lines_are_cut() -> None:
    """Only what is near the mistake is shown."""
    with pytest.raises(QueryError) as caught:
        parse("a == 1 and " * 500 + "b = 3" + " and a == 1" * 500)
    _, line, marks = str(caught.value).split("\n")
    assert len(line) <= 82
    assert line[2] == line[-1] == "…"
    assert line[marks.index("^")] == "="


KNOWN = [
    *(
        "inputs/xc",
        "inputs/ecut",
        "outputs/energy",
        "outputs/forces",
        "inputs/k-points",
    ),
    *("outputs/forces/$max", "steps/[0]/energy", "steps/[1]/energy", "table/$3/x"),
    *("inputs/lattice constant", "Project/Owner"),
]


@pytest.mark.parametrize(
    ("text", "wrong", "words"),
    [
        ("outputs.enrgy < 3", "outputs.enrgy", "did you mean `outputs.energy`?"),
        ("Outputs.Energy < 3", "Outputs.Energy", "did you mean `outputs.energy`?"),
        ("forces.max < 3", "forces.max", "did you mean `outputs.forces.max`?"),
        ("array(forces).max < 3", "array(forces).max", "`outputs.forces.max`?"),
        ("outputs.forcs < 3", "outputs.forcs", "did you mean `outputs.forces`?"),
        ("outputs/energy < 3", "outputs", "did you mean `outputs.energy`?"),
        ("outputs/energy < 3", "energy", "did you mean `outputs.energy`?"),
        ("inputs.k-points < 3", "inputs.k", 'did you mean `inputs["k-points"]`?'),
        ("inputs.k-points < 3", "points", 'did you mean `inputs["k-points"]`?'),
        ("inputs.k-points-1 < 3", "inputs.k", 'did you mean `inputs["k-points"]`?'),
        ("inputs.k_points < 3", "inputs.k_points", '`inputs["k-points"]`?'),
        (
            "inputs.lattice_constant < 3",
            "inputs.lattice_constant",
            '`inputs["lattice constant"]`?',
        ),
        ("project.owner == 'x'", "project.owner", "`Project.Owner`"),
        ("ecut < 3", "ecut", "did you mean `inputs.ecut`?"),
        ("data.outputs.enrgy < 3", "data.outputs.enrgy", "`data.outputs.energy`?"),
        ("steps.energy < 3", "steps.energy", "`steps[0].energy`"),
        ("table[3].x < 3", "table[3].x", "`table[key(3)].x`"),
        ("inputs", "inputs", "`inputs` is a group"),
        ("inputs.xc == PBE", "PBE", "in quotes: `'PBE'`"),
        ("inputs.xc == true", "true", "did you mean `True`"),
        ("quux.frob > 1", "quux.frob", "`archivedb paths` lists"),
        ("quux/frob > 1", "quux", "a path has dots, `quux.frob`"),
        ("names == 'x'", "names", "did you mean `name`?"),
        ("mode == 'hdf5'", "mode", "did you mean `record.mode`?"),
        ("saved > 'x'", "saved", "did you mean `saved_at`?"),
    ],
)
def test_unknown_paths_have_proposals(text: str, wrong: str, words: str) -> None:
    """Whatever was meant is proposed, and can be pasted."""
    at = text.index(wrong)
    node = parse(f"{wrong} == 1").left  # type: ignore[union-attr]
    node = Path(node.side, node.steps, (at, at + len(wrong)))
    sentence, line, marks = str(unknown_path(text, node, KNOWN)).split("\n")
    assert words in sentence
    assert line[marks.index("^") :].startswith(wrong)
    assert marks.count("^") == len(wrong)


def test_proposals_are_quick() -> None:
    """Among 100,000 known paths the nearest is found at once."""
    draw = random.Random(1)  # noqa: S311
    words = ["".join(draw.choices(string.ascii_lowercase, k=7)) for _ in range(2000)]
    known = {"/".join(draw.choices(words, k=3)) for _ in range(100_000)}
    begin = time.perf_counter()
    node = Path("", ("outputs", "enrgy"), (0, 13))
    error = unknown_path("outputs.enrgy < 3", node, {*known, "outputs/energy"})
    assert "`outputs.energy`" in str(error)
    # No budget: only that it is no matter of minutes.
    assert time.perf_counter() - begin < 30
