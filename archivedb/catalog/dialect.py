"""What SQLite and PostgreSQL spell differently, behind one name each."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, BigInteger, Boolean, Double, bindparam, cast, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Dialect, TableValuedAlias


class holds(FunctionElement[bool]):  # noqa: N801 - named as SQL's functions are
    """Whether a text holds another."""

    type = Boolean()
    name = "holds"
    inherit_cache = True


@compiles(holds)
def _holds(element: Any, compiler: Any, **options: Any) -> str:
    return f"(strpos({compiler.process(element.clauses, **options)}) > 0)"


@compiles(holds, "sqlite")
def _holds_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


def reckoned(op: str, left: Any, right: Any, dialect: Dialect) -> ColumnElement[Any]:
    """Return ``+ - * /`` of two numbers; null where there is no result."""
    if dialect.name == "sqlite":
        if op == "/":
            left, right = cast(left, Double), func.nullif(right, 0)
        return left.op(op)(right)  # type: ignore[no-any-return]
    kind = {"+": _sum, "-": _difference, "*": _product, "/": _quotient}[op]
    return kind(cast(left, Double), cast(right, Double))


class _Reckoned(FunctionElement[Any]):
    """
    Arithmetic of PostgreSQL, as IEEE 754 has it.

    A result too large or too small is an error there, which would end the
    search; so it is foreseen, by reckoning with what is scaled by a power of 2.
    """

    type = Double()
    result: str
    """By ``l`` and ``r``; NaN stands for nothing."""


class _sum(_Reckoned):  # noqa: N801
    name, inherit_cache = "sum_", True
    result = """CASE
        WHEN abs(l) < 1e290 OR abs(r) < 1e290 THEN l + r
        WHEN l * 0.5 + r * 0.5 = 'NaN' THEN 'NaN'
        WHEN l * 0.5 + r * 0.5 >= 2::float8 ^ 1023 THEN 'Infinity'
        WHEN l * 0.5 + r * 0.5 <= -(2::float8 ^ 1023) THEN '-Infinity'
        ELSE l + r END"""


class _difference(_Reckoned):  # noqa: N801
    name, inherit_cache = "difference_", True
    result = _sum.result.replace("+ r", "- r")


_SIGNED = "CASE WHEN (l < 0) = (r < 0) THEN 'Infinity'::float8 ELSE '-Infinity' END"


class _product(_Reckoned):  # noqa: N801
    name, inherit_cache = "product_", True
    result = f"""CASE
        WHEN l = 0 OR r = 0 OR abs(l) = 'Infinity' OR abs(r) = 'Infinity' THEN l * r
        WHEN abs(l) > 1 AND abs(r) > 1
            AND abs((l * 2::float8 ^ -512) * (r * 2::float8 ^ -512)) >= 1 THEN {_SIGNED}
        WHEN abs(l) < 1 AND abs(r) < 1 AND abs((l * 2::float8 ^ 511)
            * (r * 2::float8 ^ 511)) <= 2::float8 ^ -53 THEN 0
        ELSE l * r END"""


class _quotient(_Reckoned):  # noqa: N801
    name, inherit_cache = "quotient_", True
    result = f"""CASE
        WHEN r = 0 THEN 'NaN'
        WHEN l = 0 OR abs(l) = 'Infinity' OR abs(r) = 'Infinity' THEN l / r
        WHEN abs(l) > 1 AND abs(r) < 1
            AND abs((l * 2::float8 ^ -512) / (r * 2::float8 ^ 512)) >= 1 THEN {_SIGNED}
        WHEN abs(l) < 1 AND abs(r) > 1 AND abs((l * 2::float8 ^ 511)
            / (r * 2::float8 ^ -511)) <= 2::float8 ^ -53 THEN 0
        ELSE l / r END"""


@compiles(_Reckoned)
def _in_doubles(element: Any, compiler: Any, **options: Any) -> str:
    left, right = (compiler.process(x, **options) for x in element.clauses)
    # Each side is named, since it would be reckoned several times.
    sides = f"(SELECT {left} AS l, {right} AS r) AS sides"
    return f"(SELECT nullif({element.result}, 'NaN') FROM {sides})"  # noqa: S608


def like(column: ColumnElement[Any], pattern: str, dialect: Dialect) -> Any:
    """Return whether a text matches a pattern of ``*`` and ``?``, by its case."""
    if dialect.name == "sqlite":
        # Its LIKE takes A for a; in GLOB, a bracket begins a set.
        return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, f"\\{special}")
    return column.like(pattern.replace("*", "%").replace("?", "_"), escape="\\")


def numbered(name: str, dialect: Dialect) -> TableValuedAlias:
    """
    Return a table of ids, given as one parameter, with their order.

    Its columns are ``value`` and ``key``; the parameter is what `ids` returns.
    """
    if dialect.name == "sqlite":
        return func.json_each(bindparam(name)).table_valued("key", "value")
    given = bindparam(name, type_=ARRAY(BigInteger))
    unnested = func.unnest(given).table_valued("value", with_ordinality="key")
    return unnested.render_derived()


def most_parameters(connection: Connection) -> int:
    """Return how many parameters one statement may have."""
    if connection.dialect.name != "sqlite":
        return 65_535  # the protocol counts them with 16 bits
    raw: Any = connection.connection.dbapi_connection
    return int(raw.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))


def ids(numbers: Sequence[int], dialect: Dialect) -> Any:
    """Return ids as the parameter of `numbered`."""
    if dialect.name == "sqlite":
        return f"[{','.join(map(str, numbers))}]"
    return list(numbers)
