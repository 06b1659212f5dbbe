"""
Changes that are made to an archive and, as plain dicts, to what it must hold.

A version is described by what its value is computed from; so a few numbers say
what must be loaded, bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.stress.toolkit import require

if TYPE_CHECKING:
    import random

    from archivedb import Archive

MODES = ("hdf5", "json", "cloudpickle")
NAMES = tuple(f"n/{number}" for number in range(6))
SIZES = (10, 1_000, 40_000)


@dataclass(frozen=True)
class Version:
    """What a version's value is computed from."""

    number: int
    edit: int
    rows: tuple[int, ...]

    def value(self, size: int | None = None) -> dict[str, Any]:
        """Return the value."""
        count = SIZES[self.number % len(SIZES)] if size is None else size
        return {
            "number": self.number,
            "edit": self.edit,
            "rows": np.array(self.rows),
            "array": np.arange(count) + self.number,
        }


@dataclass(frozen=True)
class Kept:
    """What is known of a record."""

    versions: tuple[Version, ...]
    tags: tuple[str, ...] = ()


State = dict[str, Kept]


def found(value: dict[str, Any]) -> Version:
    """Return what a loaded value was computed from, bit by bit."""
    require(list(value) == ["number", "edit", "rows", "array"], lambda: list(value))
    version = Version(value["number"], value["edit"], tuple(value["rows"].tolist()))
    right = version.value()["array"]
    array = value["array"]
    same = array.dtype == right.dtype and array.tobytes() == right.tobytes()
    require(same, f"the array of {version} is not what was saved")
    return version


def state(archive: Archive) -> State:
    """Return what an archive holds, every version of it loaded."""
    if not archive.exists:
        return {}
    what = {}
    for name in archive:
        records = archive.versions(name)
        numbers = [record.version for record in records]
        require(
            numbers == list(range(1, len(numbers) + 1)),
            f"the versions of {name} are {numbers}",
        )
        loaded = tuple(found(archive.load(record)) for record in records)
        what[name] = Kept(loaded, records[-1].tags)
    return what


@dataclass(frozen=True)
class Change:
    """
    A change, or a batch of them.

    Attributes:
        kind: save, edit, append, delete, tag, rename or batch.
        name: Of which record.
        number: What it is told from others by.
        mode: How a save encodes.
        to: The new name.
        parts: The changes of a batch.

    """

    kind: str
    name: str = ""
    number: int = 0
    mode: str = "hdf5"
    to: str = ""
    parts: tuple[Change, ...] = ()

    def make(self, archive: Archive) -> None:
        """Make the change."""
        if self.kind == "batch":
            with archive.batch():
                for part in self.parts:
                    part.make(archive)
        elif self.kind == "save":
            value = Version(self.number, 0, (self.number,)).value()
            archive.save(value, self.name, mode=self.mode)
        elif self.kind == "edit":
            with archive.open(self.name) as group:
                group["edit"] = self.number
                group.append("rows", np.array([self.number]))
        elif self.kind == "append":
            archive.open(self.name).append("rows", np.array([self.number]))
        elif self.kind == "delete":
            archive.delete(self.name)
        elif self.kind == "tag":
            archive.tag(self.name, f"t{self.number}")
        else:
            archive.rename(self.name, self.to)

    def after(self, before: State) -> State:
        """Return what is there after it."""
        after = dict(before)
        if self.kind == "batch":
            for part in self.parts:
                after = part.after(after)
            return after
        old = after.get(self.name, Kept(()))
        newest = old.versions[-1] if old.versions else Version(0, 0, ())
        grown = replace(newest, rows=(*newest.rows, self.number))
        if self.kind == "save":
            made = Version(self.number, 0, (self.number,))
            after[self.name] = Kept((*old.versions, made))
        elif self.kind == "edit":
            made = replace(grown, edit=self.number)
            after[self.name] = replace(old, versions=(*old.versions, made))
        elif self.kind == "append":
            after[self.name] = replace(old, versions=(*old.versions[:-1], grown))
        elif self.kind == "delete":
            del after[self.name]
        elif self.kind == "tag":
            tags = tuple(sorted({*old.tags, f"t{self.number}"}))
            after[self.name] = replace(old, tags=tags)
        else:
            after[self.to] = after.pop(self.name)
        return after


def drawn(chance: random.Random, before: State, kind: str, number: int) -> Change:
    """Return a change of a kind that is possible, or a save if none is."""
    taken = sorted(before)
    free = [name for name in NAMES if name not in before]
    mode = chance.choice(MODES)
    if kind == "batch":
        now, parts = before, []
        # A batch does not edit what is inside of records.
        kinds = ["save", "save", "save", "tag", "rename", "delete", "save"]
        for index, part in enumerate(chance.sample(kinds, chance.randrange(2, 6))):
            # To save what is there already is no change.
            parts.append(drawn(chance, now, part, 10 * number + index))
            now = parts[-1].after(now)
        return Change("batch", number=number, parts=tuple(parts))
    if kind == "rename" and taken and free:
        return Change("rename", chance.choice(taken), to=chance.choice(free))
    if kind in {"edit", "append", "tag", "delete"} and taken:
        return Change(kind, chance.choice(taken), number)
    return Change("save", chance.choice(NAMES), number, mode)
