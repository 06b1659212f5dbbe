"""Every kind of value saved, and what a fresh process found of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb import Archive
from archivedb.errors import EncodeError
from tests.support import fresh

if TYPE_CHECKING:
    from collections.abc import Container

    from tests.fidelity.kind import Kind

ROOT = Path(__file__).resolve().parents[2]
EXACT = "exact"
REFUSED = "refused"
CHUNK = 20
"""So many kinds share a record where they are nested."""


def nested(kinds: list[Kind]) -> dict[str, Any]:
    """Return values of all these kinds in dicts, lists, tuples and object arrays."""
    array = np.empty((len(kinds), 2), object)
    for number, kind in enumerate(kinds):
        array[number, 1] = kind.make()
    return {
        "in a dict": {"a/b": {number: k.make() for number, k in enumerate(kinds)}},
        "in a list": [[k.make()] for k in kinds],
        "in a tuple": tuple((k.make(), None) for k in kinds),
        "in an object array": array,
    }


def found(places: Any, number: int) -> dict[str, Any]:
    """Return the values that `nested` put into its places."""
    return {
        "in a dict": places["in a dict"]["a/b"][number],
        "in a list": places["in a list"][number][0],
        "in a tuple": places["in a tuple"][number][0],
        "in an object array": places["in an object array"][number, 1],
    }


def chunks(kinds: list[Kind], skipped: Container[str]) -> list[list[Kind]]:
    """Return the kinds that are nested in one record each."""
    some = [kind for kind in kinds if kind.name not in skipped and not kind.large]
    return [some[at : at + CHUNK] for at in range(0, len(some), CHUNK)]


def save(kinds: list[Kind], db: Path, mode: str) -> dict[str, str]:
    """
    Save each kind at the top of a record, and many nested in another.

    Returns:
        By the names of those that could not be saved, why.

    """
    failed = {}
    with Archive(db, mode=mode, durability="relaxed", provenance=False) as archive:
        # Together, since nothing here depends on it, and there are many; those below
        # are saved one by one.
        with archive.batch():
            for number, kind in enumerate(kinds):
                try:
                    archive.save(kind.make(), f"top/{number}")
                except EncodeError as error:
                    failed[kind.name] = f"{REFUSED}: {error}"
        for number, chunk in enumerate(chunks(kinds, failed)):
            archive.save(nested(chunk), f"nested/{number}")
    return failed


def outcomes(kinds: list[Kind], place: Path, mode: str) -> dict[str, str]:
    """Save every kind, load each in a fresh process, and say what came of it."""
    db = place / f"{mode}.db"
    failed = save(kinds, db, mode)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = fresh.run(
        *("-m", "tests.fidelity.loading", db),
        stdin=json.dumps(list(failed)),
        environment=environment,
        directory=place,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    return {kind.name: failed.get(kind.name) or loaded[kind.name] for kind in kinds}
