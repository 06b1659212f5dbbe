"""
Adopting: changes here whose contents lie in payloads that were written elsewhere.

A pull, the spool and plain directories all come through here: the payloads are
copied unchanged, their digests proven, and named by *adopt* changes in one
payload of this archive.  Nothing is signed: what strangers have signed, they
have.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archivedb.archive.taking.history import Envelopes, Part
from archivedb.archive.taking.outcome import Left, Taken
from archivedb.archive.taking.planning import Planner, Removed
from archivedb.archive.writing import recovering
from archivedb.archive.writing.indexing import UNREADABLE
from archivedb.archive.writing.saving import commit, locked
from archivedb.catalog import adopted
from archivedb.errors import (
    ArchiveError,
    CatalogEntryError,
    NameConflictError,
    PayloadError,
    PayloadMissingError,
)
from archivedb.formats.base import Draft
from archivedb.store import guests
from archivedb.store.guests import Guests, require_intact, taking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from archivedb.archive.core import Core
    from archivedb.archive.taking.history import History
    from archivedb.archive.taking.planning import Plan
    from archivedb.formats.envelope import Entry

    Find = Callable[[str], Path | None]

CHUNK = 500
"""How many changes are one commit."""

ATTEMPTS = 20
"""How often a plan is made again, where others change what it is about."""


@dataclass
class Tally:
    """What was done so far."""

    records: set[str] = field(default_factory=set)
    versions: int = 0
    changes: int = 0
    bytes: int = 0
    left: dict[tuple[str, str], Left] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    def taken(self) -> Taken:
        """Return it as the user's value."""
        left = tuple(self.left.values())
        return Taken(len(self.records), self.versions, self.changes, self.bytes, left)


class Adopter:
    """
    Takes histories of other records into an archive.

    Args:
        core: The open archive.
        find: Returns where a payload lies that the store lacks.
        leave: Whether payloads stay where they lie.
        skip_equal: Whether what equals the newest version is passed over.
        progress: Called with the changes that were looked at.

    """

    def __init__(
        self,
        core: Core,
        find: Find,
        *,
        leave: bool = True,
        skip_equal: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._core, self._find = core, find
        self._leave, self._skip_equal = leave, skip_equal
        self._progress = progress
        self._removals: list[tuple[str, int, str]] = []
        self._removed = Removed()
        self.tally = Tally()

    def adopt(self, histories: Iterable[History]) -> None:
        """
        Take histories in, some changes at a time.

        Raises:
            StoreError: The file system refused; what was taken in stays.

        """
        parts: list[Part] = []
        count = 0
        for history in histories:
            start = 0
            while start < len(history.past):
                stop = min(start + CHUNK - count, len(history.past))
                parts.append(Part(history, start, stop))
                count, start = count + stop - start, stop
                if count == CHUNK:
                    self._take(parts)
                    parts, count = [], 0
        if parts:
            self._take(parts)

    def _take(self, parts: Sequence[Part]) -> None:
        with taking(self._core.store):
            sweep(self._core)
            self._commit(parts)
        if self._progress is not None:
            self._progress(sum(part.stop - part.start for part in parts))

    def _commit(self, parts: Sequence[Part]) -> None:
        """Commit parts of histories; what cannot be is told from what can."""
        try:
            self._try(parts)
        except (*UNREADABLE, NameConflictError) as error:
            if isinstance(error, OSError) and not isinstance(error, PayloadError):
                raise  # the file system refused, as it would again
            if len(parts) > 1:
                for part in parts:
                    self._commit([part])
                return
            (part,) = parts
            if part.stop - part.start > 1:
                middle = (part.start + part.stop) // 2
                self._commit([Part(part.history, part.start, middle)])
                self._commit([Part(part.history, middle, part.stop)])
                return
            part.history.end = part.start
            left = Left(part.history.name, str(error))
            self.tally.left[part.history.uuid, left.why] = left

    def _try(self, parts: Sequence[Part]) -> None:
        brought = Guests(self._core.store)
        try:
            plan = self._carry_out(parts, brought)
        except BaseException:
            # Whether it was committed, nobody can say; who comes next looks, too.
            with suppress(ArchiveError):
                sweep(self._core)
            raise
        self._note(plan)
        brought.settle(file for step in plan.steps for file in step.files)
        self.tally.bytes += brought.bytes

    def _carry_out(self, parts: Sequence[Part], brought: Guests) -> Plan:
        core, attempts = self._core, 0
        while True:
            plan = self._plan(parts)
            if not self._bring(plan, brought):
                continue
            if not plan.steps:
                return plan
            attempts += 1
            with locked(core, {entry.name for entry in plan.entries}):
                recovering.recover(core)
                if self._plan(parts).entries == plan.entries:
                    try:
                        commit(core, "json", [Draft(e, None) for e in plan.entries])
                    except (NameConflictError, PayloadMissingError):
                        if attempts >= ATTEMPTS:
                            raise
                    else:
                        return plan
            if attempts >= ATTEMPTS:
                msg = "others change the same records all the time; try again"
                raise NameConflictError(msg)

    def _note(self, plan: Plan) -> None:
        tally = self.tally
        tally.left.update(plan.left)
        tally.passed.update(plan.passed)
        for step in plan.steps:
            step.history.target = step.entry.record
            tally.records.add(step.entry.record)
            if step.entry.kind == "adopt":
                tally.versions += 1
            else:
                tally.changes += 1

    def _plan(self, parts: Sequence[Part]) -> Plan:
        core = self._core
        with core.reading() as connection:
            removals = adopted.removals(connection)
        if removals != self._removals:
            self._removals, self._removed = removals, _removed(core, removals)
        with core.reading() as connection:
            planner = Planner(connection, self._removed, skip_equal=self._skip_equal)
            return planner.make(parts)

    def _bring(self, plan: Plan, brought: Guests) -> bool:
        """Copy what the plan needs; return False if it must be made anew."""
        whole = True
        for step in plan.steps:
            if step.index >= step.history.end:
                continue
            try:
                for file in step.files:
                    self._bring_file(file, brought)
            except (PayloadError, CatalogEntryError) as error:
                step.history.end, whole = step.index, False
                left = Left(step.history.name, str(error))
                self.tally.left[step.history.uuid, left.why] = left
        return whole

    def _bring_file(self, file: str, brought: Guests) -> None:
        store = self._core.store
        if brought.holds(file):
            return
        if store.size(file) is not None:
            with self._core.reading() as connection:
                unknown = recovering.unknown(connection, [file])
            if unknown:  # somebody has put it there
                require_intact(store, file)
            return
        source = self._find(file)
        if source is None:
            msg = f"the payload {file}, which it needs, is not there; add it, too"
            raise PayloadMissingError(msg)
        brought.take(source, file, leave=self._leave)


def _removed(core: Core, removals: list[tuple[str, int, str]]) -> Removed:
    """Return what was deleted or pruned here, from the payloads that say it."""
    envelopes = Envelopes(core.store)
    found: dict[str, set[str]] = {"delete": set(), "prune": set()}
    for file, slot, kind in removals:
        with suppress(*UNREADABLE):
            entry: Entry = envelopes.of(file).entries[slot]
            found[kind].update(entry.origins)
    return Removed(frozenset(found["delete"]), frozenset(found["prune"]))


def sweep(core: Core) -> None:
    """
    Remove what somebody who was killed has copied, but not adopted.

    The caller holds the lock of `taking`.
    """
    if not guests.left_behind(core.store):
        return
    recovering.recover(core)
    with core.writing() as connection:
        guests.sweep(
            core.store, lambda name: not recovering.unknown(connection, [name])
        )
