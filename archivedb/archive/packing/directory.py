"""
Records as plain directories, which `archivedb.load` reads without any archive.

Each is one payload of its own, whatever it shared with others in the archive.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from archivedb.archive.address import user_path
from archivedb.archive.loading import reader_of
from archivedb.archive.packing import payloads
from archivedb.archive.writing.editing import standing_alone
from archivedb.errors import ArchiveError, StoreError
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft
from archivedb.records import Exported
from archivedb.store.plain import PlainDirectory

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from archivedb.archive.core import Core
    from archivedb.catalog.reading import VersionRow
    from archivedb.records import Stubbed


def export(
    core: Core,
    rows: Sequence[VersionRow],
    path: str | os.PathLike[str],
    *,
    provenance: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """
    Write versions below a new directory; all of them, or nothing.

    Args:
        core: The open archive.
        rows: The versions, of one name each.
        path: The directory.
        provenance: Whether it says on which machine they were made, and by whom.
        progress: Called with the records done, and how many there are.

    Raises:
        StoreError: The directory exists, or the file system refused.
        PayloadError: A payload is damaged or gone.

    """
    target = user_path(path)
    require_free(core, target, "export into a directory that does not")
    names: list[str] = []
    stubs: list[Stubbed] = []
    size = 0
    with unfinished(target) as folder:
        whole = folder / "whole"
        whole.mkdir()  # nothing may match
        for number, row in enumerate(rows, 1):
            wrote, found = _write(core, row, whole, provenance)
            names.append(row.name)
            stubs += found
            size += wrote
            if progress is not None:
                progress(number, len(rows))
        whole.rename(target)
    paths = (str(target / name) for name in names)
    return Exported(paths, tuple(names), size, tuple(stubs))


def require_free(core: Core, target: Path, instead: str) -> None:
    """
    Raise unless something can be written at a path.

    Raises:
        StoreError: Something is there, or it is inside of the store.

    """
    if target.exists():
        msg = f"{target} exists; {instead}"
        raise StoreError(msg)
    if target.is_relative_to(core.store.root):
        msg = f"{target} is a place of the archive's own payloads; choose another"
        raise StoreError(msg)


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """
    Yield a directory beside a path, to write there what is then renamed.

    Whatever fails, nothing is left, nor of the directories above; of who is
    killed, only this one: ``.<name>.unfinished-…``.
    """
    missing = [each for each in target.parents if not each.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name[:100]}.unfinished-", dir=target.parent
        ) as folder:
            yield Path(folder)
    except BaseException as error:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        if isinstance(error, ArchiveError) or not isinstance(error, OSError):
            raise
        msg = f"cannot write {target}: {error.strerror}"
        raise StoreError(msg) from error


def _write(
    core: Core,
    row: VersionRow,
    root: Path,
    provenance: bool,  # noqa: FBT001 - an option of the export
) -> tuple[int, Iterable[Stubbed]]:
    with reader_of(core, row) as reader:
        stubs = payloads.stubs(row.name, reader.skeleton)
        value = standing_alone(core, row, reader)
    directory = PlainDirectory(root / row.name)
    directory.root.mkdir(parents=True, exist_ok=True)
    if directory.newest() is not None:
        # No two records have one name, but to a file system "A" may be "a".
        msg = (
            f"{row.name!r} would take the place of another record: to this file "
            "system their names are the same; export into a .zip, or elsewhere"
        )
        raise StoreError(msg)
    form, uuid = get_format(row.mode), uuids.uuid7()
    draft = Draft(payloads.entry_of(row, provenance=provenance), value)
    pending = directory.begin(uuid, form.suffix)
    try:
        image = form.build(None, uuid, [draft], str(pending.path))
        pending.write(image)
        pending.publish()
    except BaseException:
        pending.discard()
        raise
    pending.settle()
    return image.size, stubs
