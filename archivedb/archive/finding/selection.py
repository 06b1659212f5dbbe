"""What is done with all records of a selection at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from archivedb.archive.finding.query import Finder, Query
from archivedb.archive.finding.tabular import Tabular
from archivedb.archive.packing import directory, zipped
from archivedb.archive.writing import changing, saving
from archivedb.errors import QueryError
from archivedb.records import Deletion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from archivedb.archive.core import Core
    from archivedb.catalog.reading import VersionRow
    from archivedb.records import Exported, Record


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

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        provenance: bool = True,
        license: str | None = None,  # noqa: A002 - the word for it
        authors: str | Sequence[str] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> Exported:
        """
        Write every record that matches into one zip, or below a new directory.

        The zip is a BagIt bag with RO-Crate metadata, for whoever it is sent
        to; `Archive.unpack` imports it.  In a directory, each becomes one of
        its name, which `archivedb.load` reads and `Archive` indexes.  Both
        have metadata, tags and provenance; all is written, or nothing.

        Args:
            path: One that does not exist yet; ``runs.zip`` becomes a zip.
            provenance: ``False`` leaves out user, host, argv, directory and
                environment, also of what a run says of itself in its
                metadata.  Values stay as they are, and a function that was
                saved knows the file that it was written in.
            license: How it may be used: ``"CC-BY-4.0"``, an address or a text.
            authors: Who made it: ``"Ada Lovelace"``, or with an ORCID, a page
                or an address, ``"Ada Lovelace <0000-0002-1825-0097>"``.
            progress: Called with the records done, and how many there are.

        Returns:
            The paths of the records, those in a zip from its root; also what
            others will see as stubs only.

        Raises:
            StoreError: The path exists, or the file system refused.
            PayloadError: A payload is damaged or gone.
            UntrustedPayloadError: A record must be written anew, and holds
                objects that a stranger has signed.
            ValueError: A directory has no place for a license or authors.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> record = archive.save({"a": 4.05}, "al/run-1")
            >>> archive.find("a > 4").export("/tmp/archivedb-doctest/chosen")
            ['/tmp/archivedb-doctest/chosen/al/run-1']
            >>> load("/tmp/archivedb-doctest/chosen/al/run-1")
            {'a': 4.05}
            >>> done = archive.find("a > 4").export("/tmp/archivedb-doctest/al.zip")
            >>> done.names
            ('al/run-1',)

        """
        self._require_records()
        rows = self._rows()
        if os.fsdecode(path).lower().endswith(".zip"):
            return zipped.export(
                *(self._core, rows, path),
                provenance=provenance,
                license=license,
                authors=[authors] if isinstance(authors, str) else authors,
                progress=progress,
            )
        if license is not None or authors:
            msg = "a license and authors are written into a zip: export('runs.zip')"
            raise ValueError(msg)
        return directory.export(
            *(self._core, rows, path), provenance=provenance, progress=progress
        )

    def _rows(self) -> list[VersionRow]:
        if not self._core.exists:
            return []
        with self._core.reading() as connection:
            return list(Finder(self._core, connection, self._query).rows())
