"""Findings in words: what is wrong, and which command to run next."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from archivedb.records import Finding

if TYPE_CHECKING:
    from archivedb.archive.deriving import Misindexed
    from archivedb.archive.inspection import Inspection

SHOWN = 5
"""Differences of one record that are told one by one."""

_RESTORE = "run `archivedb repair --from PATH`"
_ADVICE = {
    "missing": f"{_RESTORE}, an export or another archive",
    "truncated": _RESTORE,
    "corrupt": _RESTORE,
    "undecodable": "update archivedb, or install the package that it names",
    "misindexed": "run `archivedb reindex`: the payloads are what counts",
    "unindexed": "run `archivedb reindex`: it counts, and nothing is lost",
    "orphaned": "this archive does not need it; `archivedb gc` lists what can go",
}
_HURT = frozenset({"missing", "truncated"})
_UNKNOWN = {
    "counts": ("unindexed", None),
    "incomplete": ("unindexed", None),
    "unsupported": ("unindexed", None),
    "superseded": ("orphaned", None),
    "foreign": ("orphaned", "`archivedb ingest` takes it in, with its history"),
    "parted": ("orphaned", "`archivedb ingest` takes in what it holds, as new"),
    "unreadable": ("orphaned", f"no record is known to need it; {_RESTORE}"),
    "stranger": ("orphaned", "move it away: archivedb neither reads nor removes it"),
}
"""What to call a file that the catalog does not know, and what to do with it."""


def finding(
    kind: str,
    detail: str,
    *,
    file: str | None = None,
    record: tuple[str | None, int | None] = (None, None),
    path: str | None = None,
) -> Finding:
    """Return a finding with its advice."""
    name, version = record
    return Finding(kind, name, version, path, file, detail, _ADVICE[kind])


def _salvageable(found: Finding) -> Finding:
    """Return a finding about a record of which the rest is sound."""
    assert found.record is not None  # noqa: S101 - it is about one
    rest = f"or `archivedb salvage {shlex.quote(found.record)} DIR`"
    return replace(found, advice=f"{found.advice}, {rest}")


def of_file(inspection: Inspection, kind: str, file: str, detail: str) -> list[Finding]:
    """Return a finding for each version that a file holds, or one without."""
    found = []
    for name, version, own in inspection.versions_in(file):
        hurts = []
        if kind == "corrupt":
            hurts = inspection.damage(file, name, version)
            if not (hurts or own):
                continue  # what it shares with the file is sound
        record = name, version
        for hurt in hurts:
            rest = "; all else of it loads" if hurt.path is not None else ""
            # Path and file are said beside it.
            text = _without_advice(hurt.detail).rpartition(" is damaged: ")[2] + rest
            each = finding("corrupt", text, file=file, record=record, path=hurt.path)
            found.append(_salvageable(each) if rest else each)
        if not hurts:
            spared = "; its skeleton and arrays are sound" if kind == "corrupt" else ""
            each = finding(kind, detail + spared, file=file, record=record)
            # If the file is not its own, its skeleton is in another.
            left = spared or (kind in _HURT and not own)
            found.append(_salvageable(each) if left else each)
    return found or [finding(kind, detail, file=file)]


def _without_advice(text: str) -> str:
    return text.partition("; run `archivedb verify`")[0].partition("; restore it")[0]


def unknown(file: str, verdict: str, why: str) -> Finding | None:
    """Return the finding for a file that the catalog does not know, if it is one."""
    if verdict not in _UNKNOWN:
        return None  # another payload needs it
    kind, advice = _UNKNOWN[verdict]
    return Finding(kind, None, None, None, file, why, advice or _ADVICE[kind])


def undecodable(inspection: Inspection, file: str) -> list[Finding]:
    """Return a finding for each version in a sound file that cannot be decoded."""
    return [
        _salvageable(
            finding(
                hurt.kind,
                _without_advice(hurt.detail),
                file=file,
                record=(name, version),
                path=hurt.path,
            )
        )
        for name, version, hurt in inspection.undecodable(file)
    ]


def misindexed(record: Misindexed) -> list[Finding]:
    """Return findings for what the catalog says wrongly of a record."""
    found = []
    more = len(record.differences) - SHOWN
    for number, each in enumerate(record.differences[:SHOWN], 1):
        text = each.text
        if number == SHOWN and more > 0:
            text += f"; and {more:,} more differences"
        where = record.name, each.version
        found.append(finding("misindexed", text, record=where, path=each.path))
    return found
