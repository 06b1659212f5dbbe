"""What Python brings along comes back as it is, and nothing of it runs code."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import io
import ipaddress
import math
import os
import pathlib
import re
import struct
import types
import uuid
import zoneinfo
from fractions import Fraction
from operator import itemgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb.errors import DecodeError, EncodeError
from archivedb.values.adapters import adapter_named, builtins, stdlib
from archivedb.values.encode import encode
from tests.support import exact, payloads, strategies

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def through(value: Any) -> Any:
    """Return a value as it comes back, having run no code."""
    assert not encode(value).executable
    return payloads.read("json", payloads.build("json", {"value": value}))[0]["value"]


def _check(value: Any) -> None:
    assert exact.difference(value, through(value)) is None
    assert exact.difference([value, (value, 1)], through([value, (value, 1)])) is None


def _with_attributes() -> Any:
    made = collections.OrderedDict(b=1, a=[2])
    made.note = "x"  # type: ignore[attr-defined]
    return made


def _negative_counter() -> Any:
    counter = collections.Counter(a=3)
    counter["b"] = -1
    counter[None] = 0  # type: ignore[index]
    counter["c"] = 1.5  # type: ignore[assignment]
    return counter


BUILTINS = [
    *(set(), {1, 2.5, -3, 2**70}, {"b", "a", "\ud800"}, {b"b", b"a"}, {1, "a", None}),
    *({math.nan, 1.0}, {(1, 2), (3, "x")}, frozenset(), frozenset({frozenset({1}), 2})),
    *(bytearray(), bytearray(b"\0\xff"), bytearray(b"x" * 5000)),
    *(range(0), range(2, -9, -3), range(2**70, 2**71, 2**69)),
    *(slice(None), slice(1, -1), slice("a", [1], 2.5), slice(None, None, -1)),
    *(..., NotImplemented),
    types.MappingProxyType({"a": 1, 2: [3]}),
    types.MappingProxyType(types.MappingProxyType(collections.OrderedDict(b=1, a=2))),
    types.SimpleNamespace(),
    types.SimpleNamespace(energy=-3.7, forces=np.eye(3), **{"a/b": 1, "$x": 2}),
]
CONTAINERS = [
    *(collections.deque(), collections.deque([1, [2]], 5), collections.deque(maxlen=0)),
    *(collections.OrderedDict(), collections.OrderedDict([("b", 1), (2, [3])])),
    _with_attributes(),
    *(collections.Counter(), collections.Counter("aab"), _negative_counter()),
    collections.defaultdict(None, {"x": 1}),
    collections.defaultdict(list, {"x": [1], (1, 2): [2]}),
    collections.defaultdict(np.float64),
    *(array.array(code, [0, 1, 100]) for code in "bBhHiIlLqQfd"),
    *(array.array("u", "aé😀"), array.array("d"), array.array("q", [-(2**63)])),
    array.array("f", b"\x01\x00\xa0\x7f"),
    array.array("B", bytes(range(256)) * 30),
]
CLASSES = [
    *(int, object, type, list, ValueError, type(None), dt.datetime, dt.timezone),
    *(decimal.Decimal, Fraction, pathlib.Path, uuid.UUID, collections.deque),
    *(np.ndarray, np.float64, np.longlong, np.dtype, np.bool),
]
TIMES = [
    *(dt.datetime.min, dt.datetime.max),  # noqa: DTZ901 - naive, as some are
    dt.datetime(2026, 10, 25, 2, 30, fold=1),  # noqa: DTZ001
    dt.datetime(2026, 10, 25, 2, 30, 0, 1, tzinfo=BERLIN, fold=1),
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=23))),
    *(dt.date.min, dt.date.max, dt.time.min, dt.time.max, dt.time(1, fold=1)),
    dt.time(1, 2, 3, tzinfo=BERLIN),
    *(dt.timedelta(), dt.timedelta.min, dt.timedelta.max, dt.timedelta(0, -1, 1)),
    dt.UTC,
    dt.timezone(dt.timedelta(0), "UTC"),
    dt.timezone(dt.timedelta(hours=-5, microseconds=-1)),
    dt.timezone(dt.timedelta(hours=5, minutes=30), ""),
    BERLIN,
    zoneinfo.ZoneInfo.no_cache("UTC"),
]
NUMBERS = [
    decimal.Decimal(text)
    for text in (
        *("0", "-0", "1.10", "-1E+5", "0E-17", "1E-1999999999999999997", "NaN", "-NaN"),
        *("sNaN123", "NaN99999999999999999999999999999999", "Infinity", "-Infinity"),
        *("9" * 6000, "1E+999999999999999999", "-0E-1999999999999999997"),
    )
] + [Fraction(0), Fraction(-1, 3), Fraction(2**99, 3), Fraction(np.int64(4), 2)]
PATHS = [
    *(pathlib.PurePosixPath(x) for x in ("", "/", "//a", "///a", "a//b/./c", "../a")),
    *(pathlib.PurePosixPath(x) for x in ("a\\b", "a\0b", "\udc80", "c:/x", "~", "a ")),
    *(pathlib.PureWindowsPath(x) for x in ("", "C:", "C:/", "c:x", "//srv/share/x")),
    *(pathlib.PureWindowsPath(x) for x in ("\\a", "a/B", "//./pipe", "\\\\?\\C:\\a")),
    *(pathlib.Path(x) for x in ("", "/tmp/x", "a/../b", "\udcff")),  # noqa: S108
]
OTHERS = [
    uuid.UUID(int=5),
    uuid.UUID(int=2**128 - 1, is_safe=uuid.SafeUUID.safe),
    uuid.UUID(int=0, is_safe=uuid.SafeUUID.unsafe),
    *(re.compile(""), re.compile(b"\xff", re.IGNORECASE), re.compile("(?x)a # b")),
    *(re.compile("é|\ud800", re.ASCII | re.MULTILINE), re.compile(b"a", re.LOCALE)),
]

ADDRESSES = [
    *(ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("fe80::1%eth0")),
    *(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::/0")),
    *(ipaddress.ip_interface("10.0.0.1/8"), ipaddress.ip_interface("::1%x/64")),
]


VALUES = BUILTINS + CONTAINERS + CLASSES + TIMES + NUMBERS + PATHS + OTHERS


@pytest.mark.parametrize(
    "value",
    VALUES,
    ids=range(len(VALUES)),
)
def test_round_trips(value: Any) -> None:
    """Types, order, bits and shared parts are kept."""
    _check(value)


@pytest.mark.parametrize("value", ADDRESSES, ids=str)
def test_addresses(value: Any) -> None:
    """Addresses, networks and interfaces are their text."""
    (adapter,) = (one for one in stdlib.adapters() if one.cls is type(value))
    assert adapter.unpack is not None
    assert adapter.pack(value) == str(value)
    assert exact.difference(value, adapter.unpack(adapter.pack(value))) is None


def test_singletons() -> None:
    """What there is once comes back as that one."""
    for value in (..., NotImplemented, dt.UTC, BERLIN, type(None), int):
        assert through(value) is value


def test_equal_sets_have_equal_digests() -> None:
    """The order in which a process happens to keep a set does not matter."""
    for one, two in (
        ({0, 8, 16}, {16, 8, 0}),
        ({"a", "b", "c"}, {"c", "b", "a"}),
        (frozenset({1, 2.5, 1 << 70}), frozenset({1 << 70, 2.5, 1})),
    ):
        assert encode(one).digest == encode(two).digest


@pytest.mark.parametrize(
    ("make", "add", "get"),
    [
        (collections.deque, lambda box, item: box.append(item), lambda box: box[0]),
        (types.SimpleNamespace, lambda box, it: setattr(box, "me", it), lambda x: x.me),
        *(
            (make, lambda box, item: box.__setitem__("me", item), itemgetter("me"))
            for make in (
                *(collections.OrderedDict, collections.Counter),
                collections.defaultdict,
            )
        ),
    ],
)
def test_containers_inside_themselves(make: Any, add: Any, get: Any) -> None:
    """They may contain themselves, and share what they contain."""
    box, shared = make(), [1]
    add(box, [box, shared])
    again = through({"box": box, "shared": shared})
    inner = get(again["box"])
    assert inner[0] is again["box"]
    assert inner[1] is again["shared"]
    assert inner[1] == [1]


def test_a_factory_is_kept() -> None:
    """A restored defaultdict makes what its original made."""
    again = through(collections.defaultdict(list))
    assert again["new"] == []


def test_a_proxy_follows_its_mapping() -> None:
    """A view of a mapping shows what happens to it later."""
    mapping = {"a": 1}
    again = through([mapping, types.MappingProxyType(mapping)])
    again[0]["b"] = 2
    assert again[1]["b"] == 2


def test_an_own_time_zone() -> None:
    """Any tzinfo will do, even one that does not know its offset."""
    pack = adapter_named("datetime.datetime").pack
    zone = _Zone()
    state = pack(dt.datetime(2026, 1, 1, tzinfo=zone))
    assert state == {"iso": "2026-01-01T00:00:00", "tz": zone}


class _Zone(dt.tzinfo):
    pass


def test_readable_states() -> None:
    """People find dates, numbers and paths as they write them."""
    text = encode(
        {
            "day": dt.date(2026, 1, 2),
            "at": dt.datetime(2026, 1, 2, 3, tzinfo=BERLIN),
            "path": pathlib.Path("a/b"),
            "cost": decimal.Decimal("1.10"),
        }
    ).skeleton.decode()
    for part in ('"2026-01-02"', '"2026-01-02T03:00:00"', '"a/b"', '"1.10"'):
        assert part in text
    assert '"key":"Europe/Berlin"' in text


def test_the_context_of_decimals_does_not_matter() -> None:
    """Neither digits nor traps of the moment change what is stored or read."""
    value = decimal.Decimal("1.23456789E+50")
    loose = decimal.Context(prec=2, capitals=0, traps=[])
    with decimal.localcontext(loose):
        assert "1.23456789E+50" in encode(value).skeleton.decode()
        assert exact.difference(value, through(value)) is None
        with pytest.raises(decimal.InvalidOperation):
            _unpack("decimal.Decimal", "no number")


def test_zones_from_files() -> None:
    """A zone without a name that finds it again is refused, and where it is said."""
    raw = b"".join(
        header + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + b"\0\0\0\0\0\0UTC\0"
        for header in (b"TZif2" + bytes(15),) * 2
    )
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(raw + b"\nUTC0\n"))
    with pytest.raises(EncodeError, match=r"^x: .*read from a file"):
        encode({"x": zone})


def test_proxies_of_no_mapping() -> None:
    """Python lets a mappingproxy show what is no mapping; nobody means it."""
    with pytest.raises(EncodeError, match=r"^x: .*no Mapping"):
        encode({"x": types.MappingProxyType("text")})  # type: ignore[arg-type]


def test_attributes_that_are_no_text() -> None:
    """Names that no attribute can have are refused."""
    value = types.SimpleNamespace()
    vars(value)[1] = 2  # type: ignore[index]
    with pytest.raises(EncodeError, match="no text"):
        encode(value)


def test_patterns_that_print(capsys: pytest.CaptureFixture[str]) -> None:
    """A pattern with re.DEBUG would print to whoever loads it."""
    pattern = re.compile("a", re.DEBUG)
    with pytest.raises(EncodeError, match="print"):
        encode(pattern)
    capsys.readouterr()


def _unpack(kind: str, state: Any) -> Any:
    """Do with a state what reading does."""
    adapter = adapter_named(kind)
    if adapter.unpack is not None:
        return adapter.unpack(state)
    assert adapter.make is not None
    assert adapter.fill is not None
    made = adapter.make(state)
    adapter.fill(made, state)
    return made


HOSTILE = [
    *(("set", "ab"), ("set", [1, True]), ("set", [[]]), ("frozenset", {"a": 1})),
    *(("bytearray", 10**15), ("bytearray", [1]), ("range", {"start": 1})),
    ("range", {"start": "a", "stop": 1, "step": 1}),
    *(("mappingproxy", {"mapping": [1]}), ("mappingproxy", {"mapping": "a"})),
    *(("type", "os:system"), ("type", "builtins:eval"), ("type", "builtins:__name__")),
    *(("type", "numpy:f2py.x"), ("type", 5), ("type", "numpy.ma:MaskedArray")),
    *(("type", "subprocess:Popen"), ("type", "numpy:bool_"), ("type", "types:code")),
    *(("types.SimpleNamespace", {1: 2}), ("types.SimpleNamespace", [1])),
    ("collections.deque", {"items": [1, 2], "maxlen": 1}),
    ("collections.deque", {"items": [], "maxlen": "a"}),
    ("collections.deque", {"items": [], "maxlen": -1}),
    ("collections.deque", {"items": range(10**15)}),
    ("collections.deque", [1]),
    ("collections.OrderedDict", {"items": [["a", 1]]}),
    ("collections.OrderedDict", {"items": {}, "attributes": {1: 2}}),
    ("collections.Counter", {"items": "aab"}),
    ("collections.defaultdict", {"items": {}, "factory": 5}),
    ("collections.defaultdict", {"items": {}, "factory": int, "more": 1}),
    ("array.array", {"typecode": "x", "values": np.zeros(1)}),
    ("array.array", {"typecode": "d", "values": np.zeros(1, int)}),
    ("array.array", {"typecode": "d", "values": np.zeros((1, 1))}),
    ("array.array", {"typecode": "h", "values": np.array([1 << 40])}),
    ("array.array", {"typecode": "f", "values": np.array([1e300])}),
    ("array.array", {"typecode": "d", "values": [1.0]}),
    ("datetime.datetime", {"iso": "2026-01-01", "tz": "UTC"}),
    ("datetime.datetime", {"iso": "2026-01-01", "fold": 7}),
    ("datetime.datetime", {"iso": "2026-01-01T00:00+01:00"}),
    ("datetime.datetime", "2026-01-01"),
    *(
        ("datetime.date", "no date"),
        ("datetime.time", {"iso": 5}),
        ("datetime.date", 5),
    ),
    ("datetime.timedelta", {"days": 1 << 70, "seconds": 0, "microseconds": 0}),
    ("datetime.timedelta", {"days": 0.5, "seconds": 0, "microseconds": 0}),
    ("datetime.timezone", {"seconds": 1 << 40}),
    ("datetime.timezone", {"seconds": 0, "name": 5}),
    *(("zoneinfo.ZoneInfo", {"key": f"{x}etc/passwd"}) for x in ("/", "../../../../")),
    ("zoneinfo.ZoneInfo", {"key": 5}),
    ("decimal.Decimal", [0, [1], 2]),
    ("fractions.Fraction", {"numerator": "1/2", "denominator": 1}),
    ("fractions.Fraction", {"numerator": 1, "denominator": 0}),
    *(("pathlib.Path", 5), ("pathlib.PurePosixPath", ["a"]), ("uuid.UUID", "x")),
    ("uuid.UUID", {"uuid": "0" * 32, "is_safe": 2}),
    ("re.Pattern", {"pattern": "a", "flags": re.DEBUG}),
    ("re.Pattern", {"pattern": "(", "flags": 0}),
    ("re.Pattern", {"pattern": 5, "flags": 0}),
    ("re.Pattern", {"pattern": "a", "flags": "I"}),
]


@pytest.mark.parametrize(("kind", "state"), HOSTILE, ids=lambda part: ascii(part)[:60])
def test_hostile_states(kind: str, state: Any) -> None:
    """A state that no value has raises; it neither runs nor allocates."""
    with payloads.within(5), pytest.raises(Exception) as caught:  # noqa: PT011
        _unpack(kind, state)
    assert not isinstance(caught.value, MemoryError)


def test_only_plain_classes_have_names() -> None:
    """Classes of others, and those that only claim to be plain, have none."""
    fake = type("int", (), {"__module__": "builtins"})
    for cls in (fake, _Zone, os.stat_result, io.StringIO):
        assert builtins.plain_class_name(cls) is None
    with pytest.raises(DecodeError):
        builtins.plain_class("builtins:exec")


zones = st.one_of(
    st.none(),
    st.timezones(),
    st.builds(
        dt.timezone,
        st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)),
    ),
)
everything = st.one_of(
    st.datetimes(timezones=zones),
    st.times(timezones=zones),
    st.dates(),
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.sets(st.one_of(st.integers(), strategies.doubles, strategies.texts)),
    st.lists(strategies.texts, max_size=3).map(lambda x: pathlib.PurePosixPath(*x)),
    st.lists(st.text("aC:/\\.? ", max_size=5), max_size=3).map(
        lambda x: pathlib.PureWindowsPath(*x)
    ),
    st.lists(strategies.trees, max_size=3).map(collections.deque),
    st.dictionaries(strategies.keys, strategies.trees, max_size=3).map(
        collections.OrderedDict
    ),
    st.binary(max_size=64).map(bytearray),
)


@given(strategies.shown(everything))
def test_whatever_there_is(value: strategies.Shown) -> None:
    """Any value of these classes comes back as it was."""
    assert exact.difference(value.value, through(value.value)) is None
