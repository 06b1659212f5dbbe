"""JSON laid out for people: what is short on a line, the rest indented."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterator
from typing import Any

from archivedb.cli._plain import Tree, plain

WIDTH = 88
"""Columns, up to which a list or an object of plain values stays on a line."""

# Valid in JSON, but no text for a terminal.
_RAW_CONTROL = re.compile(
    "[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def one_line(value: Any) -> str:
    """Return a value as JSON on one line."""
    return "".join(chunks(value, on_one_line=True))


def chunks(
    value: Any, *, on_one_line: bool = False, ascii_only: bool = False
) -> Iterator[str]:
    """
    Yield a value as JSON, piece by piece.

    Args:
        value: Anything.
        on_one_line: Do not indent it.
        ascii_only: Escape every other character, for a terminal or a file
            that cannot show them.

    """
    width = None if on_one_line else WIDTH
    return _Layout(width=width, ascii_only=ascii_only).chunks(plain(value))


class _Layout:
    """How a tree is written: what is short on a line, the rest indented."""

    def __init__(self, *, width: int | None, ascii_only: bool) -> None:
        self._width = width
        self._dumps = json.JSONEncoder(
            ensure_ascii=ascii_only, allow_nan=False, check_circular=False
        ).encode
        self._path: list[str] = []
        # The containers that are being written, and the length of their path.
        self._open: dict[int, int] = {}

    def chunks(self, tree: Tree) -> Iterator[str]:
        """Yield the text of a tree."""
        # Python refuses to print integers of more than 4,300 digits, lest a
        # server be kept busy; whoever asks for a record wants all of it.
        limit = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            yield from self._chunks(tree)
        finally:
            sys.set_int_max_str_digits(limit)

    def _chunks(self, tree: Tree) -> Iterator[str]:
        text = self._short(tree, 0)
        if text is not None:
            yield text
            return
        frames = [self._enter(tree, None)]
        yield frames[0].opening
        while frames:
            frame = frames[-1]
            step = next(frame.items, None)
            if step is None:
                frames.pop()
                self._leave(frame)
                yield self._newline(len(frames)) + frame.closing
                continue
            head, token, child = step
            yield self._separator(frame, len(frames)) + head
            text = self._short(child, len(head) + 2 * len(frames))
            if text is not None:
                yield text
            elif id(child) in self._open:
                begin = self._path[: self._open[id(child)]]
                yield self._dumps({"$ref": "/".join(begin)})
            else:
                frames.append(self._enter(child, token))
                yield frames[-1].opening

    def _enter(self, tree: Tree, token: str | None) -> _Frame:
        if token is not None:
            self._path.append(token)
        self._open[id(tree)] = len(self._path)
        return _Frame(tree, self._steps(tree))

    def _leave(self, frame: _Frame) -> None:
        del self._open[id(frame.tree)]
        if self._path:
            self._path.pop()

    def _steps(self, tree: Tree) -> Iterator[tuple[str, str, Tree]]:
        """Yield what stands before each item, its step in a path, and it."""
        if isinstance(tree, dict):
            for key, child in tree.items():
                yield self._scalar(key) + ": ", key, child
        elif self._width is not None and _are_atoms(tree):
            for row in self._rows(tree):
                yield row, "", _WRITTEN
        else:
            for index, child in enumerate(tree):
                yield "", f"[{index}]", child

    def _rows(self, items: list[Tree]) -> Iterator[str]:
        """Yield a long list of atoms in lines that are full."""
        row: list[str] = []
        room = width = (self._width or WIDTH) - 8
        for text in self._atoms(items):
            if row and len(text) + 2 > room:
                yield ", ".join(row)
                row, room = [], width
            row.append(text)
            room -= len(text) + 2
        yield ", ".join(row)

    def _short(self, tree: Tree, column: int) -> str | None:
        """Return the text of what stays on this line, else None."""
        if tree is _WRITTEN:
            return ""
        if _is_atom(tree):
            return self._atom(tree)
        if not tree:
            return "{}" if isinstance(tree, dict) else "[]"
        room = 0 if self._width is None else max(self._width - column, 24)
        # Each item takes two characters at least.
        if 2 * len(tree) > room:
            return None
        values = tree.values() if isinstance(tree, dict) else tree
        text = self._joined(tree) if _are_atoms(values) else None
        return text if text is not None and len(text) <= room else None

    def _joined(self, tree: Tree) -> str:
        """Return a list or an object of atoms on one line."""
        if isinstance(tree, dict):
            pairs = (f"{self._scalar(k)}: {self._atom(v)}" for k, v in tree.items())
            return "{" + ", ".join(pairs) + "}"
        return "[" + ", ".join(self._atoms(tree)) + "]"

    def _atoms(self, items: list[Tree]) -> list[str]:
        if set(map(type, items)) <= _NUMBERS:
            # One call for a long list: arrays have millions of numbers.
            return self._dumps(items)[1:-1].split(", ")
        return list(map(self._atom, items))

    def _atom(self, tree: Tree) -> str:
        if isinstance(tree, dict | list):
            return self._joined(tree)
        return self._scalar(tree)

    def _scalar(self, value: Tree) -> str:
        text = self._dumps(value)
        if type(value) is not str:
            return text
        return _RAW_CONTROL.sub(lambda m: f"\\u{ord(m.group()):04x}", text)

    def _separator(self, frame: _Frame, depth: int) -> str:
        begun, frame.begun = frame.begun, True
        if self._width is None:
            return ", " if begun else ""
        return ("," if begun else "") + self._newline(depth)

    def _newline(self, depth: int) -> str:
        # Deeper than this nobody reads, and blanks would outgrow the data.
        return "" if self._width is None else "\n" + "  " * min(depth, 40)


_WRITTEN: list[Tree] = [None]
"""In place of an item that is written already; compared by identity."""


class _Frame:
    """A dict or list that is being written."""

    def __init__(self, tree: Tree, items: Iterator[tuple[str, str, Tree]]) -> None:
        self.tree = tree
        self.items = items
        self.begun = False
        self.opening, self.closing = "{}" if isinstance(tree, dict) else "[]"


def _is_atom(tree: Tree) -> bool:
    """Return whether a tree never begins a new line: a plain value, or a tag."""
    if isinstance(tree, dict):
        return next(iter(tree), "") in _ATOMS
    return not isinstance(tree, list) or tree is _WRITTEN


def _are_atoms(trees: Collection[Tree]) -> bool:
    kinds = set(map(type, trees))
    if dict not in kinds and list not in kinds:
        return True
    return all(map(_is_atom, trees))


_NUMBERS = frozenset({int, float, bool, type(None)})
_ATOMS = frozenset({"$float", "$complex", "$bytes", "$str", "$ref", "$object"})
"""Tags of which no dict of the user's makes part: theirs are escaped."""
