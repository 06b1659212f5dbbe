"""Files that `load -o` writes: whole, or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from archivedb.cli import _json


def check_suffix(file: str) -> None:
    """
    Refuse, before anything is read, a file that nothing can be written to.

    Raises:
        BadParameter: Its suffix names no format.

    """
    if Path(file).suffix.lower() not in _WRITERS:
        raise typer.BadParameter(
            f"{file!r} ends in none of {', '.join(_WRITERS)}", param_hint="'--output'"
        )


def write(file: str, value: Any) -> None:
    """
    Write a value to a file, which is replaced at once if it is there.

    Raises:
        ArchiveError: The format cannot represent it; the file is as before.

    """
    path = Path(file)
    with _replacing(path) as temporary:
        _WRITERS[path.suffix.lower()](temporary, value)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is None or Path(error.filename) != temporary:
            raise
        # The user named the file, and has never heard of the temporary one.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_json(path: Path, value: Any) -> None:
    with path.open("x", encoding="utf-8") as stream:
        stream.writelines(_json.chunks(value))
        stream.write("\n")


def _write_hdf5(path: Path, value: Any) -> None:
    from archivedb.cli._hdf5 import write_hdf5

    # A path may lead to one array, and a file has a root group.
    write_hdf5(path, value if isinstance(value, dict) else {"data": value})


def _write_pickle(path: Path, value: Any) -> None:
    from archivedb.values import pickled

    path.write_bytes(pickled.dumps(value))


_WRITERS: dict[str, Callable[[Path, Any], None]] = {
    ".json": _write_json,
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".pkl": _write_pickle,
    ".pickle": _write_pickle,
}
