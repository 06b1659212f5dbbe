"""
What of other histories a catalog lacks, and which place it gets here.

The plan depends on nothing but the catalog and the histories: so whoever makes
it again under the locks of all names knows whether anything has changed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archivedb.archive.taking.outcome import Left
from archivedb.archive.writing.indexing import UNREADABLE
from archivedb.catalog import adopted, hierarchy, payloads, reading
from archivedb.catalog import history as histories
from archivedb.errors import DecodeError, InvalidNameError
from archivedb.formats.envelope import MAKES_VERSION, require_sound
from archivedb.store import naming
from archivedb.values import json
from archivedb.values.paths import check_name, prefixes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from archivedb.archive.taking.history import History, Part
    from archivedb.formats.envelope import Entry


_FACTS = frozenset({"tag", "annotate"})


@dataclass
class Target:
    """A record here, as it will be after what is planned so far."""

    uuid: str
    name: str
    positions: int
    newest: int
    said: tuple[str, tuple[str, ...], bytes] | None = None


@dataclass(frozen=True)
class Removed:
    """What was deleted or pruned here, by origin."""

    deleted: frozenset[str] = frozenset()
    pruned: frozenset[str] = frozenset()


@dataclass
class Step:
    """A change that is to be made, and of which history it is."""

    entry: Entry
    history: History
    index: int

    @property
    def files(self) -> tuple[str, ...]:
        """The payloads that it needs."""
        content = self.entry.content
        if content is None or self.entry.adopted is None:
            return ()
        return (self.entry.adopted, *content.files)


@dataclass
class Plan:
    """What is to be done, and what is not."""

    steps: list[Step] = field(default_factory=list)
    left: dict[tuple[str, str], Left] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    targets: dict[str, Target] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)

    @property
    def entries(self) -> list[Entry]:
        """The changes."""
        return [step.entry for step in self.steps]

    def leave(self, history: History, why: str, *, wanted: bool = False) -> None:
        """Say that something of a history is not taken in."""
        self.left[history.uuid, why] = Left(history.name, why, wanted)


class Planner:
    """
    Plans in one state of the catalog.

    Args:
        connection: An open transaction.
        removed: What was deleted or pruned here.
        skip_equal: Whether what equals the newest version is passed over, as
            `Archive.save` does.

    """

    def __init__(
        self, connection: Connection, removed: Removed, *, skip_equal: bool
    ) -> None:
        self._connection = connection
        self._removed = removed
        self._skip_equal = skip_equal
        self._known: dict[str, list[tuple[str, int]]] = {}
        self._mapped: dict[tuple[str, int], int] = {}
        self._appends: dict[str, dict[int, list[str | None]]] = {}
        self.plan = Plan()

    def make(self, parts: Iterable[Part]) -> Plan:
        """Return what is to be done."""
        parts = list(parts)
        self._known = adopted.known(
            self._connection,
            (
                past.origin
                for part in parts
                for past in part.history.past
                if past.origin is not None
            ),
        )
        for part in parts:
            target = self._target(part.history)
            if target is not None:
                self.plan.of[part.history.uuid] = target.uuid
                self._part(part, target)
        return self.plan

    # Where to ---------------------------------------------------------------

    def _target(self, history: History) -> Target | None:
        uuid = history.target or self._holder(history) or history.uuid
        found = self._record(uuid)
        if found is not None:
            return found
        origins = {past.origin for past in history.past if past.origin is not None}
        if (
            histories.positions(self._connection, uuid)
            or origins & self._removed.deleted
        ):
            why = "it was deleted here, and stays so"
            self.plan.leave(history, why, wanted=True)
            self.plan.passed.update(origins)
            return None
        return self._named(history)

    def _holder(self, history: History) -> str | None:
        """Return the record here that has taken some of a history before."""
        for past in reversed(history.past):
            for uuid, _ in self._known.get(past.origin or "", ()):
                return uuid
        return None

    def _record(self, uuid: str) -> Target | None:
        if uuid in self.plan.targets:
            return self.plan.targets[uuid]
        row = reading.newest_of(self._connection, uuid)
        return None if row is None else self._add(row)

    def _add(self, row: reading.VersionRow) -> Target:
        positions = histories.positions(self._connection, row.uuid)
        tags = tuple(json.loads(row.tags, "catalog's tags"))
        metadata = json.loads(row.metadata, "catalog's metadata")
        said = row.digest, tags, json.dumps_sorted(metadata)
        found = Target(row.uuid, row.name, positions, row.version, said)
        self.plan.targets[row.uuid] = found
        self.plan.names[row.name] = row.uuid
        return found

    def _named(self, history: History) -> Target | None:
        """Return the record of a history's name, or a new one."""
        name = history.name
        if name in self.plan.names:
            return self.plan.targets[self.plan.names[name]]
        row = reading.newest(self._connection, name)
        if row is not None:
            return self.plan.targets.get(row.uuid) or self._add(row)
        why = self._conflict(name)
        if why is not None:
            self.plan.leave(history, f"{why}; rename one of them")
            return None
        self.plan.names[name] = history.uuid
        found = self.plan.targets[history.uuid] = Target(history.uuid, name, 0, 0)
        return found

    def _conflict(self, name: str) -> str | None:
        try:
            check_name(name)
        except InvalidNameError as error:
            return str(error)
        for other in self.plan.names:
            if other in prefixes(name) or name in prefixes(other):
                return f"{name!r} and {other!r} would be a record and its folder"
        return hierarchy.conflict(self._connection, name)

    # What -------------------------------------------------------------------

    def _part(self, part: Part, target: Target) -> None:
        history = part.history
        moments = adopted.moments(self._connection, target.uuid)
        self._map(history, target)
        for index in range(part.start, min(part.stop, history.end)):
            past = history.past[index]
            try:
                if past.kind in MAKES_VERSION:
                    self._version(history, index, target)
                elif past.kind == "append":
                    self._append(history, index, target)
                elif past.kind in _FACTS and (past.kind, past.time) not in moments:
                    self._said(history, index, target)
            except UNREADABLE as error:
                history.end = index
                self.plan.leave(history, str(error))
                return

    def _map(self, history: History, target: Target) -> None:
        """Note which versions here are those of a history."""
        for past in history.past:
            for uuid, number in self._known.get(past.origin or "", ()):
                if uuid == target.uuid and past.version is not None:
                    key = history.uuid, past.version
                    self._mapped[key] = max(number, self._mapped.get(key, 0))

    def _is_known(self, history: History, index: int) -> bool:
        """Return whether a content is here, or was removed from here."""
        origin = history.past[index].origin
        if origin is None or origin in self._known:
            return True
        if origin in self._removed.pruned or origin in self._removed.deleted:
            why = "some of its versions were pruned here, and stay so"
            self.plan.leave(history, why, wanted=True)
            self.plan.passed.add(origin)
            return True
        return False

    def _version(self, history: History, index: int, target: Target) -> None:
        if self._is_known(history, index):
            return
        entry = history.adoption(index)
        if self._skip_equal and _said(entry) == target.said:
            self.plan.passed.add(history.past[index].origin or "")
            return
        self._emit(history, index, target, entry, target.newest + 1)

    def _append(self, history: History, index: int, target: Target) -> None:
        if self._is_known(history, index):
            return
        number = history.past[index].version or 0
        base = self._mapped.get((history.uuid, number))
        if base is None:
            return  # what it appends to was pruned here
        before = [
            past.origin
            for past in history.past[:index]
            if past.kind == "append" and past.version == number
        ]
        if base == target.newest and before == self._appended(target, base):
            self._emit(history, index, target, history.adoption(index), base)
            return
        # Something else has become the newest here, or other rows were appended:
        # the version comes once more, with all that it has by now.
        for each in range(index + 1):
            if history.past[each].version == number:
                entry = history.adoption(each)
                new = target.newest + (entry.kind == "adopt")
                self._emit(history, each, target, entry, new)

    def _appended(self, target: Target, version: int) -> list[str | None]:
        """Return the origins of what was appended to a version here, so far."""
        if target.uuid not in self._appends:
            self._appends[target.uuid] = defaultdict(list)
            for past in adopted.history(self._connection, target.uuid):
                if past.kind == "append" and past.version is not None:
                    self._appends[target.uuid][past.version].append(past.origin)
        return self._appends[target.uuid][version]

    def _said(self, history: History, index: int, target: Target) -> None:
        past = history.past[index]
        base = self._mapped.get((history.uuid, past.version or 0))
        if base is None:
            return
        if base == target.newest:
            self._emit(history, index, target, history.adoption(index), base)
        else:
            what = "tags" if past.kind == "tag" else "metadata"
            why = (
                f"its {what} were changed there, at a version that is not the newest "
                "here any more, and stays what it is"
            )
            self.plan.leave(history, why)

    def _emit(
        self, history: History, index: int, target: Target, entry: Entry, version: int
    ) -> None:
        new = replace(
            entry,
            record=target.uuid,
            name=target.name,
            position=target.positions + 1,
            version=version,
        )
        new = replace(new, own=self._own(new))
        try:
            require_sound(new)
        except ValueError as error:
            msg = f"{history.past[index].file} says what cannot be: {error}"
            raise DecodeError(msg) from error
        past = history.past[index]
        if past.kind == "append":
            self._appended(target, version).append(past.origin)
        if past.version is not None:
            self._mapped[history.uuid, past.version] = version
        if past.origin is not None:
            self._known.setdefault(past.origin, []).append((target.uuid, version))
        target.positions, target.newest, target.said = new.position, version, _said(new)
        self.plan.steps.append(Step(new, history, index))

    def _own(self, entry: Entry) -> tuple[str, ...]:
        """Return which of the payloads that a change adopts tell changes of ours."""
        if entry.adopted is None or entry.content is None:
            return ()
        uuids = (naming.uuid_of(file) for file in (entry.adopted, *entry.content.files))
        return tuple(u for u in uuids if payloads.slots_told(self._connection, u))


def _said(entry: Entry) -> tuple[str, tuple[str, ...], bytes] | None:
    """Return what makes a version equal to another, or None for other changes."""
    if entry.kind != "adopt" or entry.content is None:
        return None
    return entry.content.digest, entry.tags, json.dumps_sorted(entry.metadata)
