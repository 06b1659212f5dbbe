"""What is still sound of a damaged record, written where `load` reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.archive.address import user_path
from archivedb.archive.core import now
from archivedb.archive.loading import find_row, reader_of, untrusted
from archivedb.archive.writing.editing import held
from archivedb.errors import (
    ArchiveError,
    ArchiveExistsError,
    KeyNotFoundError,
    NotAGroupError,
)
from archivedb.formats import get_format, uuids
from archivedb.formats.base import Draft
from archivedb.formats.envelope import Entry
from archivedb.outcomes import Salvage
from archivedb.store.files import make_directory, typed
from archivedb.store.plain import PlainDirectory
from archivedb.values import digest, paths
from archivedb.values.arrays import stored_again
from archivedb.values.editing import Assign, Edited, Remove, apply
from archivedb.values.encode import NO_VALUE, Encoded, encode
from archivedb.values.executable import class_names
from archivedb.values.leaves import array_paths, whole_path
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from archivedb.archive.core import Core
    from archivedb.archive.writing.editing import Held
    from archivedb.catalog.reading import VersionRow
    from archivedb.formats.base import Reader
    from archivedb.records import Record
    from archivedb.values.skeleton import Tree


def salvage(
    core: Core, name: str | Record, directory: str | os.PathLike[str]
) -> Salvage:
    """Write what is sound of a record into a directory; see `Archive.salvage`."""
    core.require_existing()
    root = user_path(directory)
    row = find_row(core, name, None)
    with reader_of(core, row) as reader:
        edited, lost = _sound(reader, row)
        runs = edited.executable and class_names(reader.skeleton)
        if runs and not core.trusts(row.content):
            # Whoever writes them signs them.
            raise untrusted(row.content, reader.skeleton, row.name)
        value, arrays = _encoded(edited, reader)
    _require_empty(root)
    _write(row, value, root)
    return Salvage(row.name, row.version, str(root), tuple(lost), arrays)


def _sound(reader: Reader, row: VersionRow) -> tuple[Edited, list[str]]:
    """Return the value without what is damaged, and at which paths that was."""
    edited = apply(reader.skeleton, held(reader, row), [])
    damaged: dict[int, bool] = {}
    lost: list[str] = []
    while True:
        source = Skeleton(edited.skeleton)
        path = _first_damaged(source, edited, reader, damaged)
        if path is None:
            return edited, lost
        # What else refers to it takes its place, and is met in turn.
        edited, gone = _without(source, edited, path)
        lost.append(gone)


def _first_damaged(
    source: Skeleton, edited: Edited, reader: Reader, damaged: dict[int, bool]
) -> str | None:
    for path, node in array_paths(source):
        array: Held | Any = edited.arrays[node["$array"]]
        number = getattr(array, "number", None)
        if number is None:
            continue
        if number not in damaged:
            damaged[number] = _is_damaged(reader, number, node)
        if damaged[number]:
            return whole_path(path) or path
    return None


def _is_damaged(reader: Reader, number: int, node: Tree) -> bool:
    try:
        reader.fetch(number, node)
    except ArchiveError:
        return True
    return False


def _without(source: Skeleton, edited: Edited, path: str) -> tuple[Edited, str]:
    """Remove what is at a path, or the object or tuple that it is a part of."""
    steps = tuple(paths.parts(path))
    while steps:
        try:
            return apply(source, edited.arrays, [Remove(steps)]), paths.join(steps)
        except (NotAGroupError, KeyNotFoundError):
            try:
                nothing = Assign(steps, encode(None, at=steps))
                return apply(source, edited.arrays, [nothing]), paths.join(steps)
            except (NotAGroupError, KeyNotFoundError):
                steps = steps[:-1]
    return apply(source, edited.arrays, [Assign((), encode({}))]), ""


def _encoded(edited: Edited, reader: Reader) -> tuple[Encoded, int]:
    """Return a value as formats take it, and how many arrays it has."""
    nodes = {
        node["$array"]: (path, node)
        for path, node in array_paths(Skeleton(edited.skeleton))
    }
    arrays = []
    for number, array in enumerate(edited.arrays):
        path, node = nodes[number]
        arrays.append(stored_again(path, node, reader.fetch(array.number, node)))
    text = edited.skeleton
    value = Encoded(
        NO_VALUE, text, digest.digest(text), tuple(arrays), edited.executable
    )
    return value, len(arrays)


def _require_empty(root: Path) -> None:
    with typed("look into", root):
        used = root.exists() and (not root.is_dir() or any(root.iterdir()))
    if used:
        msg = f"{root} is there already; name a directory that is new, or empty"
        raise ArchiveExistsError(msg)


def _write(row: VersionRow, value: Encoded, root: Path) -> None:
    make_directory(root)
    directory, form, uuid = PlainDirectory(root), get_format(row.mode), uuids.uuid7()
    entry = Entry("save", uuids.uuid7(), row.name, 1, now(), 1)
    pending = directory.begin(uuid, form.suffix)
    try:
        image = form.build(None, uuid, [Draft(entry, value)], str(pending.path))
        pending.write(image)
        pending.publish()
    except BaseException:
        pending.discard()
        raise
    pending.settle()
