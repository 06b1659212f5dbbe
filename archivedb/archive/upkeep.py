"""What of an archive is about keeping it sound: whom it trusts, verify, reindex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.archive import accepting
from archivedb.archive.address import locate
from archivedb.archive.core import Core, migrate, set_aside
from archivedb.archive.keeping.custody import Custody
from archivedb.archive.keeping.figures import Figures
from archivedb.errors import CatalogDamagedError
from archivedb.plugins import resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from datetime import timedelta

    from archivedb.archive.inspection import Inspection
    from archivedb.outcomes import (
        BackedUp,
        Collected,
        Diagnosis,
        Repaired,
        Salvage,
        Statistics,
        Usage,
    )
    from archivedb.records import (
        Acceptance,
        Migration,
        Record,
        Reindexing,
        Report,
    )


class Upkeep:
    """The part of `Archive` that judges, rebuilds and accepts it."""

    _core: Core

    # Trust --------------------------------------------------------------

    def accept(
        self,
        *,
        confirm: Callable[[Acceptance], object] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Acceptance:
        """
        Trust all that lies in this archive now, as ``archivedb trust PATH`` does.

        From now on its objects are restored, and so are others in it that one
        of the same keys signs.  What another key signs, or nobody, is not; nor
        is anything of theirs in another archive.  Nothing is run, and the
        archive is not changed.

        Args:
            confirm: Called with what would be accepted; what it raises goes
                through, and nothing is accepted.
            progress: Called with the versions done, and how many there are.

        Returns:
            Who signed it, and the classes of its objects.

        Raises:
            ArchiveNotFoundError: There is nothing here.
            SigningError: It cannot be written down.

        """
        return accepting.accept(self._core, confirm, progress)

    def revoke(self) -> bool:
        """
        Take an `accept` back; return whether there was one.

        Raises:
            ArchiveNotFoundError: There is nothing here.

        """
        return accepting.revoke(self._core)

    # Integrity ----------------------------------------------------------

    def verify(  # noqa: PLR0913 - each is what somebody asks for
        self,
        level: str = "full",
        *,
        sample: str | float | None = None,
        max_age: str | float | timedelta | None = None,
        max_duration: str | float | timedelta | None = None,
        jobs: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Report:
        """
        Compare catalog and payloads in both directions; change no data.

        What was checked, and when, is noted in the catalog, so that the next
        run can go on where one stopped; a read-only archive notes nothing.

        Args:
            level: ``"quick"`` looks at presence and sizes, ``"full"`` at every
                byte; ``"deep"`` decodes every payload, too, and compares the
                catalog with it.
            sample: Check this part of all payloads, as ``"5%"`` or 0.05, the
                least recently checked first.
            max_age: Leave out what was checked at this level, or a higher one,
                since: ``"30d"``, ``"12h"``, seconds, or a timedelta.
            max_duration: Stop after this time, in the same forms.
            jobs: How many files are read at once; one a core if left out.
            progress: Called with the bytes done, and how many there are.

        Raises:
            ValueError: There is no such level, or no such part or time.
            ArchiveNotFoundError: There is nothing here.
            KeyboardInterrupt: It was interrupted; says how to go on.

        """
        # By name and at the last moment: integrity is the layer above.
        run = resolve("archivedb.integrity.verify:verify")
        report: Report = run(
            self,
            level,
            sample=sample,
            max_age=max_age,
            max_duration=max_duration,
            jobs=jobs,
            progress=progress,
        )
        return report

    def salvage(self, name: str | Record, directory: str | os.PathLike[str]) -> Salvage:
        """
        Write what is still sound of a damaged record into a new directory.

        `archivedb.load` reads it.  What stood at the paths that are lost is
        left out: keys are not there, items of lists are None.

        Args:
            name: The record; its newest version, unless it is a `Record`.
            directory: The directory; it must not be there, or be empty.

        Returns:
            What was written, and the paths that are lost.

        Raises:
            RecordNotFoundError: There is no such record.
            ArchiveExistsError: Something is in the directory.
            PayloadError: Nothing of the record can be read: its skeleton is
                damaged, or its file is gone.

        """
        from archivedb.archive.salvaging import salvage

        return salvage(self._core, name, directory)

    def reindex(
        self, *, progress: Callable[[int, int], None] | None = None
    ) -> Reindexing:
        """
        Rebuild the catalog from the payloads alone.

        Args:
            progress: Called with the payloads done, and how many there are.

        """
        run = resolve("archivedb.integrity.reindex:reindex")
        rebuilt: Reindexing = run(self, progress=progress)
        return rebuilt

    @classmethod
    def reindex_catalog(
        cls,
        db: str | os.PathLike[str],
        *,
        payloads: str | os.PathLike[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Reindexing:
        """
        Rebuild a catalog, also one that is too damaged to be opened.

        A damaged one is set aside as ``<name>.damaged-<time>``, not deleted.

        Args:
            db: As for `Archive`.
            payloads: As for `Archive`.
            progress: As for `reindex`.

        Raises:
            ArchiveNotFoundError: There are neither catalog nor payloads.

        """
        made: Any = cls
        try:
            archive = made(db, payloads=payloads)
        except CatalogDamagedError:
            if not set_aside(locate(db, payloads)):
                raise
            archive = made(db, payloads=payloads)
        with archive:
            rebuilt: Reindexing = archive.reindex(progress=progress)
            return rebuilt

    # Keeping it safe ----------------------------------------------------

    def repair(
        self,
        source: Any = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Repaired:
        """
        Mend what `verify` finds: payloads from copies, the catalog from payloads.

        A copy is taken in once its bytes are proven by the digest in its name.
        The damaged file goes to ``quarantine/`` in the payload store, with the
        reason beside it; nothing is deleted.  Others may write meanwhile, and
        what was interrupted can be run again.

        Args:
            source: Another `Archive` or its address; a backup; a directory of
                payload files; an exported zip.  Without one, only the catalog
                is mended.
            progress: Called with the bytes read, and how many there are.

        Raises:
            ArchiveNotFoundError: There is nothing here, or no such source.
            ReadOnlyError: The archive was opened with ``readonly=True``.
            StoreError: The file system refused.

        """
        if isinstance(source, Upkeep):
            source = source._core.address.payloads  # noqa: SLF001 - another of its kind
        run = resolve("archivedb.integrity.repair:repair")
        repaired: Repaired = run(self, source, progress=progress)
        return repaired

    def gc(
        self,
        *,
        grace: timedelta | None = None,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Collected:
        """
        Remove payloads that nothing can need again, and what dead writers left.

        That is: what was deleted or pruned, or has its place taken by another
        change, and batches that were cut short.  A payload that the catalog
        merely does not know is indexed.

        Args:
            grace: How long each must have lain there as it is; 14 days if left
                out.
            dry_run: Say what would be removed, and touch nothing.
            progress: Called with the payloads done, and how many there are.

        Raises:
            ArchiveNotFoundError: There is nothing here.
            ReadOnlyError: The archive was opened with ``readonly=True``.
            CatalogError: The catalog is damaged, and proves nothing.

        """
        run = resolve("archivedb.integrity.gc:gc")
        options = {} if grace is None else {"grace": grace}
        collected: Collected = run(self, dry_run=dry_run, progress=progress, **options)
        return collected

    def backup(
        self,
        directory: str | os.PathLike[str],
        *,
        verify: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> BackedUp:
        """
        Bring a copy of the archive up to date, while others write.

        The directory is an archive of its own.  Only payloads that are not in
        it are copied, each proven by its digest; then the catalog is replaced,
        so that an interrupted backup leaves the last one as it was.

        Args:
            directory: Where the backup lies, or will.
            verify: Read what lies there already, too, and copy anew what is
                damaged.
            progress: Called with the bytes done, and how many there are.

        Raises:
            ArchiveNotFoundError: There is nothing here.
            ArchiveExistsError: The directory holds something else.
            StoreError: The file system refused.

        """
        run = resolve("archivedb.integrity.backup:backup")
        done: BackedUp = run(self, directory, verify=verify, progress=progress)
        return done

    def usage(self, name: str = "") -> Usage:
        """
        Return which records and folders the bytes of payloads belong to.

        Args:
            name: A folder or a record; all if empty.

        Raises:
            RecordNotFoundError: There is neither.

        """
        used: Usage = resolve("archivedb.integrity.usage:usage")(self, name)
        return used

    def statistics(self, *, largest: int = 5) -> Statistics:
        """
        Return the archive in numbers.

        Args:
            largest: How many of the largest records are named.

        """
        run = resolve("archivedb.integrity.usage:statistics")
        counted: Statistics = run(self, largest=largest)
        return counted

    def doctor(self) -> Diagnosis:
        """Return what is well and what is not, here and on this machine."""
        run = resolve("archivedb.integrity.doctor:doctor")
        address = self._core.address
        said: Diagnosis = run(address.catalog, payloads=address.payloads)
        return said

    @classmethod
    def doctor_catalog(
        cls,
        db: str | os.PathLike[str],
        *,
        payloads: str | os.PathLike[str] | None = None,
    ) -> Diagnosis:
        """
        Return what `doctor` does, also of an archive that cannot be opened.

        Args:
            db: As for `Archive`.
            payloads: As for `Archive`.

        """
        run = resolve("archivedb.integrity.doctor:doctor")
        said: Diagnosis = run(db, payloads=payloads)
        return said

    def custody(self, what: str) -> Custody:
        """Return what `archivedb.integrity` needs to do something to the archive."""
        return Custody(self._core, what)

    def figures(self) -> Figures:
        """Return what `archivedb.integrity` needs to count what is in the archive."""
        return Figures(self._core)

    def inspect(self) -> Inspection:
        """Return what `archivedb.integrity` needs to judge the archive."""
        from archivedb.archive.inspection import Inspection

        return Inspection(self._core)

    @classmethod
    def migrate_catalog(cls, db: str | os.PathLike[str]) -> Migration:
        """
        Upgrade an older catalog to this archivedb's schema, after a backup.

        Raises:
            CatalogNewerError: It is newer than this archivedb.
            CatalogError: It is no catalog, or cannot be upgraded.

        """
        return migrate(locate(db, None))
