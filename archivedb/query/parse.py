"""
Text to a tree: conditions, the operands of columns, and orders.

The text is read as a Python expression by `grammar`, and what Python makes of
its operators becomes nodes here.  Nothing of it is ever evaluated but signs
between literals: ``now() - days(30)`` is one instant.

What a question means beyond the nodes:

- ``x not in […]`` and ``x is not None`` are comparisons, and so false where
  there is no ``x``, as ``x != 1`` is; ``not (x in […])`` is their negation.
- A literal stands at the right of a comparison, wherever it was typed.
- ``None`` in a list is `IsNone`, and a list in a list a comparison.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from archivedb.errors import QueryError
from archivedb.query import literals
from archivedb.query.advice import unknown_path
from archivedb.query.names import slash_path, spelling
from archivedb.query.nodes import (
    And,
    Compare,
    Condition,
    Contains,
    IsNone,
    Literal,
    Operand,
    Or,
    Path,
)
from archivedb.query.reader import TAGS_PATH, Reader, instant_of

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = [
    "equality",
    "parse",
    "parse_operand",
    "parse_order",
    "slash_path",
    "spelling",
    "unknown_path",
]


def parse(text: str, parameters: Mapping[str, Any] | None = None) -> Condition:
    """
    Return the condition that a question says.

    Args:
        text: A Python expression.
        parameters: Values by the names under which they stand in it.

    Raises:
        QueryError: It is none, or asks what cannot be asked.

    >>> parse("outputs.energy < limit", {"limit": -3})
    ... # doctest: +NORMALIZE_WHITESPACE
    Compare(op='<', left=Path(side='', steps=('outputs', 'energy')),
    right=Literal(value=-3))
    """
    reader = Reader(text, parameters)
    return reader.condition(reader.tree)


def parse_operand(text: str, parameters: Mapping[str, Any] | None = None) -> Operand:
    """
    Return what has a value for each record: a path, or arithmetic with paths.

    Raises:
        QueryError: The text is none.

    >>> parse_operand("outputs.energy")
    Path(side='', steps=('outputs', 'energy'))
    """
    reader = Reader(text, parameters)
    return reader.operand_of_records(reader.tree)


def parse_order(text: str) -> tuple[Operand, bool]:
    """
    Return what records are ordered by, and whether the largest comes first.

    A ``-`` in front of the whole says that it does; as in Python it binds
    closer than ``+``, so ``-a + b`` is the sum of ``-a`` and ``b``, smallest
    first, and ``-(a + b)`` is the sum of both, largest first.

    Raises:
        QueryError: The text is none.

    >>> parse_order("-saved_at")
    (Path(side='record', steps=('saved_at',)), True)
    """
    reader = Reader(text, None)
    tree = reader.tree
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return reader.operand_of_records(tree.operand), True
    return reader.operand_of_records(tree), False


def equality(path: Path, value: Any) -> Condition:
    """
    Return the condition that a value stands at a path, ``find(status="failed")``.

    Raises:
        QueryError: No value of this type can be compared.

    >>> equality(slash_path("tags"), "converged")
    Contains(path=Path(side='record', steps=('tags',)), value='converged')
    """
    name = spelling(path.steps, path.side)
    if isinstance(value, set | frozenset):
        raise QueryError(
            f"`{name}` equals no {type(value).__name__}, since the index has none; "
            "give a list"
        )
    given = literals.literal(value, f"`{name}`")
    if path == TAGS_PATH:
        tags = given if isinstance(given, list) else [given]
        if not all(isinstance(tag, str) for tag in tags):
            raise QueryError("tags are words: give one, or a list of them")
        found = tuple(Contains(path, tag) for tag in tags)
        return found[0] if len(found) == 1 else And(found)
    if given is None:
        return IsNone(path)
    if literals.is_nan(given):
        return Or(())  # equal to nothing, itself included
    return Compare("==", path, Literal(instant_of(path, given)))
