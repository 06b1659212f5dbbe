"""
Edits of a skeleton: set, remove, make a group, append, at a path.

No value is built for it and no array is read.  A skeleton is taken as what it
stands for, a graph in which a reference leads to the very object; the edits
change that graph, and the result is written anew as `encode` writes a value.
So whatever is still referred to stays, wherever it stood, and equal values
have equal skeletons.  There is no recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from archivedb.errors import EncodeError, KeyNotFoundError, NotAGroupError
from archivedb.values import paths, skeleton
from archivedb.values.graph import (
    Source,
    child_at,
    contained,
    group_of,
    handle_of,
    locate,
    new_token,
    put,
    resolved,
)
from archivedb.values.rewriting import Rewriting
from archivedb.values.skeleton import Skeleton, Tree, tag_of, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archivedb.values.encode import Encoded
    from archivedb.values.graph import Content, Group, Handle
    from archivedb.values.rewriting import Join

Steps: TypeAlias = tuple[str, ...]
"""The tokens of a path from the root."""


@dataclass(frozen=True, slots=True)
class Assign:
    """
    Put a value at a path, whatever is there; make the groups above it.

    Attributes:
        steps: The path; the empty one is the whole value.
        value: What ``encode(value, at=steps)`` has made.

    """

    steps: Steps
    value: Encoded


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove what is at a path, with all below it."""

    steps: Steps


@dataclass(frozen=True, slots=True)
class MakeGroup:
    """Make an empty group at a path, unless a group is there already."""

    steps: Steps


@dataclass(frozen=True, slots=True)
class Append:
    """
    Extend the array at a path along its first axis; if none is there, make it.

    Attributes:
        steps: The path.
        rows: What ``encode(rows, at=steps)`` has made of an array.

    """

    steps: Steps
    rows: Encoded


Op: TypeAlias = Assign | Remove | MakeGroup | Append


@dataclass(frozen=True, slots=True)
class Edited:
    """
    A skeleton after edits.

    Attributes:
        skeleton: Canonical JSON.
        arrays: What its ``$array`` nodes refer to, by number: what the source
            had in its `arrays`, or a `StoredArray` of an edit.
        executable: Whether reading it back may run code.

    """

    skeleton: bytes
    arrays: tuple[Any, ...]
    executable: bool


def apply(
    source: Skeleton,
    arrays: Sequence[Any],
    ops: Iterable[Op],
    join: Join | None = None,
) -> Edited:
    """
    Return what edits make of a skeleton.

    Args:
        source: The skeleton; it is not changed.
        arrays: What its arrays are, by number; anything.
        ops: The edits, in order.
        join: Makes one array of several; without it an array with rows
            appended consists of parts.

    Raises:
        KeyNotFoundError: There is nothing where something is to be removed.
        NotAGroupError: A path goes on below a leaf, or an edit would change a
            tuple or an object.
        EncodeError: Rows do not fit the array.

    """
    editing = Editing(source, arrays)
    for op in ops:
        editing.do(op)
    return editing.finish(join)


