"""A group of a record: a mapping that reads its parts when they are asked for."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from archivedb.errors import KeyNotFoundError
from archivedb.records import counted
from archivedb.values import outline, paths, skeleton

if TYPE_CHECKING:
    from archivedb.values.skeleton import Skeleton, Tree

SHOWN = 12
"""Lines of a group that its repr shows."""


class Group(Mapping[str, Any]):
    """
    A dict inside a record, lazily.

    ``group["outputs"]`` is a group again for a dict and the object itself for
    everything else; ``group["outputs/forces"]`` goes two steps at once;
    `load` returns the plain dict.  Keys are spelt as in paths.

    Args:
        source: The checked skeleton of the record.
        node: The group's node in it.
        record: The record's name.
        inside: The tokens of the path of the group inside the record.
        read: Returns the value of a node.

    """

    def __init__(
        self,
        source: Skeleton,
        node: Tree,
        record: str,
        inside: tuple[str, ...],
        read: Callable[[Tree], Any],
    ) -> None:
        self._source = source
        self._node = node
        self._record = record
        self._inside = inside
        self._read = read

    @property
    def name(self) -> str:
        """The last key of the path, or the last part of the record's name."""
        return self.path.rpartition("/")[2]

    @property
    def path(self) -> str:
        """The record's name and the path inside it."""
        return paths.join([self._record, *self._inside])

    def __getitem__(self, path: str | tuple[Any, ...]) -> Any:
        """
        Return what stands at a path below the group.

        Raises:
            KeyNotFoundError: Nothing does.
            NotAGroupError: The path goes on below a leaf.

        """
        found, tokens = self._source.walk(paths.parts(path), self._node)
        node = self._source.resolve(found)
        if skeleton.is_group(node):
            inside = (*self._inside, *tokens)
            return Group(self._source, node, self._record, inside, self._read)
        return self._read(node)

    def __contains__(self, path: object) -> bool:
        """Return whether anything stands at a path."""
        if not isinstance(path, (str, tuple)):
            return False
        try:
            self._source.at(paths.parts(path), self._node)
        except (KeyNotFoundError, TypeError):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, in the order in which they were saved."""
        for token, _ in skeleton.children(self._node):
            yield token

    def __len__(self) -> int:
        """Return how many keys there are."""
        return sum(1 for _ in skeleton.children(self._node))

    def load(self) -> Any:
        """Return the plain dict, read and checked."""
        return self._read(self._node)

    def _lines(self) -> list[str]:
        lines: list[str] = []
        for token, child in skeleton.children(self._node):
            if len(lines) == SHOWN:
                lines.append(f"… {len(self) - SHOWN} more")
                break
            kind, text = outline.describe(self._source.resolve(child))
            shown = text if kind == "value" else f"{kind}, {text}"
            lines.append(f"{token}: {shown}")
        return lines

    def __repr__(self) -> str:
        """Return the keys and what stands there, without reading any array."""
        body = "".join(f"\n  {line}" for line in self._lines())
        return f"<Group {self.path!r}, {counted(len(self), 'key')}>{body}"

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(line)}</li>" for line in self._lines())
        return f"<b>{html.escape(self.path)}</b><ul>{items}</ul>"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)
