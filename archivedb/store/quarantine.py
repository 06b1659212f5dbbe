"""
The quarantine: damaged payload files, kept aside with the reason.

``quarantine/<file name>`` and ``quarantine/<file name>.reason.json``.  Nothing
that lies there counts, and nothing of it is ever removed but by people.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

from archivedb.store.directory import QUARANTINE
from archivedb.store.files import sync_directory, typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from archivedb.store.directory import PayloadStore

REASON = ".reason.json"


def keep(store: PayloadStore, file: str, reason: Mapping[str, Any]) -> str | None:
    """
    Give what lies at a payload's place a name in the quarantine, durably.

    A regular file keeps its old name, too, until what replaces it takes it: so
    a load meets the damage, which it names, and never a gap.

    Args:
        store: The store.
        file: The payload's name.
        reason: What the reason file says.

    Returns:
        Where it lies now, below the store; None if nothing lies there.

    Raises:
        StoreError: The file system refused.

    """
    path = store.resolve(file)
    with typed("quarantine", path):
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        folder = _folder(store)
        kept = _free_name(folder, path.name, status)
        _write_reason(store, kept, reason)
        if not _is_there(kept):
            if stat.S_ISREG(status.st_mode):
                os.link(path, kept, follow_symlinks=False)
            else:
                path.rename(kept)
        if store.durable:
            sync_directory(folder)
    return f"{QUARANTINE}/{kept.name}"


def retire(store: PayloadStore, file: str, reason: Mapping[str, Any]) -> str | None:
    """Move a payload into the quarantine: nothing takes its place."""
    kept = keep(store, file, reason)
    store.remove(file)
    return kept


def forget(store: PayloadStore, kept: str) -> None:
    """Remove a file and its reason from the quarantine."""
    path = store.root / kept
    with typed("remove", path):
        path.unlink(missing_ok=True)
        path.with_name(path.name + REASON).unlink(missing_ok=True)


def reasons(store: PayloadStore) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what lies in the quarantine, each with what its reason file says."""
    folder = store.root / QUARANTINE
    if folder.is_symlink() or not folder.is_dir():
        return
    for name in sorted(os.listdir(folder)):
        if not name.endswith(REASON):
            continue
        try:
            reason = json.loads((folder / name).read_text())
        except (OSError, ValueError):
            reason = None
        found = reason if isinstance(reason, dict) else {}
        yield f"{QUARANTINE}/{name.removesuffix(REASON)}", found


def holds(store: PayloadStore, uuid: str) -> bool:
    """Return whether a payload of this uuid lies in the quarantine."""
    folder = store.root / QUARANTINE
    if folder.is_symlink() or not folder.is_dir():
        return False
    return any(name.startswith(uuid) for name in os.listdir(folder))


def _folder(store: PayloadStore) -> Path:
    folder = store.own(QUARANTINE)
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        if store.durable:
            sync_directory(store.root)
    return folder


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _free_name(folder: Path, name: str, status: os.stat_result) -> Path:
    """Return a name that is free, or that this very file has already."""
    kept, number = folder / name, 1
    while _is_there(kept):
        if os.path.samestat(kept.lstat(), status):
            return kept
        number += 1
        kept = folder / f"{name}.{number}"
    return kept


def _write_reason(store: PayloadStore, kept: Path, reason: Mapping[str, Any]) -> None:
    path = kept.with_name(kept.name + REASON)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps(reason, indent=2, ensure_ascii=True) + "\n"
    with unfinished.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        if store.durable:
            os.fsync(file.fileno())
    unfinished.replace(path)
