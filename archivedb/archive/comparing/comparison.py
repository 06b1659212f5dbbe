"""Two versions compared, with no more read of them than differs."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from archivedb.archive import rows
from archivedb.archive.comparing.differing import DATA, METADATA, TAGS, Diff, Difference
from archivedb.archive.loading import find_row, reader_of
from archivedb.archive.writing.editing import held
from archivedb.catalog import reading
from archivedb.errors import PayloadCorruptError, RecordNotFoundError
from archivedb.storage.lazy import read_rows
from archivedb.values import dtypes, json, skeleton
from archivedb.values.arrays import array_of
from archivedb.values.deviation import Deviation
from archivedb.values.differing import ADDED, OTHER_BITS, REMOVED, Comparison
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.archive.core import Core
    from archivedb.records import Record
    from archivedb.store.files import PayloadFile
    from archivedb.values.differing import Found
    from archivedb.values.dtypes import AnyArray
    from archivedb.values.skeleton import Tree

PIECE = 16 << 20
"""Bytes of an array that are compared at a time."""


def choose(
    core: Core,
    before: str | Record,
    after: str | Record | None,
    versions: tuple[int | None, int | None],
) -> tuple[reading.VersionRow, reading.VersionRow]:
    """Return the two versions that are meant; see `Comparing.diff`."""
    first, second = versions
    if after is not None:
        return find_row(core, before, first), find_row(core, after, second)
    if first is not None:
        one = find_row(core, before, first)
        return one, find_row(core, one.name, second)
    two = find_row(core, before, second)
    return _version_before(core, two), two


def _version_before(core: Core, row: reading.VersionRow) -> reading.VersionRow:
    with core.reading() as connection:
        older = [
            each
            for each in reading.all_versions(connection, row.name)
            if each.version < row.version
        ]
    if not older:
        msg = (
            f"{row.name!r} has no version before {row.version}; name another record "
            "to compare it with"
        )
        raise RecordNotFoundError(msg)
    return older[-1]


def compare(core: Core, one: reading.VersionRow, two: reading.VersionRow) -> Diff:
    """Return what differs between two versions."""
    notes: set[str] = set()
    found: list[Difference] = []
    # Equal digests are equal data, in whichever payloads it lies.
    if one.digest != two.digest:
        found += _data(core, one, two, notes)
    found += _metadata(one, two, notes)
    found += _tags(one, two)
    return Diff(
        rows.record_of(one), rows.record_of(two), tuple(found), tuple(sorted(notes))
    )


def _metadata(
    one: reading.VersionRow, two: reading.VersionRow, notes: set[str]
) -> Iterator[Difference]:
    sources = [
        Skeleton.of(json.loads(row.metadata, "catalog's metadata"))
        for row in (one, two)
    ]
    compared = Comparison(*sources)
    for each in compared:
        yield _difference(each, METADATA)
    notes |= compared.notes


def _tags(one: reading.VersionRow, two: reading.VersionRow) -> Iterator[Difference]:
    mine, theirs = (json.loads(row.tags, "catalog's tags") for row in (one, two))
    for tag in mine:
        if tag not in theirs:
            yield Difference(tag, REMOVED, tag, None, side=TAGS)
    for tag in theirs:
        if tag not in mine:
            yield Difference(tag, ADDED, None, tag, side=TAGS)


def _difference(
    found: Found, side: str = DATA, deviation: Deviation | None = None
) -> Difference:
    maximum, elements = found.maximum, found.elements
    if deviation is not None:
        maximum, elements = deviation.maximum, deviation.elements
    return Difference(
        found.path, found.kind, found.before, found.after, maximum, elements, side
    )


# Data -------------------------------------------------------------------


def _data(
    core: Core, one: reading.VersionRow, two: reading.VersionRow, notes: set[str]
) -> list[Difference]:
    try:
        with ExitStack() as opened:
            sides = [_Side(core, row, opened) for row in (one, two)]
            return list(_compared(sides, notes))
    except _DamagedError as damaged:
        raise damaged.error from damaged.error.__cause__


class _DamagedError(Exception):
    """Carries an error past the other version, which would claim it as its own."""

    def __init__(self, error: PayloadCorruptError) -> None:
        super().__init__(error)
        self.error = error


def _compared(sides: list[_Side], notes: set[str]) -> Iterator[Difference]:
    compared = Comparison(sides[0].skeleton, sides[1].skeleton)
    for each in compared:
        if each.arrays is None:
            yield _difference(each)
            continue
        with skeleton.well_formed("skeleton"):
            deviation = _deviation(sides, each.arrays)
        if deviation.elements or not each.alike:
            yield _difference(each, deviation=deviation)
        elif deviation.bits:
            notes.add(OTHER_BITS)
    notes |= compared.notes


def _deviation(sides: list[_Side], arrays: tuple[list[Tree], list[Tree]]) -> Deviation:
    """Compare two arrays of one shape, however each lies in parts."""
    deviation = Deviation()
    mine, theirs = (_spans(parts) for parts in arrays)
    at, i, j = 0, 0, 0
    while i < len(mine) and j < len(theirs):
        (begin, end, part), (start, stop, other) = mine[i], theirs[j]
        until = min(end, stop)
        same_place = (begin, end) == (start, stop)
        if not (same_place and _is_same(part, other)):
            step = max(PIECE // _width(part, other), 1)
            for low in range(at, until, step):
                high = min(low + step, until)
                deviation.add(
                    sides[0].items(part, low - begin, high - begin),
                    sides[1].items(other, low - start, high - start),
                )
        at = until
        i, j = i + (end == until), j + (stop == until)
    return deviation


def _spans(parts: list[Tree]) -> list[tuple[int, int, Tree]]:
    """Return which items of the whole each part has."""
    found, at = [], 0
    for part in parts:
        count = math.prod(part["shape"])
        found.append((at, at + count, part))
        at += count
    return found


def _is_same(part: Tree, other: Tree) -> bool:
    return bool(part["digest"] == other["digest"] and part["dtype"] == other["dtype"])


def _width(part: Tree, other: Tree) -> int:
    sizes = [dtypes.tree_dtype(each["dtype"]).itemsize for each in (part, other)]
    return max(*sizes, 1)


class _Side:
    """One of the two versions, whose arrays are read in pieces."""

    def __init__(self, core: Core, row: reading.VersionRow, opened: ExitStack) -> None:
        self._core, self._opened = core, opened
        self._what = f"{row.name!r} version {row.version}"
        try:
            self._reader = opened.enter_context(reader_of(core, row))
        except PayloadCorruptError as error:
            raise _DamagedError(error) from error
        self.skeleton = self._reader.skeleton
        self._held = held(self._reader, row)
        self._files: dict[str, PayloadFile] = {}
        self._last: tuple[int, AnyArray] | None = None

    def items(self, part: Tree, start: int, stop: int) -> AnyArray:
        """Return some items of an array in C order, checked."""
        try:
            return self._items(part, start, stop)
        except PayloadCorruptError as error:
            known = PayloadCorruptError(f"{self._what}: {error}")
            known.__cause__ = error
            raise _DamagedError(known) from error

    def _items(self, part: Tree, start: int, stop: int) -> AnyArray:
        # As if it were flat: rows may be larger than any memory.
        flat = {**part, "shape": [math.prod(part["shape"])]}
        number = part["$array"]
        place = self._held[number].place
        if place.offset is not None and place.blocks is not None:
            file = self._open(self._held[number].file)
            found = read_rows(file, place, flat, start, stop)
            assert found is not None  # noqa: S101 - it has blocks
            return found
        if self._last is None or self._last[0] != number:
            self._last = number, array_of(flat, self._reader.fetch(number, part))
        return self._last[1][start:stop]

    def _open(self, name: str) -> Any:
        if name not in self._files:
            file = self._opened.enter_context(self._core.store.open(name))
            self._files[name] = file
        return self._files[name]
