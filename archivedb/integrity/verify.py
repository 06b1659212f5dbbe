"""
Compare catalog and payloads in both directions, and change no data.

``quick`` looks at presence and sizes, ``full`` at every byte, ``deep`` decodes
every payload and compares the catalog with it, row by row.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import starmap
from typing import TYPE_CHECKING, Any

from archivedb.archive.inspection import LEVELS, SOUND
from archivedb.errors import ArchiveError, CatalogError, ModeError
from archivedb.integrity import asked, findings
from archivedb.integrity.findings import finding
from archivedb.integrity.ledger import Ledger, due
from archivedb.records import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta

    from archivedb.archive import Archive
    from archivedb.archive.deriving import Comparison
    from archivedb.archive.inspection import Checked, Inspection

_FILES, _BYTES = 64, 8 << 20
"""What a worker takes at a time: handing one over takes as long as a small file."""

_COMPARED = 256
"""Payloads whose records are compared together: what memory holds at a time."""


def verify(  # noqa: PLR0913 - each is what somebody asks for
    archive: Archive,
    level: str = "full",
    *,
    sample: str | float | None = None,
    max_age: str | float | timedelta | None = None,
    max_duration: str | float | timedelta | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """
    Return a report of every disagreement.

    Args:
        archive: The archive.
        level: ``"quick"``, ``"full"`` or ``"deep"``.
        sample: Which part of all payloads, as ``"5%"`` or 0.05.
        max_age: Leave out what was checked since; ``"30d"``, seconds, a timedelta.
        max_duration: Stop after this time.
        jobs: How many files are read at once; one a core if left out.
        progress: Called with the bytes done, and how many there are.

    Raises:
        ValueError: There is no such level, or no such part or time.
        ArchiveNotFoundError: There is no archive.
        KeyboardInterrupt: It was interrupted; says how to go on.

    """
    if level not in LEVELS:
        msg = f"the levels are {', '.join(LEVELS)}, not {level!r}"
        raise ValueError(msg)
    part = asked.fraction(sample)
    age = asked.seconds(max_age, "max_age")
    limit = asked.seconds(max_duration, "max_duration")
    inspection = archive.inspect()
    run = _Run(inspection, level, jobs, limit)
    run.check_catalog()
    # Rows first: a save writes the file before the row, so every row that is
    # read here has its file already.
    known = inspection.ledger(level)
    wanted = due(known, part, age)
    try:
        run.check_files(wanted, progress)
        run.check_rest()
    except KeyboardInterrupt:
        run.ledger.flush()
        raise KeyboardInterrupt(_go_on(run, len(wanted))) from None
    run.ledger.flush()
    run.check_unindexed(known)
    return Report(
        level=level,
        payloads=run.checked,
        bytes=run.bytes if level != "quick" else 0,
        seconds=time.monotonic() - run.begun,
        findings=tuple(run.findings),
        known=len(known),
        oldest=run.ledger.oldest(known),
        finished=run.checked == len(wanted),
    )


def _go_on(run: _Run, wanted: int) -> str:
    """Return how to go on with what was interrupted."""
    done = f"{run.checked:,} of {wanted:,} payloads were checked"
    if not run.ledger.recorded:
        return f"{done}, and none recorded: the archive is read-only"
    return (
        f"{done}, and recorded: `archivedb verify --level {run.level} --max-age 1d` "
        "goes on with the others"
    )


class _Run:
    """One run of verify, and what it has found so far."""

    def __init__(
        self,
        inspection: Inspection,
        level: str,
        jobs: int | None,
        limit: float | None,
    ) -> None:
        self.begun = time.monotonic()
        self.level = level
        self.findings: list[Finding] = []
        self.checked = self.bytes = 0
        self.ledger = Ledger(inspection, level)
        self._inspection = inspection
        self._workers = jobs or os.cpu_count() or 1
        self._until = None if limit is None else self.begun + limit
        self._local = threading.local()
        self._bad: set[str] = set()
        self._compared: set[str] = set()

    # The catalog --------------------------------------------------------

    def check_catalog(self) -> None:
        """Ask SQLite what is wrong with its file."""
        for fault in self._inspection.catalog_faults(whole=self.level == "deep"):
            self.findings.append(finding("misindexed", f"the catalog: {fault}"))
            # What is broken is not written to.
            self.ledger.recorded = False

    def check_rest(self) -> None:
        """Compare the records to which no payload leads."""
        if self.level == "deep":
            self._judge(lambda: self._inspection.compare_rest(self._compared), ())

    def check_unindexed(self, known: list[Checked]) -> None:
        """Look for payloads that the catalog does not know."""
        # Only those under the right name: another may be what a row has lost.
        named = self._inspection.is_named
        files = {each.file for each in known if named(each.file, each.uuid)}
        found = starmap(findings.unknown, self._inspection.unindexed(files))
        self.findings += filter(None, found)

    def _compare(self, some: list[tuple[Checked, str]]) -> None:
        """Compare the records of some payloads, and note what came of these."""
        uuids = [each.uuid for each, _ in some]
        agree = self._judge(
            lambda: self._inspection.compare(uuids, self._compared),
            [each for each, _ in some],
        )
        for each, verdict in some:
            # One whose records differ is due again: nothing is put to rest.
            self.ledger.add(each, verdict if agree else "misindexed")

    def _judge(
        self, compare: Callable[[], Comparison], checked: Iterable[Checked]
    ) -> bool:
        try:
            done = compare()
        except CatalogError as error:
            self.findings.append(finding("misindexed", str(error)))
            return False
        self._compared |= done.compared
        for record in done.misindexed:
            self.findings += findings.misindexed(record)
        known = {each.file for each in checked} | self._bad
        for file in sorted(done.unreadable - known):
            # Of a record of which but a part was to be checked.
            self._bad.add(file)
            self.findings += self._unreadable(file)
        return not done.misindexed

    def _unreadable(self, file: str) -> list[Finding]:
        known = self._inspection.known_as(file)
        return [] if known is None else self._check(known)

    # Files --------------------------------------------------------------

    def check_files(
        self, wanted: list[Checked], progress: Callable[[int, int], None] | None
    ) -> None:
        """Check payload files, as many as there is time for."""
        total = sum(_size(each) for each in wanted)
        waiting: list[tuple[Checked, str]] = []
        for each, found in self._check_all(wanted):
            self.findings += found
            self.checked += 1
            self.bytes += _size(each)
            if found:
                self._bad.add(each.file)
            verdict = found[0].kind if found else SOUND
            if self.level == "deep":
                waiting.append((each, verdict))
                if len(waiting) >= _COMPARED:
                    self._compare(waiting)
                    waiting = []
            else:
                self.ledger.add(each, verdict)
            if progress is not None:
                progress(self.bytes, total)
        if waiting:
            self._compare(waiting)

    def _is_up(self) -> bool:
        return self._until is not None and time.monotonic() > self._until

    def _check_all(
        self, wanted: list[Checked]
    ) -> Iterator[tuple[Checked, list[Finding]]]:
        if self.level == "quick":
            for each in wanted:
                if self._is_up():
                    return
                yield each, self._presence(each)
            return
        with ThreadPoolExecutor(self._workers) as pool:
            waiting: set[Future[list[tuple[Checked, list[Finding]]]]] = set()
            try:
                for some in _portions(wanted, self.level):
                    if self._is_up():
                        break
                    waiting.add(pool.submit(self._check_some, some))
                    if len(waiting) > 2 * self._workers:
                        finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        for future in finished:
                            yield from future.result()
                for future in waiting:
                    yield from future.result()
            finally:
                # On Ctrl-C, what has not begun need not begin.
                pool.shutdown(cancel_futures=True)

    def _check_some(self, some: list[Checked]) -> list[tuple[Checked, list[Finding]]]:
        done: list[tuple[Checked, list[Finding]]] = []
        for each in some:
            if done and self._is_up():
                break
            done.append((each, self._check(each)))
        return done

    def _proves(self, each: Checked) -> bool:
        if not hasattr(self._local, "prover"):
            self._local.prover = self._inspection.prover()
        return bool(self._local.prover.proves(each.file, each.size))

    def _check(self, each: Checked) -> list[Finding]:
        if self.level == "quick" or not self._proves(each):
            found = self._presence(each)
            if found or self.level == "quick":
                return found
            # Read once more before it is called damaged: cables fail, too.
            if not self._proves(each):
                return self._corrupt(each)
        return self._decode(each) if self.level == "deep" else []

    def _corrupt(self, each: Checked) -> list[Finding]:
        if not self._inspection.knows(each.file):
            return []
        detail = "its bytes are not those that were saved"
        return findings.of_file(self._inspection, "corrupt", each.file, detail)

    def _decode(self, each: Checked) -> list[Finding]:
        try:
            return findings.undecodable(self._inspection, each.file)
        except ModeError as error:
            return [finding("undecodable", str(error), file=each.file)]
        except ArchiveError as error:
            if not self._inspection.knows(each.file):
                return []
            return findings.of_file(
                self._inspection, "undecodable", each.file, str(error)
            )

    def _presence(self, each: Checked) -> list[Finding]:
        inspection, file = self._inspection, each.file
        try:
            size = inspection.stored_size(file)
        except CatalogError as error:
            return findings.of_file(inspection, "misindexed", file, str(error))
        if not inspection.is_named(file, each.uuid):
            detail = f"the catalog says that it is {each.uuid}"
            return findings.of_file(inspection, "misindexed", file, detail)
        if size == each.size or not inspection.knows(file):
            return []
        if size is None:
            where = inspection.find(each.uuid)
            if where is None or where == file:
                linked = inspection.is_linked(file)
                detail = f"{'a link' if linked else 'no file'} is there"
                return findings.of_file(inspection, "missing", file, detail)
            detail = f"no file is there; the payload lies at {where}"
            kind = "misindexed" if inspection.is_sound(where) else "missing"
            return findings.of_file(inspection, kind, file, detail)
        if inspection.is_intact(file):
            detail = f"the catalog says that it has {each.size} bytes, not {size}"
            return findings.of_file(inspection, "misindexed", file, detail)
        detail = f"it has {size} bytes, and had {each.size}"
        kind = "truncated" if size < _size(each) else "corrupt"
        return findings.of_file(inspection, kind, file, detail)


def _size(each: Checked) -> int:
    size: Any = each.size  # which may have been altered
    return size if isinstance(size, int) else 0


def _portions(wanted: list[Checked], level: str) -> Iterator[list[Checked]]:
    """Yield what a worker takes at a time."""
    most = 1 if level == "deep" else _FILES
    portion: list[Checked] = []
    size = 0
    for each in wanted:
        portion.append(each)
        size += _size(each)
        if len(portion) >= most or size >= _BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
