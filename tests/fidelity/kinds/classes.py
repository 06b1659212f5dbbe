"""Classes and functions: of modules, of ``__main__`` and of function bodies."""

from __future__ import annotations

import abc
import dataclasses
import enum
import functools
import types
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypedDict, TypeVar

import attrs
import numpy as np
import pydantic

import archivedb
from tests.fidelity.kind import Kind, behaving, each, exactly, identical, objects

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Colour(enum.Enum):
    """An Enum whose values are odd, with an alias."""

    RED = ("r", [1])
    GREEN = np.float64(1.5)
    ROT = RED


class Level(enum.IntEnum):
    """An IntEnum."""

    LOW = 1
    HIGH = 2**70


class Structure(enum.StrEnum):
    """A StrEnum."""

    FCC = "fcc"


class Task(enum.Flag):
    """A Flag."""

    RELAX = enum.auto()
    MD = enum.auto()


class Mode(enum.IntFlag):
    """An IntFlag, which keeps bits that have no name."""

    READ = 1
    WRITE = 2


@dataclass
class Plain:
    """A dataclass."""

    symbol: str
    position: Any = field(default_factory=lambda: np.zeros(3))
    shared: ClassVar[int] = 3


@dataclass(frozen=True)
class Frozen:
    """A frozen dataclass."""

    energy: float
    steps: tuple[Any, ...] = ()


@dataclass(slots=True)
class Slots:
    """A dataclass with slots."""

    x: Any
    y: Any = None


@dataclass(frozen=True, slots=True, order=True)
class FrozenSlots:
    """A frozen dataclass with slots."""

    x: int


@dataclass
class Derived(Plain):
    """A dataclass that inherits, and computes a field."""

    cutoff: dataclasses.InitVar[float] = 2.0
    twice: float = field(init=False, compare=False)

    def __post_init__(self, cutoff: float) -> None:
        """Compute it."""
        self.twice = 2 * cutoff


@dataclass
class Listed(list[Any]):
    """A dataclass that is a list, too."""

    unit: str = "eV"


@attrs.define
class Define:
    """An attrs class with slots."""

    x: Any
    y: Any = attrs.field(factory=list)


@attrs.frozen
class FrozenAttrs:
    """A frozen one."""

    x: Any
    _private: Any = attrs.field(default=1, alias="private")


@attrs.define(slots=False)
class DictAttrs:
    """One with a dict, a converter and a validator."""

    x: float = attrs.field(converter=float, validator=attrs.validators.ge(0))


@attrs.define(cache_hash=True, frozen=True)
class Hashed:
    """One that remembers its hash, which is another in each process."""

    name: str


class Model(pydantic.BaseModel):
    """A pydantic model with an alias, a private attribute and a default."""

    energy: float
    steps: list[int] = pydantic.Field(default_factory=list, alias="stepList")
    _note: str = pydantic.PrivateAttr(default="none")


class Nested(pydantic.BaseModel):
    """One of models, which also takes what it does not know."""

    model_config = pydantic.ConfigDict(extra="allow", arbitrary_types_allowed=True)
    inner: Model
    forces: Any = None


class FrozenModel(pydantic.BaseModel, frozen=True):
    """A frozen one."""

    x: tuple[int, ...]


class Root(pydantic.RootModel[list[int]]):
    """A root model."""


@pydantic.dataclasses.dataclass
class Checked:
    """A pydantic dataclass."""

    x: int
    y: Any = None


class Simple:
    """A class that knows nothing of storages."""

    def __init__(self, **items: Any) -> None:
        self.__dict__.update(items)

    def scaled(self, factor: float) -> Any:
        """Return a number."""
        return self.x * factor  # type: ignore[attr-defined]

    @classmethod
    def make(cls) -> Any:
        """Return one."""
        return cls(x=1)

    @staticmethod
    def three() -> int:
        """Return three."""
        return 3

    @property
    def twice(self) -> Any:
        """Return a number."""
        return self.scaled(2)

    class Inner:
        """A class in a class."""

        x = 1


class Generic_(Generic[T]):  # noqa: N801 - not typing's
    """A generic class."""

    def __init__(self, item: T) -> None:
        self.item = item


