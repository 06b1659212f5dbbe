"""The payload store: a directory, and which files in it are payloads."""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.errors import CatalogEntryError, CatalogError
from archivedb.store import locks, naming
from archivedb.store.arrival import Arrival
from archivedb.store.files import PayloadFile, require_own, sync_directory, typed
from archivedb.store.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

IDENTITY = "archive.json"
TEMPORARY = "tmp"
LOCKS = "locks"
INCOMING = "incoming"
QUARANTINE = "quarantine"
"""Where damaged payloads are kept aside; see `quarantine`."""
GUEST = ".guest"
"""What ends the second names of payloads that came from elsewhere."""

# Neither through a link, nor waiting at a pipe.
_AS_IT_IS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_IDENTITY_BYTES = 1 << 16


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

    def own(self, name: str) -> Path:
        """
        Return one of the store's own directories, which may not be there yet.

        Raises:
            StoreError: A link or a file is in its place.

        """
        require_own(self.root / name)
        return self.root / name

    def impostors(self) -> list[Path]:
        """Return what is in the place of one of the store's own directories."""
        names = (TEMPORARY, LOCKS, INCOMING, QUARANTINE)
        return [self.root / name for name in names if not self._is_own(name)]

    # Identity -----------------------------------------------------------

    def identity(self) -> str | None:
        """
        Return the uuid of the archive that owns this store, or None.

        Raises:
            CatalogError: The file that says it is damaged.

        """
        return self._says("archive")

    def catalog(self) -> Path | None:
        """Return where the store's catalog was last seen."""
        said = self._says("catalog")
        # Relative to the store, since both move together.
        return None if said is None else Path(os.path.normpath(self.root.parent / said))

    def _says(self, key: str) -> str | None:
        path = self.root / IDENTITY
        try:
            said = json.loads(_small_text(path)).get(key)
            return None if said is None else str(said)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            msg = (
                f"{path} does not say whose payloads these are: {error}; remove it, "
                "and it is made anew from the payloads"
            )
            raise CatalogError(msg) from error

    def create(self, archive: str, catalog: Path) -> None:
        """Make the directory, and write whose it is and where its catalog lies."""
        said = {
            "archive": archive,
            # JSON escapes what of a name is no text.
            "catalog": os.path.relpath(catalog, self.root.parent),
            "format": 1,
        }
        with typed("create", self.root):
            (self.root / TEMPORARY).mkdir(parents=True, exist_ok=True)
            (self.root / LOCKS).mkdir(exist_ok=True)
            path = self.root / IDENTITY
            temporary = path.with_suffix(".new")
            # Where a link was planted it is replaced, never written through.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _AS_IT_IS
            if temporary.is_symlink() or temporary.is_fifo():
                temporary.unlink(missing_ok=True)
            with open(os.open(temporary, flags, 0o666), "w") as file:
                file.write(json.dumps(said) + "\n")
                file.flush()
                if self.durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
            if self.durable:
                sync_directory(self.root)
                sync_directory(self.root.parent)

    # Locks --------------------------------------------------------------

    @contextmanager
    def name_lock(self, name: str) -> Iterator[None]:
        """Hold the lock that fixes a record's position in its history."""
        with locks.file_lock(self.own(LOCKS) / locks.stripe(name)):
            yield

    @contextmanager
    def writers_lock(self) -> Iterator[None]:
        """Hold the lock under which the catalog is written."""
        with locks.file_lock(self.own(LOCKS) / "catalog"):
            yield

    @contextmanager
    def quiet_lock(self, *, wait: bool = True) -> Iterator[bool]:
        """
        Hold the writers' lock, if there is one, without making anything.

        Without waiting for it, yield False if somebody else holds it.
        """
        with locks.existing_lock(self.root / LOCKS / "catalog", wait=wait) as free:
            yield free

    # Writing ------------------------------------------------------------

    def begin(self, uuid: str, suffix: str) -> Pending:
        """Begin a payload."""
        return Pending(self, uuid, suffix)

    def receive(self, file: str) -> Arrival:
        """Begin to take in a copy of a payload; see `Arrival`."""
        return Arrival(self, file)

    def remove(self, file: str) -> int:
        """Remove a payload file and return how many bytes that freed."""
        path = self.resolve(file)
        with typed("remove", path):
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
        # Of a row that was altered it may be no text.
        directory, _, name = str(file).partition("/")
        parsed = naming.parse(name)
        if parsed is None or directory != parsed.uuid[-2:]:
            msg = f"{file!r} is no payload's name; run `archivedb reindex`"
            raise CatalogEntryError(msg)
        with typed("look at", self.root / directory):
            linked = (self.root / directory).is_symlink()
        if linked:
            msg = f"{self.root / directory} is a link, which may lead anywhere"
            raise CatalogEntryError(msg)
        return self.root / file

    def open(self, file: str) -> PayloadFile:
        """Open a payload for reading."""
        return PayloadFile(self.resolve(file), file)

    def size(self, file: str) -> int | None:
        """Return the bytes of a payload, or None if no file is there."""
        path = self.resolve(file)
        with typed("look at", path):
            try:
                status = path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def files(self) -> Iterator[str]:
        """Yield every payload below the store, oldest first in each directory."""
        for shard in self.shards():
            yield from self.shard_files(shard)

    def shards(self) -> list[str]:
        """Return the directories that hold payloads."""
        with typed("list", self.root):
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
        for name, is_payload in self._shard_names(shard):
            if is_payload:
                yield f"{shard}/{name}"

    def _shard_names(self, shard: str) -> Iterator[tuple[str, bool]]:
        with typed("list", self.root / shard):
            try:
                if (self.root / shard).is_symlink():
                    return
                names = sorted(os.listdir(self.root / shard))
            except (FileNotFoundError, NotADirectoryError):
                return
        for name in names:
            parsed = naming.parse(name)
            yield name, parsed is not None and parsed.uuid[-2:] == shard

    def strangers(self) -> Iterator[str]:
        """Yield what lies in the store without belonging there."""
        with typed("list", self.root):
            names = sorted(os.listdir(self.root))
        shards = self.shards()  # after: one may have been made meanwhile
        for name in names:
            if name not in shards and not self._is_own(name):
                yield name
        for shard in shards:
            for name, is_payload in self._shard_names(shard):
                if not is_payload:
                    yield f"{shard}/{name}"

    def _is_own(self, name: str) -> bool:
        """Return whether what has one of the store's own names is what it says."""
        if name not in (IDENTITY, TEMPORARY, LOCKS, INCOMING, QUARANTINE):
            return False
        try:
            mode = (self.root / name).lstat().st_mode
        except FileNotFoundError:
            return True
        return stat.S_ISREG(mode) if name == IDENTITY else stat.S_ISDIR(mode)

    def shard_times(self) -> dict[str, float]:
        """Return when a name was last added to, or removed from, each directory."""
        with typed("look into", self.root):
            return {s: (self.root / s).stat().st_mtime for s in self.shards()}

    def left_over(self) -> Iterator[tuple[Path, str]]:
        """
        Yield what writers who are gone have published without settling it.

        Each is the temporary name and the payload that it became; while one is
        handled, it is locked.
        """
        for path, status in self._temporaries():
            # Its own name, and the payload's.
            if status.st_nlink > 1:
                with self._unless_alive(path) as gone:
                    became = self.find(path.name.partition(".")[0]) if gone else None
                    if became is not None:
                        yield path, became

    def is_pending(self, file: str) -> bool:
        """Return whether the writer of a payload has yet to tell the catalog."""
        path = self.resolve(file)
        with typed("look at", path):
            try:
                if path.lstat().st_nlink == 1:
                    return False
            except FileNotFoundError:
                return False
        parsed = naming.parse(file.rpartition("/")[2])
        if parsed is None:
            return False
        names = (
            self.temporary(parsed.uuid, parsed.suffix),
            self.root / TEMPORARY / f"{parsed}{GUEST}",
            self.root / INCOMING / str(parsed),
        )
        with typed("look into", self.root):
            return any(name.exists() for name in names)

    def is_settled(self) -> bool:
        """Return whether no writer has still to settle what it published."""
        return all(status.st_nlink == 1 for _, status in self._temporaries())

    def sweep(
        self, older_than: float, *, dry_run: bool = False
    ) -> list[tuple[str, int]]:
        """
        Remove what writers who are gone have never published.

        Args:
            older_than: Only what was last written before this time.
            dry_run: Remove nothing.

        Returns:
            Each file, below the root, and its bytes.

        """
        swept = []
        for path, status in self._temporaries():
            if status.st_nlink == 1 and status.st_mtime < older_than:
                with self._unless_alive(path) as gone:
                    if gone:
                        swept.append((f"{TEMPORARY}/{path.name}", status.st_size))
                        if not dry_run:
                            with typed("remove", path):
                                path.unlink(missing_ok=True)
        return swept

    def clock(self) -> float:
        """Return the time, in seconds since 1970, that ages are measured by."""
        return time.time()

    def _temporaries(self) -> Iterator[tuple[Path, os.stat_result]]:
        folder = self.root / TEMPORARY
        # Never through a link: what lies elsewhere is not ours to sweep.
        with typed("list", folder):
            if folder.is_symlink() or not folder.is_dir():
                return
            names = os.listdir(folder)
        for name in names:
            uuid, dot, suffix = name.partition(".")
            if naming.parse(f"{uuid}-{'0' * naming.DIGITS}{dot}{suffix}") is None:
                continue
            path = folder / name
            status = None
            # It may have been settled meanwhile.
            with typed("look at", path), suppress(FileNotFoundError):
                status = path.lstat()
            if status is not None and stat.S_ISREG(status.st_mode):
                yield path, status

    @contextmanager
    def _unless_alive(self, path: Path) -> Iterator[bool]:
        descriptor = None
        with typed("open", path), suppress(FileNotFoundError):
            descriptor = locks.open_lockable(path, os.O_RDONLY | os.O_NOFOLLOW)
        if descriptor is None:
            yield False
            return
        try:
            with typed("lock", path):
                free = locks.try_lock(descriptor)
            yield free
        finally:
            locks.close_lockable(descriptor)

    def find(self, uuid: str) -> str | None:
        """Return the payload file that has this uuid, or None if there is none."""
        shard = uuid[-2:]
        for file in self.shard_files(shard):
            if file.removeprefix(f"{shard}/").startswith(uuid):
                return file
        return None


def _small_text(path: Path) -> str:
    """Return the text of a small file, which may be anything."""
    with open(os.open(path, os.O_RDONLY | _AS_IT_IS), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            msg = "it is no file"
            raise ValueError(msg)
        data = file.read(_IDENTITY_BYTES + 1)
    if len(data) > _IDENTITY_BYTES:
        msg = "it is too long"
        raise ValueError(msg)
    return data.decode()
