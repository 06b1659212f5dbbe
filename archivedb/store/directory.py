"""The payload store: a directory, and how a file gets into it for good."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from archivedb.errors import (
    CatalogError,
    PayloadCorruptError,
    PayloadMissingError,
    StoreError,
)
from archivedb.store import locks, naming
from archivedb.values import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.formats.base import Image
    from archivedb.values.dtypes import Bytes

_PIECE = 8 << 20
_OVERLAP_ABOVE = 4 << 20
"""Above so many bytes, the file's digest is made while fsync waits."""

IDENTITY = "archive.json"
TEMPORARY = "tmp"
LOCKS = "locks"


@contextmanager
def _typed(action: str, path: str | Path) -> Iterator[None]:
    """Turn the system's errors into one that says what was tried, and where."""
    try:
        yield
    except OSError as error:
        if isinstance(error, (StoreError, PayloadMissingError)):
            raise
        hint = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "; nothing was saved: free some space and save again"
        msg = f"cannot {action} {path}: {error.strerror or error}{hint}"
        raise StoreError(msg) from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class PayloadFile:
    """A payload file that is open for reading; the `Source` of a format."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.path = path
        try:
            # Never through a link: nothing outside of the store is read.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            msg = (
                f"the payload file {name} is gone; "
                "run `archivedb verify` to see what else is"
            )
            raise PayloadMissingError(msg) from None
        except OSError as error:
            msg = f"cannot open the payload file {path}: {error.strerror}"
            raise StoreError(msg) from error
        self.size = os.fstat(self._descriptor).st_size

    def read(self, offset: int, length: int) -> Bytes:
        """Return bytes, writable and the caller's own."""
        if offset < 0 or length < 0 or offset + length > self.size:
            # Also what keeps a forged length from asking for all the memory.
            msg = (
                f"{self.name} has {self.size} bytes, and is said to hold {length} "
                f"at {offset}: it was truncated; restore it from a backup"
            )
            raise PayloadCorruptError(msg)
        out = np.empty(length, np.uint8)
        view, at = out.data, 0
        while at < length:
            with _typed("read", self.path):
                count = os.preadv(self._descriptor, [view[at:]], offset + at)
            if count == 0:
                msg = f"{self.name} ends at {offset + at}: it was truncated"
                raise PayloadCorruptError(msg)
            at += count
        return out

    def digits(self) -> str:
        """Return the digits that the file's name must have, from its bytes."""
        starts = range(0, self.size, _PIECE)
        return digest.name_digits(
            self.read(start, min(_PIECE, self.size - start)) for start in starts
        )

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()


class Pending:
    """
    A payload on its way into the store.

    Until `settle`, a second name in ``tmp/`` says that the catalog may not
    know it yet; a lock on it says that its writer lives.
    """

    def __init__(self, store: PayloadStore, uuid: str, suffix: str) -> None:
        self._store = store
        self._uuid, self._suffix = uuid, suffix
        self.path = store.temporary(uuid, suffix)
        self.name: naming.FileName | None = None
        self._digits = ""
        with _typed("write", self.path):
            self._descriptor = self._create()

    def _create(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, 0o666)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, flags, 0o666)
        # Whoever looks for left-overs holds it for a moment at most.
        locks.lock(descriptor)
        return descriptor

    def write(self, image: Image) -> None:
        """
        Write the image and make it durable.

        Raises:
            StoreError: The file system refused.

        """
        with _typed("write", self.path):
            if os.fstat(self._descriptor).st_size > image.size:
                os.ftruncate(self._descriptor, image.size)
            for offset, data in image.segments:
                _write_all(self._descriptor, memoryview(data).cast("B"), offset)
            pieces = [data for _, data in image.segments]
            if image.size <= _OVERLAP_ABOVE or not self._store.durable:
                self._digits = digest.name_digits(pieces)
                self._sync()
            else:
                self._hash_and_sync(pieces)
        self.name = naming.FileName(self._uuid, self._digits, self._suffix)

    def _sync(self) -> None:
        if self._store.durable:
            os.fsync(self._descriptor)

    def _hash_and_sync(self, pieces: list[Any]) -> None:
        def work() -> None:
            self._digits = digest.name_digits(pieces)

        # Hashing needs a core, fsync a disk.
        thread = threading.Thread(target=work)
        thread.start()
        try:
            self._sync()
        finally:
            thread.join()

    def publish(self) -> str:
        """
        Give the file its name for good; from here on it counts.

        Returns:
            The path below the store.

        """
        assert self.name is not None  # noqa: S101 - write comes first
        relative = self._store.place(self.name)
        target = self._store.root / relative
        with _typed("write", target):
            try:
                os.link(self.path, target)
            except FileNotFoundError:
                target.parent.mkdir(exist_ok=True)
                if self._store.durable:
                    sync_directory(self._store.root)
                os.link(self.path, target)
            if self._store.durable:
                sync_directory(target.parent)
        return relative

    def settle(self) -> None:
        """Say that the catalog knows the file."""
        with _typed("remove", self.path), suppress(FileNotFoundError):
            self.path.unlink()
        self.close()

    def discard(self) -> None:
        """Remove the file: nothing refers to it."""
        with suppress(OSError):
            if self.name is not None:
                place = self._store.place(self.name)
                (self._store.root / place).unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file as it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _write_all(descriptor: int, view: memoryview, offset: int) -> None:
    at = 0
    while at < len(view):
        at += os.pwrite(descriptor, view[at:], offset + at)


