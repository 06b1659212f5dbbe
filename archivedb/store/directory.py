"""The payload store: a directory, and which files in it are payloads."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.errors import CatalogEntryError, CatalogError
from archivedb.store import locks, naming
from archivedb.store.files import PayloadFile, sync_directory, typed
from archivedb.store.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

IDENTITY = "archive.json"
TEMPORARY = "tmp"
LOCKS = "locks"


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
        return self._says("archive")

    def catalog(self) -> Path | None:
        """Return where the store's catalog was last seen."""
        said = self._says("catalog")
        # Relative to the store, since both move together.
        return None if said is None else Path(os.path.normpath(self.root.parent / said))

    def _says(self, key: str) -> str | None:
        path = self.root / IDENTITY
        try:
            said = json.loads(path.read_text()).get(key)
            return None if said is None else str(said)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, AttributeError) as error:
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
            temporary.write_text(json.dumps(said) + "\n")
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

    def take_in(self, source: Path, file: str) -> None:
        """
        Give a payload that lies elsewhere a place in the store, durably.

        Args:
            source: Where it lies; it stays there.
            file: Its name in the store.

        """
        target = self.resolve(file)
        with typed("write", target):
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
        directory, _, name = file.partition("/")
        parsed = naming.parse(name)
        if parsed is None or directory != parsed.uuid[-2:]:
            msg = f"{file!r} is no payload's name; run `archivedb reindex`"
            raise CatalogEntryError(msg)
        if (self.root / directory).is_symlink():
            msg = f"{self.root / directory} is a link, which may lead anywhere"
            raise CatalogEntryError(msg)
        return self.root / file

    def open(self, file: str) -> PayloadFile:
        """Open a payload for reading."""
        return PayloadFile(self.resolve(file), file)

    def size(self, file: str) -> int | None:
        """Return the bytes of a payload, or None if no file is there."""
        try:
            status = self.resolve(file).lstat()
        except FileNotFoundError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

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
        for name, is_payload in self._shard_names(shard):
            if is_payload:
                yield f"{shard}/{name}"

    def _shard_names(self, shard: str) -> Iterator[tuple[str, bool]]:
        try:
            names = sorted(os.listdir(self.root / shard))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            parsed = naming.parse(name)
            yield name, parsed is not None and parsed.uuid[-2:] == shard

    def strangers(self) -> Iterator[str]:
        """Yield what lies in the store without belonging there."""
        names = sorted(os.listdir(self.root))
        shards = self.shards()  # after: one may have been made meanwhile
        for name in names:
            if name not in (IDENTITY, TEMPORARY, LOCKS, *shards):
                yield name
        for shard in shards:
            for name, is_payload in self._shard_names(shard):
                if not is_payload:
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
        for path, status in self._temporaries():
            # Its own name, and the payload's.
            if status.st_nlink > 1:
                with self._unless_alive(path) as gone:
                    became = self.find(path.name.partition(".")[0]) if gone else None
                    if became is not None:
                        yield path, became

    def is_pending(self, file: str) -> bool:
        """Return whether the writer of a payload has yet to tell the catalog."""
        try:
            if self.resolve(file).lstat().st_nlink == 1:
                return False
        except FileNotFoundError:
            return False
        parsed = naming.parse(file.rpartition("/")[2])
        return (
            parsed is not None and self.temporary(parsed.uuid, parsed.suffix).exists()
        )

    def is_settled(self) -> bool:
        """Return whether no writer has still to settle what it published."""
        return all(status.st_nlink == 1 for _, status in self._temporaries())

    def sweep(self, older_than: float) -> None:
        """Remove what writers who are gone have never published."""
        for path, status in self._temporaries():
            if status.st_nlink == 1 and status.st_mtime < older_than:
                with self._unless_alive(path) as gone:
                    if gone:
                        path.unlink(missing_ok=True)

    def clock(self) -> float:
        """Return the time, in seconds since 1970, that ages are measured by."""
        return time.time()

    def _temporaries(self) -> Iterator[tuple[Path, os.stat_result]]:
        folder = self.root / TEMPORARY
        # Never through a link: what lies elsewhere is not ours to sweep.
        if folder.is_symlink() or not folder.is_dir():
            return
        for name in os.listdir(folder):
            uuid, dot, suffix = name.partition(".")
            if naming.parse(f"{uuid}-{'0' * naming.DIGITS}{dot}{suffix}") is None:
                continue
            path = folder / name
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # settled meanwhile
            if stat.S_ISREG(status.st_mode):
                yield path, status

    @contextmanager
    def _unless_alive(self, path: Path) -> Iterator[bool]:
        try:
            descriptor = locks.open_lockable(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            yield False
            return
        try:
            yield locks.try_lock(descriptor)
        finally:
            locks.close_lockable(descriptor)

    def find(self, uuid: str) -> str | None:
        """Return the payload file that has this uuid, or None if there is none."""
        shard = uuid[-2:]
        for file in self.shard_files(shard):
            if file.removeprefix(f"{shard}/").startswith(uuid):
                return file
        return None
