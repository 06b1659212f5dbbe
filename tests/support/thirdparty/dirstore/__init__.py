"""
What another package adds to archivedb: a storage, an adapter, and modes.

It is as small as such a package can be: `DirStore` knows single keys and plain
values, and users of it store whatever they like.  ``dirstore-1.0.dist-info``
stands for its installation, so the folder of both need only be on `sys.path`.
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.storage.generic import GenericStorage
from archivedb.values.adapters.base import Adapter

if TYPE_CHECKING:
    from os import PathLike

INDEX = "keys.json"


class DirStore(GenericStorage):
    """
    A directory for each group, with a file for each value and a list of keys.

    Args:
        path: The directory; made if it is not there.
        name: What the group is called.

    """

    copies_arrays = True

    def __init__(self, path: str | PathLike[str], name: str | None = None) -> None:
        self._path = Path(path)
        self._name = name
        self._path.mkdir(parents=True, exist_ok=True)

    @property
    def name(self) -> str:
        """The key of the group, or the directory's name."""
        return self._path.name if self._name is None else self._name

    def __getitem__(self, key: str) -> Any:
        """Return a value, or the storage of a group."""
        path = self._path / self._index()[key]
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if path.suffix == ".json":
            return _read(path.read_text())
        return DirStore(path, key)

    def _set(self, key: str, value: Any) -> None:
        index = self._index()
        stem = Path(index[key]).stem if key in index else _unused(index)
        array = isinstance(value, np.ndarray)
        file = f"{stem}{'.npy' if array else '.json'}"
        if array:
            np.save(self._path / file, value, allow_pickle=False)
        else:
            (self._path / file).write_text(_written(value))
        before, index[key] = index.get(key, file), file
        self._write(index)
        if before != file:
            (self._path / before).unlink()

    def __delitem__(self, key: str) -> None:
        """Remove a value or a group."""
        index = self._index()
        path = self._path / index.pop(key)
        self._write(index)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    def create_group(self, key: str) -> GenericStorage:
        """Make an empty group."""
        index = self._index()
        index[key] = _unused(index)
        made = DirStore(self._path / index[key], key)
        self._write(index)
        return made

    def _keys(self) -> list[str]:
        return list(self._index())

    def _index(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads((self._path / INDEX).read_text())
        except FileNotFoundError:
            return {}
        return found

    def _write(self, index: dict[str, str]) -> None:
        temporary = self._path / "keys.new"
        temporary.write_text(json.dumps(index))
        temporary.replace(self._path / INDEX)


def _unused(index: dict[str, str]) -> str:
    """Return a name that no file has: keys are longer than file names can be."""
    return str(1 + max((int(Path(file).stem) for file in index.values()), default=0))


def _written(value: Any) -> str:
    if isinstance(value, bytes):
        return json.dumps({"bytes": base64.b64encode(value).decode()})
    return json.dumps({"value": value})


def _read(text: str) -> Any:
    found = json.loads(text)
    return base64.b64decode(found["bytes"]) if "bytes" in found else found["value"]


class Celsius:
    """A temperature, whose class archivedb has never heard of."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        """Return whether it is as warm."""
        return isinstance(other, Celsius) and self.degrees == other.degrees

    def __hash__(self) -> int:
        """Return what equal temperatures share."""
        return hash(self.degrees)


def adapters() -> list[Adapter]:
    """Return how archivedb stores the classes of this package."""
    return [Adapter("dirstore.Celsius", Celsius, lambda value: value.degrees, Celsius)]
