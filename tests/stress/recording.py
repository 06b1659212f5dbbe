"""
A file system that is watched, and what of it may be left after a power loss.

What a directory or a file holds is certain from its last fsync on; of whatever
was done to it since, any part may have reached the disk, in any order: each
name, and each sector of 512 bytes, by itself.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

WATCHED = (
    *("open", "close", "write", "pwrite", "ftruncate", "truncate", "link", "rename"),
    *("replace", "unlink", "remove", "mkdir", "rmdir", "symlink", "sendfile", "utime"),
    *("copy_file_range", "fsync", "fdatasync"),
)
SYNCS = {"fsync", "fdatasync"}
SECTOR = 512
BELOW = "new/place"
"""Where an archive lies that is recorded: in a directory that it makes itself."""
CATALOG = ("runs.db", "runs.db-wal")
"""SQLite's files, which it writes and syncs where nobody can watch."""

Files = dict[int, tuple[bytes, ...]]
Names = dict[int, dict[str, tuple[tuple[int | None, float], ...]]]
"""By inode: of each name, what it was since the last sync, and from when on."""


@dataclass(frozen=True)
class Cut:
    """
    The moment after a call.

    Attributes:
        call: Which.
        files: By inode, all contents since the last sync.
        names: By directory, all that each name was since its last sync.
        root: The inode of the whole.
        catalog: SQLite's two files.
        said: How many changes had been acknowledged.

    """

    call: str
    files: Files
    names: Names
    root: int
    catalog: tuple[bytes | None, bytes | None]
    said: int

    def unsynced(self) -> int:
        """Return how many things are uncertain."""
        return sum(len(each) > 1 for each in self.files.values()) + sum(
            len(values) > 1
            for names in self.names.values()
            for values in names.values()
        )


class Recorder:
    """
    Watches a directory while the changes of one process are made to it.

    Args:
        root: The directory; what is in it at first is on the disk.

    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._catalog = [root / BELOW / name for name in CATALOG]
        self.cuts: list[Cut] = []
        self.said = 0
        self._files: Files = {}
        self._names: Names = {}
        self._held: dict[int, int] = {}
        self._looking = False
        self._real = {name: getattr(os, name) for name in WATCHED}
        self._look(first=True)

    def acknowledge(self) -> None:
        """Say that one more change has returned."""
        self.said += 1
        self._cut("acknowledged")

    # Looking --------------------------------------------------------------

    def _hold(self, path: Path, inode: int) -> None:
        # Or the number would be given to another file.
        if inode not in self._held:
            flags = os.O_PATH | os.O_NOFOLLOW
            self._held[inode] = self._real["open"](path, flags)

    def _look(self, *, first: bool = False) -> None:
        """Write down what has changed."""
        root = self.root.stat().st_ino
        waiting = [(self.root, root)]
        while waiting:
            place, inode = waiting.pop()
            self._hold(place, inode)
            there = {}
            for entry in os.scandir(place):
                if entry.name.startswith("runs.db") and entry.name != "runs.payloads":
                    continue
                status = entry.stat(follow_symlinks=False)
                path = place / entry.name
                there[entry.name] = status.st_ino
                if stat.S_ISDIR(status.st_mode):
                    waiting.append((path, status.st_ino))
                else:
                    self._hold(path, status.st_ino)
                    self._look_into(path, status.st_ino, first=first)
            self._list(inode, there, place.stat().st_mtime, first=first)

    def _look_into(self, path: Path, inode: int, *, first: bool) -> None:
        content = path.read_bytes()
        before = self._files.get(inode, (content,) if first else (b"",))
        if before[-1] != content:
            before = (*before, content)
        self._files[inode] = before

    def _list(
        self, inode: int, there: dict[str, int], time: float, *, first: bool
    ) -> None:
        names = self._names.setdefault(inode, {})
        for name in {*names, *there}:
            now = there.get(name)
            before = names.get(name, ((now if first else None, time),))
            if before[-1][0] != now:
                before = (*before, (now, time))
            names[name] = before

    def _cut(self, call: str) -> None:
        self._look()
        self.cuts.append(
            Cut(
                call,
                dict(self._files),
                {inode: dict(names) for inode, names in self._names.items()},
                self.root.stat().st_ino,
                (_bytes(self._catalog[0]), _bytes(self._catalog[1])),
                self.said,
            )
        )

    def _synced(self, inode: int) -> None:
        if inode in self._files:
            self._files[inode] = self._files[inode][-1:]
        if inode in self._names:
            names = self._names[inode]
            self._names[inode] = {name: each[-1:] for name, each in names.items()}

    # Watching -------------------------------------------------------------

    def _watched(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(*arguments: Any, **options: Any) -> Any:
            if self._looking:
                return real(*arguments, **options)
            inode = None
            if name in SYNCS:
                # What was written before it, and past Python.
                self._while_looking(f"before {name}")
                inode = os.fstat(arguments[0]).st_ino
            done = real(*arguments, **options)
            if inode is not None:
                self._synced(inode)
            self._while_looking(name)
            return done

        return call

    def _while_looking(self, call: str) -> None:
        self._looking = True
        try:
            self._cut(call)
        finally:
            self._looking = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Write down each call until the end."""
        real_open = io.open

        def opened(*arguments: Any, **options: Any) -> Any:
            file = real_open(*arguments, **options)
            if not self._looking:
                self._while_looking("open")
            return file

        for name in WATCHED:
            setattr(os, name, self._watched(name))
        io.open = opened
        try:
            yield
        finally:
            io.open = real_open
            for name, real in self._real.items():
                setattr(os, name, real)
            for descriptor in self._held.values():
                os.close(descriptor)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


