"""Which batch is open: what a thread changes meanwhile is collected in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.errors import BatchError

if TYPE_CHECKING:
    from archivedb.archive.core import Core
    from archivedb.archive.writing.batching import Batch


def current(core: Core) -> Batch | None:
    """Return the batch that this thread has open on an archive, or None."""
    found: Batch | None = getattr(core.local, "batch", None)
    return found


def set_current(core: Core, batch: Batch | None) -> None:
    """Say which batch this thread has open on an archive."""
    core.local.batch = batch


def refuse_in_batch(core: Core, what: str) -> None:
    """
    Raise if this thread has a batch open: what it does would not be part of it.

    Raises:
        BatchError: It has one.

    """
    if current(core) is not None:
        msg = f"a batch does not {what}: do it when the batch has ended"
        raise BatchError(msg)
