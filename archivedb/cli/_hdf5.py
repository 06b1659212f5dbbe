"""Plain HDF5 files, of any origin: the one place of the command line for h5py."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from archivedb.cli._output import note
from archivedb.errors import ArchiveError

NAMED = 8
"""Attributes that the note names."""
EMPTY = 1 << 28
"""The bytes of a dataset about which nothing is asked."""
RATIO = 1100
"""How much larger values may be than what the file holds: zlib reaches 1,030."""

_DAMAGE = (
    *(OSError, RuntimeError, KeyError, MemoryError, ValueError),
    *(OverflowError, TypeError),
)
"""What h5py raises where bytes make no sense."""


def read_hdf5(stream: BinaryIO, name: str) -> dict[str, Any]:
    """
    Return a file's groups as dicts, its datasets as arrays and numpy scalars.

    Text is Python text, in arrays too, which become lists; a dataset without
    a value is None.  Attributes are left out, and a note on stderr names them.

    Raises:
        ArchiveError: It is no HDF5 file, or holds what a dict cannot.

    """
    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    try:
        file = h5py.File(stream, "r")
    except _DAMAGE as error:
        raise ArchiveError(f"{name} is not an HDF5 file: {error}") from error
    left_out: list[str] = []
    with file:
        try:
            # Before anything is followed, since a soft link may lead through one.
            _require_no_external(file)
            data = _read_tree(file, left_out)
        except _DAMAGE as error:
            raise ArchiveError(f"{name} cannot be read: {error}") from error
    if left_out:
        more = f" and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
        note(
            f"archivedb: left out {len(left_out)} attributes of {name}: "
            f"{', '.join(left_out[:NAMED])}{more}"
        )
    return data


def _read_tree(file: Any, left_out: list[str]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    # Each group with the addresses of those it lies in: a link may lead back.
    todo = [(file, root, frozenset([_address(file)]))]
    while todo:
        group, made, above = todo.pop()
        left_out += _attributes(group)
        for key in group:
            path = f"{group.name.rstrip('/')}/{key}"
            item = _member(group, key, path)
            if not isinstance(item, h5py.Group):
                left_out += _attributes(item)
                made[key] = _value(item, path)
                continue
            if _address(item) in above:
                raise ArchiveError(f"{path} links back to a group that it lies in")
            made[key] = {}
            todo.append((item, made[key], above | {_address(item)}))
    return root


def _address(group: Any) -> tuple[int, int]:
    info = h5py.h5o.get_info(group.id)
    return info.fileno, info.addr


def _attributes(item: Any) -> Iterator[str]:
    return (f"{item.name}@{key}" for key in item.attrs)


def _member(group: Any, key: str, path: str) -> Any:
    item = group.get(key)
    if item is None:
        raise ArchiveError(f"{path} is a link that leads nowhere")
    if not isinstance(item, h5py.Group | h5py.Dataset):
        raise ArchiveError(f"{path} is a named datatype, and holds no value")
    return item


def _require_no_external(file: Any) -> None:
    """Raise if any link leads into another file."""

    def external(path: str, link: Any) -> tuple[str, str] | None:
        return (path, link.filename) if isinstance(link, h5py.ExternalLink) else None

    found = file.visititems_links(external)
    if found is not None:
        # Nobody who saves this file asked for that one.
        raise ArchiveError("/{} is a link into another file, {}".format(*found))


def _require_own_data(dataset: Any, path: str) -> None:
    """Raise if a dataset's values are another file's, or are next to none."""
    others = [name for name, _, _ in dataset.external or ()]
    if dataset.is_virtual:
        sources = dataset.virtual_sources()
        others += [each.file_name for each in sources if each.file_name != "."]
    if others:
        raise ArchiveError(f"{path} has its values in another file, {others[0]}")
    stored = dataset.id.get_storage_size()
    if not dataset.is_virtual and dataset.nbytes > max(EMPTY, RATIO * stored):
        raise ArchiveError(
            f"{path} claims {dataset.nbytes} bytes, and the file holds {stored} of "
            "them; read it with h5py if that is right"
        )


def _value(dataset: Any, path: str) -> Any:
    dtype = dataset.dtype
    if dataset.shape is not None:
        _require_own_data(dataset, path)
    if dataset.shape is None:
        return None
    text = h5py.check_string_dtype(dtype)
    if text is not None and text.length is None:
        # Not all writers keep to the encoding that they declare.
        read = dataset.asstr("utf-8", errors="surrogateescape")[()]
        return read if isinstance(read, str) else read.tolist()
    if h5py.check_ref_dtype(dtype) is not None:
        raise ArchiveError(f"{path} holds references into its own file")
    if h5py.check_vlen_dtype(dtype) is not None:
        rows = dataset[()]
        return rows if dataset.shape == () else rows.tolist()
    if dtype.hasobject:
        raise ArchiveError(f"{path} has fields of variable length")
    if dtype.kind == "V" and dtype.names is None and dataset.shape == ():
        return dataset[()].tobytes()
    return dataset[()]


def write_hdf5(path: Path, data: dict[Any, Any]) -> None:
    """
    Write a dict into a new HDF5 file.

    Dicts become groups; arrays, numbers, text and lists of one kind of them
    become datasets; None is a dataset without a value.

    Raises:
        ArchiveError: HDF5 has no form for something in it.

    """
    with h5py.File(path, "x", track_order=True) as file:
        _write_tree(file, data)


def _write_tree(file: Any, data: dict[Any, Any]) -> None:
    todo: list[tuple[Any, str, Any]] = [(file, "", data)]
    while todo:
        group, path, items = todo.pop()
        for key, value in items.items():
            _check_key(key, path)
            where = f"{path}/{key}"
            if isinstance(value, dict):
                todo.append((group.create_group(key, track_order=True), where, value))
            else:
                _write_leaf(group, key, value, where)


def _check_key(key: Any, path: str) -> None:
    if not isinstance(key, str):
        problem = "is not text"
    elif key in ("", ".") or "/" in key or not _is_h5_text(key):
        problem = "cannot be the name of an HDF5 object"
    else:
        return
    raise ArchiveError(
        f"HDF5 has no form for the key {key!r} in {path or '/'}: it {problem}; "
        "write .json or .pkl instead"
    )


def _write_leaf(group: Any, key: str, value: Any, path: str) -> None:
    if value is None:
        group.create_dataset(key, data=h5py.Empty("f8"))
        return
    array = _as_array(value)
    if array is None:
        kind = type(value)
        raise ArchiveError(
            f"HDF5 has no form for {path}, a {kind.__qualname__}; "
            "write .json or .pkl instead"
        )
    try:
        group.create_dataset(key, data=array)
    except (TypeError, ValueError) as error:
        raise ArchiveError(
            f"HDF5 has no form for {path}: {error}; write .json or .pkl instead"
        ) from error


def _as_array(value: Any) -> Any:
    """Return what h5py can write and give back alike, or None."""
    if isinstance(value, np.ndarray | np.generic):
        return _numpy_array(value)
    if isinstance(value, bool | float | complex):
        return np.asarray(value)
    if isinstance(value, int):
        return np.int64(value) if -(1 << 63) <= value < 1 << 63 else None
    if isinstance(value, str):
        return value if _is_h5_text(value) else None
    if isinstance(value, bytes) and value:
        # Opaque, as a string would end at its first NUL.
        return np.void(value)
    return _list_array(value) if isinstance(value, list | tuple) and value else None


def _numpy_array(value: Any) -> Any:
    kind = value.dtype.kind
    if isinstance(value, np.ma.MaskedArray) or value.dtype.hasobject or kind in "Mm":
        return None
    return value.astype(h5py.string_dtype()) if kind == "U" else value


def _is_h5_text(text: str) -> bool:
    """Return whether HDF5 gives a text back: it ends one at a NUL."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _list_array(value: Any) -> Any:
    """Return the array of a list of numbers, texts or rows alike, or None."""
    kinds = set(map(type, value))
    if kinds == {str}:
        return list(value) if all(map(_is_h5_text, value)) else None
    if kinds == {int}:
        try:
            return np.array(value, np.int64)
        except OverflowError:
            return None
    if kinds in ({bool}, {float}, {complex}):
        return np.asarray(value)
    if kinds <= {list, tuple}:
        arrays = [_list_array(row) if row else None for row in value]
        rows = [array for array in arrays if isinstance(array, np.ndarray)]
        forms = {(row.shape, row.dtype) for row in rows}
        if len(rows) == len(value) and len(forms) == 1:
            return np.stack(rows)
    return None
