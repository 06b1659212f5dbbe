"""
A fresh process that loads every kind of value, and compares it with a new one.

Usage: python -m tests.fidelity.loading DB < NAMES_TO_SKIP
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from archivedb import Archive
from tests.fidelity.catalogue import KINDS
from tests.fidelity.saving import EXACT, chunks, found

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fidelity.kind import Kind


def _said(where: str, action: Callable[[], Any]) -> str | None:
    """Return what goes wrong, if something does."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - each is an answer
        return f"{where}: {type(error).__name__}: {error!s:.300}"
    return None


def outcomes(archive: Archive, kinds: list[Kind], skipped: set[str]) -> dict[str, str]:
    """Return what came of each kind: ``"exact"``, or what differs."""
    said: dict[str, list[str | None]] = {kind.name: [] for kind in kinds}

    def compare(kind: Kind, where: str, value: Callable[[], Any]) -> None:
        said[kind.name].append(
            _said(where, lambda: kind.check(kind.make(), value())),
        )

    for number, kind in enumerate(kinds):
        if kind.name not in skipped:
            compare(kind, "at the top", lambda name=f"top/{number}": archive.load(name))
    for number, chunk in enumerate(chunks(kinds, skipped)):
        try:
            places = archive.load(f"nested/{number}")
        except Exception as error:  # noqa: BLE001 - an answer, too
            for kind in chunk:
                said[kind.name].append(f"{kind.name} among others: {error!r:.300}")
            continue
        for place, kind in enumerate(chunk):
            for where, value in found(places, place).items():
                compare(kind, where, lambda value=value: value)
    return {
        name: "; ".join(filter(None, what)) or EXACT
        for name, what in said.items()
        if name not in skipped
    }


def main() -> None:
    """Print what came of every kind, as JSON."""
    skipped = set(json.load(sys.stdin))
    with Archive(sys.argv[1], readonly=True) as archive:
        json.dump(outcomes(archive, KINDS, skipped), sys.stdout)


if __name__ == "__main__":
    main()
