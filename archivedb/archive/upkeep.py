"""What of an archive is about keeping it sound: whom it trusts, verify, reindex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.archive import accepting
from archivedb.archive.address import locate
from archivedb.archive.core import Core, migrate, set_aside
from archivedb.archive.inspection import Inspection
from archivedb.errors import CatalogDamagedError
from archivedb.plugins import resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from archivedb.records import Acceptance, Migration, Reindexing, Report


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

    def verify(
        self,
        level: str = "full",
        *,
        jobs: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Report:
        """
        Compare catalog and payloads in both directions; change nothing.

        Args:
            level: ``"quick"`` looks at presence and sizes, ``"full"`` at every
                byte.
            jobs: How many files are read at once; one a core if left out.
            progress: Called with the bytes done, and how many there are.

        """
        # By name and at the last moment: integrity is the layer above.
        run = resolve("archivedb.integrity.verify:verify")
        report: Report = run(self, level, jobs=jobs, progress=progress)
        return report

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

    def inspect(self) -> Inspection:
        """Return what `archivedb.integrity` needs to judge the archive."""
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
