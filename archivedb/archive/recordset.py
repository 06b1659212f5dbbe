"""What `Archive.find` returns: records that are asked for when they are used."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from archivedb.archive.loading import reader_of
from archivedb.archive.rows import record_of
from archivedb.catalog import reading
from archivedb.errors import RecordNotFoundError, StorageError
from archivedb.values import json
from archivedb.values.leaves import leaf_value, lookup
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.archive.core import Core
    from archivedb.records import Record

SHOWN = 20
"""Records that a repr shows."""


class RecordSet:
    """
    The newest versions of the records that match, newest first; lazy.

    Iterating asks the catalog anew, so a set that is kept sees what was saved
    since.

    Args:
        core: The open archive.
        folder: The folder below which to look; empty for everywhere.
        equal: Path → value: each path means the metadata, and the data where
            the metadata has none.
        most: How many records at most, or None.

    Raises:
        QueryError: When used, if a value is no number, text, bool or None.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> for a in (4.0, 4.1):
        ...     record = archive.save({"a": a}, f"al/{a}", metadata={"metal": "Al"})
        >>> found = archive.find(metal="Al")
        >>> found.count(), [record.name for record in found.limit(1)]
        (2, ['al/4.1'])

    """

    def __init__(
        self, core: Core, folder: str, equal: dict[str, Any], most: int | None = None
    ) -> None:
        self._core = core
        self._folder = folder
        self._equal = equal
        self._most = most

    def limit(self, most: int) -> RecordSet:
        """Return the first *most* records."""
        least = most if self._most is None else min(most, self._most)
        return RecordSet(self._core, self._folder, self._equal, max(least, 0))

    def below(self, folder: str) -> RecordSet:
        """Return those that lie below a folder."""
        return RecordSet(self._core, folder, self._equal, self._most)

    def __iter__(self) -> Iterator[Record]:
        """Yield the records."""
        if not self._core.exists or self._most == 0:
            return
        given = 0
        with self._core.reading() as connection:
            for row, sure in reading.matching(connection, self._folder, self._equal):
                if sure or self._matches(row):
                    yield record_of(row)
                    given += 1
                    if given == self._most:
                        return

    def _matches(self, row: reading.VersionRow) -> bool:
        """Compare with the skeletons themselves: the index holds only a part."""
        metadata = Skeleton.of(json.loads(row.metadata, "catalog's metadata"))
        data: Skeleton | None = None
        for path, value in self._equal.items():
            if path == "tags":  # the catalog has them all
                continue
            try:
                found = lookup(metadata, path)
            except StorageError:
                if data is None:
                    with reader_of(self._core, row) as reader:
                        data = reader.skeleton
                try:
                    found = lookup(data, path)
                except StorageError:
                    return False
            if leaf_value(found) != leaf_value(value):
                return False
        return True

    def __len__(self) -> int:
        """Return how many records match."""
        return self.count()

    def __bool__(self) -> bool:
        """Return whether any record matches."""
        return self.first() is not None

    def count(self) -> int:
        """Return how many records match."""
        return sum(1 for _ in self)

    def first(self) -> Record | None:
        """Return the newest record that matches, or None."""
        return next(iter(self.limit(1)), None)

    def one(self) -> Record:
        """
        Return the only record that matches.

        Raises:
            RecordNotFoundError: There is none, or more than one.

        """
        found = list(self.limit(2))
        if len(found) == 1:
            return found[0]
        many = "no record matches" if not found else "more than one record matches"
        msg = f"{many} {self._words()}"
        raise RecordNotFoundError(msg)

    def _words(self) -> str:
        words = [f"{path}={value!r}" for path, value in self._equal.items()]
        if self._folder:
            words.insert(0, f"below {self._folder!r}")
        return ", ".join(words) or "everything"

    def _some(self) -> tuple[list[Record], bool]:
        found = list(self.limit(SHOWN + 1))
        return found[:SHOWN], len(found) > SHOWN

    def __repr__(self) -> str:
        """Return the first records, a line each."""
        found, more = self._some()
        lines = [f"  {record!r}" for record in found] + ["  …"] * more
        return "\n".join([f"<RecordSet {self._words()}>", *lines])

    def _repr_html_(self) -> str:
        found, more = self._some()
        titles = ("name", "version", "mode", "saved at", "tags")
        head = "".join(f"<th>{title}</th>" for title in titles)
        body = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(str(cell))}</td>"
                for cell in (
                    record.name,
                    record.version,
                    record.mode,
                    record.saved_at.strftime("%Y-%m-%d %H:%M:%S"),
                    ", ".join(record.tags),
                )
            )
            + "</tr>"
            for record in found
        )
        return f"<table><tr>{head}</tr>{body}</table>{'…' * more}"
