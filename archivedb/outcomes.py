"""What keeping an archive safe has done: frozen values that users hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archivedb.records import readable_size

if TYPE_CHECKING:
    from datetime import datetime

    from archivedb.records import Finding


@dataclass(frozen=True, slots=True)
class Repaired:
    """
    What ``repair`` did, and what it could not do.

    Attributes:
        restored: The payload files that are sound again.
        quarantined: The damaged files, where they lie now in the store.
        indexed: How many payloads the catalog knows again.
        findings: What is still to be done, each with how.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> backup = archive.backup("/tmp/archivedb-doctest/backup")
        >>> Path("/tmp/archivedb-doctest/runs.payloads", record.files[0]).unlink()
        >>> done = archive.repair("/tmp/archivedb-doctest/backup")
        >>> done.restored == record.files, done.ok, archive.load("al/run-1")
        (True, True, {'energy': -3.7})

    """

    restored: tuple[str, ...]
    quarantined: tuple[str, ...]
    indexed: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is left to be done."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class Leftover:
    """
    A file in a store that no record needs, or that is in doubt.

    Attributes:
        file: Where it lies, relative to the payload store.
        size: Its bytes.
        why: Why it is there, or why it stays.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> file = Path("/tmp/archivedb-doctest/runs.payloads", record.files[0])
        >>> deleted, aside = archive.delete("al/run-1"), file.write_bytes(b"back again")
        >>> [kept] = archive.gc().kept
        >>> kept.size, "is not JSON" in kept.why
        (10, True)

    """

    file: str
    size: int
    why: str


@dataclass(frozen=True, slots=True)
class Collected:
    """
    What ``gc`` removed, or would remove.

    Attributes:
        removed: The files.
        kept: Those that the catalog does not know and that stay, and why.
        indexed: How many payloads the catalog did not know, and now does.
        dry_run: Whether nothing was touched.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> archive.gc(dry_run=True)
        Collected(removed=(), kept=(), indexed=0, dry_run=True)

    """

    removed: tuple[Leftover, ...]
    kept: tuple[Leftover, ...]
    indexed: int
    dry_run: bool

    @property
    def freed(self) -> int:
        """How many bytes the removed files had."""
        return sum(each.size for each in self.removed)


@dataclass(frozen=True, slots=True)
class BackedUp:
    """
    What a ``backup`` copied.

    Attributes:
        directory: Where the backup lies; `Archive` opens it.
        payloads: How many payloads it holds by now.
        copied: How many of them were copied this time.
        bytes: How many bytes these have.
        retired: How many payloads it has set aside: they were deleted from the
            archive since the last time.
        findings: What is damaged in the archive, and so could not be copied.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> archive.backup("/tmp/archivedb-doctest/backup").copied
        1
        >>> archive.backup("/tmp/archivedb-doctest/backup").copied
        0
        >>> Archive("/tmp/archivedb-doctest/backup").load("al/run-1")
        {'energy': -3.7}

    """

    directory: str
    payloads: int
    copied: int
    bytes: int
    retired: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the backup holds all that the archive does."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class Share:
    """
    The payload bytes that a record needs, or a folder's records do.

    Attributes:
        name: The record's or the folder's.
        folder: Whether it is a folder.
        records: How many records it is, or holds.
        bytes: The bytes of all payload files that it needs, each counted once.
        own: The bytes of those that nothing else needs: what deleting it frees.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> (share,) = archive.usage().shares
        >>> share.name, share.folder, share.records, share.bytes == share.own
        ('al', True, 1, True)

    """

    name: str
    folder: bool
    records: int
    bytes: int
    own: int


@dataclass(frozen=True, slots=True)
class Usage:
    """
    Which records and folders the bytes of an archive belong to.

    Attributes:
        name: The folder or record that was asked about; empty for all.
        bytes: The bytes of all payload files that it needs, each counted once.
        records: How many records it holds.
        shares: What lies directly in it, the largest first.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> with archive.batch():  # one payload for both
        ...     for name in ("al/run-1", "al/run-2"):
        ...         record = archive.save({"energy": -3.7}, name)
        >>> usage = archive.usage("al")
        >>> usage.records, [share.bytes == usage.bytes for share in usage.shares]
        (2, [True, True])

    """

    name: str
    bytes: int
    records: int
    shares: tuple[Share, ...]

    def __str__(self) -> str:
        """Return the sum, as people read it."""
        return f"{self.name or 'all'}: {readable_size(self.bytes)}"


@dataclass(frozen=True, slots=True)
class Statistics:
    """
    An archive in numbers.

    Attributes:
        records: How many records there are.
        deleted: How many there were.
        versions: How many versions of them.
        changes: How many changes their histories hold.
        arrays: How many arrays.
        payloads: How many payload files.
        bytes: How many bytes those have.
        modes: How many versions there are of each mode.
        first: When the oldest version was saved, in UTC; None if there is none.
        last: When the newest was.
        largest: Names and bytes of the largest records, all versions together.
        catalog: The bytes of the catalog, with its log.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> statistics = archive.statistics()
        >>> statistics.records, statistics.versions, statistics.modes
        (1, 1, {'hdf5': 1})

    """

    records: int
    deleted: int
    versions: int
    changes: int
    arrays: int
    payloads: int
    bytes: int
    modes: dict[str, int]
    first: datetime | None
    last: datetime | None
    largest: tuple[tuple[str, int], ...]
    catalog: int


@dataclass(frozen=True, slots=True)
class Symptom:
    """
    One thing that ``doctor`` looked at.

    Attributes:
        subject: What: ``"SQLite"``, ``"free space"`` …
        state: ``"ok"``, ``"warning"`` or ``"problem"``.
        detail: What is so.
        advice: What to do; empty if nothing is needed.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> found = archive.doctor().symptoms
        >>> [each.state for each in found if each.subject == "catalog"]
        ['ok']

    """

    subject: str
    state: str
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """
    What ``doctor`` says of an archive and of the machine that it lies on.

    Attributes:
        symptoms: Everything that was looked at.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> archive.doctor().ok
        True

    """

    symptoms: tuple[Symptom, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no problem; warnings are none."""
        return all(each.state != "problem" for each in self.symptoms)


@dataclass(frozen=True, slots=True)
class Salvage:
    """
    What ``salvage`` wrote, and what is lost.

    Attributes:
        record: The record's name.
        version: Which version of it.
        directory: Where it lies now; ``archivedb.load`` reads it.
        lost: The paths of what was damaged, and is not there.
        arrays: How many arrays are there.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> archive.salvage("al/run-1", "/tmp/archivedb-doctest/saved").lost
        ()
        >>> archivedb.load("/tmp/archivedb-doctest/saved")
        {'energy': -3.7}

    """

    record: str
    version: int
    directory: str
    lost: tuple[str, ...]
    arrays: int
