"""What cannot be stored exactly is refused, and the message says where it is."""

from __future__ import annotations

import array
import dataclasses
import datetime as dt
import functools
import socket
import threading
import uuid
from collections import deque
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb.errors import EncodeError
from archivedb.values.decode import decode_inline
from archivedb.values.encode import encode, encode_inline
from tests.support.exact import difference

if TYPE_CHECKING:
    from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Plain:
    """A dataclass, whose name would have to be imported."""

    number: int


@pytest.mark.parametrize("kind", ["generator", "text file", "file", "lock", "socket"])
def test_the_path_is_named(kind: str, tmp_path: Path) -> None:
    """Whatever lives only in this process is refused with the path to it."""
    place = tmp_path / "log"
    place.touch()
    with place.open() as text, place.open("rb") as raw, socket.socket() as door:
        value = {
            "generator": (x for x in "ab"),
            "text file": text,
            "file": raw,
            "lock": threading.Lock(),
            "socket": door,
        }[kind]
        with pytest.raises(EncodeError, match=r"^outputs/log/\[3\]: "):
            encode({"inputs": 1, "outputs": {"log": [0, 1, 2, value]}})


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda bad: bad, "the value itself"),
        (lambda bad: {"a/b": (bad,)}, "a%2Fb/[0]"),
        (lambda bad: {1: {None: bad}}, "$1/$null"),
        (lambda bad: {"": {".": bad}}, "%/%2E"),
        (lambda bad: {"x": _objects(bad)}, "x/[1]"),
    ],
)
def test_any_path_is_named(wrap: Any, path: str) -> None:
    """The path in the message is spelt as paths are."""
    with pytest.raises(EncodeError) as caught:
        encode(wrap(threading.Lock()))
    assert str(caught.value).startswith(f"{path}: ")


def _objects(item: Any) -> Any:
    array = np.empty(2, object)
    array[1] = item
    return array


@pytest.mark.parametrize(
    ("wrap", "path"),
    [(lambda bad: bad, "$key#0"), (lambda bad: (1, bad), r"$key#0/[1]")],
)
def test_keys_that_are_objects(wrap: Any, path: str) -> None:
    """A key is refused as any other value is, with a path of its own."""
    with pytest.raises(EncodeError) as caught:
        encode({"steps": [{wrap(threading.Lock()): 1}]})
    assert str(caught.value).startswith(f"steps/[0]/{path}: ")


@pytest.mark.parametrize(
    "value",
    [
        *(np.arange(3), [np.zeros(2)], np.ma.array([1]), array.array("d", [1])),
        *(object(), len, Plain, Plain(1), {Plain(1)}, {"a": [{len}]}),
        *(lambda: 1, functools.partial(len)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_metadata_is_plain(value: Any) -> None:
    """Metadata holds neither arrays nor what runs code, however deep."""
    with pytest.raises(EncodeError, match=r"^project.*part of metadata"):
        encode_inline({"project": value}, "metadata")
    if type(value) not in (list, dict, set) and value.__hash__ is not None:
        with pytest.raises(EncodeError, match=r"^project: the key .*part of a key"):
            encode_inline({"project": {value: 1}}, "metadata")


@pytest.mark.parametrize(
    "value",
    [
        *({1, 2}, frozenset({"a"}), bytearray(b"ab"), range(3), slice(1, None), ...),
        *(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.timedelta(1), dt.timedelta),
        *(Decimal("1.10"), PurePosixPath("a/b"), uuid.UUID(int=5), deque([1], 3)),
        {dt.date(2026, 1, 1): {(1, frozenset({2})): Fraction(1, 3)}},
    ],
    ids=ascii,
)
def test_metadata_may_be_adapted(value: Any) -> None:
    """What adapters take apart is metadata, too: bringing it back runs no code."""
    found = decode_inline(encode_inline({"project": value}, "metadata"))
    assert difference({"project": value}, found) is None
