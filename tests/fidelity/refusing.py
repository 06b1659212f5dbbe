"""Every kind of value that is refused, and what saving it leaves behind."""

from __future__ import annotations

import gc
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from archivedb import Archive
from archivedb.errors import EncodeError
from tests.fidelity.catalogue import REFUSED
from tests.fidelity.saving import REFUSED as WORD

if TYPE_CHECKING:
    from pathlib import Path

WHERE = "outputs/log/[3]/handle"


def _listing(place: Path) -> list[tuple[str, int, int]]:
    """Return every file below a directory, its size and when it was changed."""
    return sorted(
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for path in place.rglob("*")
    )


def _close(value: Any) -> None:
    for each in value if type(value) is list else [value]:
        close = getattr(each, "close", None) or getattr(each, "aclose", None)
        if close is not None and each is not sys.__stdout__:
            with suppress(Exception):
                close()


def _outcome(archive: Archive, place: Path, value: Any) -> str:
    """Return what comes of saving a value: ``"refused"``, or what is wrong."""
    before = _listing(place)
    try:
        archive.save({"outputs": {"log": [0, 1, 2, {"handle": value}]}}, "al/run-1")
    except EncodeError as error:
        if not str(error).startswith(WHERE):
            return f"wrong: the path is missing in: {error}"
        if _listing(place) != before:
            return "wrong: something was written"
        return WORD
    except Exception as error:  # noqa: BLE001 - each is an answer
        return f"wrong: {type(error).__name__}: {error}"
    return "wrong: it was saved"


def refusals(place: Path, mode: str) -> dict[str, str]:
    """Try to save each of these kinds, and return what came of it by its name."""
    store, own = place / "store", place / "own"
    store.mkdir(parents=True)
    own.mkdir()
    found = {}
    with Archive(store / "runs.db", mode=mode, durability="relaxed") as archive:
        archive.save({"x": 1}, "al/run-1")
        with warnings.catch_warnings():
            # What is refused here is never closed by those who hold it.
            warnings.simplefilter("ignore")
            for number, kind in enumerate(REFUSED):
                below = own / str(number)
                below.mkdir()
                value = kind.make(below)
                found[kind.name] = _outcome(archive, store, value)
                _close(value)
                del value
            gc.collect()
        assert archive.load("al/run-1") == {"x": 1}
        assert len(archive.versions("al/run-1")) == 1
    return found
