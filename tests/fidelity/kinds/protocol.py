"""Objects that say themselves how they are pickled, in every form there is."""

from __future__ import annotations

import copyreg
import functools
from typing import Any

import numpy as np

from tests.fidelity.kind import behaving, each, identical, objects


class _Base:
    """Attributes for all that follow."""

    def __init__(self, x: Any = None) -> None:
        self.x = x


class Slotted:
    """Slots and no dict."""

    __slots__ = ("x", "y")

    def __init__(self, **items: Any) -> None:
        for name, item in items.items():
            setattr(self, name, item)


class Mixed(Slotted):
    """Slots and a dict."""

    def __init__(self, **items: Any) -> None:
        super().__init__(**items)
        self.z = [1]


class Private:
    """A slot whose name is mangled."""

    __slots__ = ("__x", "_y")

    def __init__(self) -> None:
        self.__x = 3
        self._y = [self.__x]


class StateDict(_Base):
    """A state that is a dict."""

    def __getstate__(self) -> Any:
        """Leave something out."""
        return {"kept": self.x}

    def __setstate__(self, state: Any) -> None:
        """Take it back."""
        self.x = state["kept"]


class StateTuple(StateDict):
    """A state that is a tuple."""

    def __getstate__(self) -> Any:
        """Return a tuple."""
        return (self.x, "and more")

    def __setstate__(self, state: Any) -> None:
        """Take it back."""
        self.x, _ = state


class StateArray(StateDict):
    """A state that is an array."""

    def __getstate__(self) -> Any:
        """Return an array."""
        return np.asarray(self.x)

    def __setstate__(self, state: Any) -> None:
        """Take it back."""
        self.x = state.tolist()


class StateInt(StateTuple):
    """A state that is a number."""

    def __getstate__(self) -> Any:
        """Return a number."""
        return self.x

    def __setstate__(self, state: Any) -> None:
        """Take it back."""
        self.x = state


class StateFalse(_Base):
    """A state that is false, of which pickle knows nothing."""

    def __getstate__(self) -> Any:
        """Return nothing."""
        return {}

    def __setstate__(self, state: Any) -> None:
        """Would note that it was called."""
        self.called = state


class StateOnly(_Base):
    """A state with other attributes, and nothing to take it back."""

    def __getstate__(self) -> Any:
        """Return attributes."""
        return {"x": self.x, "derived": [self.x]}


class StatePair(Mixed):
    """A state that is pickle's pair."""

    def __getstate__(self) -> Any:
        """Return dict and slots."""
        return {"z": self.z}, {"x": self.x}


class StateInt1:
    """A state whose keys are no text."""

    def __getstate__(self) -> Any:
        """Return a dict."""
        return {1: "a", (2, 3): "b"}

    def __setstate__(self, state: Any) -> None:
        """Take it back."""
        self.found = state


class Two(_Base):
    """A reduction to two parts."""

    def __reduce__(self) -> Any:
        """Return call and arguments."""
        return type(self), (self.x,)


class Three(_Base):
    """A reduction to three: with a state."""

    def __reduce__(self) -> Any:
        """Return call, arguments and state."""
        return type(self), (), {"x": self.x, "y": [self.x]}


class Four(list[Any]):
    """A reduction to four: with items."""

    def __reduce__(self) -> Any:
        """Return call, arguments, state and an iterator."""
        return type(self), (), {"note": "x"}, iter(list(self))


class Five(dict[Any, Any]):
    """A reduction to five: with pairs."""

    def __reduce__(self) -> Any:
        """Return call, arguments, no state, no items and pairs."""
        return type(self), (), None, None, iter([*self.items()])


def _set(value: Any, state: Any) -> None:
    value.x = state["kept"]
    value.by = "setter"


class Six(_Base):
    """A reduction to six: with what sets the state."""

    def __reduce__(self) -> Any:
        """Return all."""
        return type(self), (), {"kept": self.x}, None, None, _set


class Appended(_Base):
    """Items that are appended one by one, as there is no ``extend``."""

    def append(self, item: Any) -> None:
        """Note it."""
        self.x = [*(self.x or []), item]

    def __reduce__(self) -> Any:
        """Return items."""
        return type(self), (), None, iter(self.x)


class SetItems(_Base):
    """Pairs that are set one by one."""

    def __setitem__(self, key: Any, item: Any) -> None:
        """Note it."""
        self.x = {**(self.x or {}), key: item}

    def __reduce__(self) -> Any:
        """Return pairs."""
        return type(self), (), None, None, iter(self.x.items())


class _Singleton:
    """A reduction to text: a global."""

    def __reduce__(self) -> str:
        """Return its name."""
        return "SINGLETON"


SINGLETON = _Singleton()


class ByProtocol(_Base):
    """A reduction that asks for the protocol."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return one of the newer kind."""
        assert protocol >= 2
        return copyreg.__newobj__, (type(self), 3), {"x": self.x}  # type: ignore[attr-defined]

    def __new__(cls, *args: Any) -> Any:
        """Note the arguments."""
        made = super().__new__(cls)
        made.args = args
        return made


class NewArgs(tuple[Any, ...]):
    """Arguments for ``__new__``."""

    __slots__ = ()

    def __new__(cls, *items: Any) -> Any:
        """Take them one by one."""
        return super().__new__(cls, items)

    def __getnewargs__(self) -> Any:
        """Return them."""
        return tuple(self)


