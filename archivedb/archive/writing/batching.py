"""
Batches: many changes of one thread, one payload a mode, one commit.

A batch knows what is committed and, over it, what it has collected itself; a
change is checked, encoded and copied when it is made.  What of all that somebody
else has changed meanwhile is found out at the end, under the locks of all names.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from archivedb.archive.writing import recovering
from archivedb.archive.writing.current import current, set_current
from archivedb.archive.writing.planning import Known, known_after, saved
from archivedb.archive.writing.saving import (
    Part,
    discard,
    locked,
    not_found,
    publish,
    require_wanted,
    write,
)
from archivedb.catalog import adopted, hierarchy, history, payloads, reading
from archivedb.catalog.claims import is_clear
from archivedb.errors import (
    BatchConflictError,
    BatchError,
    NameConflictError,
    ReadOnlyError,
)
from archivedb.formats import get_format
from archivedb.formats.base import Draft, frozen
from archivedb.records import Deletion, Record, counted
from archivedb.values.paths import prefixes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archivedb.archive.core import Core
    from archivedb.archive.writing.saving import Committed, Facts
    from archivedb.formats.envelope import Entry
    from archivedb.values.encode import Encoded

    Plan = Callable[[Known], Entry | None]


class Batch:
    """
    Changes that become one, all or nothing; see `Archive.batch`.

    While its ``with`` block runs, it is all in memory: reading sees nothing of
    it, and an exception leaves nothing of it.

    Attributes:
        freed: How many bytes of payload files its deletes freed, once it is
            committed.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> with archive.batch() as batch:
        ...     for cutoff in (300, 400, 500):
        ...         record = archive.save({"cutoff": cutoff}, f"al/{cutoff}")
        ...     record = archive.tag("al/500", "converged")
        >>> len(batch), [record.name for record in batch.records], len(archive)
        (4, ['al/300', 'al/400', 'al/500'], 3)

    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._pid = os.getpid()
        self._state = "not begun"
        self.freed = 0
        # By name: what is, now; who has it in the catalog, and is gone from it.
        self._now: dict[str, Known | None] = {}
        self._gone: set[str] = set()
        self._added: set[str] = set()
        self._folders: Counter[str] = Counter()
        # What the catalog surely has not: records, and names near others.
        self._no_records: set[str] = set()
        self._clear: set[str] = set()
        # By uuid: what is committed, the name now, and the changes.
        self._committed: dict[str, Known] = {}
        self._names: dict[str, str | None] = {}
        self._changes: dict[str, list[int]] = {}
        self._files: dict[str, str] = {}
        self._drafts: list[tuple[str | None, Draft] | None] = []

    # Being a context ------------------------------------------------------

    def __enter__(self) -> Self:
        """
        Begin to collect what this thread changes.

        Raises:
            BatchError: It has begun before, or another of this thread has.
            ReadOnlyError: The archive was opened with ``readonly=True``.

        """
        self._core.require_writable()
        if self._state != "not begun":
            msg = f"this batch has {self._state}: begin another with archive.batch()"
            raise BatchError(msg)
        if current(self._core) is not None:
            msg = "this thread has a batch open already, which goes on until it ends"
            raise BatchError(msg)
        set_current(self._core, self)
        self._state = "begun"
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """
        Commit all of it, or nothing if there was an exception.

        Raises:
            BatchConflictError: Somebody has changed what it changes.
            StoreError: The file system refused; nothing was written.

        """
        set_current(self._core, None)
        drafts = [each for each in self._drafts if each is not None]
        if kind is None:
            self._state = "ended without being written"
            if drafts:
                self._commit(drafts)
            self._state = "ended"
        else:
            self._state = "ended with an exception, and nothing was written"
        # Only numbers are asked for from here on.
        self._drafts = [None if each is None else _UNUSED for each in self._drafts]
        self._committed.clear()

    def __len__(self) -> int:
        """Return how many changes it consists of."""
        return sum(each is not None for each in self._drafts)

    def __bool__(self) -> bool:
        """Return True: an empty batch is a batch."""
        return True

    @property
    def records(self) -> list[Record]:
        """The records that it saved or changed, as they are after it."""
        found = []
        for uuid in self._changes:
            name = self._names[uuid]
            known = None if name is None else self._now[name]
            if known is not None:
                record, file = known.record, self._files.get(uuid)
                found.append(record if file is None else replace(record, files=(file,)))
        return found

    def __repr__(self) -> str:
        """Return how many changes it has collected, and how far it is."""
        return f"<Batch of {counted(len(self), 'change')}, {self._state}>"

    # Looking ----------------------------------------------------------------

    def _look(self, name: str) -> Known | None:
        """Return what a name means by now."""
        if name in self._now:
            return self._now[name]
        known = None
        if self._core.exists:
            with self._core.reading() as connection:
                if is_clear(connection, name):
                    self._clear.add(name)
                else:
                    row = reading.newest(connection, name)
                    known = None if row is None else Known.of(connection, row)
        self._now[name] = known
        if known is not None:
            self._committed[known.record.uuid] = known
            self._names[known.record.uuid] = name
        return known

    def name_of(self, record: Record) -> str | None:
        """Return the name that a record has by now, or None if it is gone."""
        if record.uuid not in self._names:
            with self._core.reading() as connection:
                row = reading.newest_of(connection, record.uuid)
            if row is None:
                return None
            if row.name not in self._now:
                self._look(row.name)
        return self._names.get(record.uuid)

    def known(self, name: str | Record) -> Known:
        """
        Return what is known of a record by now.

        Raises:
            ReadOnlyError: It is an older version.
            RecordNotFoundError: There is none.

        """
        text = self.name_of(name) if isinstance(name, Record) else name
        found = None if text is None else self._look(text)
        if found is None:
            raise not_found(name.name if isinstance(name, Record) else name)
        if isinstance(name, Record):
            require_newest(name, found)
        return found

    def holds(self, name: str) -> bool:
        """Return whether a record has a name by now."""
        return self._look(name) is not None

    def _conflict(self, name: str) -> str | None:
        """Return why a name cannot become a record's by now, or None."""
        above = prefixes(name)
        for each in above:
            if self._now.get(each) is not None:
                return (
                    f"{name!r} would lie inside {each!r}, which is a record, "
                    "not a folder"
                )
        if self._folders[name]:
            return f"{name!r} is a folder: records lie below it; choose another name"
        if self._now.get(name) is not None:
            return f"a record named {name!r} exists"
        if not self._core.exists:
            return None
        unknown = [each for each in above if each not in self._no_records]
        if name in self._clear and not unknown:
            return None
        with self._core.reading() as connection:
            why = hierarchy.conflict(connection, name, self._gone)
        if why is None and not self._gone:
            self._no_records.update(above)
        return why

    # Collecting -------------------------------------------------------------

    def _put(self, name: str, known: Known) -> None:
        uuid = known.record.uuid
        was = self._committed.get(uuid)
        if was is not None and was.record.name == name:
            self._gone.discard(name)
        elif name not in self._added:
            self._added.add(name)
            self._folders.update(prefixes(name))
        self._now[name], self._names[uuid] = known, name

    def _take(self, name: str, known: Known) -> None:
        if name in self._added:
            self._added.discard(name)
            self._folders.subtract(prefixes(name))
        else:
            self._gone.add(name)
        self._now[name], self._names[known.record.uuid] = None, None

    def _add(self, mode: str | None, draft: Draft) -> None:
        self._changes.setdefault(draft.entry.record, []).append(len(self._drafts))
        self._drafts.append((mode, draft))

    def save(
        self, encoded: Encoded, name: str, mode: str, said: Facts, on_exists: str
    ) -> Record:
        """Collect a save; see `Archive.save`."""
        known = self._look(name)
        if known is None:
            why = self._conflict(name)
            if why is not None:
                raise NameConflictError(why)
        else:
            require_wanted(name, on_exists)
            if on_exists == "skip" or known.equals(encoded, said):
                return known.record
        value, made = frozen(get_format(mode), encoded)
        entry = saved(known, name, said)
        after = known_after(entry, value, mode)
        self._add(mode, Draft(entry, value, made))
        self._put(name, after)
        return after.record

    def change(self, names: Sequence[str | Record], plan: Plan) -> list[Record]:
        """Collect changes that make no version, and no name."""
        known = {each.record.uuid: each for each in map(self.known, names)}
        entries = [(each, plan(each)) for each in known.values()]
        found = []
        for each, entry in entries:
            after = each
            if entry is not None:
                after = each.after(entry)
                self._add(None, Draft(entry, None))
                self._put(each.record.name, after)
            found.append(after.record)
        return found

    def rename(self, pairs: Sequence[tuple[Known, str]]) -> list[Record]:
        """
        Collect renames, which happen at once.

        Raises:
            NameConflictError: A new name is not free.

        """
        entries = [(known, known.renamed(new)) for known, new in pairs]
        for known, _ in pairs:
            self._take(known.record.name, known)
        for _, new in pairs:
            self._look(new)
            why = self._conflict(new)
            if why is not None:
                for known, _ in pairs:
                    self._put(known.record.name, known)
                raise NameConflictError(why)
        found = []
        for known, entry in entries:
            after = known
            if entry is not None:
                after = known.after(entry)
                self._add(None, Draft(entry, None))
            self._put(after.record.name, after)
            found.append(after.record)
        return found

    def below(self, folder: str, committed: Sequence[str]) -> list[str]:
        """Return the names below a folder by now, of those committed and its own."""
        own = [name for name in self._added if name.startswith(f"{folder}/")]
        left = [name for name in committed if name not in self._gone]
        return sorted({*left, *own})

    def delete(self, names: Sequence[str], what: str, folder: str | None) -> Deletion:
        """Collect deletes; how many bytes they free is known when it has ended."""
        chosen = list(names)
        if folder is not None:
            chosen += self.below(folder, ())
        found = [each for each in map(self._look, dict.fromkeys(chosen)) if each]
        if not found:
            raise not_found(what)
        for known in found:
            self._delete(known)
        return Deletion(tuple(known.record.name for known in found), 0)

    def _delete(self, known: Known) -> None:
        uuid = known.record.uuid
        # What it has collected of the record need not be written.
        collected = self._changes.pop(uuid, [])
        for index in collected:
            self._drafts[index] = None
        self._take(known.record.name, known)
        committed = self._committed.get(uuid)
        if committed is None:
            return
        with self._core.reading() as connection:
            files = payloads.files_of(connection, uuid)
            origins = adopted.adopted_origins(connection, uuid)
        draft = None, Draft(committed.deleted(files, origins), None)
        if collected:
            # Others may have its name since its first change.
            self._drafts[collected[0]] = draft
            self._changes[uuid] = collected[:1]
        else:
            self._add(*draft)

    # Committing -------------------------------------------------------------

    def _commit(self, drafts: list[tuple[str | None, Draft]]) -> None:
        self._require_own_process()
        modes = dict.fromkeys(mode for mode, _ in drafts if mode is not None)
        home = "json" if "json" in modes or not modes else next(iter(modes))
        parts = {mode: Part(mode, []) for mode in modes or (home,)}
        places, order = {mode: number for number, mode in enumerate(parts)}, []
        for mode, draft in drafts:
            part = parts[mode or home]
            order.append((places[part.mode], len(part.drafts)))
            part.drafts.append(draft)
        self._core.create()
        written = write(self._core, list(parts.values()))
        untouched = True
        try:
            with locked(self._core, _names(draft.entry for _, draft in drafts)):
                recovering.recover(self._core)
                self._require_unchanged()
                untouched = False
                try:
                    done = publish(self._core, written, order)
                except NameConflictError as error:
                    msg = f"nothing of the batch was written: {error}"
                    raise BatchConflictError(msg) from error
        except BaseException:
            if untouched:
                discard(written)
            raise
        self._note(done, [len(part.drafts) for part in parts.values()])

    def _require_own_process(self) -> None:
        if os.getpid() != self._pid:
            msg = "a batch is committed by the process that began it, not by a fork"
            raise BatchError(msg)

    def _require_unchanged(self) -> None:
        with self._core.reading() as connection:
            for uuid in self._changes:
                was = self._committed.get(uuid)
                if was is None:
                    continue
                if history.positions(connection, uuid) != was.positions:
                    msg = (
                        f"{was.record.name!r} was changed by somebody else since the "
                        "batch began; nothing of the batch was written: run it again"
                    )
                    raise BatchConflictError(msg)

    def _note(self, done: Committed, counts: list[int]) -> None:
        self.freed = done.freed
        files = [
            file
            for file, count in zip(done.files, counts, strict=True)
            for _ in range(count)
        ]
        for entry, file in zip(done.entries, files, strict=True):
            if entry.content is not None:
                self._files[entry.record] = file


_UNUSED: Any = (None, None)


def _names(entries: Any) -> set[str]:
    found = set()
    for entry in entries:
        found.update({entry.name, entry.name_before or entry.name})
    return found


def require_newest(record: Record, known: Known) -> None:
    """
    Raise if a record is an older version than the one that would be changed.

    Raises:
        ReadOnlyError: It is.

    """
    if record.version != known.record.version:
        name = known.record.name
        msg = (
            f"this is version {record.version} of {name!r}, and stays what it is; "
            f"the newest is meant by its name, {name!r}"
        )
        raise ReadOnlyError(msg)