class Abstract(abc.ABC):
    """An abstract class."""

    @abc.abstractmethod
    def go(self) -> None:
        """Do nothing."""


class Concrete(Abstract):
    """A class of an abstract one."""

    def __init__(self) -> None:
        self.steps = [1]

    def go(self) -> None:
        """Do nothing."""


class Options(TypedDict):
    """A typed dict."""

    cutoff: float


class Callable_:  # noqa: N801 - not typing's
    """An object that is called."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, x: float) -> float:
        """Scale."""
        return self.factor * x


class Cell(archivedb.Storable):
    """A class that puts itself into a storage."""

    def __init__(self, matrix: Any, label: str, inner: Any = None) -> None:
        self.matrix, self.label, self.inner = matrix, label, inner

    def _store(self, storage: Any) -> None:
        storage["matrix"] = self.matrix
        storage["about/label"] = self.label
        if self.inner is not None:
            storage["inner"] = self.inner

    @classmethod
    def _restore(cls, storage: Any, version: str | None) -> Cell:  # noqa: ARG003
        return cls(storage["matrix"], storage["about/label"], storage.get("inner"))


def function(x: float, *, factor: float = 2.0) -> float:
    """Scale."""
    return x * factor


@functools.lru_cache
def cached(x: float) -> float:
    """Return it."""
    return x


def _extra(value: Any, **attributes: Any) -> Any:
    for name, item in attributes.items():
        setattr(value, name, item)
    return value


def _noted(model: Model, note: str) -> Model:
    model._note = note
    return model


# In __main__ ------------------------------------------------------------------

MAIN = '''
import collections, dataclasses, enum, functools
import numpy as np

FACTOR = 3

class Run:
    """Of a notebook."""
    unit = "eV"
    def __init__(self, x): self.x = x
    def scaled(self): return self.x * FACTOR
    @property
    def half(self): return self.x / 2

class Child(Run):
    __slots__ = ("y",)
    def scaled(self): return super().scaled() + self.y

@dataclasses.dataclass
class Point:
    x: float
    y: list = dataclasses.field(default_factory=list)

@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    x: float

class Colour(enum.Enum):
    RED = 1
    GREEN = 2

Pair = collections.namedtuple("Pair", "left right")

class Words(list):
    pass

class Failed(Exception):
    def __init__(self, step, why):
        super().__init__(why)
        self.step = step

def scale(x, *, by=2):
    return x * by * FACTOR

def counter():
    n = 0
    def count():
        nonlocal n
        n += 1
        return n
    return count

def factorial(n):
    return n * factorial(n - 1) if n else 1

square = lambda x: x ** 2
'''


@functools.cache
def main() -> Any:
    """Return a module that believes that it is what the user has started."""
    module = types.ModuleType("__main__")
    exec(MAIN, vars(module))  # noqa: S102 - the text above
    return module


def _child() -> Any:
    made = main().Child(2)
    made.y = 5
    return made


# In a function ----------------------------------------------------------------


def local() -> Any:
    """Return classes and functions that no import can find."""

    class Local:
        def __init__(self, x: Any) -> None:
            self.x = x

        def scaled(self) -> Any:
            return self.x * factor

        def again(self) -> Any:
            return Local(self.x)

    @dataclass
    class Point:
        x: Any
        y: Any = 3

    class Colour(enum.Enum):
        RED = 1

    class Meta(type):
        def twice(cls) -> int:
            return 2

    class Made(metaclass=Meta):
        pass

    factor = 7

    def closure(x: Any) -> Any:
        return x * factor

    def recursive(n: int) -> int:
        return n * recursive(n - 1) if n else 1

    def generate(n: int) -> Any:
        yield from range(n)

    def configured(x: int, y: int = 2, *args: int, z: int = 3, **more: int) -> Any:
        """Say so."""
        return x, y, args, z, more

    configured.unit = "eV"  # type: ignore[attr-defined]
    return types.SimpleNamespace(**locals())


def _runs(value: Any) -> Any:
    return value.x, value.scaled(), value.unit, value.half, type(value).__doc__


def _points(value: Any) -> Any:
    fields = [each.name for each in dataclasses.fields(value)]
    return fields, [getattr(value, name) for name in fields], repr(value)


def _enums(value: Any) -> Any:
    cls = type(value)
    return value.name, value.value, cls[value.name] is value, [x.name for x in cls]


def _called(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda value: (value.__name__, value(*args, **kwargs))


def _same_class(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    names = "__name__", "__qualname__", "__module__", "__doc__"
    for name in names:
        assert getattr(loaded, name) == getattr(original, name)
    for name, item in vars(original).items():
        assert name in vars(loaded), name
        assert type(item) is type(vars(loaded)[name]), name


_IN_MAIN = [
    *each({"object": lambda: main().Run(2.5)}, behaving(_runs)),
    *each(
        {"object of a derived class with a slot": _child},
        behaving(lambda value: (value.x, value.y, value.scaled(), value.half)),
    ),
    *each(
        {
            "dataclass": lambda: main().Point(1.5, [2]),
            "frozen dataclass with slots": lambda: main().Fixed(-0.0),
        },
        behaving(_points),
    ),
    *each({"Enum member": lambda: main().Colour.GREEN}, behaving(_enums)),
    *each(
        {"namedtuple": lambda: main().Pair(1, [2])},
        behaving(lambda value: (value._asdict(), tuple(value), value._fields)),
    ),
    *each({"subclass of list": lambda: main().Words([1, "a"])}, behaving(list)),
    *each(
        {"exception": lambda: main().Failed(3, "no")},
        behaving(lambda value: (value.args, value.step, repr(value))),
    ),
    *each({"function": lambda: main().scale}, behaving(_called(2, by=5))),
    *each({"recursive function": lambda: main().factorial}, behaving(_called(5))),
    *each({"lambda": lambda: main().square}, behaving(_called(3))),
    *each(
        {"closure with a state": lambda: main().counter()},
        behaving(lambda value: value.__closure__[0].cell_contents),
    ),
    *each(
        {
            "class": lambda: main().Run,
            "derived class": lambda: main().Child,
            "dataclass itself": lambda: main().Point,
            "exception class": lambda: main().Failed,
        },
        _same_class,
    ),
    *each(
        {"bound method": lambda: main().Run(2).scaled},
        behaving(lambda value: (value.__name__, value(), value.__self__.x)),
    ),
    *each(
        {"partial of a function": lambda: functools.partial(main().scale, by=3)},
        behaving(lambda value: (value.keywords, value(2))),
    ),
]
_IN_A_FUNCTION = [
    *each(
        {"object": lambda: local().Local([1])},
        behaving(lambda value: (value.x, value.scaled(), type(value.again()).__name__)),
    ),
    *each({"dataclass": lambda: local().Point(1)}, behaving(_points)),
    *each({"Enum member": lambda: local().Colour.RED}, behaving(_enums)),
    *each(
        {"class with a metaclass": lambda: local().Made},
        behaving(lambda value: (value.__qualname__, value.twice())),
    ),
    *each({"closure": lambda: local().closure}, behaving(_called(3))),
    *each({"recursive function": lambda: local().recursive}, behaving(_called(5))),
    *each(
        {"generator function": lambda: local().generate},
        behaving(lambda value: list(value(3))),
    ),
    *each(
        {"function with defaults": lambda: local().configured},
        behaving(
            lambda value: (
                *(value(1), value(1, 2, 3, z=4, w=5), value.unit),
                *(value.__doc__, value.__defaults__, value.__kwdefaults__),
            )
        ),
    ),
    *each({"lambda": lambda: lambda x: x + 1}, behaving(_called(3))),
    *each(
        {"lambda over an array": lambda: _over(np.arange(3.0))},
        behaving(lambda value: value(2)),
    ),
    *each(
        {"class": lambda: local().Local},
        behaving(lambda value: (value.__qualname__, value(2).scaled())),
    ),
]


def _over(array: Any) -> Any:
    return lambda x: array * x


def _models(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    for name in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
        objects(
            _dumped(getattr(original, name, None)), _dumped(getattr(loaded, name, None))
        )
    fields = "__pydantic_fields_set__"
    assert getattr(loaded, fields, None) == getattr(original, fields, None)
    if hasattr(original, "model_dump") and getattr(original, "energy", 0) != "x":
        exactly(original.model_dump(), loaded.model_dump())


def _dumped(items: Any) -> Any:
    if items is None:
        return None
    return {
        name: item.model_dump() if isinstance(item, pydantic.BaseModel) else item
        for name, item in items.items()
    }


def _methods(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert loaded.__func__ is original.__func__
    objects(original.__self__, loaded.__self__)


KINDS = [
    *each(
        {
            "Enum": lambda: Colour.RED,
            "Enum of a numpy value": lambda: Colour.GREEN,
            "Enum by an alias": lambda: Colour.ROT,
            "IntEnum": lambda: Level.LOW,
            "IntEnum, large": lambda: Level.HIGH,
            "StrEnum": lambda: Structure.FCC,
            "Flag": lambda: Task.MD,
            "Flag, combined": lambda: Task.RELAX | Task.MD,
            "Flag, empty": lambda: Task(0),
            "IntFlag, combined": lambda: Mode.READ | Mode.WRITE,
            "class of a module": lambda: Simple,
            "class in a class": lambda: Simple.Inner,
            "class, abstract": lambda: Abstract,
            "class, dataclass": lambda: Plain,
            "class, Enum": lambda: Colour,
            "class, TypedDict": lambda: Options,
            "class, pydantic": lambda: Model,
            "function of a module": lambda: function,
            "function with a cache": lambda: cached,
            "static method": lambda: Simple.three,
            "method of a class, unbound": lambda: Simple.scaled,
        },
        identical,
    ),
    *each(
        {"IntFlag with bits of no name": lambda: Mode(9)},
        lambda original, loaded: exactly(
            (original.value, type(original)), (loaded.value, type(loaded))
        ),
    ),
    *each(
        {
            "dataclass": lambda: Plain("Al", np.arange(3)),
            "dataclass with another attribute": lambda: _extra(Plain("Al"), note=[1]),
            "dataclass, frozen": lambda: Frozen(-0.0, (1, [2])),
            "dataclass with slots": lambda: Slots(1, {"a": Frozen(1.5)}),
            "dataclass, frozen with slots": lambda: FrozenSlots(3),
            "dataclass, derived": lambda: Derived("H", cutoff=3.5),
            "dataclass that is a list": lambda: _extra(Listed(), unit="x"),
            "attrs": lambda: Define(1, [np.eye(2)]),
            "attrs, frozen": lambda: FrozenAttrs([1], private=2),
            "attrs with a dict": lambda: DictAttrs(3),
            "attrs with a remembered hash": lambda: Hashed("a"),
            "object": lambda: Simple(energy=-3.7, forces=np.eye(3), **{"a b": 1}),
            "object without attributes": Simple,
            "object of a class in a class": Simple.Inner,
            "object of a generic class": lambda: Generic_([1]),
            "object of an abstract class's child": Concrete,
            "object that is called": lambda: Callable_(2.5),
            "Storable": lambda: Cell(np.eye(3), "fcc"),
            "Storable in a Storable": lambda: Cell(1, "a", Cell([2], "b")),
        },
        objects,
    ),
    *each(
        {"attrs keeps its hash": lambda: Hashed("b")},
        lambda original, loaded: exactly(hash(original), hash(loaded)),
    ),
    *each(
        {
            "pydantic model": lambda: Model(energy=1.5, stepList=[1]),
            "pydantic model with a private attribute": lambda: _noted(
                Model(energy=-0.0), "mine"
            ),
            "pydantic model of models": lambda: Nested(
                inner=Model(energy=1), forces=np.eye(2), more=[1]
            ),
            "pydantic model, frozen": lambda: FrozenModel(x=(1, 2)),
            "pydantic model, not validated": lambda: Model.model_construct(energy="x"),
            "pydantic root model": lambda: Root([1, 2]),
            "pydantic dataclass": lambda: Checked(1, [2]),
        },
        _models,
    ),
    *each(
        {
            "bound method": lambda: Simple(x=3).scaled,
            "class method": lambda: Simple.make,
        },
        _methods,
    ),
]


def _prefixed(prefix: str, kinds: list[Kind]) -> list[Kind]:
    return [replace(kind, name=f"{prefix} {kind.name}") for kind in kinds]


IN_MAIN = _prefixed("`__main__`:", _IN_MAIN)
IN_A_FUNCTION = _prefixed("in a function:", _IN_A_FUNCTION)
