"""Where good copies of payloads come from: archives, backups, directories, zips."""

from __future__ import annotations

import os
import zipfile
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.archive.address import locate, user_path
from archivedb.archive.packing.reading import BROKEN
from archivedb.errors import ArchiveError, ArchiveNotFoundError, StoreError
from archivedb.store import naming
from archivedb.store.directory import IDENTITY, PayloadStore
from archivedb.store.files import PayloadFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from archivedb.store.arrival import Arrival

    Pieces = Iterator[memoryview | bytes]

# An encrypted member is a RuntimeError, a damaged header may be a ValueError.
_FAULTS = (ArchiveError, OSError, *BROKEN, RuntimeError, ValueError)

PIECE = 8 << 20
"""Bytes that are read at once."""


def pieces_of(source: PayloadFile) -> Iterator[memoryview]:
    """Yield the bytes of an open payload file."""
    for start in range(0, source.size, PIECE):
        yield source.read(start, min(PIECE, source.size - start)).data


class Source:
    """
    A place in which copies of payloads may lie, by the names of their files.

    Args:
        place: A catalog or its URL, a directory, or a zip.

    Raises:
        ArchiveNotFoundError: Nothing is there.

    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        self.zip: Path | None = None
        self.roots: list[Path] = []
        text = os.fsdecode(place)
        path = None if "://" in text else user_path(text)
        if path is not None and path.is_dir():
            self.roots = [path]
        elif path is not None and path.is_file() and zipfile.is_zipfile(path):
            self.zip = path
        else:
            store = locate(place, None).payloads
            if not store.is_dir():
                msg = (
                    f"there are no payloads at {text}: name an archive, a backup, "
                    "a directory of payload files or an exported zip"
                )
                raise ArchiveNotFoundError(msg)
            self.roots = [store]

    def fill(self, arrival: Arrival, file: str) -> bool:
        """
        Copy a payload, whichever of its copies is sound.

        Args:
            arrival: Takes the bytes, and proves them.
            file: The payload's name.

        Returns:
            Whether there was a sound copy.

        """
        for copy in self._copies(file.rpartition("/")[2]):
            # One that cannot be read is none; another may be.
            with suppress(_UnreadableError), _reading(copy) as pieces:
                if arrival.fill(pieces):
                    return True
        return False

    def _copies(
        self, name: str
    ) -> Iterator[Callable[[], AbstractContextManager[Pieces]]]:
        if self.zip is not None:
            for member in self._members.get(name, ()):
                yield partial(_from_zip, self.zip, member)
            return
        parsed = naming.parse(name)
        for root in self.roots:
            # Where it lies in a store, a backup or an archive's directory.
            near = [root / name]
            if parsed is not None:
                near += [root / parsed.relative]
                near += sorted(root.glob(f"*.payloads/{parsed.relative}"))
            found = [path for path in near if path.is_file()]
            for path in found or self._walked.get(name, []):
                yield partial(_from_file, path)

    def stores(self) -> Iterator[PayloadStore]:
        """Yield the payload stores that lie there, each with its archive's id."""
        for root in self.roots:
            for path in (root, *sorted(root.glob("*.payloads"))):
                if (path / IDENTITY).is_file():
                    yield PayloadStore(path)

    @cached_property
    def _walked(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for root in self.roots:
            for folder, _, names in os.walk(root):
                for name in names:
                    if naming.parse(name) is not None:
                        found.setdefault(name, []).append(Path(folder, name))
        return found

    @cached_property
    def _members(self) -> dict[str, list[str]]:
        assert self.zip is not None  # noqa: S101 - whoever asks has one
        found: dict[str, list[str]] = {}
        try:
            with zipfile.ZipFile(self.zip) as opened:
                for member in opened.namelist():
                    name = member.rpartition("/")[2]
                    if naming.parse(name) is not None:
                        found.setdefault(name, []).append(member)
        except _FAULTS as error:
            msg = f"cannot read {self.zip}: {error}"
            raise StoreError(msg) from error
        return found


class _UnreadableError(Exception):
    """A copy cannot be read: a fault of the source, never of what it is copied to."""


@contextmanager
def _reading(copy: Callable[[], AbstractContextManager[Pieces]]) -> Iterator[Pieces]:
    with ExitStack() as opened:

        def pieces() -> Pieces:
            try:
                yield from opened.enter_context(copy())
            except _FAULTS as error:
                raise _UnreadableError from error

        yield pieces()


@contextmanager
def _from_file(path: Path) -> Iterator[Pieces]:
    with PayloadFile(path, path.name) as source:
        yield pieces_of(source)


@contextmanager
def _from_zip(path: Path | None, member: str) -> Iterator[Pieces]:
    assert path is not None  # noqa: S101 - it is a zip
    with zipfile.ZipFile(path) as opened, opened.open(member) as file:
        # Never more than it is said to have: a forged zip may go on for ever.
        left = opened.getinfo(member).file_size

        def pieces() -> Pieces:
            nonlocal left
            while left > 0 and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece

        yield pieces()
