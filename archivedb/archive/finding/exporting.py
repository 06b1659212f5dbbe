"""
Records as plain directories, which `archivedb.load` reads without any archive.

Each is one payload of its own, whatever it shared with others in the archive.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.archive.address import user_path
from archivedb.archive.loading import reader_of
from archivedb.archive.writing.editing import standing_alone
from archivedb.errors import ArchiveError, StoreError
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft
from archivedb.formats.envelope import Entry
from archivedb.store.plain import PlainDirectory
from archivedb.values import json

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from archivedb.archive.core import Core
    from archivedb.catalog.reading import VersionRow


def export(
    core: Core, rows: Iterable[VersionRow], path: str | os.PathLike[str]
) -> list[str]:
    """
    Write versions below a new directory; all of them, or nothing.

    Returns:
        Their directories, in order.

    Raises:
        StoreError: The directory exists, or the file system refused.
        PayloadError: A payload is damaged or gone.

    """
    target = user_path(path)
    if target.exists():
        msg = f"{target} exists; export into a directory that does not"
        raise StoreError(msg)
    if target.is_relative_to(core.store.root):
        msg = f"{target} is a place of the archive's own payloads; choose another"
        raise StoreError(msg)
    missing = [each for each in target.parents if not each.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}.unfinished-", dir=target.parent
        ) as folder:
            unfinished = Path(folder) / "whole"
            unfinished.mkdir()  # nothing may match
            names = [_write(core, row, unfinished) for row in rows]
            unfinished.rename(target)
    except BaseException as error:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        if isinstance(error, ArchiveError) or not isinstance(error, OSError):
            raise
        msg = f"cannot write {target}: {error.strerror}"
        raise StoreError(msg) from error
    return [str(target / name) for name in names]


def _write(core: Core, row: VersionRow, root: Path) -> str:
    with reader_of(core, row) as reader:
        value = standing_alone(core, row, reader)
    directory = PlainDirectory(root / row.name)
    directory.root.mkdir(parents=True, exist_ok=True)
    form, uuid = get_format(row.mode), uuids.uuid7()
    entry = Entry(
        kind="save",
        record=row.uuid,
        name=row.name,
        position=1,
        time=row.saved_at,
        version=1,
        metadata=json.loads(row.metadata, "catalog's metadata"),
        tags=tuple(json.loads(row.tags, "catalog's tags")),
        provenance=json.loads(row.provenance, "catalog's provenance"),
    )
    pending = directory.begin(uuid, form.suffix)
    try:
        pending.write(form.build(None, uuid, [Draft(entry, value)], str(pending.path)))
        pending.publish()
    except BaseException:
        pending.discard()
        raise
    pending.settle()
    return row.name
