"""What is well and what is not: the archive, its places, this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from archivedb.archive.keeping.examining import HEAD, SQLITE, Examination
from archivedb.errors import ArchiveError, CatalogOutdatedError, StoreError
from archivedb.outcomes import Diagnosis, Symptom
from archivedb.records import counted, readable_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOW = 1 << 30
"""Free bytes below which it is time to make room."""
FULL = 64 << 20
"""Free bytes below which a save may fail."""
FEW_INODES = 10_000
RESET_FIXED = (3, 51, 3)
AHEAD = 300.0
"""Seconds by which two clocks may differ."""


def doctor(
    db: str | os.PathLike[str],
    *,
    payloads: str | os.PathLike[str] | None = None,
) -> Diagnosis:
    """
    Look at everything an archive depends on; change nothing.

    Args:
        db: As for `Archive`.
        payloads: As for `Archive`.

    """
    seen = Examination(db, payloads)
    return Diagnosis(
        (
            _sqlite(),
            *_catalog(seen),
            *_payloads(seen),
            *_places(seen),
            *_locks(seen),
            *_left_over(seen),
            _key(seen),
        )
    )


def _sqlite() -> Symptom:
    version = tuple(map(int, SQLITE.split(".")))
    if version >= RESET_FIXED:
        return Symptom("SQLite", "ok", SQLITE)
    detail = (
        f"{SQLITE}; before 3.51.3 two checkpoints at once could damage a database in "
        "WAL mode (the WAL-reset bug): archivedb makes one at a time"
    )
    advice = "let no other program write to the catalog"
    return Symptom("SQLite", "ok", detail, advice)


def _catalog(seen: Examination) -> Iterator[Symptom]:
    subject, path = "catalog", seen.catalog
    if not path.exists():
        if seen.payloads.is_dir():
            detail = f"{path} is gone, and its payloads are there"
            yield Symptom(subject, "problem", detail, "run `archivedb reindex`")
        else:
            advice = "the first save makes one, or `archivedb init`"
            yield Symptom(subject, "problem", f"there is none at {path}", advice)
        return
    try:
        found = seen.read_catalog()
    except CatalogOutdatedError as error:
        yield Symptom(subject, "problem", str(error), "run `archivedb migrate`")
        return
    except StoreError as error:
        yield Symptom(subject, "warning", str(error), "run it again when they are done")
        return
    except (ArchiveError, OSError) as error:
        yield Symptom(subject, "problem", str(error), "run `archivedb reindex`")
        return
    if found.faults:
        detail = f"{path} is damaged: {found.faults[0]}"
        yield Symptom(subject, "problem", detail, "run `archivedb reindex`")
    else:
        yield Symptom(subject, "ok", f"{path}, schema {HEAD}")
    if found.journal == "wal":
        yield Symptom("journal mode", "ok", "wal")
    else:
        # A backup's, until somebody writes to it.
        yield Symptom("journal mode", "ok", "rollback; the first writer changes it")
    if found.newest and found.newest > seen.clock() + AHEAD:
        detail = "the newest payload was made in the future: a clock was wrong"
        yield Symptom("clock", "warning", detail, "see that this host's clock is right")


def _payloads(seen: Examination) -> Iterator[Symptom]:
    subject = "payloads"
    try:
        owner = seen.identity()
    except ArchiveError as error:
        yield Symptom(subject, "problem", str(error), "then run `archivedb verify`")
        return
    if owner is None:
        if seen.catalog.exists():
            detail = f"{seen.payloads} does not say whose payloads it has"
            advice = "move the payloads there, or name them with payloads="
            yield Symptom(subject, "problem", detail, advice)
        return
    try:
        seen.require_only_catalog()
    except ArchiveError as error:
        advice = "two catalogs of the same payloads would each miss changes"
        yield Symptom(subject, "problem", str(error), advice)
    else:
        yield Symptom(subject, "ok", f"{seen.payloads}, archive {owner}")
    for path in seen.impostors():
        detail = f"{path} is no directory of the archive's own"
        advice = "look where it leads, then move it away"
        yield Symptom(subject, "problem", detail, advice)


def _places(seen: Examination) -> Iterator[Symptom]:
    for what, path in (("catalog", seen.catalog), ("payloads", seen.payloads)):
        yield _file_system(seen, what, path)
        yield from _permissions(what, path)
    for what, path in _apart(seen):
        yield _space(seen, what, path)


def _apart(seen: Examination) -> list[tuple[str, Path]]:
    """Return the places whose free space counts, one a file system."""
    places = [("payloads", seen.payloads), ("catalog", seen.catalog)]
    devices = [_device(path) for _, path in places]
    return places[:1] if devices[0] == devices[1] else places


def _device(path: Path) -> int:
    there = next(each for each in (path, *path.parents) if each.exists())
    return there.stat().st_dev


def _file_system(seen: Examination, what: str, path: Path) -> Symptom:
    kind, network = seen.file_system(path)
    subject = f"file system of the {what}"
    if not network:
        return Symptom(subject, "ok", kind or "its type is not known")
    detail = f"{kind}, a network file system"
    if what == "catalog":
        advice = (
            "SQLite is not safe there with several hosts: keep the catalog on a local "
            "disk, and say payloads= for the rest"
        )
        return Symptom(subject, "warning", detail, advice)
    return Symptom(subject, "ok", detail)


def _permissions(what: str, path: Path) -> Iterator[Symptom]:
    subject = f"permissions of the {what}"
    if not path.exists():
        return
    places = [path, path.parent] if what == "catalog" else [path]
    for each in places:
        if not os.access(each, os.R_OK | (os.X_OK if each.is_dir() else 0)):
            detail = f"this user cannot read {each}"
            yield Symptom(subject, "problem", detail, "ask its owner for `chmod u+rX`")
            return
    for each in places:
        if not os.access(each, os.W_OK):
            detail = f"this user cannot write {each}"
            advice = "open it with readonly=True, or ask its owner"
            yield Symptom(subject, "warning", detail, advice)
            return
    if path.stat().st_mode & 0o002:
        detail = f"everybody on this machine can write {path}"
        yield Symptom(subject, "warning", detail, f"run `chmod o-w {path}`")
        return
    yield Symptom(subject, "ok", "readable and writable")


def _space(seen: Examination, what: str, path: Path) -> Symptom:
    free, total, inodes = seen.free(path)
    detail = f"{readable_size(free)} of {readable_size(total)} for the {what}"
    if inodes is not None and inodes < FEW_INODES:
        detail += f", and room for {counted(inodes, 'file')}"
    advice = "make room; `archivedb gc` says what it could remove"
    if free < FULL or inodes == 0:
        return Symptom("free space", "problem", detail, advice)
    if free < LOW or (inodes is not None and inodes < FEW_INODES):
        return Symptom("free space", "warning", detail, advice)
    return Symptom("free space", "ok", detail)


def _locks(seen: Examination) -> Iterator[Symptom]:
    held, closed = seen.locks()
    if closed and not os.access(seen.payloads, os.W_OK):
        detail = "this user cannot take them; nobody needs them to read"
        yield Symptom("locks", "ok", detail)
        return
    if closed:
        detail = f"this user cannot take {counted(len(closed), 'lock')}: {closed[0]}"
        advice = f"ask the owner of {seen.payloads}/locks for `chmod -R a+rw` there"
        yield Symptom("locks", "problem", detail, advice)
        return
    detail = f"{counted(held, 'lock')} held: somebody is writing" if held else "free"
    # The kernel drops a lock with its holder, so none is ever stale.
    yield Symptom("locks", "ok", detail)


def _left_over(seen: Examination) -> Iterator[Symptom]:
    number, size = seen.left_behind()
    unsettled = seen.unsettled()
    subject = "temporary files"
    if unsettled:
        detail = f"{counted(unsettled, 'payload')} of writers that were cut off"
        advice = "opening the archive, or the next save, indexes what counts"
        yield Symptom(subject, "warning", detail, advice)
    if number:
        detail = f"{counted(number, 'file')} of dead writers, {readable_size(size)}"
        yield Symptom(subject, "warning", detail, "run `archivedb gc --yes`")
    if not (number or unsettled):
        yield Symptom(subject, "ok", "none is left over")
    if waiting := seen.waiting():
        detail = f"{counted(waiting, 'payload')} in {seen.payloads}/incoming"
        advice = "`archivedb ingest` takes in what waits there, or says why not"
        yield Symptom("spool", "ok", detail, advice)
    kept = seen.quarantined()
    if kept:
        detail = f"{counted(kept, 'file')} in {seen.payloads}/quarantine"
        yield Symptom("quarantine", "ok", detail, "look at the reasons, then remove it")


def _key(seen: Examination) -> Symptom:
    path, mode = seen.key()
    if mode is None:
        return Symptom("signing key", "ok", f"none yet; it will be {path}")
    if mode & 0o077:
        detail = f"{path} can be read by others"
        advice = f"if nobody has copied it, run `chmod 600 {path}`"
        return Symptom("signing key", "problem", detail, advice)
    return Symptom("signing key", "ok", str(path))
