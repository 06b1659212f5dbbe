"""Give every adapter states that mean ill; none of them may run anything."""

import array
import collections
import datetime as dt
import decimal
import fractions
import ipaddress
import pathlib
import re
import resource
import sys
import types
import uuid
import warnings
import zoneinfo
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import ase
import ase.constraints
import numpy as np
import pandas as pd
import pint
import scipy.sparse
import xarray as xr

from archivedb import File
from archivedb.errors import ArchiveError, UntrustedPayloadError
from archivedb.values import json
from archivedb.values.decode import decode
from archivedb.values.encode import encode
from archivedb.values.objects import Objects
from archivedb.values.skeleton import Skeleton, tag_of
from tests.support.payloads import TooSlowError, within

FORBIDDEN = frozenset(
    {
        *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen"),
        *("pickle.find_class", "marshal.loads", "ctypes.dlopen", "socket.connect"),
        *("os.remove", "os.rename", "os.mkdir", "shutil.rmtree", "os.chmod"),
        *("exec", "compile", "import"),
    }
)
OBJECT = {"$object": "hostile_import:Object", "by": "state", "state": {}}
LIES: list[Any] = [
    OBJECT,
    {"$object": "os:system", "by": "reduce", "state": {"args": ["touch /tmp/x"]}},
    {"$adapted": "type", "state": "hostile_import:Object"},
    {"$adapted": "type", "state": "builtins:eval"},
    {"$adapted": "type", "state": "numpy:DataSource"},
    {"$adapted": "hostile_import.Object", "state": None},
    {"$adapted": "set", "state": [OBJECT]},
    "hostile_import:Object",
    "hostile_import",
    "__import__('os').system('true')",
    "{0.__class__.__init__.__globals__}",
    "%(x)s%n%s",
    "../../../../etc/passwd",
    "/etc/passwd\0",
    "(((((((((((((((a*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*$",
    "9 ** 9 ** 9 ** 9",
    "meter ** 9e999",
    "O",
    "|O8",
    "V4611686018427387904",
    "0" * 5000,
    1 << 62,
    -(1 << 62),
    {"$int": "f" * 400},
    0,
    -1,
    1.5,
    {"$float": "nan"},
    None,
    True,
    [],
    [1, [2]],
    {},
    {"name": 1, "__class__": 2, "__reduce__": 3},
    {"$tuple": []},
    {"$ref": ""},
    {"$bytes": "AAAA"},
    {"$objects": [1], "shape": [1]},
]


def honest() -> dict[str, Any]:
    """Return values of as many kinds as there are."""
    frame = pd.DataFrame({"a": [1, 2], "b": pd.Categorical(["x", "y"])})
    multi = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", "y"])
    days = pd.date_range("2026-01-01", periods=3, tz="Europe/Berlin")
    atoms = ase.Atoms("OH", [[0, 0, 0], [0, 0, 1]], cell=[3, 3, 3], info={"a": 1})
    atoms.set_constraint([ase.constraints.FixAtoms([0])])
    eye = np.eye(3)
    masked = np.ma.MaskedArray([1.0, 2.0], mask=[True, False], fill_value=7.0)
    rec = np.rec.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f8")])
    objects = np.empty(2, object)
    made: dict[str, Any] = {
        "builtins": [{1}, frozenset({2}), bytearray(b"a"), range(3), slice(1), ...],
        "types": [float, NotImplemented, types.SimpleNamespace(a=1)],
        "proxy": types.MappingProxyType({"a": 1}),
        "collections": [
            collections.deque([1], 3),
            collections.OrderedDict(a=1),
            collections.Counter("aab"),
            collections.defaultdict(list, {"a": [1]}),
            array.array("d", [1.0]),
        ],
        "times": [
            dt.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1),
            dt.date(2026, 1, 1),
            dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=1), "x")),
            dt.timedelta(1),
        ],
        "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3)],
        "paths": [
            pathlib.PurePosixPath("a"),
            pathlib.PureWindowsPath("b"),
            pathlib.Path("c"),
        ],
        "rest": [
            uuid.UUID(int=1),
            re.compile("a+"),
            ipaddress.ip_network("10.0.0.0/8"),
        ],
        "file": File.of_bytes("OUTCAR", b"text"),
        "numpy": [
            masked,
            rec,
            rec[0],
            np.matrix([[1]]),
            np.dtype([("x", "i4")]),
            np.dtype("f8"),
            np.poly1d([1, 2]),
            np.polynomial.Chebyshev([1, 2]),
            np.random.default_rng(1),
            np.random.RandomState(1),
            np.random.SeedSequence(1),
            np.char.array(["a"]),
            np.array(["a"], np.dtypes.StringDType()),
            objects,
            np.array([(1, None)], [("x", "i4"), ("o", "O")]),
        ],
        "pandas": [
            frame,
            frame["b"],
            multi,
            days,
            days[0],
            pd.Timedelta(1),
            pd.period_range("2026", periods=2, freq="D"),
            pd.interval_range(0, 2),
            pd.array([1, None], "Int64"),
            pd.array(["a", None], "string"),
            pd.arrays.SparseArray([0, 1, 0]),
            pd.RangeIndex(3),
            pd.Period("2026-01", "M"),
            pd.Interval(0, 1),
            pd.offsets.BusinessDay(2),
            pd.DateOffset(months=2),
            pd.offsets.BusinessHour(start="09:00"),
            days.dtype,
            pd.SparseDtype("f8"),
            pd.NA,
        ],
        "scipy": [
            getattr(scipy.sparse, f"{kind}_array")(eye)
            for kind in ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")
        ],
        "xarray": [
            xr.Dataset({"a": ("x", [1, 2])}, {"x": [1, 2]}, {"attr": 1}),
            xr.DataArray(eye, dims=("x", "y"), name="n"),
        ],
        "ase": [atoms, atoms.cell],
        "pint": [pint.Quantity(1.5, "meter / second ** 2"), pint.Unit("kelvin")],
    }
    return made


