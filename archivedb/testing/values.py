"""
Values of every kind, for tests of what keeps them.

Nothing here is a fixture: tests take a fresh value at each call of a maker.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from archivedb.values.storable import Storable

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.storage.generic import GenericStorage


class Colour(enum.Enum):
    """An enumeration."""

    RED = "r"
    GREEN = "g"


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - the plain one is tested


@dataclass
class Atom:
    """A dataclass, with an array in it."""

    symbol: str
    position: Any = field(default_factory=lambda: np.zeros(3))


class Plain:
    """A class that knows nothing of storages."""

    def __init__(self, **items: Any) -> None:
        self.__dict__.update(items)


class Slotted:
    """A class without a dict."""

    __slots__ = ("x", "y")

    def __init__(self, x: Any, y: Any) -> None:
        self.x = x
        self.y = y


class Stateful:
    """A class that says itself what its state is."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __getstate__(self) -> dict[str, Any]:
        """Return the state under another name."""
        return {"kept": self.x}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self.x = state["kept"]


class Reduced:
    """A class that is called with what it was made of."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __reduce__(self) -> Any:
        """Return the call."""
        return Reduced, self.args


class Cell(Storable):
    """A class that puts itself into a storage."""

    def __init__(self, matrix: Any, label: str) -> None:
        self.matrix = matrix
        self.label = label

    def _store(self, storage: GenericStorage) -> None:
        storage["matrix"] = self.matrix
        storage["about/label"] = self.label

    @classmethod
    def _restore(cls, storage: GenericStorage, version: str | None) -> Cell:  # noqa: ARG003 - has changed in no version
        return cls(storage["matrix"], storage["about/label"])


class Words(list[str]):
    """A subclass of a builtin, with an attribute of its own."""

    def __init__(self, *words: str) -> None:
        super().__init__(words)
        self.language = "en"


def _nan(bits: int) -> float:
    return float(np.uint64(bits).view(np.float64))


ODD_KEYS = (
    *("", " ", ".", "..", "a/b", "/", "//", "%", "%2F", "%41", "50%", "[0]", "["),
    *("$", "$array", "$$x", "$ref", ".archivedb", "%2Earchivedb", "\0", "\n", "\x7f"),
    *("é", "e\u0301", "😀", "\ud800", "keys.json", "K", "k", "1", "null", "x" * 300),
)
"""Keys that a file system, HDF5, JSON or a path may take for something else."""

DTYPES = (
    *("?", "i1", "u1", "<i2", ">i2", "<u4", ">i8", "<u8", "<f2", "<f4", ">f8", "<f8"),
    *("g", "<c8", ">c16", "G", "S3", "S0", "<U2", ">U3", "V5", "<M8[ns]", ">M8[D]"),
    *("<m8[s]", "<M8", "O"),
    [("x", "<f8"), ("name", "<U4"), ("m", ">i2", (2, 2))],
)
"""Dtypes of every kind and byte order."""

SHAPES = ((), (0,), (3,), (2, 0), (2, 3), (1, 2, 1))
"""Shapes, empty ones and that of a single number included."""


def array_of(dtype: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of some dtype with nothing but different bytes in it."""
    dtype = np.dtype(dtype)
    count = math.prod(shape)
    if dtype.hasobject:
        flat = np.empty(count, object)
        flat[:] = [("item", index) for index in range(count)]
        return flat.reshape(shape)
    if dtype.kind in "US":
        return np.array([str(n) for n in range(count)], dtype).reshape(shape)
    if dtype.kind == "b":
        return np.arange(count).astype(bool).reshape(shape)
    if dtype.kind in "gfcGVMm" or dtype.names:
        raw = np.zeros(count, dtype)
        if dtype.kind in "fc":
            raw[:] = np.arange(count) - 0.5
        elif dtype.names is None and dtype.itemsize:
            raw.view("u1")[:: dtype.itemsize] = np.arange(count) + 1
        return raw.reshape(shape)
    return np.arange(count).astype(dtype).reshape(shape)


