"""What of an archive says which paths its records have."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from archivedb.archive.finding.tabular import cell
from archivedb.catalog import paths as survey
from archivedb.errors import KeyNotFoundError
from archivedb.query.advice import nearest
from archivedb.query.names import shortest, spelling
from archivedb.query.nodes import Path
from archivedb.query.parse import parse_operand, slash_path
from archivedb.records import counted
from archivedb.values.cells import TIMES, scalar
from archivedb.values.leaf import SCALARS, Kind
from archivedb.values.leaves import MAX, MEAN, MIN, SHAPE
from archivedb.values.paths import token_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.table import Table as RichTable

    from archivedb.archive.core import Core

_FACTS = frozenset({SHAPE, MIN, MAX, MEAN})
_NAMES = {kind: kind.name.lower().removeprefix("long_") for kind in Kind}
_NAMES |= {Kind.INEXACT: "number", Kind.NULL: "None", Kind.OTHER: "object"}
_WITH_RANGE = SCALARS - {Kind.TEXT, Kind.NULL, Kind.BOOL}
_ARRAYS = frozenset({Kind.ARRAY, Kind.LONG_ARRAY})
_LISTS = frozenset({Kind.LIST, Kind.LONG_LIST})
_MOST_EXAMINED = 200
"""Paths of text of which a survey shows examples."""


@dataclass(frozen=True, slots=True)
class PathFacts:
    """
    What records have at one path.

    Attributes:
        path: The path, as a question spells it.
        side: ``"metadata"`` or ``"data"``.
        count: How many records have it.
        types: The types of what stands there, each with how many records.
        least: The smallest number, time or duration, and of an array's items.
        largest: The largest.
        examples: Some of its texts and truth values.
        dtypes: The dtypes of its arrays; the first and the last of many.
        shape: The smallest and the largest length of each axis of its arrays.
        lengths: The lengths of its shortest and longest list.
        more: Whether it has other texts than the examples.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> for a in (4.0, 4.1):
        ...     _ = archive.save({"a": a, "xc": "PBE"}, f"al/{a}")
        >>> facts = archive.paths()["a"]
        >>> facts.count, facts.types, facts.least, facts.largest
        (2, {'number': 2}, 4.0, 4.1)

    """

    path: str
    side: str
    count: int
    types: dict[str, int]
    least: Any = None
    largest: Any = None
    examples: tuple[Any, ...] = ()
    dtypes: tuple[str, ...] = ()
    shape: tuple[tuple[int, int], ...] = ()
    lengths: tuple[int, int] | None = None
    more: bool = False

    @property
    def words(self) -> str:
        """What stands there, as one text: a range, examples, a shape."""
        found = []
        if self.dtypes:
            axes = f" {TIMES} ".join(_span(low, high) for low, high in self.shape)
            found.append(f"{'/'.join(self.dtypes)} {axes}".rstrip())
        if self.lengths is not None:
            found.append(f"{_span(*self.lengths)} items")
        if self.least is not None:
            found.append(_span(self.least, self.largest))
        if self.examples:
            shown = ", ".join(map(cell, self.examples))
            found.append(f"{shown}, …" if self.more else shown)
        return "; ".join(found)

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return it as a row of a table."""
        types = ", ".join(
            name if number == self.count else f"{name} ({number:,})"
            for name, number in self.types.items()
        )
        return self.path, self.side, types, f"{self.count:,}", self.words


def _span(low: Any, high: Any) -> str:
    return cell(low) if low == high else f"{cell(low)} .. {cell(high)}"


