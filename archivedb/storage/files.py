"""
Storage in one file: a payload in the user's mode, at the user's path.

Each edit writes the whole file anew beside the old one, and then takes its
place: a crash leaves the one or the other.  Every byte is checked when it is
read.
"""

from __future__ import annotations

import fcntl
import functools
import os
import stat
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import (
    DecodeError,
    ModeError,
    PayloadCorruptError,
    StoreError,
    UntrustedPayloadError,
)
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft, checked
from archivedb.formats.envelope import Entry, Envelope, read_head
from archivedb.storage.document import Document, State, nothing
from archivedb.storage.group import Group
from archivedb.storage.lazy import read_rows
from archivedb.values import digest
from archivedb.values.arrays import StoredArray, array_of, stored, stored_again
from archivedb.values.editing import Append, Assign, apply
from archivedb.values.encode import NO_VALUE, Encoded
from archivedb.values.executable import class_names
from archivedb.values.leaves import array_paths
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archivedb.formats.base import Image, Reader
    from archivedb.formats.envelope import Content
    from archivedb.values.dtypes import AnyArray, Bytes
    from archivedb.values.editing import Edited, Op
    from archivedb.values.skeleton import Tree

_MICROSECONDS = 1000


@contextmanager
def _typed(action: str, path: Path) -> Iterator[None]:
    """Turn the system's errors into one that says what was tried, and where."""
    try:
        yield
    except OSError as error:
        if isinstance(error, (StoreError, PayloadCorruptError)):
            raise
        msg = f"cannot {action} {path}: {error.strerror or error}"
        raise StoreError(msg) from error


class _File:
    """A file that is open for reading, also once another has taken its place."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.name = str(path)
        self._path = path
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        status = os.fstat(descriptor)
        self.size = status.st_size
        self.identity = _identity(status)
        if not stat.S_ISREG(status.st_mode):
            msg = f"{path} is not a file"
            raise StoreError(msg)

    def read(self, offset: int, length: int) -> Bytes:
        """Return bytes, writable and the caller's own."""
        if offset < 0 or length < 0 or offset + length > self.size:
            msg = (
                f"{self.name} has {self.size} bytes, and is said to hold {length} "
                f"at {offset}: it was truncated; restore it from a backup"
            )
            raise PayloadCorruptError(msg)
        out = np.empty(length, np.uint8)
        at = 0
        while at < length:
            with _typed("read", self._path):
                count = os.preadv(self._descriptor, [out.data[at:]], offset + at)
            if not count:
                msg = f"{self.name} ends at {offset + at}: it was truncated"
                raise PayloadCorruptError(msg)
            at += count
        return out


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class _Origin:
    """What a state was read from: its file, and where in it everything lies."""

    def __init__(self, file: _File, mode: str) -> None:
        self.file = file
        form = get_format(mode)
        try:
            extent = read_head(form.head(file), file.name)
        except DecodeError as error:
            msg = (
                f"{file.name} is no {mode} file of archivedb, and is left as it is; "
                f"read it with other tools, or name another file: {error}"
            )
            raise DecodeError(msg) from error
        text = checked(file, extent, "the envelope")
        envelope = Envelope.parse(text.data, file.name)
        if envelope.mode != mode:
            msg = f"{file.name} was saved in mode {envelope.mode!r}, not {mode!r}"
            raise ModeError(msg)
        content = envelope.entries[0].content if len(envelope.entries) == 1 else None
        if content is None:
            msg = f"{file.name} is not the file of one storage"
            raise DecodeError(msg)
        self.entry = envelope.entries[0]
        self.content: Content = content
        self.reader: Reader = form.reader(file, content)


