"""
Accepting an archive: all that lies in it now may run, and what is added may not.

What is kept are the keys that signed it, for this archive alone, and the
digests of what nobody signed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from archivedb.archive import plain
from archivedb.archive.loading import reader_of
from archivedb.catalog import reading
from archivedb.errors import ArchiveError
from archivedb.records import Acceptance, Signer
from archivedb.store.plain import PlainDirectory
from archivedb.values import executable, signing
from archivedb.values.trusting import Accepted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archivedb.archive.core import Core
    from archivedb.formats.envelope import Content
    from archivedb.values.skeleton import Skeleton

PAGE = 500
"""How many versions are asked for at once."""

CLASSES = 1000
"""How many classes of one signer are named."""


@dataclass
class _Signed:
    """What one signer, or nobody, has signed."""

    versions: int = 0
    classes: set[str] = field(default_factory=set)


@dataclass
class _Survey:
    """What in an archive would run code, and who signed it."""

    signers: dict[str | None, _Signed] = field(default_factory=dict)
    contents: set[tuple[str, str | None]] = field(default_factory=set)
    unreadable: int = 0

    def add(self, content: Content, source: Skeleton) -> None:
        """Count a content, if reading it would run code."""
        classes = executable.class_names(source)
        if not classes:
            return  # nobody unpickles the whole where its parts run nothing
        signer = content.signer()
        signed = self.signers.setdefault(signer, _Signed())
        signed.versions += 1
        signed.classes.update(classes[: CLASSES - len(signed.classes)])
        if signer is None:
            pickle = None if content.pickle is None else content.pickle.digest
            self.contents.add((content.digest, pickle))

    def summary(self, archive: str, address: str) -> Acceptance:
        """Return it as the user's value."""
        trusted = signing.trusted_keys()
        signers = tuple(
            Signer(key, found.versions, tuple(sorted(found.classes)), key in trusted)
            for key, found in sorted(self.signers.items(), key=_by_key)
        )
        return Acceptance(archive, address, signers, self.unreadable)


def _by_key(item: tuple[str | None, _Signed]) -> str:
    return item[0] or ""


def accept(
    core: Core,
    confirm: Callable[[Acceptance], object] | None,
    progress: Callable[[int, int], None] | None,
) -> Acceptance:
    """
    Accept all that lies in an archive now; see `Archive.accept`.

    Raises:
        ArchiveNotFoundError: There is nothing to accept.
        SigningError: The acceptance cannot be written.

    """
    survey = _Survey()
    ids = _look(core, survey, progress)
    # A path may be any bytes; what is written is text.
    path = os.fsencode(core.address.plain or core.address.catalog)
    address = path.decode("utf-8", "backslashreplace")
    found = survey.summary(ids[0], address)
    if confirm is not None:
        confirm(found)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    keys = frozenset(key for key in survey.signers if key is not None)
    for each in ids:
        if found.signers:
            accepted = Accepted(each, address, now, keys, frozenset(survey.contents))
            signing.others().accept(accepted)
        else:
            signing.others().remove_archive(each)
    return found


def revoke(core: Core) -> bool:
    """Accept an archive no more; return whether it was accepted."""
    ids = [core.uuid] if core.exists else []
    directory = _plain(core)
    if directory is not None:
        ids.append(plain.newest_entry(directory)[0].record)
    if not ids:
        core.require_existing()
    removed = [signing.others().remove_archive(each) for each in ids]
    return any(removed)


def _look(
    core: Core, survey: _Survey, progress: Callable[[int, int], None] | None
) -> list[str]:
    """Look at all that lies here, and return the uuids that it goes by."""
    ids = []
    if core.exists:
        ids.append(core.uuid)
        for row in _versions(core, progress):
            try:
                with reader_of(core, row) as reader:
                    survey.add(row.content, reader.skeleton)
            except ArchiveError:
                # Damaged: nobody can say what it is, so it stays untrusted.
                survey.unreadable += 1
    directory = _plain(core)
    if directory is not None:
        entry, source = plain.newest_entry(directory)
        assert entry.content is not None  # noqa: S101 - it has looked
        survey.add(entry.content, source)
        # A plain directory has no archive, but its record stays the same.
        ids.append(entry.record)
    if not ids:
        core.require_existing()
    return ids


def _plain(core: Core) -> PlainDirectory | None:
    """Return the directory that `archivedb.save` wrote to, if this is one."""
    if core.address.plain is None:
        return None
    directory = PlainDirectory(core.address.plain)
    return None if directory.newest() is None else directory


def _versions(
    core: Core, progress: Callable[[int, int], None] | None
) -> Iterator[reading.VersionRow]:
    """Yield every version of every record, without holding them all."""
    with core.reading() as connection:
        total = reading.total_versions(connection)
    done = last = 0
    while True:
        # A transaction a page: a long one would keep others' writes in the log.
        with core.reading() as connection:
            page = reading.versions_after(connection, last, PAGE)
        for row in page:
            yield row
            done, last = done + 1, row.id
            if progress is not None:
                progress(done, max(done, total))
        if len(page) < PAGE:
            return
