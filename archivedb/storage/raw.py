"""
What users get of a backend that knows single keys and plain values only.

A `RawGroup` is a place in such a backend.  It holds a path and looks along it at
each use, so it never shows what is no longer there.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import EncodeError, KeyNotFoundError, NotAGroupError
from archivedb.storage.generic import GenericStorage, Key, loaded, steps_of
from archivedb.storage.group import Group
from archivedb.storage.nodes import Node, is_inside
from archivedb.storage.place import Place, TaggedDocument, place_of
from archivedb.storage.tagged import Tagged, build, is_tagged
from archivedb.values import paths
from archivedb.values.editing import Append
from archivedb.values.encode import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self


Steps = tuple[Any, ...]


def wrap(cls: type[GenericStorage]) -> None:
    """Let users call a backend's methods as `GenericStorage` describes them."""
    for name in ("__getitem__", "__delitem__", "create_group"):
        own = cls.__dict__.get(name)
        if own is not None and not getattr(own, "__isabstractmethod__", False):
            setattr(cls, name, _for_users(name, own))
    for name in ("_set", "_keys"):
        if getattr(cls, name) is getattr(GenericStorage, name):
            # Only of backends are they asked for.
            setattr(cls, name, _required(getattr(GenericStorage, name)))


def _for_users(name: str, own: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(own)
    def method(self: GenericStorage, key: Key) -> Any:
        if is_inside(self):
            return own(self, key)
        return getattr(users_group(self), name)(key)

    return method


def _required(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def required(*_: Any) -> Any:
        raise NotImplementedError

    required.__isabstractmethod__ = True  # type: ignore[attr-defined]
    return required


def users_group(storage: GenericStorage) -> RawGroup:
    """Return what users get of a backend's storage."""
    return RawGroup(place_of(storage))


class RawGroup(GenericStorage, raw=False):
    """
    A group in a backend.

    ``with group:`` collects the changes, and gives them to the backend when the
    block is done: an exception inside leaves the backend untouched, and reads
    inside see the changes.  What fails is seen before anything is written, but
    for an error of the backend's own while it writes.

    Args:
        place: The backend.
        tokens: The path of the group in it.

    """

    def __init__(self, place: Place, tokens: tuple[str, ...] = ()) -> None:
        self._place = place
        self._tokens = tokens

    @property
    def name(self) -> str:
        """The last key of the path; of the outermost group, what it is called."""
        return self._tokens[-1] if self._tokens else self._place.storage.name

    @property
    def path(self) -> str:
        """The path from the outermost group to this one."""
        return paths.join(self._tokens)

    # Reading ------------------------------------------------------------

    def __getitem__(self, key: Key) -> Any:
        """Return the group or the value at a path."""
        steps = self._steps(key)
        found, used = self._find(steps)
        if isinstance(found, Node) and is_tagged(found):
            return self._tree(steps, used)[()]
        if isinstance(found, Node):
            return RawGroup(self._place, _tokens(steps))
        return found

    def __contains__(self, key: object) -> bool:
        """Return whether anything stands at a path; nothing is restored."""
        if not isinstance(key, (str, tuple)):
            return False
        steps = self._steps(key)
        try:
            found, used = self._find(steps, last=False)
            if isinstance(found, Node) and is_tagged(found):
                tagged = Tagged(found, paths.join(_tokens(steps[:used])))
                tagged.skeleton.at(steps[used:])
        except (KeyNotFoundError, NotAGroupError):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, oldest first; what changes meanwhile is not seen."""
        here = self._here()
        return iter(here.keys() if isinstance(here, Node) else list(here))

    def __len__(self) -> int:
        """Return how many keys there are."""
        here = self._here()
        return len(here.keys() if isinstance(here, Node) else here)

    def load(self) -> Any:
        """Return the whole group as a plain dict."""
        here = self._here()
        if not isinstance(here, Node):
            return here.load()
        made: dict[str, Any] = {}
        # No recursion: groups may be nested deeper than Python's stack.
        todo = [(here, self._tokens, made)]
        while todo:
            node, tokens, target = todo.pop()
            for token in node.keys():  # noqa: SIM118 - a node is no dict
                value = node.get(token)
                if isinstance(value, Node):
                    below = (*tokens, token)
                    if is_tagged(value):
                        tagged = Tagged(value, paths.join(below))
                        value = tagged.value(tagged.skeleton.root)
                    else:
                        inner: dict[str, Any] = {}
                        todo.append((value, below, inner))
                        value = inner
                target[paths.token_key(token)] = value
        return made

    def open(self, key: Key) -> Any:
        """Return what a value was stored as, without making the value."""
        steps = self._steps(key)
        found, used = self._find(steps)
        if isinstance(found, Node) and is_tagged(found):
            return self._tree(steps, used).open(())
        if isinstance(found, Node):
            return RawGroup(self._place, _tokens(steps))
        if isinstance(found, np.ndarray):
            return found
        msg = f"{paths.join(_tokens(steps))!r} is a leaf: get it with []"
        raise NotAGroupError(msg)

    # Changing -----------------------------------------------------------

    def __setitem__(self, key: Key, value: Any) -> None:
        """Keep a value at a path, in the place of what is there."""
        steps = self._steps(key, change=True)
        value = loaded(value)
        used = self._reach(steps[:-1])
        if used is not None:
            tree, path = self._inside(steps, used)
            tree[path] = value
            return
        tokens = _new_tokens(steps)
        made = build(value, copies=self._place.copies)
        with self._place.edit() as top:
            top.replace(tokens, made)

    def __delitem__(self, key: Key) -> None:
        """Remove a value, or a group with all in it."""
        steps = self._steps(key, change=True)
        self._find(steps, last=False)
        used = self._reach(steps[:-1])
        if used is not None:
            tree, path = self._inside(steps, used)
            del tree[path]
            return
        tokens = _tokens(steps)
        with self._place.edit() as top:
            top.make(tokens[:-1]).delete(tokens[-1])

    def create_group(self, key: Key) -> GenericStorage:
        """Return the group at a path, made if nothing is there, with its parents."""
        steps = self._steps(key)
        used = self._reach(steps)
        if used is not None:
            tree, path = self._inside(steps, used)
            return tree.create_group(path)
        tokens = _new_tokens(steps)
        with self._place.edit() as top:
            top.make(tokens)
        return RawGroup(self._place, tokens)

    def append(self, key: Key, rows: Any) -> None:
        """Extend an array along its first axis."""
        steps = self._steps(key, change=True)
        used = self._reach(steps[:-1])
        if used is not None:
            self._append_inside(steps, used, rows)
            return
        tokens = _new_tokens(steps)
        try:
            found, _ = self._find(steps)
        except KeyNotFoundError:
            _require_rows(tokens, rows)
            self[key] = rows
            return
        if isinstance(found, Node) and is_tagged(found):
            self._append_inside(steps, len(steps), rows)
            return
        _require_fit(tokens, rows, found)
        # Without its dtype the rows would take this machine's byte order.
        made = np.concatenate([found, rows], dtype=found.dtype)
        with self._place.edit() as top:
            top.replace(tokens, build(made, copies=False))

    def __enter__(self) -> Self:
        """Begin one edit; a ``with`` inside of another joins it."""
        self._place.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what was changed since `__enter__`, or nothing on an exception."""
        self._place.end(keep=error is None)

    @property
    def _kind(self) -> str:
        """What a repr calls the storage."""
        return type(self._place.storage).__name__

    # Inside ---------------------------------------------------------------

    def _steps(self, key: Key, *, change: bool = False) -> Steps:
        steps = steps_of(key)
        if change and not steps:
            msg = "name a key: a group is no part of itself"
            raise EncodeError(msg)
        return (*self._tokens, *steps)

    def _find(self, steps: Steps, *, last: bool = True) -> tuple[Any, int]:
        """
        Go along a path until it ends, or enters a value.

        Args:
            steps: The path, from the outermost group.
            last: Whether to read the plain value that it leads to.

        Returns:
            The node or the plain value there, and how many steps led to it.

        """
        found: Any = self._place.top()
        for used, step in enumerate(steps):
            if not isinstance(found, Node):
                raise _below_a_leaf(steps[:used])
            if is_tagged(found):
                return found, used
            token = _token(step)
            if token is None or (not last and found.kind(token) is None):
                raise _no_key(steps, used)
            if not last and used == len(steps) - 1 and found.kind(token) == "leaf":
                return None, len(steps)
            try:
                found = found.get(token)
            except KeyError:
                raise _no_key(steps, used) from None
        return found, len(steps)

    def _reach(self, steps: Steps) -> int | None:
        """
        Return after how many steps a path enters a value, or None if it does not.

        Raises:
            NotAGroupError: It leads to a leaf, or on below one.

        """
        node = self._place.top()
        for used, step in enumerate(steps):
            if is_tagged(node):
                return used
            token = _token(step)
            kind = None if token is None else node.kind(token)
            if token is None or kind is None:
                return None
            if kind == "leaf":
                raise _below_a_leaf(steps[: used + 1])
            node = node.get(token)
        return len(steps) if is_tagged(node) else None

    def _here(self) -> Node | GenericStorage:
        """Return the node of the group, or what shows the value it has become."""
        found, used = self._find(self._tokens)
        if not isinstance(found, Node):
            raise _below_a_leaf(self._tokens)
        if not is_tagged(found):
            return found
        return self._tree(self._tokens, used)

    def _tree(self, steps: Steps, used: int) -> Group:
        """Return what is at the end of a path that enters a value on the way."""
        document = TaggedDocument(self._place, _tokens(steps[:used]))
        return Group(document, steps[used:])

    def _inside(self, steps: Steps, used: int) -> tuple[Group, str]:
        """Return the value that a path enters, and the path inside of it."""
        document = TaggedDocument(self._place, _tokens(steps[:used]))
        return Group(document), paths.join(document.spell(steps[used:]))

    def _append_inside(self, steps: Steps, used: int, rows: Any) -> None:
        tree, path = self._inside(steps, used)
        if path:
            tree.append(path, rows)
            return
        tokens = _tokens(steps)
        _require_rows(tokens, rows)
        TaggedDocument(self._place, tokens).change(Append((), encode(rows)))


def _token(step: Any) -> str | None:
    """Return the raw key of a step, or None if it can have none."""
    return paths.key_token(paths.token_key(step)) if type(step) is str else None


def _tokens(steps: Steps) -> tuple[str, ...]:
    """Return the raw keys of steps that lead somewhere."""
    return tuple(_token(step) or "" for step in steps)


def _new_tokens(steps: Steps) -> tuple[str, ...]:
    """Return the raw keys of steps that may lead to something new."""
    for step in steps:
        if type(step) is not str:
            msg = f"a key of a group is text, not {type(step).__name__}: {step!r:.60}"
            raise EncodeError(msg)
    return _tokens(steps)


def _require_rows(tokens: tuple[str, ...], rows: Any) -> None:
    """Raise unless rows can be the first of an array."""
    path = paths.join(tokens)
    if type(rows) not in (np.ndarray, np.memmap) or rows.dtype.hasobject:
        msg = f"{path}: rows are an array, not {type(rows).__name__}"
        raise EncodeError(msg)
    if not rows.shape:
        msg = f"{path}: an array without axes has no rows to append"
        raise EncodeError(msg)


def _require_fit(tokens: tuple[str, ...], rows: Any, found: Any) -> None:
    """Raise unless rows can be appended to what was found."""
    _require_rows(tokens, rows)
    path = paths.join(tokens)
    if not isinstance(found, np.ndarray) or not found.shape:
        msg = f"{path} is no array with rows, so nothing can be appended to it"
        raise EncodeError(msg)
    if (rows.dtype, rows.shape[1:]) != (found.dtype, found.shape[1:]):
        msg = (
            f"{path}: rows of {rows.dtype.str} {list(rows.shape[1:])} do not fit "
            f"an array of {found.dtype.str} {list(found.shape[1:])}"
        )
        raise EncodeError(msg)


def _no_key(steps: Steps, at: int) -> KeyNotFoundError:
    where = f"in {paths.join(_tokens(steps[:at]))!r}" if at else "at the top"
    key = steps[at]
    shown = paths.token_key(key) if type(key) is str else key
    return KeyNotFoundError(f"there is no key {shown!r} {where}")


def _below_a_leaf(steps: Steps) -> NotAGroupError:
    path = paths.join(_tokens(steps))
    return NotAGroupError(f"{path!r} is a leaf: nothing lies below it")
