"""Questions written down, so that they are read again."""

from __future__ import annotations

import math
from typing import Any

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
from archivedb.query.parse import spelling


class Words:
    """
    A question as text.

    Attributes:
        parameters: The values that text cannot say, by the names that it has for them.

    """

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}

    def of(self, node: Any) -> str:  # noqa: C901, PLR0912 - one form for each node
        """Return a node as text."""
        if isinstance(node, And | Or):
            word = " and " if isinstance(node, And) else " or "
            return "(" + word.join(self.of(item) for item in node.items) + ")"
        if isinstance(node, Not):
            return f"(not {self.of(node.item)})"
        if isinstance(node, Compare):
            return f"({self.of(node.left)} {node.op} {self.of(node.right)})"
        if isinstance(node, Arithmetic):
            return f"({self.of(node.left)} {node.op} {self.of(node.right)})"
        if isinstance(node, Function):
            inner = self.of(node.of)
            return f"(-{inner})" if node.name == "neg" else f"{node.name}({inner})"
        if isinstance(node, Among):
            return f"({self.of(node.of)} in {self.of(Literal(list(node.values)))})"
        if isinstance(node, Contains):
            return f"({self.of(Literal(node.value))} in {self.of(node.path)})"
        if isinstance(node, IsNone):
            return f"({self.of(node.path)} is None)"
        if isinstance(node, Exists):
            return f"exists({self.of(node.path)})"
        if isinstance(node, IsNaN):
            return f"isnan({self.of(node.path)})"
        if isinstance(node, Like | Matches):
            function = "like" if isinstance(node, Like) else "matches"
            return f"{function}({self.of(node.of)}, {self.of(Literal(node.pattern))})"
        if isinstance(node, Truth):
            return self.of(node.path)
        if isinstance(node, Path):
            return spelling(node.steps, node.side)
        return self._literal(node.value)

    def _literal(self, value: Any) -> str:
        if type(value) is list and value and not any(type(x) is list for x in value):
            return "[" + ", ".join(map(self._literal, value)) + "]"
        plain = type(value) in (bool, str, type(None))
        plain = plain or (type(value) is int and abs(value) < 10**40)
        if plain or (type(value) is float and math.isfinite(value)):
            return repr(value)
        name = f"given{len(self.parameters)}"
        self.parameters[name] = value
        return name
