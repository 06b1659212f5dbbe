"""The standard library: dates, exact numbers, paths, patterns, exceptions."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import functools
import io
import ipaddress
import itertools
import logging
import math
import operator
import os
import pathlib
import random
import re
import uuid
import zoneinfo
from typing import Any

import numpy as np

import archivedb
from tests.fidelity.kind import behaving, each, exactly, identical, objects
from tests.support.exact import difference

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


class Relaxation(Exception):  # noqa: N818 - as people call them
    """An exception whose class wants other arguments than it tells its base."""

    def __init__(self, step: int, force: float) -> None:
        super().__init__(f"no convergence after {step} steps")
        self.step = step
        self.force = force


class Zone(dt.tzinfo):
    """Somebody's time zone."""

    def utcoffset(self, _: Any) -> dt.timedelta:
        """Return a constant."""
        return dt.timedelta(minutes=7)


def _noted(error: BaseException, *notes: str) -> BaseException:
    for note in notes:
        error.add_note(note)
    return error


def _caused() -> Any:
    error = ValueError("outer")
    error.__cause__ = KeyError("inner")
    return error


TIMES: dict[str, Any] = {
    "datetime naive": lambda: dt.datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001
    "datetime smallest": lambda: dt.datetime(1, 1, 1),  # noqa: DTZ001
    "datetime largest": lambda: dt.datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
    "datetime in UTC": lambda: dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    "datetime with an offset": lambda: dt.datetime(
        2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=-3, seconds=1))
    ),
    "datetime in a zone": lambda: dt.datetime(2026, 7, 2, tzinfo=BERLIN),
    "datetime with fold": lambda: dt.datetime(2026, 10, 25, 2, 30, fold=1),  # noqa: DTZ001
    "datetime in a zone with fold": lambda: dt.datetime(
        2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1
    ),
    "date": lambda: dt.date(2026, 1, 2),
    "date smallest": lambda: dt.date.min,
    "time naive": lambda: dt.time(3, 4, 5, 6),
    "time aware": lambda: dt.time(3, 4, tzinfo=dt.UTC),
    "time in a zone with fold": lambda: dt.time(2, 30, tzinfo=BERLIN, fold=1),
    "timedelta": lambda: dt.timedelta(days=-1, microseconds=1),
    "timedelta largest": lambda: dt.timedelta.max,
    "timezone.utc": lambda: dt.UTC,
    "timezone": lambda: dt.timezone(dt.timedelta(hours=5, minutes=45)),
    "timezone with a name": lambda: dt.timezone(dt.timedelta(0), "here"),
    "timezone with microseconds": lambda: dt.timezone(-dt.timedelta(microseconds=3)),
    "ZoneInfo": lambda: BERLIN,
    "ZoneInfo without the cache": lambda: zoneinfo.ZoneInfo.no_cache("Asia/Tokyo"),
}
NUMBERS: dict[str, Any] = {
    "Decimal 1.10": lambda: decimal.Decimal("1.10"),
    "Decimal -0.00": lambda: decimal.Decimal("-0.00"),
    "Decimal 1E+400": lambda: decimal.Decimal("1E+400"),
    "Decimal of 1,000 digits": lambda: decimal.Decimal("1." + "37" * 500),
    "Decimal NaN": lambda: decimal.Decimal("NaN123"),
    "Decimal sNaN": lambda: decimal.Decimal("-sNaN7"),
    "Decimal -Infinity": lambda: decimal.Decimal("-Infinity"),
    "Fraction": lambda: fractions.Fraction(-1, 3),
    "Fraction of large ints": lambda: fractions.Fraction(10**400 + 1, 3**500),
}
PATHS: dict[str, Any] = {
    "Path": lambda: pathlib.Path("runs/OUTCAR"),
    "Path absolute": lambda: pathlib.Path("/runs/../a b/é"),
    "Path .": pathlib.Path,
    "Path with a surrogate": lambda: pathlib.Path("a\udcff"),
    "PurePosixPath": lambda: pathlib.PurePosixPath("//a/b"),
    "PureWindowsPath": lambda: pathlib.PureWindowsPath("C:\\a\\b"),
    "PureWindowsPath on a share": lambda: pathlib.PureWindowsPath("\\\\host\\x\\b"),
    "UUID": lambda: uuid.UUID(int=7),
    "UUID of a name": lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "archivedb"),
    "UUID that is safe": lambda: uuid.UUID(int=7, is_safe=uuid.SafeUUID.safe),
    "re.Pattern": lambda: re.compile(r"a(?P<n>\d+)\Z", re.IGNORECASE | re.VERBOSE),
    "re.Pattern of bytes": lambda: re.compile(b"\\0[\xff]"),
    "re.Pattern, ASCII": lambda: re.compile("é", re.ASCII | re.DOTALL),
    "IPv4Address": lambda: ipaddress.ip_address("127.0.0.1"),
    "IPv6Network": lambda: ipaddress.ip_network("2001:db8::/32"),
    "IPv4Interface": lambda: ipaddress.ip_interface("10.0.0.1/8"),
}
EXCEPTIONS: dict[str, Any] = {
    "ValueError": lambda: ValueError("no", 2, [3]),
    "KeyError": lambda: KeyError("a/b"),
    "OSError": lambda: FileNotFoundError(2, "No such file", "OUTCAR"),
    "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    "StopIteration": lambda: StopIteration(5),
    "ImportError": lambda: ImportError("gone", name="x", path="/y"),
    "SyntaxError": lambda: SyntaxError("bad", ("f.py", 1, 2, "x =")),
    "AttributeError": lambda: AttributeError("no x", name="x"),
    "SystemExit": lambda: SystemExit(3),
    "with notes": lambda: _noted(ValueError("no"), "while reading", "step 3"),
    "of the user's own": lambda: Relaxation(3, 0.1),
    "of archivedb": lambda: archivedb.errors.EncodeError("a/b: no"),
    "ExceptionGroup": lambda: ExceptionGroup("two", [ValueError(1), KeyError("x")]),
    "NameError": lambda: NameError("no x", name="x"),
    "with a cause": _caused,
    "Warning": lambda: UserWarning("careful"),
}