def leaves(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the holder and the slot of everything below a tree, groups included."""
    todo = [tree]
    while todo:
        node = todo.pop()
        slots = node.items() if type(node) is dict else enumerate(node)
        for slot, child in list(slots):
            if slot in ("$array", "digest"):
                continue  # those are for the digest to find
            yield node, slot
            if type(child) in (dict, list):
                todo.append(child)


def refuse() -> None:
    """Trust nobody."""
    msg = "a stranger"
    raise UntrustedPayloadError(msg)


events: list[Any] = []
watching = False


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Remember what must not happen while a state is read."""
    if watching and event in FORBIDDEN:
        events.append((event, str(arguments[:1])[:200]))


def read(text: bytes, encoded: Any) -> str:
    """Read a skeleton; return what became of it."""
    global watching  # noqa: PLW0603 - the hook cannot be removed
    source = Skeleton(text)

    def fetch(number: int, _node: Any) -> Any:
        return np.frombuffer(bytearray(encoded.arrays[number].raw), np.uint8)

    watching = True
    try:
        with within(3):
            value = decode(source, source.root, fetch, Objects(require=refuse))
            with suppress(Exception):  # a shape may be too large for that
                repr(value)
    except ArchiveError:
        return "refused"
    finally:
        watching = False
    return "read"


def main() -> None:
    """Try every lie at every place."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    made, counts = honest(), collections.Counter[str]()
    kinds: set[str] = set()
    for zone in ("No/Such", "no such"):
        with suppress(LookupError):
            zoneinfo.ZoneInfo(zone)  # imports what knows where zones are
    sys.addaudithook(hook)
    for name, value in made.items():
        for each in value if type(value) is list else [value]:
            encoded = encode(each)
            assert read(encoded.skeleton, encoded) == "read"  # imports what it needs
            events.clear()
            tree = {"it": json.loads(encoded.skeleton, "skeleton")}
            for holder, slot in leaves(tree):
                if tag_of(holder) == "$adapted":
                    kinds.add(holder["$adapted"])
                honest_part = holder[slot]
                for lie in LIES:
                    holder[slot] = lie
                    text = json.dumps(tree)
                    try:
                        counts[read(text, encoded)] += 1
                    except (Exception, TooSlowError) as error:
                        raise AssertionError((name, slot, text[:2000])) from error
                    assert not events, (name, slot, str(lie)[:60], events, text[:2000])
                holder[slot] = honest_part
    assert "hostile_import" not in sys.modules
    assert len(kinds) > 70 and counts["refused"] > counts["read"]  # noqa: PT018
    sys.stdout.write("nothing ran")


main()