class PayloadStore:
    """
    The payloads of one archive.

    Args:
        root: The directory; made by `create`.
        durable: Whether `Pending` syncs what it writes.

    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root
        self.durable = durable

    # Places -------------------------------------------------------------

    def temporary(self, uuid: str, suffix: str) -> Path:
        """Return where a payload is written."""
        return self.root / TEMPORARY / f"{uuid}{suffix}"

    def place(self, name: naming.FileName) -> str:
        """Return where a payload lies for good, below the root."""
        return name.relative

    # Identity -----------------------------------------------------------

    def identity(self) -> str | None:
        """
        Return the uuid of the archive that owns this store, or None.

        Raises:
            CatalogError: The file that says it is damaged.

        """
        path = self.root / IDENTITY
        try:
            return str(json.loads(path.read_text())["archive"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path} does not say whose payloads these are: {error}"
            raise CatalogError(msg) from error

    def create(self, archive: str) -> None:
        """Make the directory, and write whose it is."""
        with _typed("create", self.root):
            (self.root / TEMPORARY).mkdir(parents=True, exist_ok=True)
            (self.root / LOCKS).mkdir(exist_ok=True)
            path = self.root / IDENTITY
            temporary = path.with_suffix(".new")
            temporary.write_text(json.dumps({"archive": archive, "format": 1}) + "\n")
            if self.durable:
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
            temporary.replace(path)
            if self.durable:
                sync_directory(self.root)
                sync_directory(self.root.parent)

    # Locks --------------------------------------------------------------

    @contextmanager
    def name_lock(self, name: str) -> Iterator[None]:
        """Hold the lock that fixes a record's position in its history."""
        with locks.file_lock(self.root / LOCKS / locks.stripe(name)):
            yield

    @contextmanager
    def writers_lock(self) -> Iterator[None]:
        """Hold the lock under which the catalog is written."""
        with locks.file_lock(self.root / LOCKS / "catalog"):
            yield

    # Writing ------------------------------------------------------------

    def begin(self, uuid: str, suffix: str) -> Pending:
        """Begin a payload."""
        return Pending(self, uuid, suffix)

    def take_in(self, source: Path, file: str) -> None:
        """
        Give a payload that lies elsewhere a place in the store, durably.

        Args:
            source: Where it lies; it stays there.
            file: Its name in the store.

        """
        target = self.resolve(file)
        with _typed("write", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}")
            temporary.unlink(missing_ok=True)
            shutil.copyfile(source, temporary)
            if self.durable:
                with temporary.open("rb") as copied:
                    os.fsync(copied.fileno())
            temporary.replace(target)
            if self.durable:
                sync_directory(target.parent)
                sync_directory(self.root)

    def remove(self, file: str) -> int:
        """Remove a payload file and return how many bytes that freed."""
        path = self.resolve(file)
        with _typed("remove", path):
            try:
                size = path.lstat().st_size
                path.unlink()
            except FileNotFoundError:
                return 0
        return size

    # Reading ------------------------------------------------------------

    def resolve(self, file: str) -> Path:
        """
        Return where a payload lies.

        Raises:
            CatalogError: The name leads out of the store.

        """
        directory, _, name = file.partition("/")
        parsed = naming.parse(name)
        if parsed is None or directory != parsed.uuid[-2:]:
            msg = f"{file!r} is no payload's name; run `archivedb reindex`"
            raise CatalogError(msg)
        return self.root / file

    def open(self, file: str) -> PayloadFile:
        """Open a payload for reading."""
        return PayloadFile(self.resolve(file), file)

    def size(self, file: str) -> int | None:
        """Return the bytes of a payload, or None if it is missing."""
        try:
            return self.resolve(file).lstat().st_size
        except FileNotFoundError:
            return None

    def files(self) -> Iterator[str]:
        """Yield every payload below the store, oldest first in each directory."""
        for shard in self.shards():
            yield from self.shard_files(shard)

    def shards(self) -> list[str]:
        """Return the directories that hold payloads."""
        try:
            entries = sorted(os.scandir(self.root), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
        return [
            entry.name
            for entry in entries
            if len(entry.name) == 2 and entry.is_dir(follow_symlinks=False)  # noqa: PLR2004
        ]

    def shard_files(self, shard: str) -> Iterator[str]:
        """Yield the payloads of one directory, oldest first."""
        for name in sorted(os.listdir(self.root / shard)):
            parsed = naming.parse(name)
            if parsed is not None and parsed.uuid[-2:] == shard:
                yield f"{shard}/{name}"

    def strangers(self) -> Iterator[str]:
        """Yield what lies in the store without being a payload."""
        for shard in self.shards():
            known = set(self.shard_files(shard))
            for name in sorted(os.listdir(self.root / shard)):
                if f"{shard}/{name}" not in known:
                    yield f"{shard}/{name}"

    def shard_times(self) -> dict[str, float]:
        """Return when a name was last added to, or removed from, each directory."""
        return {s: (self.root / s).stat().st_mtime for s in self.shards()}

    def left_over(self) -> Iterator[tuple[Path, str]]:
        """
        Yield what writers who are gone have published without settling it.

        Each is the temporary name and the payload that it became; while one is
        handled, it is locked.
        """
        for entry in self._temporaries():
            # Its own name, and the payload's.
            if entry.stat().st_nlink > 1:
                with self._unless_alive(entry.path) as gone:
                    became = self._became(entry.name) if gone else None
                    if became is not None:
                        yield Path(entry.path), became

    def sweep(self, older_than: float) -> None:
        """Remove what writers who are gone have never published."""
        for entry in self._temporaries():
            status = entry.stat()
            if status.st_nlink == 1 and status.st_mtime < older_than:
                with self._unless_alive(entry.path) as gone:
                    if gone:
                        Path(entry.path).unlink(missing_ok=True)

    def clock(self) -> float:
        """Return the time, in seconds since 1970, that ages are measured by."""
        return time.time()

    def _temporaries(self) -> Iterator[os.DirEntry[str]]:
        try:
            entries = list(os.scandir(self.root / TEMPORARY))
        except FileNotFoundError:
            return
        for entry in entries:
            with suppress(FileNotFoundError):
                yield entry

    @contextmanager
    def _unless_alive(self, path: str) -> Iterator[bool]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield False
            return
        try:
            yield locks.try_lock(descriptor)
        finally:
            os.close(descriptor)

    def _became(self, name: str) -> str | None:
        uuid = name.partition(".")[0]
        shard = uuid[-2:]
        for file in self.shard_files(shard):
            if file.removeprefix(f"{shard}/").startswith(uuid):
                return file
        return None


class PlainDirectory(PayloadStore):
    """
    A directory that holds one payload, the newest, and no catalog.

    Older ones are removed once the newest is durable; where a crash left some
    behind, the newest counts.
    """

    def temporary(self, uuid: str, suffix: str) -> Path:
        """Return where a payload is written."""
        return self.root / f".{uuid}{suffix}"

    def place(self, name: naming.FileName) -> str:
        """Return where a payload lies for good, below the root."""
        return str(name)

    def resolve(self, file: str) -> Path:
        """Return where a payload lies."""
        return self.root / file

    def files(self) -> Iterator[str]:
        """Yield the payloads in the directory, oldest first."""
        try:
            names = sorted(os.listdir(self.root))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            if naming.parse(name) is not None and (self.root / name).is_file():
                yield name

    def newest(self) -> str | None:
        """Return the payload that counts, or None if there is none."""
        found = list(self.files())
        return found[-1] if found else None
