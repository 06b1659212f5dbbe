"""
Importing what was exported: every digest first, then one record after another.

Each is adopted as it is, as a pull adopts the records of another archive: what
strangers have signed stays theirs, what is here already adds nothing, and a
name that is taken gets the next version.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.archive.address import user_path
from archivedb.archive.packing.reading import Arrived, BagReader
from archivedb.archive.taking.adopting import Adopter
from archivedb.archive.taking.history import History
from archivedb.archive.writing.current import refuse_in_batch
from archivedb.archive.writing.planning import same_tree
from archivedb.catalog import reading
from archivedb.catalog.adopted import Past, origin_of
from archivedb.errors import BagError, InvalidNameError
from archivedb.formats import uuids
from archivedb.formats.envelope import require_sound
from archivedb.values import json
from archivedb.values.paths import check_name, prefixes

if TYPE_CHECKING:
    import os
    import zipfile
    from collections.abc import Callable

    from archivedb.archive.core import Core
    from archivedb.archive.taking.outcome import Taken


class Unpacking:
    """The part of `Archive` that takes in what was exported as a zip."""

    _core: Core

    def unpack(
        self,
        path: str | os.PathLike[str],
        *,
        under: str = "",
        progress: Callable[[int, int], None] | None = None,
    ) -> Taken:
        """
        Import the records of a zip that `Selection.export` has written.

        Every byte is proven before the first is taken in.  Twice adds nothing,
        and a name that is taken gets the next version.  What was deleted here
        stays deleted.  Nothing is signed: what a stranger has signed is loaded
        as their keys are trusted.  A run that was interrupted is done again.

        Args:
            path: The zip.
            under: A folder here that the records come into.
            progress: Called with the bytes proven, and how many there are.

        Returns:
            What was taken in, and what was not, and why.

        Raises:
            BagError: It is no export, or not as it was exported; nothing was
                taken in.
            InvalidNameError: The folder cannot be one.
            StoreError: The file system refused; what was taken in stays.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> record = archive.save({"a": 4.05}, "al/run-1")
            >>> done = archive.find("a > 4").export("/tmp/archivedb-doctest/al.zip")
            >>> other = Archive("/tmp/archivedb-doctest/other.db")
            >>> other.unpack("/tmp/archivedb-doctest/al.zip", under="theirs").versions
            1
            >>> other.load("theirs/al/run-1")
            {'a': 4.05}

        """
        return unpack(self._core, path, under=under, progress=progress)


def unpack(
    core: Core,
    path: str | os.PathLike[str],
    *,
    under: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Taken:
    """Take in what a zip holds; see `Unpacking.unpack`."""
    core.require_writable()
    core.require_catalog()
    refuse_in_batch(core, "import an export")
    if under:
        check_name(under)
    source = user_path(path)
    with BagReader(source) as bag, tempfile.TemporaryDirectory() as folder:
        bag.prove(progress)
        found = bag.payloads()
        histories = [
            _history(source, bag.arrived(info, file, Path(folder)), under)
            for file, info in found.items()
        ]
        _require_records(source, histories)
        core.create()
        histories = [each for each in histories if not _is_here(core, each)]
        with _Extracting(bag, found, Path(folder)) as find:
            adopter = Adopter(core, find, skip_equal=True)
            adopter.adopt(sorted(histories, key=lambda each: each.name))
        return adopter.tally.taken()


def _history(path: Path, arrived: Arrived, under: str) -> History:
    """Return a payload of a zip as a history of one change."""
    entry, content = arrived.entry, arrived.entry.content
    name = f"{under}/{entry.name}" if under else entry.name
    try:
        require_sound(replace(entry, name=check_name(name), kind="adopt"))
        if not uuids.is_uuid7(entry.record):
            msg = f"{entry.record!r:.60} is no uuid"
            raise ValueError(msg)  # noqa: TRY301 - as those that it is caught with
    except (ValueError, InvalidNameError) as error:
        msg = f"{path} cannot be imported: {arrived.file} says {error}"
        raise BagError(msg) from error
    assert content is not None  # noqa: S101 - the reader has looked
    origin = origin_of(arrived.envelope.payload, content.skeleton.offset)
    past = Past("save", entry.time, entry.version, arrived.file, 0, origin)
    return History(entry.record, name, [past], lambda _: entry)


def _require_records(path: Path, histories: list[History]) -> None:
    """Raise unless these can be records of one archive."""
    names: set[str] = set()
    records: set[str] = set()
    for each in histories:
        if each.name in names or each.uuid in records:
            msg = f"{path} cannot be imported: it holds {each.name!r} twice"
            raise BagError(msg)
        names.add(each.name)
        records.add(each.uuid)
    for name in names:
        folder = next((above for above in prefixes(name) if above in names), None)
        if folder is not None:
            msg = (
                f"{path} cannot be imported: {folder!r} would be a record, and the "
                f"folder of {name!r}"
            )
            raise BagError(msg)


def _is_here(core: Core, history: History) -> bool:
    """
    Return whether this archive has a version because it made or exported it.

    Its payload may have been written anew for the export, so it is known by
    record and time; not where tags or metadata have become others.
    """
    entry = history.entry(history.past[0])
    with core.reading() as connection:
        newest = reading.newest_of(connection, entry.record)
        if newest is None:
            return False
        return any(
            row.saved_at == entry.time
            and tuple(json.loads(row.tags, "catalog's tags")) == entry.tags
            and same_tree(
                json.loads(row.metadata, "catalog's metadata"), entry.metadata
            )
            for row in reading.all_versions(connection, newest.name)
        )


class _Extracting:
    """Copies one payload at a time out of a zip, for whoever takes it in."""

    def __init__(
        self, bag: BagReader, found: dict[str, zipfile.ZipInfo], folder: Path
    ) -> None:
        self._bag, self._found, self._folder = bag, found, folder
        self._last = ExitStack()

    def __enter__(self) -> Callable[[str], Path | None]:
        return self._find

    def __exit__(self, *_: object) -> None:
        self._last.close()

    def _find(self, file: str) -> Path | None:
        self._last.close()
        info = self._found.get(file)
        if info is None:
            return None
        return self._last.enter_context(self._bag.extracted(info, file, self._folder))
