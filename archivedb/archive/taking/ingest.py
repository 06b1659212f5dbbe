"""
Ingesting: what waits in the spool, and what was copied into a store by hand.

Payloads of this archive are indexed as what they are.  All others are adopted:
what was spooled has no place in a history yet, and what belongs to another
archive has one there.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.archive.address import user_path
from archivedb.archive.taking.adopting import Adopter, Tally, sweep
from archivedb.archive.taking.history import Envelopes, History
from archivedb.archive.taking.outcome import Left
from archivedb.archive.writing import recovering
from archivedb.archive.writing.current import refuse_in_batch
from archivedb.archive.writing.indexing import UNREADABLE, read_envelope
from archivedb.catalog import adopted, reading
from archivedb.catalog.adopted import Past, origin_of
from archivedb.errors import RecordError, StoreError
from archivedb.formats.envelope import MAKES_VERSION
from archivedb.store import guests, naming
from archivedb.store.files import PayloadFile
from archivedb.store.guests import Guests, taking
from archivedb.store.plain import PlainDirectory
from archivedb.store.spool import SpoolDirectory
from archivedb.values.paths import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archivedb.archive.core import Core
    from archivedb.archive.taking.outcome import Taken
    from archivedb.formats.envelope import Entry, Envelope

    Found = dict[str, Path]

PART = "a part of its batch is not there (yet): nothing of it counts before"


@dataclass
class _Sorted:
    """Payload files by what is to become of them."""

    own: Found = field(default_factory=dict)
    spooled: dict[str, Envelope] = field(default_factory=dict)
    foreign: dict[str, Envelope] = field(default_factory=dict)
    parted: dict[str, Envelope] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def ingest(
    core: Core,
    directories: Iterable[str | os.PathLike[str]] = (),
    *,
    under: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Taken:
    """Index all that lies here and is not indexed; see `Archive.ingest`."""
    core.require_writable()
    core.require_catalog()
    refuse_in_batch(core, "ingest payloads")
    if under:
        check_name(under)
    places = [user_path(each) for each in directories]
    for place in places:
        if not place.is_dir():
            msg = f"{place} is not a directory"
            raise StoreError(msg)
    waiting = _waiting(core)
    tally = getattr(core.local, "ingested", None) or Tally()
    core.local.ingested = None
    tally.left = {}
    if core.exists or waiting or _at_root(core) or places:
        core.create()
        before = _counted(core)
        recovering.recover_at_opening(core)
        tally.versions += _counted(core) - before
        spool = SpoolDirectory(core.store)
        spool.sweep_unfinished(spool.clock() - recovering.ABANDONED)
        found = {**waiting, **_at_root(core), **_unknown(core)}
        _take(core, found, tally, progress)
        for place in places:
            _take_plain(core, place, under, tally)
    return tally.taken()


def at_opening(core: Core) -> None:
    """
    Index what was spooled, as whoever opens the archive where its catalog is does.

    Where nothing waits, this looks into two directories.
    """
    if core.readonly or core.spools:
        return
    # What cannot be taken in waits on; `ingest` says why.
    with suppress(*UNREADABLE, RecordError):
        waiting = _waiting(core)
        if not waiting and not guests.left_behind(core.store):
            return
        core.create()
        with taking(core.store):
            sweep(core)
        # Whoever asks for it afterwards is told of it.
        core.local.ingested = Tally()
        _take(core, waiting, core.local.ingested, None)


def _waiting(core: Core) -> Found:
    """Return the payloads in the spool, by what they will be called."""
    spool = SpoolDirectory(core.store)
    return _named(spool.root / name for name in spool.files())


def _at_root(core: Core) -> Found:
    """Return the payloads that somebody has put beside the store's directories."""
    try:
        names = sorted(os.listdir(core.store.root))  # noqa: PTH208 - names are asked
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return _named(core.store.root / name for name in names)


def _unknown(core: Core) -> Found:
    """Return the payloads that are where they belong, but not indexed."""
    with core.reading() as connection:
        files = recovering.unknown(connection, core.store.files())
    return {f: core.store.resolve(f) for f in files if not core.store.is_pending(f)}


def _named(paths: Iterable[Path]) -> Found:
    found = {}
    for path in paths:
        parsed = naming.parse(path.name)
        if parsed is not None:
            found[parsed.relative] = path
    return found


def _take(
    core: Core,
    found: Found,
    tally: Tally,
    progress: Callable[[int, int], None] | None,
) -> None:
    if not found:
        return
    sorted_ = _sort(core, found)
    _index(core, sorted_, tally)
    done = 0

    def count(changes: int) -> None:
        nonlocal done
        done += changes
        if progress is not None:
            progress(done, max(done, len(found)))

    for envelopes in (sorted_.spooled, sorted_.foreign, sorted_.parted):
        is_spool = envelopes is sorted_.spooled
        adopter = Adopter(
            core, found.get, leave=False, skip_equal=is_spool, progress=count
        )
        adopter.tally = tally
        histories = _histories(envelopes)
        if envelopes is sorted_.parted:
            histories = (_whole(core, each) for each in histories)
        adopter.adopt(histories)
        _remove_taken(core, {f: found[f] for f in envelopes}, tally, is_spool=is_spool)
    for file, why in sorted_.left.items():
        if found[file].exists():  # another process may have taken it in
            tally.left[file, why] = Left(found[file].name, why)


