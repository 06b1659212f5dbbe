"""
Payloads that were written elsewhere, on their way into a store.

Whoever takes some in holds the lock of `taking`.  Until the catalog knows a
guest, a second name of it lies in ``tmp/``, so that what a crash leaves behind
is told from what belongs to the archive.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from archivedb.errors import PayloadCorruptError
from archivedb.store import locks, naming
from archivedb.store.directory import GUEST, LOCKS, TEMPORARY
from archivedb.store.files import PayloadFile, sync_directory, typed
from archivedb.values import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from archivedb.store.directory import PayloadStore
    from archivedb.values.dtypes import Bytes

_PIECE = 8 << 20


@contextmanager
def taking(store: PayloadStore) -> Iterator[None]:
    """Hold the lock of those who take payloads of others in."""
    with locks.file_lock(store.own(LOCKS) / "taking"):
        yield


class Guests:
    """
    Payloads that are copied into a store, and stay if the catalog gets to know them.

    The caller holds the lock of `taking`.

    Args:
        store: The store.

    """

    def __init__(self, store: PayloadStore) -> None:
        self._store = store
        self._names: dict[str, tuple[Path, Path]] = {}
        self.bytes = 0

    def take(self, source: Path, file: str, *, leave: bool = True) -> None:
        """
        Give a payload a place in the store, unchanged, its digest proven on the way.

        Args:
            source: Where it lies.
            file: Its name in the store.
            leave: Whether it stays there; or else it need not be copied.

        Raises:
            PayloadCorruptError: Its bytes are not those that its name promises.
            PayloadMissingError: It is not there.
            StoreError: The file system refused.

        """
        target = self._store.resolve(file)
        temporary = self._store.own(TEMPORARY) / f"{target.name}{GUEST}"
        with typed("write", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.parent.mkdir(exist_ok=True)
            # Of one who was killed: nobody else is at work.
            temporary.unlink(missing_ok=True)
            self._names[file] = temporary, target
            self._bring(source, temporary, leave=leave)
            with suppress(FileExistsError):
                os.link(temporary, target)
            if self._store.durable:
                sync_directory(target.parent)
                sync_directory(self._store.root)

    def _bring(self, source: Path, temporary: Path, *, leave: bool) -> None:
        name = temporary.name.removesuffix(GUEST)
        with PayloadFile(source, name) as opened:
            if not leave:
                with suppress(OSError):
                    os.link(source, temporary)
            if temporary.exists():
                _require_digits(_pieces(opened), name, source)
                return
            with temporary.open("xb") as copied:
                _require_digits(_written(opened, copied.write), name, source)
                copied.flush()
                if self._store.durable:
                    os.fsync(copied.fileno())
            self.bytes += opened.size

    def holds(self, file: str) -> bool:
        """Return whether a file has been taken in."""
        return file in self._names

    def settle(self, wanted: Iterable[str]) -> None:
        """
        Say that the catalog knows them; what it does not know leaves again.

        Args:
            wanted: The files that it knows.

        """
        kept = set(wanted)
        for file, (temporary, target) in self._names.items():
            with typed("remove", temporary):
                if file not in kept and _are_one(temporary, target):
                    target.unlink(missing_ok=True)
                temporary.unlink(missing_ok=True)
        self._names.clear()


def left_behind(store: PayloadStore) -> list[str]:
    """Return the guests in ``tmp/``: of whoever is at work, or was killed."""
    folder = store.own(TEMPORARY)
    with typed("list", folder):
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
    return sorted(name for name in names if name.endswith(GUEST))


def sweep(store: PayloadStore, known: Callable[[str], bool]) -> None:
    """
    Remove what somebody who was killed has copied, but not what is known.

    The caller holds the lock of `taking`, and the writers' lock.

    Args:
        store: The store.
        known: Whether the catalog knows a payload, by its name.

    """
    if not store.is_settled():
        return  # what refers to them may be about to be indexed
    for each in left_behind(store):
        temporary, name = store.root / TEMPORARY / each, each.removesuffix(GUEST)
        with typed("remove", temporary):
            target = store.resolve(f"{name[34:36]}/{name}")
            if not known(name) and _are_one(temporary, target):
                target.unlink(missing_ok=True)
            temporary.unlink(missing_ok=True)


def _are_one(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def _pieces(source: PayloadFile) -> Iterator[Bytes]:
    for start in range(0, source.size, _PIECE):
        yield source.read(start, min(_PIECE, source.size - start))


def _written(source: PayloadFile, write: Callable[[Any], int]) -> Iterator[Bytes]:
    for piece in _pieces(source):
        write(piece.data)
        yield piece


def _require_digits(pieces: Iterable[Bytes], name: str, where: Path) -> None:
    parsed = naming.parse(name)
    if parsed is None or digest.name_digits(pieces) != parsed.digits:
        msg = (
            f"{where} is damaged: its bytes are not those that its name promises; "
            "restore it from a backup, and try again"
        )
        raise PayloadCorruptError(msg)


def require_intact(store: PayloadStore, file: str) -> None:
    """
    Raise unless a file in the store holds what its name promises.

    Raises:
        PayloadCorruptError: It does not.

    """
    with store.open(file) as source:
        _require_digits(_pieces(source), file.rpartition("/")[2], source.path)
