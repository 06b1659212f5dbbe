"""
Changes ⇄ one payload file, one module a mode, all of the same shape.

`docs/format.md` describes the files for those who read them without archivedb.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.errors import ModeError
from archivedb.plugins import PluginTable

if TYPE_CHECKING:
    from archivedb.formats.base import Format

_FORMATS: PluginTable[Format] = PluginTable(
    "archivedb.formats",
    {
        "hdf5": "archivedb.formats.hdf5:HDF5Format",
        "json": "archivedb.formats.json:JSONFormat",
        "cloudpickle": "archivedb.formats.pickle:PickleFormat",
    },
)
_SUFFIXES = {".h5": "hdf5", ".json": "json", ".zip": "cloudpickle"}


def require_mode(mode: object) -> None:
    """
    Raise unless there is such a mode; imports nothing of it.

    Raises:
        ModeError: There is none.

    """
    if not isinstance(mode, str) or mode not in _FORMATS:
        modes = ", ".join(_FORMATS.names())
        msg = f"there is no mode {mode!r}; the modes are {modes}"
        raise ModeError(msg)


def get_format(mode: str) -> Format:
    """
    Return the format of a mode.

    Raises:
        ModeError: There is no such mode.

    """
    try:
        return _FORMATS.get(mode)
    except (KeyError, TypeError):
        require_mode(mode)
        raise


def suffix_mode(suffix: str) -> str | None:
    """Return the mode whose payload files end like this, or None."""
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    for mode in _FORMATS.names():
        if _FORMATS.get(mode).suffix == suffix:
            return mode
    return None
