"""Names inside of a zip, which every file system takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata

LONGEST = 80
"""Characters of a part of a name; file systems count up to 255 bytes."""
DEEPEST = 8
"""Directories of a name; a path of more than 260 characters is no path for some."""

_FORBIDDEN = re.compile(r"[<>:\"|?*\\%$~\x00-\x1f\x7f]")
# In `%` the standard for bags and its library differ, and `$` and `~` are taken
# for variables and homes by the latter.
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE
)


def spelt_alike(name: str) -> str:
    """Return what names have in common that some file system takes for one."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", folded)


def portable(text: str) -> str:
    """
    Return a part of a name as every file system takes it.

    >>> portable("run-1"), portable("a:b"), portable("nul.txt"), portable("..")
    ('run-1', 'a_b', 'nul_.txt', '_')
    """
    kept = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text))[:LONGEST]
    kept = kept.rstrip(". ") or "_"
    if _RESERVED.fullmatch(kept):
        stem, dot, rest = kept.partition(".")
        return f"{stem}_{dot}{rest}"
    return kept


class Directories:
    """Gives each record a directory of its own, named like it where that can be."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, name: str) -> str:
        """Return the directory of a record."""
        parts = name.split("/")
        if len(parts) > DEEPEST:
            parts = [*parts[: DEEPEST - 1], parts[-1]]
        kept = "/".join(map(portable, parts))
        if kept != name or spelt_alike(kept) in self._taken:
            kept = f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        self._taken.add(spelt_alike(kept))
        return kept
