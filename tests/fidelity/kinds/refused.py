"""What nobody could bring back: each is refused, with the path to it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import csv
import ctypes
import datetime as dt
import gzip
import hashlib
import inspect
import io
import mmap
import os
import re
import select
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
import zoneinfo
from concurrent import futures
from importlib import resources
from typing import Any, Self

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from archivedb import File
from tests.fidelity.kind import Refused


class Held:
    """Something that a weak reference can point to."""


HELD = Held()


class Child(np.ndarray):  # type: ignore[type-arg]
    """A subclass of ndarray whose attributes numpy does not pickle."""


class Number(np.float64):
    """A subclass of a scalar, which numpy would forget."""


class Other:
    """A reduction to an object of another class."""

    def __reduce__(self) -> Any:
        """Return what makes a list."""
        return list, ((1, 2),)


class Two(tuple[Any, ...]):
    """A tuple that is not made of what it says."""

    __slots__ = ()

    def __new__(cls, one: Any, two: Any) -> Self:
        """Take two."""
        return super().__new__(cls, (one, two))


class Unpicklable:
    """A class that says no."""

    def __reduce__(self) -> Any:
        """Say so."""
        msg = "I am one of a kind"
        raise TypeError(msg)


class BadReduce:
    """A class whose reduction is none."""

    def __reduce__(self) -> Any:
        """Return a number."""
        return 3


class Lost:
    """A class that says that it is a global, which is not there."""

    def __reduce__(self) -> Any:
        """Name it."""
        return "NOT_THERE"


class Opened:
    """An object that holds an open file."""

    def __init__(self, file: Any) -> None:
        self.file = file


def _text(place: Any) -> Any:
    path = place / "text"
    path.write_text("a\nb\n")
    return path


def _noted() -> Any:
    made = np.arange(3).view(Child)
    made.unit = "eV"
    return made


def _connection(_: Any) -> Any:
    return sqlite3.connect(":memory:")


async def _coroutine() -> None:
    await asyncio.sleep(0)


def _asked() -> Any:
    return (yield)


async def _agen() -> Any:
    yield 1


def _frame() -> Any:
    return inspect.currentframe()


def _traceback() -> Any:
    try:
        raise ValueError  # noqa: TRY301 - for what Python makes of it
    except ValueError as error:
        return error.__traceback__


def _coroutine_closed(_: Any) -> Any:
    made = _coroutine()
    weakref.finalize(made, lambda: None)
    return made


def _mapped(place: Any) -> Any:
    with _text(place).open("r+b") as file:
        return mmap.mmap(file.fileno(), 0)


def _process(_: Any) -> Any:
    made = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
    made.wait()
    return made


REFUSED = [
    Refused("generator", lambda _: (x for x in (1, 2))),
    Refused("generator that was begun", lambda _: _asked()),
    Refused("asynchronous generator", lambda _: _agen()),
    Refused("coroutine", _coroutine_closed),
    Refused("open file, text", lambda place: _text(place).open()),
    Refused("open file, binary", lambda place: _text(place).open("rb")),
    Refused(
        "open file, unbuffered", lambda place: _text(place).open("rb", buffering=0)
    ),
    Refused("open file, for writing", lambda place: (place / "new").open("w")),
    Refused("open file, for updating", lambda place: _text(place).open("r+b")),
    Refused("open file, compressed", lambda place: gzip.open(place / "x.gz", "wb")),  # noqa: SIM115
    Refused("temporary file", lambda _: tempfile.TemporaryFile()),  # noqa: SIM115
    Refused("sys.stdout", lambda _: sys.__stdout__),
    Refused("socket", lambda _: socket.socket()),
    Refused("pair of sockets", lambda _: list(socket.socketpair())),
    Refused("TLS context", lambda _: ssl.create_default_context()),
    Refused("Lock", lambda _: threading.Lock()),
    Refused("RLock", lambda _: threading.RLock()),
    Refused("Condition", lambda _: threading.Condition()),
    Refused("Event", lambda _: threading.Event()),
    Refused("Semaphore", lambda _: threading.Semaphore()),
    Refused("Thread", lambda _: threading.Thread()),
    Refused("thread-local data", lambda _: threading.local()),
    Refused("pool of threads", lambda _: futures.ThreadPoolExecutor(1)),
    Refused("Future", lambda _: futures.Future()),
    Refused("memoryview", lambda _: memoryview(b"ab")),
    Refused("memoryview of an array", lambda _: np.arange(3).data),
    Refused("mmap", _mapped),
    Refused("weakref.ref", lambda _: weakref.ref(HELD)),
    Refused("weakref.proxy", lambda _: weakref.proxy(HELD)),
    Refused("WeakValueDictionary", lambda _: weakref.WeakValueDictionary(a=HELD)),
    Refused("csv.reader of a file", lambda place: csv.reader(_text(place).open())),
    Refused("csv.writer", lambda _: csv.writer(io.StringIO())),
    Refused(
        "iterator over a file's lines", lambda place: map(str, _text(place).open())
    ),
    Refused("zip of a file", lambda place: zip(_text(place).open(), [1], strict=False)),
    Refused("os.scandir", lambda place: os.scandir(place)),  # noqa: PLW0108
    Refused("select.poll", lambda _: select.poll()),
    Refused("database connection", _connection),
    Refused("cursor", lambda _: _connection(_).cursor()),
    Refused("subprocess", _process),
    Refused("struct.Struct", lambda _: struct.Struct("<d")),
    Refused("hash", lambda _: hashlib.sha256()),
    Refused("re.Match", lambda _: re.match("a", "a")),
    Refused("frame", lambda _: _frame()),
    Refused("traceback", lambda _: _traceback()),
    Refused("ContextVar", lambda _: contextvars.ContextVar("x")),
    Refused("context", lambda _: contextvars.copy_context()),
    Refused("ExitStack with a file", lambda place: _stack(_text(place).open())),
    Refused("object that holds a file", lambda place: Opened(_text(place).open())),
    Refused("lambda over a lock", lambda _: _over(threading.Lock())),
    Refused("subclass of ndarray with attributes", lambda _: _noted()),
    Refused("subclass of a numpy scalar", lambda _: Number(1.5)),
    Refused("object that refuses", lambda _: Unpicklable()),
    Refused("object that reduces to a number", lambda _: BadReduce()),
    Refused("object that names a lost global", lambda _: Lost()),
    Refused("object that reduces to a list", lambda _: Other()),
    Refused("object whose __new__ wants more", lambda _: tuple.__new__(Two, (1, 2))),
    Refused("iterator of a dict", lambda _: iter({"a": 1})),
    Refused("iterator of a dict's items", lambda _: iter({"a": 1}.items())),
    Refused("iterator of a set", lambda _: iter({1})),
    Refused("dict reversed", lambda _: reversed({"a": 1})),
    Refused("year, week and day", lambda _: dt.date(2026, 1, 2).isocalendar()),
    Refused("sys.version_info", lambda _: sys.version_info),
    Refused("sys.float_info", lambda _: sys.float_info),
    Refused("numpy.finfo", lambda _: np.finfo("f8")),
    Refused("ctypes array", lambda _: (ctypes.c_int * 3)(1, 2, 3)),
    Refused("object that must exist before its own parts", lambda _: _knot()),
    Refused("ase.Atoms with a calculator that computes", lambda _: _calculating()),
    Refused("ZoneInfo from a file", lambda _: _zone()),
    Refused("re.Pattern that prints", lambda _: _printing()),
    Refused("archivedb.File that is gone", lambda place: File(place / "gone")),
    Refused("archivedb.File of a directory", lambda place: File(place, "x")),
]


def _over(lock: Any) -> Any:
    return lambda: lock


def _stack(file: Any) -> Any:
    stack = contextlib.ExitStack()
    stack.enter_context(file)
    return stack


class Knot:
    """An object that must be whole before it is hashed."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __reduce__(self) -> Any:
        """Be made of what holds it."""
        return type(self), self.args


def _calculating() -> Any:
    atoms = bulk("Cu")
    atoms.calc = EMT()
    return atoms


def _zone() -> Any:
    with (resources.files("tzdata") / "zoneinfo/Asia/Tokyo").open("rb") as file:
        return zoneinfo.ZoneInfo.from_file(file)


def _printing() -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return re.compile("a", re.DEBUG)


def _knot() -> Any:
    made = Knot()
    made.args = (made,)
    return made
