"""Walks over the tree of a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.query.nodes import Condition, Operand


def children(node: Condition | Operand) -> tuple[Any, ...]:
    """Return the nodes directly below one."""
    if isinstance(node, And | Or):
        return node.items
    if isinstance(node, Not):
        return (node.item,)
    if isinstance(node, Compare | Arithmetic):
        return node.left, node.right
    if isinstance(node, Function | Among | Like | Matches):
        return (node.of,)
    if isinstance(node, Contains | IsNone | Exists | IsNaN | Truth):
        return (node.path,)
    return ()


def size(node: Condition | Operand) -> tuple[int, int]:
    """Return of how many nodes a question consists, and of how many values."""
    nodes, values, todo = 0, 0, [node]
    while todo:
        each = todo.pop()
        nodes += 1
        if isinstance(each, Among):
            values += len(each.values)
        todo += children(each)
    return nodes, values


def paths_of(node: Condition | Operand) -> Iterator[Path]:
    """Yield the paths that must be there: all but those asked for being there."""
    todo: list[Any] = [node]
    while todo:
        each = todo.pop()
        if isinstance(each, Path):
            if each.side != "record":
                yield each
        elif not isinstance(each, Exists | IsNone | Literal):
            todo += reversed(children(each))
