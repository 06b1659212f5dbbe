"""The functions of a question: their names, and how many arguments they take."""

from __future__ import annotations

import difflib

FUNCTIONS = {
    "exists": "exists(x)",
    "like": 'like(x, "run-*")',
    "matches": 'matches(x, "^run-[0-9]+$")',
    "near": "near(x, 4.05, 0.01)",
    "isnan": "isnan(x)",
    "abs": "abs(x)",
    "len": "len(x)",
    "now": "now()",
    "today": "today()",
    "date": 'date("2026-11-01")',
    "datetime": 'datetime("2026-11-01T12:00")',
    "weeks": "weeks(1)",
    "days": "days(30)",
    "hours": "hours(2)",
    "minutes": "minutes(5)",
    "seconds": "seconds(10)",
    "float": 'float("inf")',
}
"""By name, how each is written; so many arguments as there it takes."""

CONDITIONS = frozenset({"exists", "like", "matches", "near", "isnan"})
"""Those that hold or do not; the others have a value."""

_INSTEAD = {
    **dict.fromkeys(("contains", "has", "includes"), "write `'x' in path`"),
    **dict.fromkeys(("startswith", "startsWith"), 'write `like(x, "start*")`'),
    **dict.fromkeys(("endswith", "endsWith"), 'write `like(x, "*end")`'),
    **dict.fromkeys(
        ("regexp", "regex", "re", "match", "search"), 'write `matches(x, "…")`'
    ),
    **dict.fromkeys(("glob", "ilike", "fnmatch"), 'write `like(x, "run-*")`'),
    **dict.fromkeys(
        ("isnull", "isna", "isnone", "is_none"), "write `x is None`, or `not exists(x)`"
    ),
    **dict.fromkeys(("notnull", "notna", "has_key"), "write `exists(x)`"),
    **dict.fromkeys(
        ("min", "max", "mean", "shape", "ndim", "dtype"),
        "write `outputs.forces.{name}` for that of an array",
    ),
    **dict.fromkeys(("isclose", "approx", "allclose"), "write `near(x, 4.05, 0.01)`"),
    **dict.fromkeys(("size", "count"), "write `len(x)`"),
    **dict.fromkeys(("between", "range"), "write `1 <= x < 3`"),
    "timedelta": "write `days(30)` or `hours(2)`",
    "isin": "write `x in [1, 2]`",
    "sqrt": "write `x * x` on the other side",
    "tag": "write `'x' in tags`",
    "tags": "write `'x' in tags`",
    "key": "`key(3)` stands in brackets only: `x[key(3)]`",
    "token": '`token(…)` stands in brackets only: `x[token("$3")]`',
}


def arity(name: str) -> int:
    """
    Return how many arguments a function takes.

    >>> arity("near"), arity("now")
    (3, 0)
    """
    inner = FUNCTIONS[name].partition("(")[2].removesuffix(")")
    return inner.count(",") + 1 if inner else 0


def unknown_function(name: str) -> str:
    """Return what to say of a function that there is not."""
    if name in _INSTEAD:
        return f"there is no function `{name}`: {_INSTEAD[name].format(name=name)}"
    close = difflib.get_close_matches(name[:60].lower(), FUNCTIONS, 1)
    if close:
        return (
            f"there is no function `{name}`; did you mean `{close[0]}`, as in "
            f"`{FUNCTIONS[close[0]]}`?"
        )
    return f"there is no function `{name}`; there are {', '.join(sorted(FUNCTIONS))}"
