"""
Saving without a catalog: payloads that wait in the store until one is used.

What is saved here has no version yet: whoever opens the archive where its
catalog is used numbers and indexes it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from archivedb.archive.rows import new_record
from archivedb.archive.writing.batching import Batch
from archivedb.archive.writing.planning import known_after, saved
from archivedb.errors import BatchError, SpoolError
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft, frozen
from archivedb.store.directory import INCOMING
from archivedb.store.spool import SpoolDirectory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archivedb.archive.core import Core
    from archivedb.archive.writing.saving import Facts
    from archivedb.formats.envelope import Envelope
    from archivedb.records import Record
    from archivedb.store.spool import Spooled
    from archivedb.values.encode import Encoded


def save(  # noqa: PLR0913, PLR0917 - what a save consists of
    core: Core, encoded: Encoded, name: str, mode: str, said: Facts, on_exists: str
) -> Record:
    """Save a value into the spool, or into this thread's batch for it."""
    require_version(core, name, on_exists)
    batch: SpoolBatch | None = getattr(core.local, "spool", None)
    if batch is not None:
        return batch.save(encoded, name, mode, said, on_exists)
    draft = Draft(saved(None, name, said), encoded)
    (envelope,), (file,) = write(core, [(mode, [draft])])
    return spooled(new_record(envelope.entries[0], file))


def require_version(core: Core, name: str, on_exists: str) -> None:
    """
    Raise unless a save makes a version whatever is there.

    Raises:
        SpoolError: Only the catalog could say whether the record exists.

    """
    if on_exists != "version":
        msg = (
            f"whether {name!r} exists is known only to the catalog, and saves are "
            f"spooled into {core.store.root / INCOMING}: leave on_exists out"
        )
        raise SpoolError(msg)


def spooled(record: Record) -> Record:
    """Return a record as one that waits for its version."""
    return replace(record, version=0)


def write(
    core: Core, parts: Sequence[tuple[str, list[Draft]]]
) -> tuple[list[Envelope], list[str]]:
    """
    Write payloads into the spool; durable when it returns.

    Args:
        core: The archive.
        parts: The mode of each payload, and its changes; they count only together.

    Returns:
        What each says of itself, and its file below the store.

    """
    spool = SpoolDirectory(core.store)
    spool.prepare()
    names = [uuids.uuid7() for _ in parts]
    begun: list[Spooled] = []
    envelopes = []
    try:
        for uuid, (mode, drafts) in zip(names, parts, strict=True):
            form = get_format(mode)
            pending = spool.begin(uuid, form.suffix)
            begun.append(pending)
            batch: dict[str, Any] = {"batch": tuple(names)} if len(names) > 1 else {}
            image = form.build(None, uuid, drafts, str(pending.path), **batch)
            pending.write(image)
            for draft in drafts:
                if draft.value is not None:
                    draft.value.require_unchanged()
            envelopes.append(image.envelope)
        files = [f"{INCOMING}/{pending.publish()}" for pending in begun]
        for pending in begun:
            pending.settle()
    except BaseException:
        for pending in begun:
            pending.discard()
        raise
    return envelopes, files


class SpoolBatch(Batch):
    """
    A batch where there is only a spool: it holds new versions, and nothing else.

    Args:
        core: The archive.

    """

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._saved: list[tuple[str, Draft]] = []
        self._made: list[Record] = []

    def __enter__(self) -> Self:
        """
        Begin to collect what this thread saves.

        Raises:
            BatchError: It has begun before, or another of this thread has.

        """
        if self._state != "not begun":
            msg = f"this batch has {self._state}: begin another with archive.batch()"
            raise BatchError(msg)
        if getattr(self._core.local, "spool", None) is not None:
            msg = "this thread has a batch open already, which goes on until it ends"
            raise BatchError(msg)
        self._core.local.spool = self
        self._state = "begun"
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """
        Spool all of it, or nothing if there was an exception.

        Raises:
            StoreError: The file system refused; nothing was saved.

        """
        self._core.local.spool = None
        self._state = "ended without being written"
        if kind is None and self._saved:
            self._require_own_process()
            parts: dict[str, list[Draft]] = {}
            for mode, draft in self._saved:
                parts.setdefault(mode, []).append(draft)
            write(self._core, list(parts.items()))
        if kind is None:
            self._state = "ended"
        self._saved = []

    def save(
        self, encoded: Encoded, name: str, mode: str, said: Facts, on_exists: str
    ) -> Record:
        """Collect a save; see `Archive.save`."""
        require_version(self._core, name, on_exists)
        value, made = frozen(get_format(mode), encoded)
        draft = Draft(saved(None, name, said), value, made)
        self._saved.append((mode, draft))
        self._made.append(_planned(draft, value, mode))
        return self._made[-1]

    def __len__(self) -> int:
        """Return how many changes it consists of."""
        return len(self._made)

    @property
    def records(self) -> list[Record]:
        """The records that it saves."""
        return list(self._made)


def _planned(draft: Draft, value: Encoded, mode: str) -> Record:
    return spooled(known_after(draft.entry, value, mode).record)
