"""A directory that holds one payload, without any catalog."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from archivedb.store import naming
from archivedb.store.directory import PayloadStore
from archivedb.store.files import typed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class PlainDirectory(PayloadStore):
    """
    A directory that holds one payload, the newest, and no catalog.

    Older ones are removed once the newest is durable; where a crash left some
    behind, the newest counts.
    """

    def temporary(self, uuid: str, suffix: str) -> Path:
        """Return where a payload is written."""
        return self.root / f".{uuid}{suffix}"

    def _temporaries(self) -> Iterator[tuple[Path, os.stat_result]]:
        with typed("list", self.root):
            for path in self.root.glob(".*-7*"):
                # What looks like ours once its dot is gone and a digest is added.
                uuid, suffix = path.stem.removeprefix("."), path.suffix
                if naming.parse(f"{uuid}-{'0' * naming.DIGITS}{suffix}") is not None:
                    with suppress(FileNotFoundError):
                        yield path, path.lstat()

    def place(self, name: naming.FileName) -> str:
        """Return where a payload lies for good, below the root."""
        return str(name)

    def resolve(self, file: str) -> Path:
        """Return where a payload lies."""
        return self.root / file

    def files(self) -> Iterator[str]:
        """Yield the payloads in the directory, oldest first."""
        with typed("list", self.root):
            try:
                names = sorted(os.listdir(self.root))
            except (FileNotFoundError, NotADirectoryError):
                return
        for name in names:
            if naming.parse(name) is not None:
                yield name

    def newest(self) -> str | None:
        """Return the payload that counts, or None if there is none."""
        found = list(self.files())
        return found[-1] if found else None