# After the power loss ---------------------------------------------------------


def torn(old: bytes, new: bytes, chance: random.Random) -> bytes:
    """Return what may be on the disk while one content becomes another."""
    way = chance.randrange(4)
    if way == 0:
        return new[: chance.randrange(len(new) + 1)]
    if way == 1:  # its length is known, and nothing else
        return bytes(len(new))
    sectors = []
    for at in range(0, max(len(old), len(new)), SECTOR):
        first, second = old[at : at + SECTOR], new[at : at + SECTOR]
        # Sectors that were never written are zeros.
        first = first or bytes(len(second))
        sectors.append(chance.choice((first, second)))
    return b"".join(sectors)


def leave(
    cut: Cut,
    place: Path,
    how: str,
    chance: random.Random,
    catalog: tuple[bytes | None, bytes | None] | None = None,
) -> None:
    """
    Make a directory what a power loss may leave.

    Args:
        cut: When it happens.
        place: The directory, which is made.
        how: ``synced``: nothing but what is certain; ``all``: everything;
            ``some``: of what is uncertain anything.
        chance: Chooses.
        catalog: What is left of SQLite's files, if not what was there.

    """
    shutil.rmtree(place, ignore_errors=True)
    made: dict[int, Path] = {}
    waiting = [(place, cut.root)]
    times: list[tuple[Path, float]] = []
    while waiting:
        directory, inode = waiting.pop()
        directory.mkdir()
        newest = 0.0
        for name, values in sorted(cut.names[inode].items()):
            which = {"synced": 0, "all": -1}.get(how, chance.randrange(len(values)))
            target, time = values[which]
            newest = max(newest, time)
            if target is None:
                continue
            path = directory / name
            if target in cut.names:
                waiting.append((path, target))
            elif target in made:
                os.link(made[target], path)
            else:
                path.write_bytes(_left(cut.files[target], how, chance))
                made[target] = path
        times.append((directory, newest))
    for name, content in zip(CATALOG, catalog or cut.catalog, strict=True):
        # Without its directory it is gone, too.
        if content is not None and (place / BELOW).is_dir():
            (place / BELOW / name).write_bytes(content)
    for directory, time in times:
        os.utime(directory, (time, time))


def _left(contents: tuple[bytes, ...], how: str, chance: random.Random) -> bytes:
    if how == "synced" or len(contents) == 1:
        return contents[0]
    if how == "all":
        return contents[-1]
    if chance.random() < 0.5:
        return chance.choice(contents)
    return torn(contents[0], contents[-1], chance)


def catalogs_between(
    before: tuple[bytes | None, bytes | None],
    after: tuple[bytes | None, bytes | None],
    chance: random.Random,
    tries: int,
) -> list[tuple[bytes | None, bytes | None]]:
    """
    Return what SQLite's files may be while it makes one state another.

    It syncs the log before a commit returns, and before it writes to the
    database; so either the log is uncertain, or the database is while the log
    is there.
    """
    found: list[tuple[bytes | None, bytes | None]] = []
    (old, old_log), (new, new_log) = before, after
    for number in range(tries):
        if old != new and old is not None and new is not None and old_log:
            # A checkpoint: the log is whole until the database is.
            mixed = torn(old, new, chance) if number else old
            if len(mixed) >= len(old) and any(mixed[:16]):
                found.append((mixed, old_log))
        if new_log and new_log != old_log and old == new:
            start = old_log or b""
            # To write the rest of a sector harms nothing that was there: SQLite
            # relies on it, and disks keep it.
            common = len(os.path.commonprefix([start, new_log]))  # noqa: RUF071 - of bytes, not of paths
            rest = torn(start[common:], new_log[common:], chance)
            # Beyond what is written anew, the old log may go on.
            tail = start[common + len(rest) :]
            found.append((old, start[:common] + rest + tail))
    return found