VALUES: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "bools": lambda: [True, False],
    "int": lambda: 42,
    "int64": lambda: [-(1 << 63), (1 << 63) - 1],
    "large int": lambda: [1 << 63, -(1 << 200)],
    "float": lambda: 0.1,
    "negative zero": lambda: -0.0,
    "nan": lambda: math.nan,
    "other nans": lambda: [-math.nan, _nan(0x7FF8000000000001)],
    "a nan with bits": lambda: _nan(0x7FF8000000000001),
    "infinities": lambda: [math.inf, -math.inf],
    "infinity": lambda: -math.inf,
    "complex": lambda: complex(-0.0, math.inf),
    "text": lambda: "Å and 😀",
    "empty text": lambda: "",
    "odd text": lambda: ["\0", "a\0", "\ud800", "\r\n", "$x"],
    "text with NUL": lambda: "a\0",
    "surrogate": lambda: "\ud83d\ude00",
    "long text": lambda: "é" * 5000,
    "bytes": lambda: b"\0\xff\0",
    "no bytes": lambda: b"",
    "long bytes": lambda: bytes(range(256)) * 20,
    "list": lambda: [1, 2.0, "3", None],
    "empty list": list,
    "long list": lambda: list(range(100)),
    "long list of mixed numbers": lambda: [1, 1.0, True] * 9,
    "list of dicts": lambda: [{"x": 1}, {"x": np.arange(3)}],
    "list of arrays": lambda: [np.arange(2), np.zeros((2, 2))],
    "tuple": lambda: (1, (2, [3])),
    "empty tuple": tuple,
    "sets": lambda: [{1, 2}, frozenset({"a"}), set()],
    "bytearray": lambda: bytearray(b"ab"),
    "range": lambda: range(2, 10, 3),
    "slice": lambda: slice(1, None, 2),
    "dict": lambda: {"b": 1, "a": {"c": 2}},
    "empty dict": dict,
    "nested empty dicts": lambda: {"a": {}, "b": {"c": {}}},
    "dict with odd keys": lambda: dict.fromkeys(ODD_KEYS, 1),
    "dict with other keys": lambda: {1: "a", "1": "b", None: "c", (1, 2): "d"},
    "dict in a dict with other keys": lambda: {"a": {2.5: {"b": np.arange(2)}}},
    "numpy scalars": lambda: [np.float64(1.5), np.int8(-3), np.str_("x"), np.bool_(1)],
    "numpy scalar": lambda: np.float32(0.1),
    "array": lambda: np.arange(12.0).reshape(3, 4),
    "array in Fortran's order": lambda: np.asfortranarray(np.arange(6).reshape(2, 3)),
    "bools of other bytes": lambda: np.array([0, 1, 2, 255], "u1").view("?"),
    "nans in an array": lambda: np.array([_nan(0xFFF8000000000007), -0.0, np.inf]),
    "masked array": lambda: np.ma.masked_array([1, 2, 3], [False, True, False]),
    "object array": lambda: array_of("O", (2, 2)),
    "datetimes": lambda: [
        dt.datetime(2026, 1, 2, 3, 4, 5, 6, dt.UTC),
        dt.date(2026, 1, 2),
        dt.timedelta(days=1, microseconds=1),
    ],
    "decimal": lambda: Decimal("1.10"),
    "fraction": lambda: Fraction(1, 3),
    "path": lambda: PurePosixPath("/a/b"),
    "uuid": lambda: UUID(int=7),
    "enum": lambda: Colour.GREEN,
    "named tuple": lambda: Pair(1, np.arange(2)),
    "ordered dict": lambda: OrderedDict(b=1, a=2),
    "default dict": lambda: defaultdict(list, a=[1]),
    "counter": lambda: Counter("abca"),
    "deque": lambda: deque([1, 2], maxlen=3),
    "dataclass": lambda: Atom("Al"),
    "object": lambda: Plain(energy=-3.7, forces=np.arange(3.0)),
    "object with slots": lambda: Slotted(1, [2]),
    "object with a state": lambda: Stateful([1]),
    "object that reduces": lambda: Reduced(1, "a"),
    "storable": lambda: Cell(np.eye(3), "fcc"),
    "subclass of list": lambda: Words("a", "b"),
    "class": lambda: Atom,
    "function": lambda: math.sqrt,
    "objects in a dict": lambda: {"a": Atom("H"), "b": {"c": Colour.RED, "d": {1, 2}}},
}
"""What values there are: a name of each, and what makes a new one."""
