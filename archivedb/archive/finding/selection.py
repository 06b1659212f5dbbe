"""What is done with all records of a selection at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.archive.finding import exporting
from archivedb.archive.finding.query import Finder, Query
from archivedb.archive.finding.tabular import Tabular
from archivedb.archive.writing import changing, saving
from archivedb.errors import QueryError
from archivedb.records import Deletion

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from archivedb.archive.core import Core
    from archivedb.records import Record


class Selection(Tabular):
    """
    The part of `RecordSet` that takes the records together.

    Each of its changes is one payload and one commit, however many records it
    is about: all of it, or nothing.

    Args:
        core: The open archive.
        query: What is asked.
        provenance: Whether changes of the selection record provenance.

    """

    def __init__(self, core: Core, query: Query, provenance: bool = True) -> None:  # noqa: FBT001, FBT002 - an archive's option
        self._core, self._query, self._provenance = core, query, provenance

    def _names(self) -> list[str]:
        """
        Return the names of the records that match, each once.

        Raises:
            QueryError: Older versions match, too.

        """
        self._require_records()
        if not self._core.exists:
            return []
        with self._core.reading() as connection:
            rows = Finder(self._core, connection, self._query).rows()
            return list(dict.fromkeys(row.name for row in rows))

    def _require_records(self) -> None:
        if self._query.older:
            msg = (
                "this is done with whole records, not with the versions that "
                "all_versions() finds; select the records without it"
            )
            raise QueryError(msg)

    def _change(self, change: Callable[[list[str]], list[Record]]) -> list[Record]:
        names = self._names()
        return change(names) if names else []

    def tag(self, *tags: str) -> list[Record]:
        """
        Add tags to every record that matches; see `Archive.tag`.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> for a in (4.0, 4.1):
            ...     record = archive.save({"a": a}, f"al/{a}")
            >>> [record.name for record in archive.find("a > 4").tag("stretched")]
            ['al/4.1']

        """
        return self._change(lambda names: changing.tag(self._core, names, add=tags))

    def untag(self, *tags: str) -> list[Record]:
        """Remove tags from every record that matches; see `Archive.untag`."""
        return self._change(lambda names: changing.tag(self._core, names, remove=tags))

    def annotate(
        self,
        facts: Mapping[str, Any] | None = None,
        /,
        *,
        remove: Iterable[str] = (),
        **more: Any,
    ) -> list[Record]:
        """Merge facts into the metadata of every record; see `Archive.annotate`."""
        merged = changing.merged(facts, more)
        return self._change(
            lambda names: changing.annotate(self._core, names, merged, remove)
        )

    def delete(self) -> Deletion:
        """
        Delete every record that matches, with all its versions.

        Returns:
            What was deleted, and how many bytes that freed; nothing, if
            nothing matches.

        """
        names = self._names()
        if not names:
            return Deletion((), 0)
        return saving.delete(self._core, lambda _: names, "what was selected")

    def export(self, directory: str | os.PathLike[str]) -> list[str]:
        """
        Write every record that matches below a new directory, without an archive.

        Each becomes a directory of its name, which `archivedb.load` reads and
        `Archive` indexes, with its metadata, tags and provenance.

        Args:
            directory: One that does not exist yet.

        Returns:
            The directories of the records.

        Raises:
            StoreError: The directory exists, or the file system refused.
            UntrustedPayloadError: A record holds objects that a stranger has
                signed.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> record = archive.save({"a": 4.05}, "al/run-1")
            >>> archive.find("a > 4").export("/tmp/archivedb-doctest/chosen")
            ['/tmp/archivedb-doctest/chosen/al/run-1']
            >>> load("/tmp/archivedb-doctest/chosen/al/run-1")
            {'a': 4.05}

        """
        self._require_records()
        if not self._core.exists:
            return exporting.export(self._core, (), directory)
        with self._core.reading() as connection:
            rows = Finder(self._core, connection, self._query).rows()
            return exporting.export(self._core, rows, directory)
