"""Copy a live archive into a directory, what is new of it each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.outcomes import BackedUp
from archivedb.records import Finding

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from archivedb.archive import Archive
    from archivedb.archive.keeping.copying import Copying, Wanted

ROUNDS = 4
"""How often a catalog is taken anew, as payloads were deleted, before writers wait."""


def backup(
    archive: Archive,
    directory: str | os.PathLike[str],
    *,
    verify: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> BackedUp:
    """
    Bring a backup up to date, while others write.

    Args:
        archive: The archive.
        directory: Where the backup lies, or will.
        verify: Read what lies there already, too, and copy anew what is damaged.
        progress: Called with the bytes done, and how many there are.

    Raises:
        ArchiveExistsError: The directory holds something else.
        StoreError: The file system refused; the last backup is as it was.

    """
    copying = archive.custody("back up the archive").copying(directory)
    with copying.begun():
        work = _Work(copying, progress, verify=verify)
        for _ in range(ROUNDS):
            wanted = copying.snapshot()
            # What was deleted meanwhile is in no later catalog.
            if not work.copy(wanted):
                break
        else:
            # Little is left to be copied by now.
            with copying.undisturbed():
                wanted = copying.snapshot()
                work.copy(wanted)
        copying.finish()
        # What a damaged catalog does not know proves nothing.
        retired, lost = (0, []) if copying.faults else copying.retire(wanted)
    findings = [_broken(fault) for fault in copying.faults]
    findings += [
        finding
        for file, kind in sorted(work.damaged.items())
        for finding in _findings(archive, file, kind)
    ]
    findings += [_lost(file, str(copying.root)) for file in lost]
    findings += map(_waits, copying.waiting())
    return BackedUp(
        str(copying.root),
        len(wanted),
        work.copied,
        work.bytes,
        retired,
        tuple(findings),
    )


class _Work:
    """What one backup has copied so far."""

    def __init__(
        self,
        copying: Copying,
        progress: Callable[[int, int], None] | None,
        *,
        verify: bool,
    ) -> None:
        self._copying = copying
        self._progress = progress
        self._verify = verify
        self._proven: set[str] = set()
        self.copied = self.bytes = 0
        self.damaged: dict[str, str] = {}

    def copy(self, wanted: list[Wanted]) -> set[str]:
        """Copy what is not there; return what the archive does not have any more."""
        self.damaged = {}
        todo = [each for each in wanted if self._is_due(each)]
        total, done = sum(each.size for each in todo), 0
        for each in todo:
            if not (self._verify and self._is_sound(each)):
                wrong = self._copying.copy(each)
                if wrong is None:
                    self.copied += 1
                    self.bytes += each.size
                else:
                    self.damaged[each.file] = wrong
            if each.file not in self.damaged:
                self._proven.add(each.file)
            done += each.size
            if self._progress is not None:
                self._progress(done, total)
        return {file for file, kind in self.damaged.items() if kind == "missing"}

    def _is_due(self, each: Wanted) -> bool:
        if each.file in self._proven:
            return False
        return self._verify or not self._copying.has(each)

    def _is_sound(self, each: Wanted) -> bool:
        return self._copying.has(each) and self._copying.is_sound(each)


def _findings(archive: Archive, file: str, kind: str) -> list[Finding]:
    detail = (
        "no file is there"
        if kind == "missing"
        else "its bytes are not those that were saved"
    )
    advice = "it is not in the backup; run `archivedb verify` to see what is damaged"
    holds = archive.inspect().versions_in(file)
    return [
        Finding(kind, name, version, None, file, detail, advice)
        for name, version, own in holds
        if own
    ] or [Finding(kind, None, None, None, file, detail, advice)]


def _broken(fault: str) -> Finding:
    detail = f"the catalog: {fault}; the backup keeps the catalog that it had"
    advice = "run `archivedb reindex`, then back up again"
    return Finding("misindexed", None, None, None, None, detail, advice)


def _waits(file: str) -> Finding:
    detail = "it waits for a catalog, and is not in the backup"
    advice = "open the archive for writing, then back up again"
    return Finding("unindexed", None, None, None, file, detail, advice)


def _lost(file: str, directory: str) -> Finding:
    detail = "the backup has it, and the archive has lost it: nobody deleted it"
    advice = f"run `archivedb repair --from {directory}`"
    return Finding("missing", None, None, None, file, detail, advice)
