"""
A selection as one zip: payloads, a table of contents, BagIt and RO-Crate.

All of it or nothing: it gets its name when every byte is on the disk.
"""

from __future__ import annotations

import csv
import io
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archivedb.archive.address import user_path
from archivedb.archive.packing import crate, payloads
from archivedb.archive.packing.bag import BagWriter
from archivedb.archive.packing.directory import require_free, unfinished
from archivedb.archive.packing.names import Directories
from archivedb.archive.rows import moment
from archivedb.archive.taking.history import Envelopes
from archivedb.errors import StoreError
from archivedb.records import Exported, Stubbed, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from archivedb.archive.core import Core
    from archivedb.catalog.reading import VersionRow

RECORDS = "data/records/"
COLUMNS = ("name", "version", "saved_at", "mode", "bytes", "tags", "digest", "file")


def export(  # noqa: PLR0913 - the options of an export
    core: Core,
    rows: Iterable[VersionRow],
    path: str | os.PathLike[str],
    *,
    provenance: bool = True,
    license: str | None = None,  # noqa: A002 - the word of the standard
    authors: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """
    Write versions into one new zip; see `Selection.export`.

    Args:
        core: The open archive.
        rows: The versions, of one name each.
        path: The zip.
        provenance: Whether it says on which machine they were made, and by whom.
        license: How they may be used.
        authors: Who made them.
        progress: Called with the records done, and how many there are.

    """
    target = user_path(path)
    require_free(core, target, "export into a file that does not")
    chosen = sorted(rows, key=lambda row: row.name)
    with unfinished(target) as folder:
        envelopes = Envelopes(core.store)
        packing = _Packing(folder, target.stem, envelopes, provenance=provenance)
        try:
            for number, row in enumerate(chosen, 1):
                packing.record(core, row)
                if progress is not None:
                    progress(number, len(chosen))
            packing.finish(license, authors)
        finally:
            packing.close()
        _publish(packing.path, target)
    names = tuple(row.name for row in chosen)
    return Exported(packing.members, names, packing.size, tuple(packing.stubs))


def _publish(made: Path, target: Path) -> None:
    """Give a zip its name once it is on the disk."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    if target.exists():
        msg = f"{target} was made by somebody else meanwhile; nothing was written"
        raise StoreError(msg)
    made.rename(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class _Packing:
    """A zip being written, and the tables that are written when all is known."""

    def __init__(
        self, folder: Path, name: str, envelopes: Envelopes, *, provenance: bool
    ) -> None:
        self.path = folder / "whole.zip"
        self.members: list[str] = []
        self.stubs: list[Stubbed] = []
        self.size = 0
        self._envelopes, self._provenance = envelopes, provenance
        self._name = name
        self._now = datetime.now(UTC)
        # Made by a day, not by a second: so two exports are easier to compare.
        day = (self._now.year, self._now.month, self._now.day, 0, 0, 0)
        self._bag = BagWriter(self.path, name, day)
        self._scratch = folder / "scratch"
        self._directories = Directories()
        self._entities = (folder / "entities").open("w+b")
        self._crate = crate.Crate(self._entities)
        self._table = (folder / "table").open("w+", encoding="utf-8", newline="")
        self._csv = csv.writer(self._table, lineterminator="\n")
        self._csv.writerow(COLUMNS)

    def record(self, core: Core, row: VersionRow) -> None:
        """Add a record."""
        with payloads.packed(
            *(core, row, self._envelopes, self._scratch), provenance=self._provenance
        ) as found:
            name = f"{RECORDS}{self._directories.of(row.name)}/{found.file}"
            when = moment(row.saved_at)
            hashed = self._bag.add(
                name,
                found.size,
                found.pieces,
                moment=(*when.timetuple()[:5], when.second),
            )
        inside = name.removeprefix("data/")
        self._crate.record(
            *(row, found.entry, inside),
            size=found.size,
            hashed=hashed,
            stubs=found.stubs,
        )
        tags = " ".join(found.entry.tags)
        head = (row.name, row.version, when.isoformat(), row.mode)
        cells = (*head, found.size, tags, row.digest, inside)
        self._csv.writerow(map(_cell, cells))
        self.members.append(f"{self._bag.root}/{name}")
        self.stubs += found.stubs
        self.size += found.size

    def finish(self, license: str | None, authors: Sequence[str]) -> None:  # noqa: A002 - as above
        """Write the tables and what makes it a bag."""
        published = self._now.date().isoformat()
        described = (
            f"{counted(len(self.members), 'record')} of an archive of archivedb. "
            "contents.csv lists them, README.txt says how they are read."
        )
        readme = _readme(self._name, len(self.members), self.stubs).encode()
        hashed = self._bag.text("data/README.txt", readme)
        self._crate.file(
            *("README.txt", "text/plain", "How this is read."),
            size=len(readme),
            hashed=hashed,
        )
        size, pieces = _whole(self._table.buffer, self._table.flush)
        hashed = self._bag.add("data/contents.csv", size, pieces, deflate=True)
        self._crate.file(
            *("contents.csv", "text/csv", "A line for each record."),
            size=size,
            hashed=hashed,
        )
        head = self._crate.head(
            *(self._name, described, published), license=license, authors=authors
        )
        size, pieces = _whole(self._entities)
        self._bag.add(
            f"data/{crate.METADATA}",
            len(head) + size + len(crate.END),
            _chained([head], pieces, [crate.END]),
            deflate=True,
        )
        self._bag.finish(
            [
                ("Bag-Software-Agent", "archivedb"),
                ("Bagging-Date", published),
                *(("Contact-Name", each) for each in authors),
                ("External-Description", described),
            ]
        )

    def close(self) -> None:
        """Close every file."""
        self._bag.abandon()
        self._entities.close()
        self._table.close()


def _cell(value: Any) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text


def _whole(file: Any, flush: Callable[[], Any] | None = None) -> tuple[int, Any]:
    """Return the size of a file, and its bytes in pieces."""
    if flush is not None:
        flush()
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size, iter(lambda: file.read(payloads.PIECE), b"")


def _chained(*parts: Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield from part


README = """\
{name}: {records} of an archive of archivedb
{line}

data/contents.csv            a line for each record: name, size, tags, file
data/records/NAME/FILE       the record, as one file
data/ro-crate-metadata.json  the same and more for programs (RO-Crate 1.2)
manifest-sha256.txt          digests of all of it (BagIt 1.0)

A .h5 file is HDF5: h5dump, h5py, Julia, MATLAB and R read its arrays.  A .json
file is JSON, and the data is below "skeletons".  A .zip file holds a pickle.

With archivedb, import all of it into an archive of yours, every byte proven,

    archivedb import {name}.zip

or unpack the zip and read one record, without any archive:

    archivedb.load("{name}/data/records/NAME")

{stubs}"""

NO_STUBS = """\
Nothing in here runs code when it is loaded: all are plain values.
"""

STUBS = """\
What is listed here runs code of the class that is named when it is restored.
It is signed by whoever made it; until you trust that key it is loaded as a stub
with objects="stub", and everything else as it is.  Ask them for their key and
run `archivedb trust add KEY.pub`.

{table}
"""


def _readme(name: str, number: int, stubs: list[Stubbed]) -> str:
    records = counted(number, "record")
    line = "=" * len(f"{name}: {records} of an archive of archivedb")
    told = NO_STUBS
    if stubs:
        table = "\n".join(
            f"{each.name}\t{each.path}\t{each.class_name}" for each in stubs
        )
        told = STUBS.format(table=table)
    return README.format(name=name, records=records, line=line, stubs=told)