@dataclass(frozen=True, slots=True, repr=False)
class Paths:
    """
    Which paths the records of an archive have: what can be asked of them.

    It has a length, yields `PathFacts` in the order in which the archive came
    to know them, metadata first, and ``paths["outputs.energy"]`` is one.

    Attributes:
        found: The paths.
        partly: Of how many records the index holds the first 1,000 leaves
            alone; what lies deeper in them can be asked for, and is not here.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> for a in (4.0, 4.1):
        ...     _ = archive.save({"inputs": {"a": a, "xc": "PBE"}}, f"al/{a}")
        >>> archive.paths()
        path       side  type    records  values
        inputs.a   data  number  2        4 .. 4.1
        inputs.xc  data  text    2        PBE

    """

    found: tuple[PathFacts, ...]
    partly: int = 0
    _by_name: dict[str, PathFacts] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Find them by their names."""
        for each in reversed(self.found):
            self._by_name[each.path] = each

    def __len__(self) -> int:
        """Return how many paths there are."""
        return len(self.found)

    def __iter__(self) -> Iterator[PathFacts]:
        """Yield what is known of each path."""
        return iter(self.found)

    def __contains__(self, path: object) -> bool:
        """Return whether any record has a path."""
        return isinstance(path, str) and self._get(path) is not None

    def __getitem__(self, path: str) -> PathFacts:
        """
        Return what is known of a path.

        Raises:
            KeyNotFoundError: No record has it.

        """
        found = self._get(path)
        if found is None:
            near = nearest(path, [_path(each.path) for each in self.found])
            see = near or "; see `archivedb paths`"
            msg = f"no record has a path {path!r}{see}"
            raise KeyNotFoundError(msg)
        return found

    def _get(self, path: str) -> PathFacts | None:
        found = self._by_name.get(path)
        if found is None and "/" in path:
            return self._by_name.get(spelling(path.split("/")))
        return found

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._by_name)

    @property
    def note(self) -> str:
        """What is not listed, as one sentence; or nothing."""
        if not self.partly:
            return ""
        return (
            f"of {counted(self.partly, 'record')} with more than 1,000 leaves, "
            "the deeper paths are not listed"
        )

    def __repr__(self) -> str:
        """Return a table, a line a path."""
        rows = [_TITLES, *(each.cells() for each in self.found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *([f"({self.note})"] if self.note else [])])

    def __rich__(self) -> RichTable:
        """Return the table as rich prints it."""
        from rich.table import Table
        from rich.text import Text

        made = Table(*_TITLES, caption=self.note or None)
        for each in self.found:
            made.add_row(*map(Text, each.cells()))
        return made

    def _repr_html_(self) -> str:
        def row(tag: str, cells: Iterable[str]) -> str:
            return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in cells)

        body = "".join(f"<tr>{row('td', each.cells())}</tr>" for each in self.found)
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        return f"<table><tr>{row('th', _TITLES)}</tr>{body}</table>{note}"


_TITLES = ("path", "side", "type", "records", "values")


class Surveying:
    """The part of `Archive` that says what can be asked."""

    _core: Core

    def paths(self, under: str | None = None) -> Paths:
        """
        Return which paths the records have, and what stands there.

        It counts the whole index, which takes a second for a million records.

        Args:
            under: A path, at and below which to look, ``"outputs"``; or a
                pattern of whole paths, with ``*`` and ``?``: ``"*.energy"``.

        Raises:
            QueryError: It is no path.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> _ = archive.save({"out": {"energy": -3.7}, "n": 4}, "al/run-1")
            >>> paths = archive.paths("out")
            >>> [each.path for each in paths], paths["out.energy"].types
            (['out.energy'], {'number': 1})

        """
        if under is not None and any(wild in under for wild in "*?"):
            whole = self.paths()
            # A bracket is part of a path here, and no set of characters.
            pattern = under.replace("[", "[[]")
            found = (each for each in whole if fnmatchcase(each.path, pattern))
            return Paths(tuple(found), whole.partly)
        path = _path(under) if under else ""
        if not self._core.exists:
            return Paths(())
        with self._core.reading() as connection:
            places = _folded(survey.of_all(connection, path))
            texts = [p for p in places.values() if Kind.TEXT in p.kinds]
            for place in texts[:_MOST_EXAMINED]:
                place.examples = survey.examples(connection, place.id)
            return Paths(
                tuple(
                    place.facts()
                    for place in sorted(places.values(), key=lambda p: p.order)
                ),
                survey.partly_indexed(connection),
            )


def _path(text: str) -> str:
    if "/" in text:
        return slash_path(text).path
    operand = parse_operand(text)
    return operand.path if isinstance(operand, Path) else slash_path(text).path


@dataclass(slots=True)
class _Place:
    """All leaves at one path, and those of its items."""

    side: str
    steps: tuple[str, ...]
    id: int = 0
    kinds: dict[Kind, survey.Found] = field(default_factory=dict)
    below: dict[str, list[survey.Found]] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def order(self) -> tuple[bool, int]:
        return self.side != "metadata", self.id

    def facts(self) -> PathFacts:
        """Return it as the user's value."""
        types: dict[str, int] = {}
        for kind, found in sorted(self.kinds.items(), key=lambda pair: -pair[1].count):
            types[_NAMES[kind]] = types.get(_NAMES[kind], 0) + found.count
        facts = PathFacts(
            shortest(self.steps, self.side),
            self.side,
            sum(types.values()),
            types,
            examples=self._examples(),
            more=self._has_more(),
        )
        return replace(facts, **self._range(), **self._shapes())

    def _has_more(self) -> bool:
        texts = self.kinds.get(Kind.TEXT)
        if Kind.LONG_TEXT in self.kinds or texts is None:
            return Kind.LONG_TEXT in self.kinds
        # The examples are the first ones, in the order of the last one.
        return self.examples[-1:] != [texts.largest.txt]

    def _examples(self) -> tuple[Any, ...]:
        found: list[Any] = list(self.examples)
        if Kind.BOOL in self.kinds:
            of_bool = self.kinds[Kind.BOOL]
            ends = dict.fromkeys((of_bool.least.num, of_bool.largest.num))
            found += [bool(end) for end in ends]
        return tuple(found)

    def _range(self) -> dict[str, Any]:
        ends = [(f.least, f.largest) for k, f in self.kinds.items() if k in _WITH_RANGE]
        numbers = [kind for kind in self.kinds if kind in _WITH_RANGE]
        if not ends:
            lows = [f for f in self.below.get(MIN, ()) if f.kind is Kind.NUMBER]
            highs = [f for f in self.below.get(MAX, ()) if f.kind is Kind.NUMBER]
            if not lows or not highs:
                return {}
            return {
                "least": min(f.least.num for f in lows),  # type: ignore[type-var]
                "largest": max(f.largest.num for f in highs),  # type: ignore[type-var]
            }
        if len({kind.rank for kind in numbers}) > 1:
            ends = [
                (f.least, f.largest)
                for k, f in self.kinds.items()
                if k.rank == min(kind.rank for kind in numbers)
            ]
        lows_, highs_ = zip(*ends, strict=True)
        return {
            "least": min(map(scalar, lows_)),
            "largest": max(map(scalar, highs_)),
        }

    def _shapes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        arrays = [f for k, f in self.kinds.items() if k in _ARRAYS]
        if arrays:
            names = {f.least.txt or "" for f in arrays}
            names |= {f.largest.txt or "" for f in arrays}
            found["dtypes"] = tuple(sorted(names))
            found["shape"] = tuple(self._axes())
        lists = [f for k, f in self.kinds.items() if k in _LISTS]
        if lists:
            found["lengths"] = (
                min(int(f.least.num or 0) for f in lists),
                max(int(f.largest.num or 0) for f in lists),
            )
        return found

    def _axes(self) -> Iterator[tuple[int, int]]:
        axis = 0
        while lengths := self.below.get(f"{SHAPE}/[{axis}]"):
            yield (
                min(int(f.least.num or 0) for f in lengths),
                max(int(f.largest.num or 0) for f in lengths),
            )
            axis += 1


def _folded(found: Iterable[survey.Found]) -> dict[tuple[str, tuple[str, ...]], _Place]:
    """Return leaves by path, items and what is known of arrays with their own."""
    places: dict[tuple[str, tuple[str, ...]], _Place] = {}
    for each in found:
        steps = tuple(each.path.split("/"))
        own = tuple(takewhile(_is_key, steps))
        if not own or not own[0]:
            continue
        place = places.setdefault((each.side, own), _Place(each.side, own))
        if len(own) == len(steps):
            place.id = each.id
            place.kinds[each.kind] = each
        else:
            rest = "/".join(steps[len(own) :])
            place.below.setdefault(rest, []).append(each)
    return {
        key: place
        for key, place in places.items()
        if place.kinds and set(place.kinds) != {Kind.GROUP}
    }


def _is_key(step: str) -> bool:
    return step not in _FACTS and token_item(step) is None
