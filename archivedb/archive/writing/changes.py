"""What of an archive changes what is known of its records; and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from archivedb.archive.writing import changing
from archivedb.archive.writing.batching import Batch
from archivedb.errors import RecordNotFoundError
from archivedb.records import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archivedb.archive.core import Core
    from archivedb.records import Record


class Changes:
    """The part of `Archive` that changes what is known of records, and batches."""

    _core: Core

    def tag(self, name: str | Record, *tags: str) -> Record:
        """
        Add tags to the newest version of a record; durable when it returns.

        It makes no version.  Tags that are there already write nothing.

        Args:
            name: The record; a `Record` must be its newest version.
            tags: The words.

        Returns:
            The record as it is then.

        Raises:
            EncodeError: A tag is no word.
            ReadOnlyError: It is an older version, which stays what it is.
            RecordNotFoundError: There is no such record.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> record = archive.save({"energy": -3.7}, "al/run-1", tags=["new"])
            >>> archive.tag("al/run-1", "converged", "checked").tags
            ('checked', 'converged', 'new')
            >>> archive.untag("al/run-1", "new").tags
            ('checked', 'converged')

        """
        return changing.tag(self._core, [name], tags)[0]

    def untag(self, name: str | Record, *tags: str) -> Record:
        """
        Remove tags from the newest version of a record; see `tag`.

        Raises:
            EncodeError: A tag is no word.
            ReadOnlyError: It is an older version, which stays what it is.
            RecordNotFoundError: There is no such record.

        """
        return changing.tag(self._core, [name], (), tags)[0]

    def annotate(
        self,
        name: str | Record,
        facts: Mapping[str, Any] | None = None,
        /,
        *,
        remove: Iterable[str] = (),
        **more: Any,
    ) -> Record:
        """
        Merge facts into the metadata of a record; durable when it returns.

        It makes no version.  Keys that are there already get the new value, and
        what is equal to what is there writes nothing.

        Args:
            name: The record; a `Record` must be its newest version.
            facts: Facts whose keys are no names, like ``"remove"``.
            remove: Keys that shall not be there any more.
            more: Facts by name.

        Returns:
            The record as it is then.

        Raises:
            EncodeError: A fact cannot be metadata; says which.
            ReadOnlyError: It is an older version, which stays what it is.
            RecordNotFoundError: There is no such record.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> facts = {"project": "al", "draft": True}
            >>> record = archive.save({"energy": -3.7}, "al/run-1", metadata=facts)
            >>> archive.annotate("al/run-1", quality="good", remove=["draft"]).metadata
            {'project': 'al', 'quality': 'good'}

        """
        whole = changing.merged(facts, more)
        return changing.annotate(self._core, [name], whole, remove)[0]

    @overload
    def rename(
        self, name: str | Record, new: str, *, recursive: Literal[False] = ...
    ) -> Record: ...

    @overload
    def rename(
        self, name: str | Record, new: str, *, recursive: Literal[True]
    ) -> list[Record]: ...

    def rename(
        self, name: str | Record, new: str, *, recursive: bool = False
    ) -> Record | list[Record]:
        """
        Give a record another name; durable when it returns.

        It stays the same record, with all its versions and its history; who
        holds it as a group or a `Record` holds it still.

        Args:
            name: The record; or a folder, all of whose records move with it.
            new: The name it shall have, which must be free.
            recursive: Allows a folder.

        Returns:
            The record, or with ``recursive=True`` all that were meant.

        Raises:
            InvalidNameError: The text cannot be a name.
            NameConflictError: The new name would be record and folder at once,
                or another record's.
            ReadOnlyError: It is an older version of a record.
            RecordNotFoundError: There is no such record.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> record = archive.save({"energy": -3.7}, "al/run-1")
            >>> archive.rename("al/run-1", "al/fcc/run-1").name
            'al/fcc/run-1'
            >>> [each.name for each in archive.rename("al", "Al", recursive=True)]
            ['Al/fcc/run-1']

        """
        if recursive:
            return changing.rename_all(self._core, name, new)
        number = changing.count_below(self._core, name) if isinstance(name, str) else 0
        if number:
            msg = (
                f"{name!r} is a folder of {counted(number, 'record')}; "
                f"rename({name!r}, {new!r}, recursive=True) renames them all"
            )
            raise RecordNotFoundError(msg)
        return changing.rename(self._core, name, new)

    def batch(self) -> Batch:
        """
        Return a context in which what this thread changes is collected.

        ``save``, ``archive[name] = ...`` for whole records, ``delete``, ``tag``,
        ``untag``, ``annotate`` and ``rename`` of this archive object are checked
        at once, and written when the ``with`` block ends: one payload a mode,
        one commit, all or nothing.  An exception leaves nothing of them.

        Until then they are in memory, arrays as copies, and nobody sees them:
        reading inside of the block gives what is committed.  Edits inside
        records, ``create_group``, ``prune`` and ``compact`` are refused.

        Raises:
            BatchConflictError: At the end of the block: somebody else changed
                one of the records, or took one of the names.
            BatchError: A batch is open in this thread already; or what is done
                inside of it cannot be collected.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> with archive.batch():
            ...     for number in range(100):
            ...         record = archive.save({"n": number}, f"sweep/{number}")
            >>> len(archive), len(set(archive.versions("sweep/7")[0].files))
            (100, 1)

        """
        if self._core.spools:
            from archivedb.archive.writing.spooling import SpoolBatch

            return SpoolBatch(self._core)
        return Batch(self._core)