class Editing:
    """
    Edits of one skeleton, one after another.

    An edit costs what its path costs, and once for each container on it what
    that container costs; `finish` costs what the whole skeleton costs.

    Args:
        source: The skeleton; it is not changed.
        arrays: What its arrays are, by number.

    """

    def __init__(self, source: Skeleton, arrays: Sequence[Any]) -> None:
        self._base = Source(source, arrays)
        self.root: Handle = self._base, source.root
        # What is in a container that was looked into, by the id of its node:
        # from then on this counts, and not the node.
        self.inside: dict[int, Content] = {}
        # Holding each node keeps its id from being taken by another.
        self._held: list[Tree] = []
        self.lists: set[int] = set()
        """The ids of the nodes of lists that were changed."""
        # Dicts of which some tokens count the pairs, and arrays made of parts
        # here, which nothing refers to yet.
        self._counted: set[int] = set()
        self._extended: set[int] = set()

    def do(self, op: Op) -> None:
        """
        Make an edit, or raise and change nothing.

        Raises:
            KeyNotFoundError: There is nothing to be removed.
            NotAGroupError: The path goes on below a leaf, or the edit would
                change a tuple or an object.
            EncodeError: Rows do not fit the array.

        """
        with well_formed("skeleton"):
            if isinstance(op, Assign):
                self._set(op.steps, handle_of(op.value, op.steps))
            elif isinstance(op, Append):
                self._append(op)
            elif isinstance(op, MakeGroup):
                self._make_group(op.steps)
            else:
                self._remove(op.steps)

    def finish(self, join: Join | None = None) -> Edited:
        """Return what the edits have made so far; more may follow."""
        with well_formed("skeleton"):
            rewriting = Rewriting(self.inside, self.lists, join)
            text = rewriting.run(self.root)
            arrays = tuple(rewriting.arrays)
            return Edited(text, arrays, rewriting.executable)

    def spell(self, steps: Steps) -> Steps:
        """Return steps as tokens: what is there has one, text makes the rest."""
        handle = resolved(self.root)
        known: list[str] = []
        for at, step in enumerate(steps):
            content = self._inside(handle)
            key = None if content is None else locate(content, step)
            if content is None or key is None:
                return (*known, *map(new_token, steps[at:]))
            known.append(key if isinstance(key, str) else paths.item_token(key))
            handle = resolved(child_at(content, key))
        return tuple(known)

    # The edits ----------------------------------------------------------

    def _set(self, steps: Steps, child: Handle) -> None:
        if not steps:
            self.root = child
            return
        node, content, at = self._reach(steps)
        key = locate(content, steps[at])
        if isinstance(content, tuple):
            raise _unchangeable(node, steps, at)
        if isinstance(content, list):
            if key is None:
                raise _no_key(steps, at)
            content[key] = child
            self.lists.add(id(node))
            return
        for token in reversed(steps[at + 1 :]):
            made: Group = {}
            put(made, token, child)
            child = self._hold({}, made)
        put(content, steps[at] if key is None else key, child)

    def _remove(self, steps: Steps) -> None:
        if not steps:
            msg = "the whole value cannot be removed"
            raise NotAGroupError(msg)
        node, content, at = self._reach(steps)
        key = locate(content, steps[at])
        if key is None or at < len(steps) - 1:
            raise _no_key(steps, at)
        if isinstance(content, tuple):
            raise _unchangeable(node, steps, at)
        del content[key]
        if isinstance(content, list):
            self.lists.add(id(node))
        elif id(node) in self._counted:
            self.inside[id(node)] = group_of(content.values())

    def _make_group(self, steps: Steps) -> None:
        old = self._find(steps)
        if old is None:
            self._set(steps, self._hold({}, {}))
        elif not skeleton.is_group(old[1]):
            msg = f"{_shown(steps)} is {_what(old[1])}, not a group"
            raise NotAGroupError(msg)

    def _append(self, op: Append) -> None:
        added, where = handle_of(op.rows, op.steps), _shown(op.steps)
        rows = added[1]
        if not _is_array(rows):
            msg = f"{where}: only an array of numbers or short text has rows to append"
            raise EncodeError(msg)
        if not rows["shape"]:
            msg = f"{where}: an array without axes has no rows to append"
            raise EncodeError(msg)
        old = self._find(op.steps)
        if old is None:
            self._set(op.steps, added)
            return
        parts = self._parts(old)
        if not parts:
            msg = f"{where} is {_what(old[1])}: rows can be appended to arrays only"
            raise EncodeError(msg)
        first = parts[0][1]
        if not first["shape"]:
            msg = f"{where} is an array without axes, so it has no rows"
            raise EncodeError(msg)
        if first["dtype"] != rows["dtype"] or first["shape"][1:] != rows["shape"][1:]:
            msg = (
                f"{where}: rows of {rows['dtype']} {rows['shape'][1:]} do not fit "
                f"an array of {first['dtype']} {first['shape'][1:]}"
            )
            raise EncodeError(msg)
        if id(old[1]) in self._extended:
            parts.append(added)
            return
        # The array itself stays what it is, wherever else it is referred to.
        made = self._hold({"$parts": []}, [*parts, added])
        self._set(op.steps, made)
        self._extended.add(id(made[1]))

    def _parts(self, handle: Handle) -> list[Handle]:
        """Return the arrays that make an array; none if it is something else."""
        source, node = handle
        if tag_of(node) != "$parts":
            return [handle] if _is_array(node) else []
        known = self.inside.get(id(node))
        if isinstance(known, list):
            return known
        return [(source, part) for part in node["$parts"]]

    # The graph ----------------------------------------------------------

    def _hold(self, node: Tree, content: Content) -> Handle:
        """Return the handle of a node that this content is in."""
        self._held.append(node)
        self.inside[id(node)] = content
        return self._base, node

    def _find(self, steps: Steps) -> Handle | None:
        """Return what stands at a path, or None if nothing does."""
        if not steps:
            return resolved(self.root)
        _, content, at = self._reach(steps)
        key = locate(content, steps[at])
        if key is None or at < len(steps) - 1:
            return None
        return resolved(child_at(content, key))

    def _reach(self, steps: Steps) -> tuple[Tree, Content, int]:
        """
        Go along a path up to its last step, or to the group where it ends.

        Returns:
            The node there, what is in it, and which step comes next.

        """
        handle = resolved(self.root)
        for at, token in enumerate(steps):
            content = self._content(handle, steps, at)
            key = locate(content, token)
            if at == len(steps) - 1 or (key is None and isinstance(content, dict)):
                return handle[1], content, at
            if key is None:
                raise _no_key(steps, at)
            handle = resolved(child_at(content, key))
        msg = "an empty path has no last step"
        raise AssertionError(msg)

    def _content(self, handle: Handle, steps: Steps, at: int) -> Content:
        known = self._inside(handle)
        if known is not None:
            return known
        if skeleton.is_object(handle[1]):
            raise _unchangeable(handle[1], steps, at)
        msg = f"{paths.join(steps[:at])!r} is a leaf: nothing lies below it"
        raise NotAGroupError(msg)

    def _inside(self, handle: Handle) -> Content | None:
        """Return what is in a container; None if it is a leaf or an object."""
        source, node = handle
        if tag_of(node) == "$parts":
            return None
        known = self.inside.get(id(node))
        if known is None:
            known = contained(source, node)
            if known is not None:
                self._hold(node, known)
            if isinstance(known, dict) and any(key.startswith("$#") for key in known):
                self._counted.add(id(node))
        return known


def _is_array(node: Tree) -> bool:
    return tag_of(node) == "$array" and "as" not in node


def _shown(steps: Steps) -> str:
    return repr(paths.join(steps)) if steps else "the whole value"


def _what(node: Tree) -> str:
    """Return what a node is, for errors."""
    if skeleton.is_object(node):
        return "an object"
    kinds = {"$tuple": "a tuple", "$objects": "an array of objects"}
    tag = tag_of(node)
    if tag in kinds:
        return kinds[tag]
    if skeleton.is_group(node):
        return "a group"
    if type(node) is list or (tag == "$array" and node.get("as") == "list"):
        return "a list"
    return "an array" if tag == "$parts" or _is_array(node) else "a leaf"


def _unchangeable(node: Tree, steps: Steps, at: int) -> NotAGroupError:
    return NotAGroupError(
        f"{_shown(steps[:at])} is {_what(node)}, of which no part can be changed: "
        "set it as a whole"
    )


def _no_key(steps: Steps, at: int) -> KeyNotFoundError:
    where = f"in {paths.join(steps[:at])!r}" if at else "at the top"
    return KeyNotFoundError(f"there is no key {paths.token_key(steps[at])!r} {where}")
