"""What `pull` and `ingest` have done."""

from __future__ import annotations

import html
from dataclasses import dataclass

from archivedb.records import counted, readable_size


@dataclass(frozen=True, slots=True)
class Left:
    """
    Something that was not taken in, and why.

    Attributes:
        what: The name of a record, or a file.
        why: The reason, and what to do about it.
        wanted: Whether it was left because it was deleted or pruned here.

    Example:
        >>> print(Left("al/run-1", "it was deleted here"))
        al/run-1: it was deleted here

    """

    what: str
    why: str
    wanted: bool = False

    def __str__(self) -> str:
        """Return it as one sentence."""
        return f"{self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What was taken in, by a pull or out of a spool.

    Attributes:
        records: How many records are new here, or have got something new.
        versions: How many versions they have got.
        changes: How many other changes: appended rows, tags, metadata.
        bytes: How many bytes of payload files were copied.
        left: What was not taken in, and why.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> archive.ingest()
        Taken(records=0, versions=0, changes=0, bytes=0, left=())

    """

    records: int = 0
    versions: int = 0
    changes: int = 0
    bytes: int = 0
    left: tuple[Left, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was left but what was deleted or pruned here."""
        return all(each.wanted for each in self.left)

    def summary(self) -> str:
        """Return it as people read it."""
        return (
            f"{counted(self.versions, 'version')} of "
            f"{counted(self.records, 'record')}, "
            f"{counted(self.changes, 'other change')}, "
            f"{readable_size(self.bytes)} copied"
        )

    def _repr_html_(self) -> str:
        lines = [self.summary(), *map(str, self.left)]
        return "<br>".join(html.escape(line) for line in lines)