class _FileDocument(Document):
    """
    A document that is one file.

    Args:
        path: The file; it need not exist.
        mode: What it is written in.
        trust: Whether to restore objects that nobody trusted has signed.

    """

    def __init__(self, path: str | os.PathLike[str], mode: str, *, trust: bool) -> None:
        super().__init__()
        given = os.fspath(path)
        if not isinstance(given, str):
            msg = f"a path is text, not {type(given).__name__}"
            raise StoreError(msg)
        # Through links, so that the file they lead to is replaced, not they.
        self.file = Path(os.path.realpath(Path(given).expanduser()))
        self._mode = mode
        self._trust = trust
        self._reading = threading.Lock()
        self._known: State | None = None

    @property
    def name(self) -> str:
        return self.file.name

    # Reading ------------------------------------------------------------

    def _state(self) -> State:
        with self._reading:
            known = self._known
            try:
                with _typed("open", self.file):
                    there = _identity(self.file.stat())
                    if known is not None and known.origin.file.identity == there:
                        return known
                    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
                    found = _File(self.file, os.open(self.file, flags))
            except StoreError as error:
                if isinstance(error.__cause__, FileNotFoundError):
                    self._known = None
                    return nothing()
                raise
            origin = _Origin(found, self._mode)
            numbers = range(len(origin.content.arrays))
            self._known = State(origin.reader.skeleton, numbers, origin)
            return self._known

    def _fetch(self, state: State, array: Any, node: Tree) -> Bytes:
        origin: _Origin = state.origin
        return origin.reader.fetch(array, node)

    def _rows(
        self, state: State, array: Any, node: Tree, start: int, stop: int
    ) -> AnyArray:
        origin: _Origin = state.origin
        place = origin.content.arrays[array]
        rows = read_rows(origin.file, place, node, start, stop)
        return super()._rows(state, array, node, start, stop) if rows is None else rows

    def _require_trusted(self, state: State) -> None:
        if state.origin is None or self._trust or state.origin.content.is_trusted():
            return
        names = class_names(state.skeleton)
        if not names:
            return
        msg = (
            f"{self.file} holds {', '.join(names[:5])}, which runs code when it is "
            "restored, and nobody whom you trust has signed it; if you trust whoever "
            "made it, run `archivedb trust add colleague.pub` with the key that they "
            "sent you, or open it with trust=True"
        )
        raise UntrustedPayloadError(msg)

    # Writing ------------------------------------------------------------

    def _commit(self, ops: Sequence[Op]) -> None:
        with self._alone():
            state = self._state()
            join = functools.partial(self._join, state)
            edited = apply(state.skeleton, state.arrays, ops, join)
            if edited.executable:
                # Signing it would vouch for what a stranger has put there.
                self._require_trusted(state)
            value = self._encoded(state, edited)
            self._write(Draft(self._entry(state), value), ops)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from writing the file between reading and writing."""
        with _typed("open", self.file.parent):
            folder = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Some network file systems lock no directories.
            with suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _join(
        self, state: State, parts: list[tuple[Any, Tree]]
    ) -> tuple[StoredArray, Tree]:
        """Return one array of several: the file is written anew in any case."""
        raws = (
            array.raw
            if isinstance(array, StoredArray)
            else self._fetch(state, array, node).data
            for array, node in parts
        )
        raw = np.frombuffer(bytearray().join(raws), np.uint8)
        first = parts[0][1]
        rows = sum(node["shape"][0] for _, node in parts)
        node = {**first, "shape": [rows, *first["shape"][1:]]}
        array = stored("", array_of(node, raw), node.get("as", "array"))
        return array, {**node, "digest": array.digest}

    def _encoded(self, state: State, edited: Edited) -> Encoded:
        """Return the edited value with all its arrays in memory."""
        source = Skeleton(edited.skeleton)
        arrays: list[Any] = list(edited.arrays)
        for path, node in array_paths(source):
            number = node["$array"]
            if not isinstance(arrays[number], StoredArray):
                raw = self._fetch(state, arrays[number], node)
                arrays[number] = stored_again(path, node, raw)
        if not all(isinstance(array, StoredArray) for array in arrays):
            msg = f"{self.file} holds arrays in places that nothing leads to"
            raise DecodeError(msg)
        hashed = digest.digest(edited.skeleton)
        return Encoded(
            NO_VALUE, edited.skeleton, hashed, tuple(arrays), edited.executable
        )

    def _entry(self, state: State) -> Entry:
        now = time.time_ns() // _MICROSECONDS
        if state.origin is None:
            name = os.fsencode(self.name).decode("utf-8", "backslashreplace")
            return Entry("save", uuids.uuid7(), name, 1, now, 1)
        before: Entry = state.origin.entry
        number = before.position + 1
        return replace(before, time=now, position=number, version=number, content=None)

    def _write(self, draft: Draft, ops: Sequence[Op]) -> None:
        made = uuids.uuid7()
        temporary = self.file.with_name(f".{self.file.name[:100]}.{made}.tmp")
        try:
            form = get_format(self._mode)
            with _typed("write", self.file):
                image = form.build(None, made, [draft], str(temporary))
                self._write_image(image, temporary)
                for op in ops:
                    if isinstance(op, Assign):
                        op.value.require_unchanged()
                    elif isinstance(op, Append):
                        op.rows.require_unchanged()
                temporary.replace(self.file)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        with _typed("sync", self.file.parent):
            folder = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _write_image(self, image: Image, temporary: Path) -> None:
        with temporary.open("wb") as file:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(self.file.stat().st_mode))
            for offset, data in image.segments:
                file.seek(offset)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())


class _FileStorage(Group):
    """What storages in one file have in common."""

    _mode: str

    def __init__(self, path: str | os.PathLike[str], *, trust: bool = False) -> None:
        document = _FileDocument(path, self._mode, trust=trust)
        super().__init__(document)
        self._file = document.file

    @property
    def file(self) -> Path:
        """The file, links followed."""
        return self._file


class HDF5Storage(_FileStorage):
    """
    A storage in one HDF5 file, which any HDF5 tool reads.

    Each edit is durable when it returns, and writes the file anew: make many in
    one ``with storage:``.  Every byte is checked when it is read.

    Args:
        path: The file; it need not exist before the first edit.
        trust: Restore objects although nobody trusted has signed them.

    Example:
        >>> storage = HDF5Storage("/tmp/archivedb-doctest/run.h5")
        >>> storage["outputs/energy"] = -3.7
        >>> HDF5Storage("/tmp/archivedb-doctest/run.h5").load()
        {'outputs': {'energy': -3.7}}

    """

    _mode = "hdf5"


class JSONStorage(_FileStorage):
    """
    A storage in one JSON file, for people to read; see `HDF5Storage`.

    Args:
        path: The file; it need not exist before the first edit.
        trust: Restore objects although nobody trusted has signed them.

    Example:
        >>> storage = JSONStorage("/tmp/archivedb-doctest/run.json")
        >>> storage["outputs/energy"] = -3.7
        >>> JSONStorage("/tmp/archivedb-doctest/run.json").load()
        {'outputs': {'energy': -3.7}}

    """

    _mode = "json"


class PickleStorage(_FileStorage):
    """
    A storage in one file of mode cloudpickle; see `HDF5Storage`.

    Args:
        path: The file; it need not exist before the first edit.
        trust: Restore objects although nobody trusted has signed them.

    Example:
        >>> storage = PickleStorage("/tmp/archivedb-doctest/run.zip")
        >>> storage["potential"] = lambda r: 1 / r
        >>> PickleStorage("/tmp/archivedb-doctest/run.zip")["potential"](2)
        0.5

    """

    _mode = "cloudpickle"
