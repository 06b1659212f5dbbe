"""What a name on the command line leads to: a record, or a path inside one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archivedb.errors import (
    ArchiveError,
    InvalidNameError,
    KeyNotFoundError,
    RecordNotFoundError,
    UntrustedPayloadError,
)

if TYPE_CHECKING:
    from archivedb import Archive
    from archivedb.records import Record


def is_record(archive: Archive, name: str) -> bool:
    """Return whether a name is a record's, and not a folder's or a path."""
    try:
        archive.record(name)
    except (RecordNotFoundError, InvalidNameError):
        return False
    return True


def listing(
    archive: Archive, folder: str
) -> tuple[list[tuple[str, int]], list[Record]]:
    """
    Return the subfolders of a folder, with their counts, and its records.

    All by their whole names: what is printed pastes back.
    """
    folders, records = archive.listing(folder)
    above = f"{folder}/" if folder else ""
    return [(f"{above}{name}", count) for name, count in folders], records


def split(archive: Archive, path: str) -> tuple[str, str] | None:
    """Return the record that a path leads into, and the path inside it."""
    steps = path.split("/")
    for count in range(1, len(steps) + 1):
        name = "/".join(steps[:count])
        if is_record(archive, name):
            return name, "/".join(steps[count:])
    return None


def load(
    archive: Archive, path: str, version: int | None, objects: str = "restore"
) -> Any:
    """
    Return the value of a record, or of what stands at a path inside one.

    Args:
        archive: The archive.
        path: The record's name, and a path inside it.
        version: Which version; the newest if None.
        objects: As for `Archive.load`.

    Raises:
        ArchiveError: The path leads nowhere, or to a folder.

    """
    try:
        return _load(archive, path, version, objects)
    except UntrustedPayloadError as error:
        raise UntrustedPayloadError(
            f"{error}; here, `archivedb tree` shows what is in it, and --trust "
            "trusts it"
        ) from error


def _load(archive: Archive, path: str, version: int | None, objects: str) -> Any:
    found = split(archive, path)
    if found is None:
        archive.listing(path)  # an error if there is no such folder
        raise ArchiveError(f"{path!r} is a folder; see `archivedb ls {path}`")
    name, inside = found
    if not inside:
        return archive.load(name, version=version, objects=objects)
    if version is not None or objects == "stub":
        value = archive.load(name, version=version, objects=objects)
        return _step_into(value, name, inside)
    from archivedb import Group

    value = archive[path]
    # A dict inside a record is a group, which reads when it is told to.
    return value.load() if isinstance(value, Group) else value


def _step_into(value: Any, name: str, inside: str) -> Any:
    """Return what stands at a path inside a value that was loaded whole."""
    for token in inside.split("/"):
        below = [item for step, item in _children(value) if token == step]
        if not below:
            raise KeyNotFoundError(
                f"there is no {inside!r} in {name!r}; see `archivedb tree {name}`"
            )
        value = below[0]
    return value


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a value, each with its step in a path."""
    from archivedb import Stub
    from archivedb.values import paths
    from archivedb.values.skeleton import key_step

    value = value.state if isinstance(value, Stub) else value
    if isinstance(value, dict):
        for key, item in value.items():
            yield key_step(key), item
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield paths.item_token(index), item
