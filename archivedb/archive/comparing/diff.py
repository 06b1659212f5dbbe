"""What of an archive is about what differs between versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archivedb.archive.comparing.differing import Diff
    from archivedb.archive.core import Core
    from archivedb.records import Record


class Comparing:
    """The part of `Archive` that says what differs between versions."""

    _core: Core

    def diff(
        self,
        before: str | Record,
        after: str | Record | None = None,
        *,
        versions: tuple[int | None, int | None] = (None, None),
    ) -> Diff:
        """
        Return what differs between two records, or two versions of one.

        ``diff("al/run-1", "al/run-2")`` compares the newest versions of two;
        ``diff("al/run-1", versions=(1, 3))`` two versions of one; and
        ``diff("al/run-1")`` the newest with the one before it.

        It goes leaf by leaf through data, metadata and tags.  Arrays with
        equal digests are never read.  Others of equal shape are, piece by
        piece, and it says how many items differ, and numbers by how much.
        Objects are compared by what was stored of them: nothing is restored,
        so strangers' records are as safe to compare as one's own.  Neither the
        mode nor the order of keys counts.

        Args:
            before: A record; a `Record` pins its version.
            after: The other; the same one if left out.
            versions: Which versions of them, where not the newest.

        Raises:
            RecordNotFoundError: There is no such record or version, or no
                version before the only one.
            PayloadCorruptError: Bytes that had to be read are damaged.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> record = archive.save({"cutoff": 400, "e": -3.7}, "al/run-1")
            >>> record = archive.save({"cutoff": 500, "e": -3.9}, "al/run-1")
            >>> print(archive.diff("al/run-1"))
            'al/run-1' version 1 -> version 2: 2 differences
              ~ cutoff  400 -> 500
              ~ e       -3.7 -> -3.9

        """
        # Few programs compare, and all would wait for the import.
        from archivedb.archive.comparing.comparison import choose, compare

        self._core.require_existing()
        one, two = choose(self._core, before, after, versions)
        return compare(self._core, one, two)
