"""
Changes without content: tags, metadata and names.

Each takes a place in the history of its record and makes no version: it changes
what is known of the newest.  Those of many records are one payload.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archivedb.archive.writing import recovering
from archivedb.archive.writing.batching import require_newest
from archivedb.archive.writing.current import current
from archivedb.archive.writing.planning import Known
from archivedb.archive.writing.saving import checked_tags, commit, locked, not_found
from archivedb.catalog import hierarchy, reading
from archivedb.errors import (
    ArchiveNotFoundError,
    InvalidNameError,
    NameConflictError,
    RecordNotFoundError,
)
from archivedb.formats.base import Draft
from archivedb.records import Record, counted
from archivedb.values import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from archivedb.archive.core import Core
    from archivedb.formats.envelope import Entry

    Plan = Callable[[Known], Entry | None]


def tag(
    core: Core,
    names: Sequence[str | Record],
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> list[Record]:
    """Add and remove tags of records, as one change; see `Changes.tag`."""
    more, less = checked_tags(add), checked_tags(remove)
    return _change(core, names, lambda known: known.tagged(more, less))


def annotate(
    core: Core,
    names: Sequence[str | Record],
    facts: Mapping[str, Any],
    remove: Iterable[str] = (),
) -> list[Record]:
    """Merge facts into the metadata of records, as one; see `Changes.annotate`."""
    keys = [remove] if isinstance(remove, str) else list(remove)
    return _change(core, names, lambda known: known.annotated(facts, keys))


def merged(facts: Mapping[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    """
    Return the facts of a dict and those given by name.

    Raises:
        TypeError: The first are no dict.

    """
    if facts is None or isinstance(facts, Mapping):
        return {**(facts or {}), **more}
    msg = f'facts have names: annotate(…, quality="good"), or a dict, not {facts!r:.60}'
    raise TypeError(msg)


def _change(core: Core, names: Sequence[str | Record], plan: Plan) -> list[Record]:
    core.require_writable()
    for name in names:
        _require_name(name)
    batch = current(core)
    if batch is not None:
        return batch.change(names, plan)
    core.require_existing()
    if not names:
        return []
    with _locked(core, names) as known:
        return _commit(core, [(each, plan(each)) for each in known])


def rename(core: Core, name: str | Record, new: str) -> Record:
    """Give a record another name; see `Changes.rename`."""
    core.require_writable()
    _require_name(name)
    new = paths.check_name(new)
    batch = current(core)
    if batch is not None:
        return batch.rename([(batch.known(name), new)])[0]
    core.require_existing()
    with _locked(core, [name], [new]) as (known,):
        _require_free(core, {known.record.name: new})
        return _commit(core, [(known, known.renamed(new))])[0]


def rename_all(core: Core, folder: str | Record, new: str) -> list[Record]:
    """Give a record, or all below a folder, other names, as one change."""
    core.require_writable()
    _require_name(folder)
    new = paths.check_name(new)
    old = name_of(core, folder)
    batch = current(core)
    if batch is not None:
        chosen = batch.below(old, _below(core, old) if core.exists else [])
        known = [batch.known(name) for name in chosen if batch.holds(name)]
        if batch.holds(old):
            known.append(batch.known(old))
        if not known:
            raise not_found(old)
        return batch.rename([(each, _moved(each, old, new)) for each in known])
    core.require_existing()
    while True:
        chosen = _below(core, old)
        if not chosen:
            raise not_found(old)
        pairs = {
            name: paths.check_name(new + name.removeprefix(old)) for name in chosen
        }
        with _locked(core, chosen, list(pairs.values())) as known:
            if _below(core, old) != chosen:
                continue  # one has come, or gone
            _require_free(core, pairs)
            plans = [(each, each.renamed(_moved(each, old, new))) for each in known]
            return _commit(core, plans)


def _moved(known: Known, old: str, new: str) -> str:
    return paths.check_name(new + known.record.name.removeprefix(old))


def _below(core: Core, folder: str) -> list[str]:
    """Return a record of this name, and those below it."""
    with core.reading() as connection:
        itself = hierarchy.first_record(connection, [folder])
        return [*([itself] if itself else []), *hierarchy.names(connection, folder)]


def _require_free(core: Core, pairs: Mapping[str, str]) -> None:
    leaving = {old for old, new in pairs.items() if new != old}
    with core.reading() as connection:
        for old, new in pairs.items():
            why = hierarchy.conflict(connection, new, leaving) if new != old else None
            if why is not None:
                raise NameConflictError(why)


def _commit(core: Core, plans: list[tuple[Known, Entry | None]]) -> list[Record]:
    drafts = [Draft(entry, None) for _, entry in plans if entry is not None]
    if drafts:
        commit(core, "json", drafts)
    return [
        known.record if entry is None else known.after(entry).record
        for known, entry in plans
    ]


# Names --------------------------------------------------------------------------


def _require_name(name: object) -> None:
    if not isinstance(name, (str, Record)):
        msg = f"a record's name is text, not {type(name).__name__}"
        raise InvalidNameError(msg)


def name_of(core: Core, name: str | Record) -> str:
    """
    Return the name that a record has by now, whatever it had when it was found.

    Raises:
        InvalidNameError: The text cannot be a name.
        RecordNotFoundError: The record was deleted.

    """
    if not isinstance(name, Record):
        return paths.check_name(name)
    batch = current(core)
    found: str | None
    if batch is not None:
        found = batch.name_of(name)
    else:
        core.require_existing()
        with core.reading() as connection:
            row = reading.newest_of(connection, name.uuid)
        found = None if row is None else row.name
    if found is None:
        msg = f"{name.name!r} was deleted"
        raise RecordNotFoundError(msg)
    return found


def name_to_save(core: Core, name: str | Record) -> str:
    """Return the name that a record has by now, or had when it was deleted."""
    if core.spools and isinstance(name, Record):
        return name.name
    try:
        return name_of(core, name)
    except (ArchiveNotFoundError, RecordNotFoundError):
        if isinstance(name, Record):
            return name.name
        raise


def count_below(core: Core, name: str) -> int:
    """Return how many records lie below a name by now."""
    if not name or not paths.is_utf8(name):
        return 0
    batch, committed = current(core), []
    if core.exists:
        with core.reading() as connection:
            if batch is None:
                return hierarchy.count(connection, name)
            committed = hierarchy.names(connection, name)
    return 0 if batch is None else len(batch.below(name, committed))


def _known(connection: Connection, name: str | Record) -> Known:
    text = name
    if isinstance(name, Record):
        held = reading.newest_of(connection, name.uuid)
        if held is None:
            msg = f"{name.name!r} was deleted"
            raise RecordNotFoundError(msg)
        text = held.name
    row = None
    if isinstance(text, str) and paths.is_utf8(text):
        row = reading.newest(connection, text)
        if row is None and hierarchy.is_folder(connection, text):
            number = counted(hierarchy.count(connection, text), "record")
            msg = f"{text!r} is a folder of {number}, not a record"
            raise RecordNotFoundError(msg)
    if row is None:
        raise not_found(str(text))
    known = Known.of(connection, row)
    if isinstance(name, Record):
        require_newest(name, known)
    return known


@contextmanager
def _locked(
    core: Core, names: Sequence[str | Record], others: Sequence[str] = ()
) -> Iterator[list[Known]]:
    """Hold the locks of records, and of other names; yield what is known of them."""
    known = _all_known(core, names)
    while True:
        held = {each.record.name for each in known}
        with locked(core, [*held, *others]):
            recovering.recover(core)
            known = _all_known(core, names)
            # A record may have got another name before its lock was taken.
            if {each.record.name for each in known} == held:
                yield known
                return


def _all_known(core: Core, names: Sequence[str | Record]) -> list[Known]:
    with core.reading() as connection:
        found = [_known(connection, name) for name in names]
    return list({each.record.uuid: each for each in found}.values())
