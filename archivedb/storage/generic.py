"""
Storage as users see it: a tree of groups that takes any Python value.

A backend for a new place implements few methods about single keys and plain
values; `GenericStorage` makes of them what users get.
"""

from __future__ import annotations

import html
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from archivedb.errors import (
    ArchiveError,
    EncodeError,
    KeyNotFoundError,
)
from archivedb.records import counted
from archivedb.values import paths
from archivedb.values.exact import same

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

Key: TypeAlias = Any
"""A path of text, ``"outputs/forces"``, or a tuple of keys, ``("a/b", "x")``."""

SHOWN = 12
"""Keys of a group that its repr shows."""

_MISSING: Any = object()


def steps_of(key: Key) -> tuple[Any, ...]:
    """
    Return the steps of a key: text as tokens of a path, the rest as it is.

    Raises:
        EncodeError: It is neither text nor a tuple.

    """
    if not isinstance(key, (str, tuple)):
        msg = f"a key is text or a tuple of keys, not {type(key).__name__}: {key!r:.60}"
        raise EncodeError(msg)
    return paths.parts(key)


class GenericStorage(MutableMapping[str, Any]):
    """
    A group of values and of further groups, which keeps any Python value.

    ``storage[key]`` is a group for a group or a dict, and the value itself for
    everything else.  A key is a path, ``"outputs/forces"``, or a tuple of keys,
    ``("outputs", "a/b")``; iterating gives keys as they are spelt in paths.
    ``with storage:`` makes one edit of a block: on an exception nothing of it
    is kept.  ``==`` is exact: types, order within lists, every bit of an array.

    A backend derives from this class and implements `__getitem__`, `_set`,
    `__delitem__`, `create_group`, `name` and `_keys`.  They are asked for one
    raw key at a time: text as in a path, so never empty, ``.`` or ``..``, with
    no slash, control character or surrogate in it, but as long as users like,
    and with capital letters that count.  They see plain values only: None, bool,
    an int of 64 bits, any float, str without NUL or surrogates, bytes, and arrays
    of any shape and byte order of bools, ints, floats and complex numbers;
    whatever else users store comes to them as a group of such.  Deriving wraps
    them: users of the backend have everything above, and inside of the backend's
    own methods ``self[key]`` and ``self.create_group(key)`` remain the raw ones.

    Obligations of a backend:

    - ``__getitem__(key)`` returns the value as `_set` got it, or the child
      storage if the key is a group's; a `KeyError` if there is none;
    - ``_set(key, value)`` keeps a value under a key that is new, or that has a
      value already and then keeps its place among the keys;
    - ``create_group(key)`` makes an empty group under a new key, and returns it;
    - ``__delitem__(key)`` removes a value, or a group with all in it;
    - ``_keys()`` lists the raw keys, oldest first;
    - `name` is what the storage is called.

    It need not be safe for several threads or processes, nor atomic: the changes
    of a block are collected in memory, and reach the backend when the block ends
    well.  An error of its own while it writes them may leave part of them: a
    dict may lack keys, while a value stored as one is an error to read.  See
    `archivedb.testing` for the tests that every backend shall pass.

    Args:
        raw: A class keyword, inherited.  ``raw=False`` is for classes that
            implement the methods as users call them.

    Example:
        >>> class DictStorage(GenericStorage):
        ...     def __init__(self, name="dicts"):
        ...         self._name, self._items = name, {}
        ...     @property
        ...     def name(self):
        ...         return self._name
        ...     def __getitem__(self, key):
        ...         return self._items[key]
        ...     def _set(self, key, value):
        ...         self._items[key] = value
        ...     def __delitem__(self, key):
        ...         del self._items[key]
        ...     def create_group(self, key):
        ...         return self._items.setdefault(key, DictStorage(key))
        ...     def _keys(self):
        ...         return list(self._items)
        >>> storage = DictStorage()
        >>> storage["outputs/elements"] = {"Al"}
        >>> storage.load()
        {'outputs': {'elements': {'Al'}}}

    """

    copies_arrays = False
    """Set it in a backend that keeps no reference to an array which `_set` gets,
    and gives a new one each time: then nothing is copied in between."""

    _raw = True
    """Whether a class is a backend whose methods are wrapped."""

    def __init_subclass__(cls, *, raw: bool | None = None, **options: Any) -> None:
        """Make of a backend's methods those that users call."""
        super().__init_subclass__(**options)
        if raw is not None:
            cls._raw = raw
        if cls._raw:
            from archivedb.storage.raw import wrap

            wrap(cls)

    # A backend's half ---------------------------------------------------

    def _set(self, key: str, value: Any) -> None:
        """Keep a plain value under a raw key; see the class."""
        raise NotImplementedError

    def _keys(self) -> Iterable[str]:
        """List the raw keys, oldest first; see the class."""
        raise NotImplementedError

    @property
    @abstractmethod
    def name(self) -> str:
        """The last key of the path; of the outermost group, what it is called."""

    def _users(self) -> GenericStorage:
        """Return what users get of a backend."""
        from archivedb.storage.raw import users_group

        return users_group(self)

    # The users' half ----------------------------------------------------

    @abstractmethod
    def __getitem__(self, key: Key) -> Any:
        """
        Return the group or the value at a path.

        Raises:
            KeyNotFoundError: Nothing is there.
            NotAGroupError: The path goes on below a leaf.

        """

    def __setitem__(self, key: Key, value: Any) -> None:
        """
        Keep a value at a path, in the place of what is there.

        Missing groups on the way are made.  A dict becomes a group, as does
        another storage.

        Raises:
            EncodeError: The value, or a key, cannot be stored exactly.
            NotAGroupError: The path goes on below a leaf.

        """
        self._users()[key] = value

    @abstractmethod
    def __delitem__(self, key: Key) -> None:
        """
        Remove a value, or a group with all in it.

        Raises:
            KeyNotFoundError: Nothing is there.
            NotAGroupError: The path goes on below a leaf.

        """

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, oldest first; what changes meanwhile is not seen."""
        return iter(self._users())

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._users())

    @abstractmethod
    def create_group(self, key: Key) -> GenericStorage:
        """
        Return the group at a path, made if nothing is there, with its parents.

        Raises:
            NotAGroupError: A leaf is there, or on the way.

        """

    def require_group(self, key: Key) -> GenericStorage:
        """Return the group at a path, as `create_group` does."""
        return self.create_group(key)

    def append(self, key: Key, rows: Any) -> None:
        """
        Extend an array along its first axis.

        Args:
            key: Where the array stands; if nothing does, the rows become it.
            rows: An array of the same dtype, and of the same shape but for
                the first axis.

        Raises:
            EncodeError: It is not; nothing is changed.

        """
        self._users().append(key, rows)

    def open(self, key: Key) -> Any:
        """
        Return what a value was stored as, without making the value.

        That is the group for a group, a dict or an object, whose class is not
        imported, and for an array something to be sliced.

        Raises:
            KeyNotFoundError: Nothing is there.
            NotAGroupError: The path goes on below a leaf, or leads to a scalar.

        """
        return self._users().open(key)

    def load(self) -> Any:
        """Return the whole group as a plain dict, or the object it was made of."""
        return self._users().load()

    def to_object(self) -> Any:
        """Return what `load` does."""
        return self.load()

    @property
    def path(self) -> str:
        """The path from the outermost group to this one."""
        return ""

    def __enter__(self) -> Self:
        """Begin one edit; a ``with`` inside of another joins it."""
        self._users().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what was changed since `__enter__`, or nothing on an exception."""
        self._users().__exit__(kind, error, trace)

    # Derived ------------------------------------------------------------

    def __contains__(self, key: object) -> bool:
        """Return whether anything stands at a path."""
        return key in self._users()

    def get(self, key: Key, default: Any = None) -> Any:
        """Return what stands at a path, or the default if nothing does."""
        if key not in self:
            return default
        return self[key]

    def pop(self, key: Key, default: Any = _MISSING) -> Any:
        """Remove what stands at a path, and return it; a group as its dict."""
        if default is not _MISSING and key not in self:
            return default
        value = loaded(self[key])
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the newest key, and return it with its value, as a dict does."""
        for key in reversed(list(self)):
            return key, self.pop(key)
        msg = "the group is empty"
        raise KeyNotFoundError(msg)

    def clear(self) -> None:
        """Remove everything, as one edit."""
        with self:
            for key in list(self):
                del self[key]

    def update(self, other: Any = (), /, **items: Any) -> None:
        """Keep every item of a mapping or of pairs, as one edit."""
        with self:
            super().update(other, **items)

    def setdefault(self, key: Key, default: Any = None) -> Any:
        """Return what stands at a path; if nothing does, keep the default there."""
        if key not in self:
            self[key] = default
        return self[key]

    def __reversed__(self) -> Iterator[str]:
        """Yield the keys, newest first."""
        return reversed(list(self))

    def __or__(self, other: Any) -> dict[str, Any]:
        """Return a plain dict of both, in which the other's items count."""
        if not isinstance(other, Mapping):
            return NotImplemented
        whole: dict[str, Any] = {**self.load(), **loaded(other)}
        return whole

    def __ror__(self, other: Any) -> dict[str, Any]:
        """Return a plain dict of both, in which this group's items count."""
        if not isinstance(other, Mapping):
            return NotImplemented
        return {**other, **self.load()}

    def __ior__(self, other: Any) -> Self:
        """Keep every item of a mapping, as one edit."""
        self.update(other)
        return self

    def __eq__(self, other: object) -> bool:
        """Return whether another storage, or a dict, holds exactly the same."""
        if not isinstance(other, Mapping):
            return NotImplemented
        return same(self.load(), loaded(other))

    __hash__ = None  # type: ignore[assignment]  # as of every mutable mapping

    # Shown --------------------------------------------------------------

    def _lines(self) -> Iterator[str]:
        """Yield a line for each key; nothing is read for it or run."""
        yield from self

    @property
    def _kind(self) -> str:
        """What a repr calls the storage."""
        return type(self).__name__

    def _shown(self) -> list[str]:
        lines: list[str] = []
        for line in self._lines():
            if len(lines) == SHOWN:
                lines.append(f"… {len(self) - SHOWN} more")
                break
            lines.append(line)
        return lines

    def __repr__(self) -> str:
        """Return the keys and what stands there, without reading values."""
        title = f"{self._kind} {(self.path or self.name)!r}"
        try:
            body = "".join(f"\n  {line}" for line in self._shown())
            return f"<{title}, {counted(len(self), 'key')}>{body}"
        except ArchiveError:
            # A repr that raises hides what went wrong before.
            return f"<{title}, not there>"

    def _repr_html_(self) -> str:
        title = html.escape(self.path or self.name)
        try:
            items = "".join(f"<li>{html.escape(line)}</li>" for line in self._shown())
        except ArchiveError:
            items = "not there"
        return f"<b>{title}</b><ul>{items}</ul>"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


def loaded(value: Any) -> Any:
    """Return a group as its plain dict, and anything else as it is."""
    return value.load() if isinstance(value, GenericStorage) else value
