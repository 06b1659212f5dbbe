"""Payloads without a store: built into bytes, and read back from them."""

from __future__ import annotations

import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.archive.loading import read_value
from archivedb.errors import PayloadCorruptError
from archivedb.formats import get_format
from archivedb.formats.base import Draft, checked
from archivedb.formats.envelope import Content, Entry, Envelope, read_head
from archivedb.values.encode import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archivedb.formats.base import Image, Reader

MODES = ("hdf5", "json", "cloudpickle")
ARCHIVE = "3f0c3f6e-0b0e-4f4e-9d5e-0123456789ab"
PAYLOAD = "0197c9a0-0000-7000-8000-0123456789ab"


class Memory:
    """A payload file in memory; the `Source` of a format."""

    name = "00/payload"

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> Any:
        """Return a copy of some bytes, as a payload store does."""
        if offset < 0 or length < 0 or offset + length > self.size:
            msg = f"{self.name} has {self.size} bytes, not {length} at {offset}"
            raise PayloadCorruptError(msg)
        return np.frombuffer(bytearray(self.data[offset : offset + length]), np.uint8)


def entry(name: str = "al/fcc/run-1", **more: Any) -> Entry:
    """Return a change that saves the first version of a record."""
    given = {"kind": "save", "record": ARCHIVE, "position": 1, "time": 1_700_000_000}
    return Entry(**{**given, "name": name, "version": 1, **more})


def drafts(values: Sequence[Any], names: Sequence[str] = ()) -> list[Draft]:
    """Return a change for each value, of records of these names."""
    names = names or [f"al/run-{number}" for number in range(len(values))]
    return [
        Draft(entry(name), encode(value))
        for name, value in zip(names, values, strict=True)
    ]


def lay_out(mode: str, changes: Sequence[Draft]) -> Image:
    """Return the image of a payload of these changes."""
    with tempfile.TemporaryDirectory() as place:
        scratch = str(Path(place) / "scratch")
        return get_format(mode).build(ARCHIVE, PAYLOAD, changes, scratch)


def contents(image: Image) -> bytes:
    """Return the bytes of an image, whose segments must leave no gaps."""
    whole = bytearray()
    for offset, data in image.segments:
        assert offset == len(whole)
        whole += data
    assert len(whole) == image.size
    return bytes(whole)


def build(mode: str, *values: Any, names: Sequence[str] = ()) -> bytes:
    """Return a payload that holds these values."""
    return contents(lay_out(mode, drafts(values, names)))


def read_envelope(mode: str, data: bytes) -> Envelope:
    """Return the checked envelope of a payload."""
    source = Memory(data)
    where = read_head(get_format(mode).head(source), source.name)
    return Envelope.parse(checked(source, where, "the envelope").data, source.name)


def open_content(mode: str, data: bytes, content: Content) -> Reader:
    """Return the reader of some content."""
    return get_format(mode).reader(Memory(data), content)


def read_content(mode: str, data: bytes, content: Content) -> Any:
    """Return the value of some content, which this user must have signed if it runs."""
    reader = open_content(mode, data, content)
    root = reader.skeleton.root
    return read_value(reader, content, root, name="it", trusts=Content.is_trusted)


def read(mode: str, data: bytes) -> list[Any]:
    """Return the values that a payload holds."""
    found = [change.content for change in read_envelope(mode, data).entries]
    return [read_content(mode, data, content) for content in found if content]


class TooSlowError(BaseException):
    """What should have taken a moment goes on and on."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail instead of hanging for ever."""

    def stop(*_: object) -> None:
        msg = f"it takes more than {seconds} s"
        raise TooSlowError(msg)

    before = signal.signal(signal.SIGALRM, stop)
    # Again and again: what is raised during a garbage collection is lost.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
