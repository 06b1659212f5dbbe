"""What another package adds to the modes: payloads that differ only in name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.formats.json import JSONFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archivedb.formats.base import Draft, Image


class NotesFormat(JSONFormat):
    """A format as `archivedb.formats.base.Format` describes it."""

    mode = "notes"
    suffix = ".notes"


class AloneFormat(JSONFormat):
    """A format whose payloads know nothing of each other."""

    mode = "alone"
    suffix = ".alone"

    def build(  # type: ignore[override]
        self, archive: str | None, payload: str, drafts: Sequence[Draft], scratch: str
    ) -> Image:
        """Lay out a payload file."""
        return super().build(archive, payload, drafts, scratch)
