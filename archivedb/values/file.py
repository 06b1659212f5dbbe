"""Whole files as values: an ``OUTCAR`` beside the numbers that were read from it."""

from __future__ import annotations

import io
import os
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import EncodeError, StoreError

if TYPE_CHECKING:
    from archivedb.values.dtypes import Bytes

IN_MEMORY = 64 << 20
"""Files of up to so many bytes are read when they are saved; larger ones are
mapped, and read while they are written."""


class File:
    """
    A file whose bytes are kept in a record, under its name.

    A `pathlib.Path` is kept as the path that it is; this keeps what lies there.

    Args:
        path: The file; it is read when it is saved, and must not change while
            that happens.
        name: What it shall be called; the last part of the path if left out.

    Raises:
        ValueError: The name is no file's name.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> _ = Path("/tmp/archivedb-doctest/OUTCAR").write_text("converged")
        >>> _ = archive.save({"log": File("/tmp/archivedb-doctest/OUTCAR")}, "al/run-3")
        >>> archive["al/run-3/log"].open("r").read()
        'converged'

    """

    __slots__ = ("_content", "name", "path")

    def __init__(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        self.path: Path | None = Path(path)
        self.name = require_file_name(self.path.name if name is None else name)
        self._content: Bytes | None = None

    @classmethod
    def of_bytes(cls, name: str, content: bytes | bytearray | Bytes) -> File:
        """
        Return a file of these bytes.

        Args:
            name: What it is called.
            content: Its bytes; not copied.

        """
        made = cls.__new__(cls)
        made.path, made.name = None, require_file_name(name)
        made._content = np.frombuffer(content, np.uint8)  # noqa: SLF001 - its own
        return made

    def content(self) -> Bytes:
        """
        Return its bytes, as an array that may be a map of the file.

        Raises:
            EncodeError: The file cannot be read.

        """
        if self._content is not None:
            return self._content
        assert self.path is not None  # noqa: S101 - it has one or the other
        try:
            if not self.path.is_file():
                # Neither a directory, nor a pipe that would be waited for.
                msg = f"{self.path} is no file that could be stored"
                raise EncodeError(msg)
            size = self.path.stat().st_size
            if size <= IN_MEMORY:
                return np.fromfile(self.path, np.uint8)
            return np.memmap(self.path, np.uint8, "r")
        except OSError as error:
            msg = f"cannot read the file {self.path}: {error.strerror}"
            raise EncodeError(msg) from error

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return int(self.content().nbytes)

    def read_bytes(self) -> bytes:
        """Return its bytes."""
        return self.content().tobytes()

    def open(self, mode: str = "rb", encoding: str = "utf-8") -> IO[Any]:
        """
        Open it for reading.

        Args:
            mode: ``"rb"``, or ``"r"`` for text.
            encoding: That of the text.

        Raises:
            ValueError: There is no such mode: it cannot be written to.

        """
        if mode not in ("r", "rt", "rb"):
            msg = f"a file in a record is read with 'r' or 'rb', not {mode!r}"
            raise ValueError(msg)
        raw = io.BufferedReader(_Reader(self.content()))
        return raw if mode == "rb" else io.TextIOWrapper(raw, encoding)

    def export(
        self, directory: str | os.PathLike[str], *, overwrite: bool = False
    ) -> Path:
        """
        Write it into a directory under its name, all of it or nothing.

        Args:
            directory: Made if it is not there.
            overwrite: Whether a file of that name is replaced.

        Returns:
            Where it lies.

        Raises:
            FileExistsError: A file of that name is there.
            StoreError: The file system refused.

        """
        target = Path(directory) / self.name
        temporary = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.parent / f".{uuid.uuid4().hex}"
            with temporary.open("xb") as file:
                file.write(self.content().data)
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                temporary.replace(target)
                temporary = None
            else:
                # Not a look and then a rename: somebody may be quicker.
                os.link(temporary, target)
        except FileExistsError:
            msg = f"{target} exists; say overwrite=True to replace it"
            raise FileExistsError(msg) from None
        except OSError as error:
            msg = f"cannot export to {target}: {error.strerror}"
            raise StoreError(msg) from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
        return target

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same name and the same bytes."""
        if not isinstance(other, File):
            return NotImplemented
        return self.name == other.name and bool(
            np.array_equal(self.content(), other.content())
        )

    __hash__ = None  # type: ignore[assignment]  # what lies at a path may change

    def __repr__(self) -> str:
        """Return its name, and where it lies or how large it is."""
        if self.path is not None:
            return f"File({str(self.path)!r})"
        return f"<File {self.name!r}, {self.size} bytes>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as name and bytes."""
        return File.of_bytes, (self.name, self.read_bytes())


class _Reader(io.RawIOBase):
    """Reads bytes that are in memory, or mapped, without copying them all."""

    def __init__(self, content: Bytes) -> None:
        super().__init__()
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_CUR: self._at, os.SEEK_END: self._content.nbytes}
        self._at = max(begin.get(whence, 0) + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        into = memoryview(buffer).cast("B")
        piece = self._content[self._at : self._at + len(into)].data
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def require_file_name(name: Any) -> str:
    """
    Return a name if a file can have it, without leading anywhere else.

    Raises:
        ValueError: It is no such name.

    """
    if (
        type(name) is not str
        or name in ("", ".", "..")
        or any(mark in name for mark in "/\\\0")
    ):
        msg = f"{name!r} is no file's name"
        raise ValueError(msg)
    return name