def _sort(core: Core, found: Found) -> _Sorted:
    done = _Sorted()
    envelopes: dict[str, Envelope] = {}
    for file in sorted(found, key=lambda file: file.rpartition("/")[2]):
        try:
            with PayloadFile(found[file], file) as source:
                envelopes[file] = read_envelope(source)
        except UNREADABLE as error:
            done.left[file] = str(error)
    uuids = {envelope.payload for envelope in envelopes.values()}
    for file, envelope in envelopes.items():
        missing = [
            each
            for each in envelope.batch
            if each not in uuids and core.store.find(each) is None
        ]
        if missing:
            done.left[file] = PART
        elif envelope.archive == core.uuid:
            done.own[file] = found[file]
        elif envelope.archive is None:
            done.spooled[file] = envelope
        else:
            done.foreign[file] = envelope
    return done


def _index(core: Core, found: _Sorted, tally: Tally) -> None:
    """Index payloads of this very archive, once they are where they belong."""
    if not found.own:
        return
    with taking(core.store):
        sweep(core)
        brought = Guests(core.store)
        for file, path in found.own.items():
            if core.store.size(file) is None:
                try:
                    brought.take(path, file, leave=False)
                except UNREADABLE as error:
                    found.left[file] = str(error)
        before = _counted(core)
        recovering.index_files(core, found.own)
        with core.reading() as connection:
            lacking = set(recovering.unknown(connection, found.own))
        brought.settle(set(found.own) - lacking)
        tally.versions += _counted(core) - before
    for file, path in found.own.items():
        if file in lacking:
            # A copy of this archive has written it, to which it has a place.
            with suppress(*UNREADABLE), PayloadFile(path, file) as source:
                found.parted[file] = read_envelope(source)
        elif path != core.store.resolve(file):
            path.unlink(missing_ok=True)


def _counted(core: Core) -> int:
    with core.reading() as connection:
        return reading.total_versions(connection)


def _histories(envelopes: dict[str, Envelope]) -> Iterator[History]:
    """Yield the histories that some payloads tell, as far as they do."""
    by_record: dict[str, list[tuple[int, str, int, Entry]]] = defaultdict(list)
    for file, envelope in envelopes.items():
        for slot, entry in enumerate(envelope.entries):
            at = entry.position if envelope.archive else 0
            by_record[entry.record].append((at, file, slot, entry))
    for record, found in by_record.items():
        found.sort(key=lambda each: (each[0], each[1].rpartition("/")[2], each[2]))
        entries = [each[3] for each in found]
        if any(entry.kind == "delete" for entry in entries):
            continue
        dropped = {number for entry in entries for number in entry.drops}
        past, by_place = [], {}
        for _, file, slot, entry in found:
            if entry.version in dropped:
                continue
            past.append(_past(envelopes[file], file, slot, entry))
            by_place[file, slot] = entry
        yield History(record, entries[-1].name, past, _entry_of(by_place))


def _whole(core: Core, history: History) -> History:
    """Put before changes that a copy of this archive has made what both have."""
    made = {each.version for each in history.past if each.kind in MAKES_VERSION}
    with core.reading() as connection:
        before = [
            each
            for each in adopted.history(connection, history.uuid)
            if each.version not in made
        ]
    ours, theirs = {id(each) for each in before}, history.entry
    envelopes = Envelopes(core.store)
    return History(
        history.uuid,
        history.name,
        [*before, *history.past],
        lambda past: (envelopes.entry if id(past) in ours else theirs)(past),
    )


def _entry_of(by_place: dict[tuple[str, int], Entry]) -> Callable[[Past], Entry]:
    return lambda past: by_place[past.file, past.slot]


def _past(envelope: Envelope, file: str, slot: int, entry: Entry) -> Past:
    origin = None
    if entry.content is not None:
        uuid = envelope.payload
        if entry.adopted is not None:
            uuid = naming.uuid_of(entry.adopted)
        offset = entry.content.skeleton.offset
        origin = origin_of(uuid, offset) if entry.kind in MAKES_VERSION else uuid
    return Past(entry.kind, entry.time, entry.version, file, slot, origin)


def _remove_taken(core: Core, found: Found, tally: Tally, *, is_spool: bool) -> None:
    """Remove from where they waited the payloads that the catalog knows by now."""
    with core.reading() as connection:
        lacking = set(recovering.unknown(connection, found))
    passed = {origin.partition(":")[0] for origin in tally.passed}
    for file, path in found.items():
        if path == core.store.resolve(file):
            continue
        needless = is_spool and path.name[:36] in passed
        if file not in lacking or needless:
            path.unlink(missing_ok=True)
    for file in lacking & set(found):
        if found[file].exists() and not tally.left:
            why = "it holds nothing that is not here already, or was deleted here"
            tally.left[file, why] = Left(found[file].name, why)


# Directories ----------------------------------------------------------------------


def _take_plain(core: Core, place: Path, under: str, tally: Tally) -> None:
    """Take in what `archivedb.save` put below a directory, by its path there."""
    from archivedb.archive import plain

    for folder in _folders(core, place):
        file = PlainDirectory(folder).newest()
        if file is None:
            continue
        steps = folder.relative_to(place).parts or (place.name,)
        name = "/".join((*([under] if under else []), *steps))
        try:
            taken = plain.adopt_from(core, folder, check_name(name))
        except (*UNREADABLE, RecordError) as error:
            tally.left[name, str(error)] = Left(str(folder), str(error))
            continue
        if taken is not None:
            tally.versions += 1
            tally.records.add(taken)
            tally.bytes += PlainDirectory(folder).size(file) or 0


def _folders(core: Core, place: Path) -> Iterator[Path]:
    for root, names, _ in os.walk(place):
        # In order, and never into an archive's own store.
        names[:] = sorted(n for n in names if not _is_store(core, Path(root, n)))
        yield Path(root)


def _is_store(core: Core, path: Path) -> bool:
    return path == core.store.root or (path / "archive.json").is_file()
