"""What a comparison of two versions found, as users hold it."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archivedb.records import Record, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA, METADATA, TAGS = "data", "metadata", "tags"

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One place at which two versions differ.

    Attributes:
        path: Where it is; empty for the whole.  Of tags, the tag.
        kind: ``"added"``, ``"removed"`` or ``"changed"``.
        before: A line about what was there, or None.
        after: A line about what is there now, or None.
        maximum: By how much numbers differ at most; infinity where a number
            became a NaN, or the reverse.  None for all else.
        elements: How many items of an array or short list are not equal, where
            that was counted.  Two NaNs are equal.
        side: ``"data"``, ``"metadata"`` or ``"tags"``.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> one = archive.save({"kpts": [4, 4, 4]}, "al/run-1")
        >>> two = archive.save({"kpts": [6, 6, 4]}, "al/run-2")
        >>> (difference,) = archive.diff(one, two)
        >>> difference.path, difference.elements, difference.maximum
        ('kpts', 2, 2.0)
        >>> print(difference)
        ~ kpts  [4, 4, 4] -> [6, 6, 4]  2 items differ by up to 2

    """

    path: str
    kind: str
    before: str | None
    after: str | None
    maximum: float | None = None
    elements: int | None = None
    side: str = DATA

    @property
    def sign(self) -> str:
        """``+``, ``-`` or ``~``, for what was added, removed or changed."""
        return _SIGNS[self.kind]

    @property
    def label(self) -> str:
        """The path, with the side if it is not the data: ``metadata: status``."""
        path = self.path or "(the whole)"
        return path if self.side == DATA else f"{self.side}: {path}"

    @property
    def values(self) -> str:
        """What was there and what is there, as one text."""
        if self.side == TAGS:
            return ""  # the path says it
        if self.kind == "changed" and self.before != self.after:
            return f"{self.before} -> {self.after}"
        return str(self.after if self.before is None else self.before)

    @property
    def apart(self) -> str:
        """How far items are apart, in words; empty where nobody counted."""
        if self.elements is None:
            return ""
        number = counted(self.elements, "item")
        said = f"{number} differ{'s' if self.elements == 1 else ''}"
        return said if self.maximum is None else f"{said} by up to {self.maximum:.6g}"

    def __str__(self) -> str:
        """Return the difference as one line."""
        line = f"{self.sign} {self.label}  {self.values}  {self.apart}"
        return line.rstrip()


@dataclass(frozen=True, slots=True)
class Diff:
    """
    What differs between two versions: leaf by leaf, in the order of the data.

    It is true if anything differs, has a length, and yields its differences.

    Attributes:
        before: The one version.
        after: The other.
        differences: Every place that differs.
        notes: What else was noticed, and is no difference: that keys stand in
            another order, numbers are equal but not bit by bit, or objects
            were made by another version of their package.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> one = archive.save({"a": 4.05, "forces": np.zeros((2, 3))}, "al/run-1")
        >>> two = archive.save({"a": 4.05, "forces": np.ones((2, 3))}, "al/run-2")
        >>> diff = archive.diff("al/run-1", "al/run-2")
        >>> bool(diff), len(diff), [each.path for each in diff]
        (True, 1, ['forces'])
        >>> diff
        <Diff 'al/run-1' version 1 -> 'al/run-2' version 1, 1 difference>

    """

    before: Record
    after: Record
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return bool(self.differences)

    def __len__(self) -> int:
        """Return how many places differ."""
        return len(self.differences)

    def __iter__(self) -> Iterator[Difference]:
        """Yield the differences."""
        return iter(self.differences)

    @property
    def title(self) -> str:
        """Which two versions were compared."""
        before, after = self.before, self.after
        name = "" if before.uuid == after.uuid else f"{after.name!r} "
        return (
            f"{before.name!r} version {before.version} -> {name}version {after.version}"
        )

    def __repr__(self) -> str:
        """Return which versions were compared, and how much differs."""
        return f"<Diff {self.title}, {counted(len(self), 'difference')}>"

    def __str__(self) -> str:
        """Return a table: a line for each difference, then the notes."""
        widths = [max((len(each.label) for each in self), default=0)]
        widths.append(max((len(each.values) for each in self if each.apart), default=0))
        lines = [f"{self.title}: {counted(len(self), 'difference')}"]
        for each in self:
            label, values = each.label.ljust(widths[0]), each.values.ljust(widths[1])
            line = f"  {each.sign} {label}  {values}  {each.apart}"
            lines.append(line.rstrip())
        return "\n".join([*lines, *(f"  ({note})" for note in self.notes)])

    def _repr_html_(self) -> str:
        rows = []
        for each in self:
            values = each.before or "", each.after or ""
            cells = each.sign, each.label, *values, each.apart
            left = "<td style='text-align:left'>"
            rows.append("".join(f"{left}{html.escape(cell)}</td>" for cell in cells))
        heads = "".join(
            f"<th style='text-align:left'>{head}</th>"
            for head in ("", "path", "before", "after", "")
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return (
            f"<p>{html.escape(repr(self)[1:-1])}</p>"
            f"<table><tr>{heads}</tr>{body}</table>{notes}"
        )

    def __rich_repr__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the fields that rich prints."""
        yield "before", f"{self.before.name} version {self.before.version}"
        yield "after", f"{self.after.name} version {self.after.version}"
        yield "differences", [str(each) for each in self]
        if self.notes:
            yield "notes", self.notes
