"""
A zip that is a bag: every byte in it is proven by a list of digests.

https://www.rfc-editor.org/rfc/rfc8493 (BagIt 1.0).  Members are written once,
in order, and never held in memory.
"""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING, Any

from archivedb.archive.packing.names import portable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ALGORITHM = "sha256"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
PAYLOAD = "data/"

Moment = tuple[int, int, int, int, int, int]
"""Year, month, day, hour, minute and second, as zips have them."""

OLDEST: Moment = (1980, 1, 1, 0, 0, 0)
NEWEST: Moment = (2107, 12, 31, 23, 59, 58)


class BagWriter:
    """
    A bag being written.

    Args:
        path: The zip; made, and not synced.
        name: The directory in it that holds all, as the standard wants it.
        moment: When its members were made, where nothing else is said.

    """

    def __init__(self, path: Path, name: str, moment: Moment) -> None:
        self.root = portable(name)
        self._moment = moment
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)
        self._manifests: dict[str, list[tuple[str, str]]] = {PAYLOAD: [], "": []}
        self._bytes = 0

    def add(
        self,
        name: str,
        size: int,
        pieces: Iterable[Any],
        *,
        moment: Moment | None = None,
        deflate: bool = False,
    ) -> str:
        """
        Add a member and return its SHA-256 in hex.

        Args:
            name: Its name below the bag's directory.
            size: Its bytes.
            pieces: The bytes.
            moment: When it was made.
            deflate: Whether it is compressed: what is text should be.

        """
        when = min(max(moment or self._moment, OLDEST), NEWEST)
        info = zipfile.ZipInfo(f"{self.root}/{name}", when)
        info.file_size = size  # so that zipfile knows whether it needs zip64
        info.compress_type = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
        info.external_attr = 0o100644 << 16
        hashed = hashlib.sha256()
        with self._zip.open(info, "w") as member:
            for piece in pieces:
                member.write(piece)
                hashed.update(piece)
        place = PAYLOAD if name.startswith(PAYLOAD) else ""
        self._manifests[place].append((hashed.hexdigest(), name))
        if place:
            self._bytes += size
        return hashed.hexdigest()

    def text(self, name: str, text: bytes) -> str:
        """Add a text, compressed, and return its SHA-256 in hex."""
        return self.add(name, len(text), [text], deflate=True)

    def finish(self, info: Iterable[tuple[str, str]]) -> None:
        """
        Write what makes it a bag, and close it.

        Args:
            info: Labels and texts for ``bag-info.txt``.

        """
        count = len(self._manifests[PAYLOAD])
        facts = [*info, ("Payload-Oxum", f"{self._bytes}.{count}")]
        self.text("bagit.txt", DECLARATION)
        self.text("bag-info.txt", "".join(map(_info_line, facts)).encode())
        self.text(f"manifest-{ALGORITHM}.txt", _manifest(self._manifests[PAYLOAD]))
        # The last says nothing of itself.
        self.text(f"tagmanifest-{ALGORITHM}.txt", _manifest(self._manifests[""]))
        self._zip.close()

    def abandon(self) -> None:
        """Close what will be removed."""
        file, self._zip.fp = self._zip.fp, None
        if file is not None:  # else it is whole
            file.close()


def _info_line(fact: tuple[str, str]) -> str:
    label, text = fact
    return f"{label}: {' '.join(text.split())}\n"


def _manifest(lines: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{hashed}  {name}\n" for hashed, name in lines).encode()
