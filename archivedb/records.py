"""The frozen values that users hold: records, changes, outlines, findings."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def readable_size(size: float) -> str:
    """
    Return a byte count as people read it, in powers of 1,000.

    >>> readable_size(1536)
    '1.5 kB'
    """
    for unit in UNITS[:-1]:
        # What would round up to 1,000 is one of the next unit.
        if round(abs(size), 1) < 1000:  # noqa: PLR2004 - the base of the units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {UNITS[-1]}"


def counted(number: int, noun: str) -> str:
    """
    Return a number of things.

    >>> counted(1, "record"), counted(2000, "record")
    ('1 record', '2,000 records')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _html_table(rows: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> str:
    """Return a two-column table, with every text escaped."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for label, text in rows
    )
    return f"<table>{cells}</table>"


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """
    One version of a record: everything about it but its data.

    Wherever a name is taken, a ``Record`` is taken too, and pins its version.

    Attributes:
        name: The slash-separated name.
        version: 1, 2, 3 …; 0 of what was spooled, and has no number yet.
        mode: ``"hdf5"``, ``"json"`` or ``"cloudpickle"``.
        saved_at: When it was saved, in UTC.
        size: Bytes of its skeleton and arrays; the payload has some more.
        digest: ``"blake3:<hex>"`` of its content: equal digests, equal data.
        metadata: The facts the user gave.
        tags: The words the user gave, sorted.
        provenance: The facts gathered by themselves.
        files: The payload files it needs, relative to the payload store.
        uuid: What identifies the record when it is renamed.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1", tags=["good"])
        >>> record.name, record.version, record.mode, record.tags
        ('al/run-1', 1, 'hdf5', ('good',))

    """

    name: str
    version: int
    mode: str
    saved_at: datetime
    size: int
    digest: str
    metadata: dict[str, Any] = field(repr=False)
    tags: tuple[str, ...]
    provenance: dict[str, Any] = field(repr=False)
    files: tuple[str, ...] = field(repr=False)
    uuid: str = field(repr=False)

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same version of the same record."""
        if not isinstance(other, Record):
            return NotImplemented
        return (self.uuid, self.version, self.digest) == (
            other.uuid,
            other.version,
            other.digest,
        )

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash((self.uuid, self.version))

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("name", self.name),
            ("version", str(self.version) if self.version else "spooled"),
            ("mode", self.mode),
            ("saved at", self.saved_at.isoformat(sep=" ", timespec="seconds")),
            ("size", readable_size(self.size)),
            ("digest", self.digest),
        ]
        if self.tags:
            rows.append(("tags", ", ".join(self.tags)))
        rows += [(f"metadata.{k}", repr(v)) for k, v in self.metadata.items()]
        return rows

    def __repr__(self) -> str:
        """Return one line that says which version of what this is."""
        tags = f", tags={list(self.tags)}" if self.tags else ""
        version = f"version={self.version}" if self.version else "spooled"
        return (
            f"Record({self.name!r}, {version}, mode={self.mode!r}, "
            f"size={readable_size(self.size)!r}{tags})"
        )

    def _repr_html_(self) -> str:
        return _html_table(self._rows())

    def __rich_repr__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the fields that rich prints."""
        for each in ("name", "version", "mode", "saved_at", "size", "digest"):
            yield each, getattr(self, each)
        yield "tags", self.tags
        yield "metadata", self.metadata


@dataclass(frozen=True, slots=True)
class Change:
    """
    One entry of a record's history.

    Attributes:
        position: 1, 2, 3 … within the record's history.
        kind: ``"save"``, ``"edit"``, ``"append"``, ``"tag"``, ``"annotate"``,
            ``"rename"``, ``"prune"`` or ``"adopt"``.
        name: The record's name at that time; for a rename, the new one.
        version: The version it made, or else changed, or None.
        time: When, in UTC.
        file: The payload file that holds it, relative to the payload store.
        name_before: For a rename, the name until then.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> archive["al/run-1/energy"] = -3.8
        >>> [(each.kind, each.version) for each in archive.history("al/run-1")]
        [('save', 1), ('edit', 2)]

    """

    position: int
    kind: str
    name: str
    version: int | None
    time: datetime
    file: str
    name_before: str | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """
    What a delete or a prune removed.

    Attributes:
        names: The records, or the versions of one.
        freed: How many bytes of payload files are gone.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> archive.delete("al/run-1").names
        ('al/run-1',)

    """

    names: tuple[str, ...]
    freed: int


@dataclass(frozen=True, slots=True)
class Stubbed:
    """
    What of a record others see as a `Stub` only, until they trust who signed it.

    Attributes:
        name: The record.
        path: Where in it; empty if it is all there is.
        class_name: ``"module:Class"``.

    Example:
        >>> from email.message import EmailMessage
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"mail": EmailMessage()}, "al/1")
        >>> archive.find().export("/tmp/archivedb-doctest/al.zip").stubs
        (Stubbed(name='al/1', path='mail', class_name='email.message:EmailMessage'),)

    """

    name: str
    path: str
    class_name: str


class Exported(list[str]):
    """
    Where an export has put each record: a list of paths, and what else is to know.

    The paths are those of the directories, or those inside of the zip.

    Attributes:
        names: The records, in the order of the paths.
        size: The bytes of their payloads.
        stubs: What others see as stubs only: objects and pickles, which are
            signed with the key of whoever made them.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"a": 4.05}, "al/run-1")
        >>> done = archive.find("a > 4").export("/tmp/archivedb-doctest/al.zip")
        >>> done.names, done.stubs
        (('al/run-1',), ())

    """

    def __init__(
        self,
        paths: Iterable[str] = (),
        names: tuple[str, ...] = (),
        size: int = 0,
        stubs: tuple[Stubbed, ...] = (),
    ) -> None:
        super().__init__(paths)
        self.names, self.size, self.stubs = names, size, stubs


@dataclass(frozen=True, slots=True)
class Node:
    """
    One line of a record's outline, as ``archivedb tree`` prints it.

    Attributes:
        depth: 0 for the root's own keys.
        label: The last part of the path.
        path: The whole path inside the record.
        kind: ``"group"``, ``"list"``, ``"tuple"``, ``"array"``, ``"value"`` or
            ``"object"``.
        text: The value if it is small, dtype and shape of an array, the number
            of items of a group, the class of an object and its route.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"inputs": {"a": 4.05, "of": {"Al"}}}, "al/run-1")
        >>> [(node.path, node.kind, node.text) for node in archive.outline("al/run-1")]
        [('inputs', 'group', '2 keys'), ('inputs/a', 'value', '4.05'),
         ('inputs/of', 'object', "set ['Al']")]

    """

    depth: int
    label: str
    path: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """
    A disagreement that ``verify`` reports.

    Attributes:
        kind: ``"missing"``, ``"truncated"``, ``"corrupt"``, ``"undecodable"``,
            ``"misindexed"``, ``"unindexed"`` or ``"orphaned"``.
        record: The record's name, if one is known.
        version: Its version, if one is known.
        path: The path inside the record, if the damage was located.
        file: The payload file, relative to the payload store.
        detail: What was expected and what was there.
        advice: What to do next.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> Path("/tmp/archivedb-doctest/runs.payloads", record.files[0]).unlink()
        >>> [(each.kind, each.record) for each in archive.verify().findings]
        [('missing', 'al/run-1')]

    """

    kind: str
    record: str | None
    version: int | None
    path: str | None
    file: str | None
    detail: str
    advice: str

    def __str__(self) -> str:
        """Return the finding as one sentence."""
        about = [
            f"{self.record!r} version {self.version}" if self.record else "",
            f"at {self.path!r}" if self.path else "",
            f"({self.file})" if self.file else "",
        ]
        head = " ".join(filter(None, about))
        said = filter(None, (self.kind, head, self.detail))
        return f"{': '.join(said)}; {self.advice}"


@dataclass(frozen=True, slots=True)
class Report:
    """
    What ``verify`` looked at and what it found.

    Attributes:
        level: ``"quick"``, ``"full"`` or ``"deep"``.
        payloads: How many payload files were checked.
        bytes: How many bytes of them were read and hashed.
        seconds: How long it took.
        findings: Every disagreement; empty when all is sound.
        known: How many payload files the catalog knows.
        oldest: When the one was checked whose check at this level, or a higher
            one, is the longest ago, in UTC; None if one never was.
        finished: Whether all that was asked for was checked; False if the time
            was up.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> report = archive.verify()
        >>> report.ok, report.payloads
        (True, 1)

    """

    level: str
    payloads: int
    bytes: int
    seconds: float
    findings: tuple[Finding, ...]
    known: int = 0
    oldest: datetime | None = None
    finished: bool = True

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def _repr_html_(self) -> str:
        verdict = "sound" if self.ok else f"{len(self.findings)} findings"
        rows = [
            ("verdict", verdict),
            ("level", self.level),
            ("payloads", f"{self.payloads:,} of {self.known:,}"),
            ("read", readable_size(self.bytes)),
        ]
        rows += [(finding.kind, str(finding)) for finding in self.findings]
        return _html_table(rows)


@dataclass(frozen=True, slots=True)
class Reindexing:
    """
    What ``reindex`` rebuilt.

    Attributes:
        payloads: How many payload files were indexed.
        records: How many living records they hold.
        versions: How many versions of them.
        findings: The payload files that could not be read, and what the catalog
            knew of payloads that are gone.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> archive.reindex()
        Reindexing(payloads=1, records=1, versions=1, findings=())

    """

    payloads: int
    records: int
    versions: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Signer:
    """
    Who signed some of what an archive would run.

    Attributes:
        key: Their public key, or None: nobody signed it.
        versions: How many versions of records they signed.
        classes: The classes of the objects in them, as ``module:QualName``.
        trusted: Whether their key is trusted everywhere, as one's own is.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"origin": collections.abc.Sized}, "al/run-1")
        >>> (signer,) = archive.accept().signers
        >>> signer.versions, signer.classes, signer.trusted
        (1, ('collections.abc:Sized',), True)

    """

    key: str | None
    versions: int
    classes: tuple[str, ...]
    trusted: bool


@dataclass(frozen=True, slots=True)
class Acceptance:
    """
    What a user accepts of an archive: all that would run code in it now.

    Attributes:
        archive: The archive's uuid.
        address: Where it lies.
        signers: Who signed it; none if nothing in it runs code.
        unreadable: How many versions are damaged, and so were not accepted.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> accepted = archive.accept()  # nothing in it would run code
        >>> accepted.keys, accepted.versions
        ((), 0)

    """

    archive: str
    address: str
    signers: tuple[Signer, ...]
    unreadable: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The public keys of all signers."""
        return tuple(each.key for each in self.signers if each.key is not None)

    @property
    def versions(self) -> int:
        """How many versions of records it covers."""
        return sum(each.versions for each in self.signers)


@dataclass(frozen=True, slots=True)
class Migration:
    """
    What ``migrate`` did.

    Attributes:
        before: The revision of the catalog's schema before.
        after: The revision now.
        backup: Where the backup lies, or None if nothing had to be done.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/run-1")
        >>> Archive.migrate_catalog("/tmp/archivedb-doctest/runs.db").backup is None
        True

    """

    before: str
    after: str
    backup: str | None