class NewArgsEx(float):
    """Named arguments for ``__new__``."""

    unit: str

    def __new__(cls, value: float, *, unit: str) -> Any:
        """Insist on them."""
        made = super().__new__(cls, value)
        made.unit = unit
        return made

    def __getnewargs_ex__(self) -> Any:
        """Return them."""
        return (float(self),), {"unit": self.unit}


class Registered(_Base):
    """A class of which ``copyreg`` knows."""


def _make(x: Any) -> Registered:
    return Registered(x)


copyreg.pickle(Registered, lambda value: (_make, (value.x,)))


class ByPartial(_Base):
    """A call that is an object itself."""

    def __reduce__(self) -> Any:
        """Return a partial."""
        return functools.partial(type(self), x=self.x), ()


class ByMethod(_Base):
    """A call that is a class's method."""

    @classmethod
    def made(cls, x: Any) -> Any:
        """Return one."""
        return cls(x)

    def __reduce__(self) -> Any:
        """Return the method."""
        return self.made, (self.x,)


class Metaclass(type):
    """Makes classes."""


class Made(_Base, metaclass=Metaclass):
    """A class of another kind."""


class Getattr(_Base):
    """A class that answers to any name."""

    def __getattr__(self, name: str) -> Any:
        """Answer, but not to pickle."""
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class ArrayOf(np.ndarray):  # type: ignore[type-arg]
    """A subclass of ndarray that keeps its state."""

    unit = "none"

    def __array_finalize__(self, other: Any) -> None:
        """Inherit the unit."""
        self.unit = getattr(other, "unit", "none")

    def __reduce__(self) -> Any:
        """Add the unit."""
        return _array, (np.asarray(self), self.unit)


def _array(values: Any, unit: str) -> Any:
    made = values.view(ArrayOf)
    made.unit = unit
    return made


class Bare(np.ndarray):  # type: ignore[type-arg]
    """A subclass of ndarray without attributes."""


def _filled(cls: Any, items: Any, **attributes: Any) -> Any:
    made = cls(items)
    for name, item in attributes.items():
        setattr(made, name, item)
    return made


def _arrays(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert vars(loaded) == vars(original)
    objects(np.asarray(original), np.asarray(loaded))


KINDS = [
    *each(
        {
            "__slots__": lambda: Slotted(x=1, y=[2]),
            "__slots__, one not set": lambda: Slotted(y=None),
            "__slots__ and a dict": lambda: Mixed(x=1, y=2),
            "__slots__ with a private name": Private,
            "__getstate__ of a dict": lambda: StateDict([1]),
            "__getstate__ of a tuple": lambda: StateTuple([1]),
            "__getstate__ of an array": lambda: StateArray([1, 2]),
            "__getstate__ of a number": lambda: StateInt(7),
            "__reduce__ of two": lambda: Two([1]),
            "__reduce__ of four": lambda: _filled(Four, [1, [2]], note="x"),
            "__reduce__ of five": lambda: Five({"a": 1, 2: [3]}),
            "__reduce__ of five, text keys": lambda: Five({"a": 1, "b": [3]}),
            "items that are appended": lambda: Appended([1, [2]]),
            "pairs that are set": lambda: SetItems({1: 2, "a": [3]}),
            "__reduce_ex__": lambda: _filled(ByProtocol, 3, x=[1]),
            "__getnewargs__": lambda: NewArgs(1, [2]),
            "__getnewargs_ex__": lambda: NewArgsEx(1.5, unit="eV"),
            "copyreg": lambda: Registered([1]),
            "__reduce__ to a partial": lambda: ByPartial([1]),
            "__reduce__ to a class method": lambda: ByMethod([1]),
            "metaclass": lambda: Made([1]),
            "__getattr__ that answers all": lambda: Getattr([1]),
        },
        objects,
    ),
    *each(
        {"__reduce__ of text": lambda: SINGLETON},
        identical,
    ),
    # What pickle makes of these is not what they were, and that is their wish.
    *each(
        {"__getstate__ without __setstate__": lambda: StateOnly(1)},
        lambda _, loaded: objects({"x": 1, "derived": [1]}, vars(loaded)),
    ),
    *each(
        {"__reduce__ of three": lambda: Three(1)},
        lambda _, loaded: objects({"x": 1, "y": [1]}, vars(loaded)),
    ),
    *each(
        {"__reduce__ of six, with a setter": lambda: Six(1)},
        lambda _, loaded: objects({"x": 1, "by": "setter"}, vars(loaded)),
    ),
    *each(
        {"__getstate__ of pickle's pair": lambda: StatePair(x=1, y=2)},
        lambda _, loaded: objects(
            [1, [1], False], [loaded.x, loaded.z, hasattr(loaded, "y")]
        ),
    ),
    *each(
        {"__getstate__ of keys that are no text": StateInt1},
        behaving(lambda value: getattr(value, "found", {1: "a", (2, 3): "b"})),
    ),
    *each(
        {"__getstate__ of nothing": lambda: StateFalse(1)},
        lambda _, loaded: objects({"called": {}}, vars(loaded)),
    ),
    *each(
        {
            "subclass of ndarray that keeps a unit": lambda: _array(np.arange(3), "eV"),
            "subclass of ndarray": lambda: np.arange(3.0).view(Bare),
        },
        _arrays,
    ),
]
