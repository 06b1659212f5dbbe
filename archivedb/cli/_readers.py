"""Files that `save` reads: JSON, any HDF5, pickles."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, BinaryIO, Literal

import typer

from archivedb.errors import ArchiveError

Kind = Literal["json", "hdf5", "pickle"]

SUFFIXES: dict[str, Kind] = {
    ".json": "json",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".pkl": "pickle",
    ".pickle": "pickle",
}


def read(file: str, kind: Kind | None, *, allow_pickle: bool) -> dict[Any, Any]:
    """
    Return the dict that a file holds.

    Args:
        file: Its path; ``-`` is standard input, and JSON unless *kind* says else.
        kind: What it holds, if its suffix does not say.
        allow_pickle: Whether a pickle may run its code.

    Raises:
        ArchiveError: It holds something else, or nothing that can be read.
        OSError: It cannot be read.

    """
    kind = kind or _kind(file)
    if kind == "pickle" and not allow_pickle:
        raise ArchiveError(
            f"reading a pickle runs whatever code is in it; if you trust {file}, "
            "say so with --allow-pickle"
        )
    if file == "-":
        data = _READERS[kind](sys.stdin.buffer, "standard input")
    else:
        with open(file, "rb") as stream:  # noqa: PTH123 - typed as it was given
            data = _READERS[kind](stream, file)
    if not isinstance(data, dict):
        raise ArchiveError(
            f"{file} holds a {type(data).__name__}, and a record is a dict; "
            'wrap it, like {"data": …}'
        )
    return data


def _kind(file: str) -> Kind:
    if file == "-":
        return "json"
    suffix = PurePath(file).suffix.lower()
    if suffix not in SUFFIXES:
        raise typer.BadParameter(
            f"{file!r} ends in none of {', '.join(SUFFIXES)}; say what it holds "
            "with --from",
            param_hint="'FILE'",
        )
    return SUFFIXES[suffix]


def _read_json(stream: BinaryIO, name: str) -> Any:
    # Integers of any length are data here, and not an attack on a server.
    digits, depth = sys.get_int_max_str_digits(), sys.getrecursionlimit()
    sys.set_int_max_str_digits(0)
    sys.setrecursionlimit(max(depth, MAX_DEPTH))
    try:
        return json.loads(stream.read(), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{name} is not JSON: it is not Unicode text") from error
    except _TwiceError as error:
        raise ArchiveError(
            f"{name} has an object with the key {error.key!r} twice, and a dict "
            "holds one of them"
        ) from error
    except json.JSONDecodeError as error:
        raise ArchiveError(f"{name} is not JSON: {error}") from error
    except RecursionError as error:
        raise ArchiveError(f"{name} is nested too deeply to be read") from error
    finally:
        sys.set_int_max_str_digits(digits)
        sys.setrecursionlimit(depth)


MAX_DEPTH = 6000
"""Levels of JSON; each takes a little of the C stack."""


class _TwiceError(Exception):
    """A JSON object has a key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the dict of an object, of which nothing was lost."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return made


def _read_hdf5(stream: BinaryIO, name: str) -> Any:
    from archivedb.cli._hdf5 import read_hdf5

    return read_hdf5(stream, name)


def _read_pickle(stream: BinaryIO, name: str) -> Any:
    import pickle

    try:
        return pickle.load(stream)  # noqa: S301 - asked for with --allow-pickle
    except Exception as error:
        raise ArchiveError(
            f"{name} cannot be unpickled: {type(error).__name__}: {error}"
        ) from error


_READERS: dict[Kind, Callable[[BinaryIO, str], Any]] = {
    "json": _read_json,
    "hdf5": _read_hdf5,
    "pickle": _read_pickle,
}