def _exceptions(original: Any, loaded: Any) -> None:
    objects(original, loaded)
    assert repr(loaded) == repr(original)
    assert str(loaded) == str(original)
    for name in ("errno", "filename", "name", "path", "lineno", "text", "value"):
        assert getattr(loaded, name, None) == getattr(original, name, None), name
    objects(original.__cause__, loaded.__cause__)


def _cached(original: Any, loaded: Any) -> None:
    assert difference(original.tzinfo, loaded.tzinfo) is None
    assert loaded.tzinfo is original.tzinfo, "zones of the cache are one object"
    exactly(original, loaded)


def _partials(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert loaded.func == original.func
    objects((original.args, original.keywords), (loaded.args, loaded.keywords))
    objects(vars(original), vars(loaded))


def _of_note() -> Any:
    made = functools.partial(int, base=2)
    made.unit = "eV"  # type: ignore[attr-defined]
    return made


def _file(name: str | None = None, content: bytes = b"converged\n\0\xff") -> Any:
    place = pathlib.Path(os.environ["ARCHIVEDB_KEY"]).parent / "OUTCAR"
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists() or place.read_bytes() != content:
        place.write_bytes(content)
    return archivedb.File(place, name)


def _advanced(iterator: Any) -> Any:
    next(iterator)
    return iterator


def _iterators(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    exactly(list(original), list(loaded))


def _at(file: Any, position: int) -> Any:
    file.seek(position)
    return file


def _files(original: Any, loaded: Any) -> None:
    assert type(loaded) is archivedb.File
    assert loaded.name == original.name
    assert loaded.size == original.size
    with loaded.open() as file, original.open() as other:
        assert file.read() == other.read()
    place = pathlib.Path(os.environ["ARCHIVEDB_KEY"]).parent / "exported"
    written = loaded.export(place, overwrite=True)
    assert written.name == original.name
    assert written.read_bytes() == original.read_bytes()


KINDS = [
    *each(TIMES),
    *each(
        {"datetime shares the zone of the cache": TIMES["datetime in a zone"]}, _cached
    ),
    *each(
        {
            "datetime in somebody's own zone": lambda: dt.datetime(
                2026, 1, 2, tzinfo=Zone()
            )
        },
        behaving(lambda value: (str(value), value.tzname is not None)),
    ),
    *each(NUMBERS),
    *each(PATHS),
    *each(EXCEPTIONS, _exceptions, "exception "),
    *each(
        {
            "partial": lambda: functools.partial(pow, 2, mod=5),
            "partial of a partial": lambda: functools.partial(
                functools.partial(max, [1]), key=len
            ),
            "partial with attributes": _of_note,
            "partial of an array": lambda: functools.partial(np.add, np.arange(3)),
        },
        _partials,
    ),
    *each(
        {
            "function of the standard library": lambda: os.path.join,
            "function of C": lambda: math.sqrt,
            "function of builtins": lambda: len,
            "class of the standard library": lambda: itertools.chain,
            "generator function": lambda: os.walk,
        },
        identical,
    ),
    *each(
        {
            "method of a list": lambda: [3, 1].count,
            "method of a str": lambda: "a,b,ab".split,
            "itemgetter": lambda: operator.itemgetter(0, 1),
            "methodcaller": lambda: operator.methodcaller("upper"),
        },
        behaving(lambda call: call("ab")),
    ),
    *each(
        {
            "iterator of a list": lambda: _advanced(iter([1, [2], 3])),
            "map of a list": lambda: _advanced(map(abs, [-1, -2, -3])),
            "zip of lists": lambda: _advanced(zip([1, 2], "ab", strict=True)),
            "enumerate": lambda: _advanced(enumerate("abc")),
            "reversed": lambda: _advanced(reversed([1, 2, 3])),
        },
        _iterators,
    ),
    *each(
        {
            "dict keys": {"b": 1, 2: 3}.keys,
            "dict values": {"b": 1, 2: [3]}.values,
            "dict items": {"b": 1, 2: [3]}.items,
        },
        behaving(list),
    ),
    *each(
        {
            "BytesIO with a position": lambda: _at(io.BytesIO(b"a\0b"), 2),
            "StringIO with a position": lambda: _at(io.StringIO("a\r\né"), 3),
        },
        behaving(lambda file: (file.tell(), file.getvalue(), file.read())),
    ),
    *each(
        {"random.Random": lambda: random.Random(3)},  # noqa: S311 - its state
        behaving(lambda value: [value.gauss(0, 1) for _ in range(5)]),
    ),
    *each(
        {
            "module": lambda: math,
            "logger": lambda: logging.getLogger("archivedb.tests"),
        },
        identical,
    ),
    *each(
        {
            "archivedb.File": _file,
            "archivedb.File under another name": lambda: _file("INCAR"),
            "archivedb.File of bytes": lambda: archivedb.File.of_bytes("x", b"\0\xff"),
            "archivedb.File, empty": lambda: archivedb.File.of_bytes("x", b""),
        },
        _files,
    ),
    *each(
        {
            "archivedb.File of 5 MiB": lambda: archivedb.File.of_bytes(
                "CHGCAR", b"density\n" * (5 << 17)
            )
        },
        _files,
        large=True,
    ),
]
