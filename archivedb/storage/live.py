"""The storage that a `Storable` is given: a dict of the very objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from archivedb.errors import EncodeError, KeyNotFoundError, NotAGroupError
from archivedb.storage.generic import GenericStorage, Key, loaded, steps_of
from archivedb.values import paths

if TYPE_CHECKING:
    from collections.abc import Iterator


class LiveStorage(GenericStorage, raw=False):
    """
    A storage that keeps what it is given, neither copied nor encoded.

    So what an object shares with its surroundings is still shared when all of
    it is encoded.

    Args:
        data: The dict to be filled or read.
        tokens: Where it stands in the outermost one.

    """

    def __init__(self, data: dict[str, Any], tokens: tuple[str, ...] = ()) -> None:
        self.data = data
        self._tokens = tokens

    @property
    def name(self) -> str:
        """The last key of the path."""
        return self._tokens[-1] if self._tokens else ""

    @property
    def path(self) -> str:
        """The path from the outermost group to this one."""
        return paths.join(self._tokens)

    def _keys_of(self, key: Key) -> list[str]:
        steps = steps_of(key)
        if not steps or not all(type(step) is str for step in steps):
            msg = f"a key is text, not {key!r:.60}"
            raise EncodeError(msg)
        return [paths.token_key(step) for step in steps]

    def _above(self, keys: list[str], *, make: bool) -> dict[str, Any]:
        data = self.data
        for key in keys:
            if key not in data and make:
                data[key] = {}
            if key not in data:
                msg = f"there is no key {key!r}"
                raise KeyNotFoundError(msg)
            if type(data[key]) is not dict:
                msg = f"{key!r} is a leaf: nothing lies below it"
                raise NotAGroupError(msg)
            data = data[key]
        return data

    def __getitem__(self, key: Key) -> Any:
        """Return the group or the value at a path."""
        keys = self._keys_of(key)
        data = self._above(keys[:-1], make=False)
        if keys[-1] not in data:
            msg = f"there is no key {keys[-1]!r}"
            raise KeyNotFoundError(msg)
        value = data[keys[-1]]
        if type(value) is dict:
            return LiveStorage(value, (*self._tokens, *map(paths.key_token, keys)))
        return value

    def __setitem__(self, key: Key, value: Any) -> None:
        """Keep a value at a path."""
        keys = self._keys_of(key)
        self._above(keys[:-1], make=True)[keys[-1]] = loaded(value)

    def __delitem__(self, key: Key) -> None:
        """Remove what stands at a path."""
        keys = self._keys_of(key)
        data = self._above(keys[:-1], make=False)
        if keys[-1] not in data:
            msg = f"there is no key {keys[-1]!r}"
            raise KeyNotFoundError(msg)
        del data[keys[-1]]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, oldest first."""
        return iter([paths.key_token(key) for key in self.data])

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self.data)

    def __contains__(self, key: object) -> bool:
        """Return whether anything stands at a path."""
        try:
            self[key]
        except (KeyNotFoundError, NotAGroupError, EncodeError):
            return False
        return True

    def create_group(self, key: Key) -> LiveStorage:
        """Return the group at a path, made if nothing is there."""
        keys = self._keys_of(key)
        self._above(keys, make=True)
        group: LiveStorage = self[key]
        return group

    def append(self, key: Key, rows: Any) -> None:
        """Extend an array along its first axis."""
        if key in self:
            rows = np.concatenate([self[key], rows])
        self[key] = rows

    def open(self, key: Key) -> Any:
        """Return what stands at a path."""
        return self[key]

    def load(self) -> dict[str, Any]:
        """Return the dict itself."""
        return self.data

    def __enter__(self) -> Self:
        """Return itself: what a `Storable` stores is one edit anyway."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""
