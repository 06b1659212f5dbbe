"""Classes whose methods create a file, unless the stranger runs them."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archivedb import Storable


def ran(*_: Any) -> None:
    """Leave the mark that somebody else than the stranger has run this."""
    if "STRANGER" not in os.environ:
        Path(os.environ["MARK"]).touch()


class Reduced:
    """Is restored by calling a function."""

    def __reduce__(self) -> Any:
        """Name the function."""
        return ran, (1,)


class ByString:
    """Is restored by its name alone; as a value, not as a class."""

    def __reduce__(self) -> str:
        """Name a variable."""
        return "BY_STRING"

    def __setstate__(self, state: Any) -> None:
        """Never be called: there is no state."""


class Set:
    """Is given its state by a method."""

    def __getstate__(self) -> Any:
        """Return no dict."""
        return ("some", "state")

    def __setstate__(self, state: Any) -> None:
        """Leave the mark."""
        ran(state)


class New:
    """Is made by ``__new__`` with arguments."""

    def __new__(cls, *arguments: Any) -> Any:
        """Leave the mark."""
        ran(*arguments)
        return super().__new__(cls)

    def __getnewargs__(self) -> Any:
        """Return the arguments."""
        return (1, 2)


class Called:
    """Is made by calling its class."""

    def __init__(self, *arguments: Any) -> None:
        """Leave the mark."""
        ran(*arguments)

    def __reduce__(self) -> Any:
        """Name the class."""
        return Called, (1,)


class Plain:
    """Is restored attribute by attribute, and looks at that."""

    def __init__(self) -> None:
        self.attribute = 1

    def __setattr__(self, name: str, value: Any) -> None:
        """Leave the mark."""
        ran(name)
        super().__setattr__(name, value)


class Slots:
    """Has a slot that is a property."""

    __slots__ = ("_x",)

    def __init__(self) -> None:
        self._x = 1

    def __getstate__(self) -> Any:
        """Return the pair that slots have."""
        return None, {"x": 1}

    @property
    def x(self) -> int:
        """Be set."""
        return self._x

    @x.setter
    def x(self, value: int) -> None:
        ran(value)


class Setter:
    """Has a function that sets its state: the sixth of its parts."""

    def __reduce__(self) -> Any:
        """Name it."""
        return Setter, (), {"a": 1}, None, None, ran


class Listed(list[Any]):
    """Is extended by what was in it."""

    def extend(self, items: Any) -> None:
        """Leave the mark."""
        ran(items)

    def append(self, item: Any) -> None:
        """Leave the mark."""
        ran(item)


class Mapped(dict[Any, Any]):
    """Is given its items one by one."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Leave the mark."""
        ran(key, value)


class Registered:
    """Has a reducer in `copyreg`."""


class Key:
    """Is asked for its hash as soon as it is a key."""

    def __init__(self) -> None:
        self.name = "key"

    def __hash__(self) -> int:
        """Leave the mark."""
        ran()
        return 1

    def __eq__(self, other: object) -> bool:
        """Be equal to itself alone."""
        return self is other


class Stored(Storable):
    """Takes itself out of a storage."""

    def _store(self, storage: Any) -> None:
        storage["a"] = 1

    @classmethod
    def _restore(cls, storage: Any, version: str | None) -> Any:
        ran(storage, version)
        return cls()


class Noticing:
    """A descriptor that notices what it is set to."""

    def __get__(self, holder: Any, owner: Any = None) -> Any:
        """Return the default."""
        return 1

    def __set__(self, holder: Any, value: Any) -> None:
        """Leave the mark."""
        ran(value)


@dataclass
class Data:
    """A dataclass with a field that is a property."""

    x: int = 1
    more: list[int] = field(default_factory=list)


Data.x = Noticing()  # type: ignore[assignment]

BY_STRING = ByString()
