"""What of an archive takes in what lies elsewhere: pull and ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.plugins import resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from archivedb.archive.core import Core
    from archivedb.archive.finding.recordset import RecordSet
    from archivedb.archive.taking.outcome import Taken


class Intake:
    """The part of `Archive` that takes in what lies elsewhere."""

    _core: Core

    def pull(
        self,
        other: str | os.PathLike[str] | Intake | RecordSet,
        question: str | None = None,
        *,
        under: str = "",
        progress: Callable[[int, int], None] | None = None,
    ) -> Taken:
        """
        Merge the records of another archive into this one.

        Their payloads are copied unchanged, each digest proven; versions, tags,
        metadata, provenance and times come along.  Pulling once more adds what
        is new there, and nothing twice; a pull that was interrupted goes on
        where it was.  A record whose name is taken here becomes the next
        versions of that name.  What was deleted or pruned here stays so; what
        was deleted or renamed there changes nothing here.  Nothing is signed:
        objects of strangers stay theirs, until you trust them.

        Args:
            other: Where the other archive lies; or an open `Archive`; or what
                its `find` returns.
            question: A condition: only records that match, with all their
                versions; see `Archive.find`.
            under: A folder of this archive that they come into.
            progress: Called with the changes done, and how many there are.

        Returns:
            What came, and what was left, with the reason.

        Raises:
            ArchiveNotFoundError: There is no other archive.
            CatalogError: It cannot be opened, or is this one.
            QueryError: The question cannot be understood.
            StoreError: The file system refused; what came stays.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> other = Archive("/tmp/archivedb-doctest/other.db")
            >>> record = other.save({"energy": -3.7}, "al/run-1", tags=["done"])
            >>> archive.pull("/tmp/archivedb-doctest/other.db").versions
            1
            >>> archive.record("al/run-1").tags, archive.pull(other).versions
            (('done',), 0)

        """
        source = other._core if isinstance(other, Intake) else other  # noqa: SLF001 - also an archive
        # When it is asked for: most programs never do.
        run = resolve("archivedb.archive.taking.pull:pull")
        done: Taken = run(self._core, source, question, under=under, progress=progress)
        return done

    def ingest(
        self,
        *directories: str | os.PathLike[str],
        under: str = "",
        progress: Callable[[int, int], None] | None = None,
    ) -> Taken:
        """
        Index what was spooled, or copied into the store by hand; give it versions.

        Opening an archive where its catalog is used does it for the spool, too.
        Doing it twice adds nothing, and any number of processes may do it.

        Args:
            directories: Also what `archivedb.save` has put below these, each
                under its path there; it stays where it is.
            under: A folder of this archive that these come into.
            progress: Called with what is done, and how much there is.

        Returns:
            What came, since the archive was opened, and what was left, with the
            reason.

        Raises:
            SpoolError: The catalog is not used here.
            StoreError: The file system refused; what came stays.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db", spool=True)
            >>> for a in (4.0, 4.1):
            ...     record = archive.save({"a": a}, f"al/{a}")
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db", spool=False)
            >>> list(archive), archive.ingest().versions
            (['al/4.0', 'al/4.1'], 2)

        """
        run = resolve("archivedb.archive.taking.ingest:ingest")
        done: Taken = run(self._core, directories, under=under, progress=progress)
        return done

    @property
    def spools(self) -> bool:
        """Whether saves wait in the store for whoever uses the catalog."""
        return self._core.spools
