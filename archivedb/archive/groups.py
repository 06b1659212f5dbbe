"""What of an archive is about the groups inside its records, and their edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.archive import resolving
from archivedb.archive.document import RecordDocument
from archivedb.archive.loading import find_row
from archivedb.archive.writing import editing, saving
from archivedb.archive.writing.changing import count_below, name_of, name_to_save
from archivedb.archive.writing.current import refuse_in_batch
from archivedb.catalog import reading
from archivedb.errors import (
    InvalidNameError,
    NameConflictError,
    NotAGroupError,
    RecordNotFoundError,
)
from archivedb.records import Record, counted
from archivedb.storage.generic import loaded
from archivedb.storage.group import Group
from archivedb.values import paths

if TYPE_CHECKING:
    from archivedb.archive.core import Core
    from archivedb.records import Deletion


class Groups:
    """The part of `Archive` that opens records as groups and edits them."""

    _core: Core
    _mode: str
    _provenance: bool

    def open(
        self, name: str | Record, *, version: int | None = None, mmap: bool = False
    ) -> Group:
        """
        Open a record as a group: lazy, and edited in place.

        ``group["outputs/energy"] = -3.7`` is durable when it returns, as a new
        version that shares all else with the one before.  A ``with group:``
        block is one edit, and nothing on an exception.  Two who edit one
        record, in two processes too, keep each other's keys.

        Args:
            name: The record; a `Record` pins its version.
            version: A version that stays as it is; the newest, whichever that
                will be, if left out.
            mmap: Give arrays as read-only memory maps where they lie in the
                file as they are: in microseconds, but nobody verifies a map.

        Raises:
            RecordNotFoundError: There is no such record or version.
            NotAGroupError: The record is no dict.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> _ = archive.save({"inputs": {"cutoff": 500}}, "al/run-2")
            >>> run = archive.open("al/run-2")
            >>> run["outputs/energy"] = -3.7
            >>> run.load()
            {'inputs': {'cutoff': 500}, 'outputs': {'energy': -3.7}}

        """
        self._core.require_existing()
        row = find_row(self._core, name, version)
        pinned = version is not None or isinstance(name, Record)
        document = RecordDocument(
            self._core, row, pinned=pinned, mmap=mmap, gather=self._provenance
        )
        group = Group(document)
        if not document.holds_group():
            msg = f"{row.name!r} is no dict: load it with archive.load({row.name!r})"
            raise NotAGroupError(msg)
        return group

    def create_group(self, name: str) -> Group:
        """
        Return a record as a group; if there is none, make an empty one.

        Raises:
            InvalidNameError: The text cannot be a name.
            NameConflictError: The name would be record and folder at once.
            NotAGroupError: The record is no dict.

        """
        refuse_in_batch(self._core, "create groups")
        if not self._core.exists or not self._is_record(paths.check_name(name)):
            self._save({}, name, "skip")
        return self.open(name)

    def _is_record(self, name: str) -> bool:
        with self._core.reading() as connection:
            return reading.newest(connection, name) is not None

    def __setitem__(self, path: str | tuple[Any, ...] | Record, value: Any) -> None:
        """
        Save a record, or edit what stands at a path inside one.

        Raises:
            InvalidNameError: The path cannot be a name.
            NameConflictError: It is a folder.

        """
        path = self._path(path)
        place = resolving.find_place(self._core, path) if self._core.exists else None
        if place is not None and place[1]:
            self.open(place[0].name)[_inside(path, place[1])] = value
            return
        name = _name(path)
        self._refuse_folder(name)
        self._save(loaded(value), name, "version")

    def _path(self, path: object) -> str | tuple[Any, ...]:
        if isinstance(path, Record):
            return name_to_save(self._core, path)
        if not isinstance(path, (str, tuple)):
            msg = f"a path is text or a tuple of keys, not {path!r:.60}"
            raise InvalidNameError(msg)
        return path

    def _save(self, value: Any, name: str, on_exists: str) -> None:
        said = saving.facts(None, (), gather=self._provenance)
        saving.save(
            self._core, value, name, mode=self._mode, said=said, on_exists=on_exists
        )

    def __delitem__(self, path: str | tuple[Any, ...] | Record) -> None:
        """
        Delete a record, or what stands at a path inside one.

        Raises:
            InvalidNameError: The path cannot be a name.
            KeyNotFoundError: Nothing does.
            NameConflictError: It is a folder.
            RecordNotFoundError: There is no such record.

        """
        if isinstance(path, Record):
            path = name_of(self._core, path)
        path = self._path(path)
        place = resolving.find_place(self._core, path) if self._core.exists else None
        if place is not None and place[1]:
            del self.open(place[0].name)[_inside(path, place[1])]
            return
        name = _name(path)
        self._refuse_folder(name)
        saving.delete(self._core, lambda _: [name], name)

    def _refuse_folder(self, name: str) -> None:
        number = count_below(self._core, name)
        if number:
            msg = (
                f"{name!r} is a folder of {counted(number, 'record')}, which is not "
                f"replaced or removed by accident: delete({name!r}, recursive=True)"
            )
            raise NameConflictError(msg)

    def prune(self, name: str | Record, *, keep: int = 1) -> Deletion:
        """
        Remove the old versions of a record for good.

        What the kept ones share with them stays.

        Args:
            name: The record.
            keep: How many of the newest versions stay.

        Returns:
            The versions that were removed, and the bytes that this freed.

        Raises:
            RecordNotFoundError: There is no such record.

        """
        self._core.require_existing()
        return editing.prune(self._core, name, keep)

    def compact(self, name: str | Record) -> Record:
        """
        Make the newest version of a record stand alone in one payload.

        Arrays that were appended to become one piece, and what was shared with
        older versions is copied; `prune` then frees what only those need.

        Raises:
            RecordNotFoundError: There is no such record.

        """
        self._core.require_existing()
        return editing.compact(self._core, name, gather=self._provenance)


def _inside(path: str | tuple[Any, ...], steps: tuple[Any, ...]) -> Any:
    """Return what of a path leads on from its record, as it was written."""
    if isinstance(path, tuple):
        return path[-len(steps) :]
    return "/".join(path.split("/")[-len(steps) :])


def _name(path: str | tuple[Any, ...]) -> str:
    parts = (path,) if isinstance(path, str) else path
    if not all(isinstance(part, str) for part in parts):
        msg = f"there is no record {path!r}"
        raise RecordNotFoundError(msg)
    return paths.check_name("/".join(parts))
