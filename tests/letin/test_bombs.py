"""Files that would be more than they are: zips, HDF5, and numbers that lie."""

from __future__ import annotations

import io
import json
import os
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from archivedb import Archive, ArchiveError
from archivedb.cli._hdf5 import read_hdf5
from archivedb.formats.envelope import HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONSTANT = 8 << 20
VALUE = {"a": [1.0] * 40, "text": "x", "more": {"b": np.arange(100)}}


@contextmanager
def memory_of(size: int) -> Iterator[None]:
    """Fail if more is taken than twice a file's size and a constant."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * size + CONSTANT


def look(db: Path, size: int) -> None:
    """Use an archive of one forged payload: its value, or typed errors alone."""
    with memory_of(size):
        for readonly in (False, True):
            with Archive(db, readonly=readonly, provenance=False) as archive:
                archive.verify("quick")
                archive.verify("full")
                for name in archive:
                    try:
                        found = archive.load(name)
                    except ArchiveError:
                        continue
                    assert found["a"] == VALUE["a"]
                    assert list(archive.outline(name))
                if not readonly:
                    archive.reindex()


# Zips --------------------------------------------------------------------------------


def members_of(raw: bytes) -> tuple[bytes, bytes, int]:
    """Return the bytes before the directory of a zip, its comment, its members."""
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        return raw[: file.start_dir], file.comment, len(file.namelist())


def directory_entry(name: bytes, packed: int, size: int, method: int, at: int) -> bytes:
    """Return an entry of a zip's directory that says whatever is wanted."""
    return (
        struct.pack(
            "<4s6H3I5H2I",
            *(b"PK\x01\x02", 20, 20, 0, method, 0, 0, 0, packed, size),
            *(len(name), 0, 0, 0, 0, 0, at),
        )
        + name
    )


def with_directory(raw: bytes, entries: list[bytes], extra: bytes = b"") -> bytes:
    """Return a payload with another directory, and bytes before it."""
    body, comment, _ = members_of(raw)
    body += extra
    table = b"".join(entries)
    end = struct.pack(
        "<4s4H2IH",
        *(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(table), len(body)),
        len(comment),
    )
    return body + table + end + comment


def _ratio(raw: bytes) -> bytes:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(squeezer.compress(bytes(1 << 20)) for _ in range(64))
    packed += squeezer.flush()
    at = len(members_of(raw)[0])
    names = (b"skeletons", b"envelope.json", b"0/pickle", b"bomb")
    entries = [directory_entry(n, len(packed), 64 << 20, 8, at) for n in names]
    return with_directory(raw, entries, packed)


def _sizes(raw: bytes) -> bytes:
    names = (b"skeletons", b"envelope.json", b"0/0")
    return with_directory(
        raw, [directory_entry(name, 0xFFFFFFFE, 0xFFFFFFFE, 0, 0) for name in names]
    )


def _overlapping(raw: bytes) -> bytes:
    names = (b"0/%d" % number for number in range(5000))
    return with_directory(
        raw, [directory_entry(name, len(raw), 1 << 30, 0, 0) for name in names]
    )


def _outside(raw: bytes) -> bytes:
    names = (b"../../evil", b"/etc/evil", b"skeletons")
    return with_directory(raw, [directory_entry(n, 9, 9, 0, 1 << 31) for n in names])


def _none(raw: bytes) -> bytes:
    return with_directory(raw, [])


@pytest.mark.parametrize("forge", [_ratio, _sizes, _overlapping, _outside, _none])
def test_members_of_a_zip_are_never_asked_for(
    archive: Archive,
    tmp_path: Path,
    replace_payload: Callable[[Any], Path],
    forge: Callable[[bytes], bytes],
) -> None:
    """Whatever the directory of a payload says, it is not what is read."""
    archive.save(VALUE, "x", mode="cloudpickle")
    archive.close()
    size = replace_payload(forge).stat().st_size
    look(tmp_path / "place" / "runs.db", size)
    with Archive(tmp_path / "place" / "runs.db") as again:
        assert again.load("x")["text"] == "x"
    assert {path.name for path in tmp_path.iterdir()} == {"place"}


# HDF5 --------------------------------------------------------------------------------


def add_to_hdf5(raw: bytes, change: Callable[[Any], None], path: Path) -> bytes:
    """Return a payload whose HDF5 was written to once more."""
    path.write_bytes(raw)
    with h5py.File(path, "r+") as file:
        change(file)
    changed = path.read_bytes()
    path.unlink()
    return raw[:HEAD_BYTES] + changed[HEAD_BYTES:]


def h5_external_link(file: Any, secret: Path) -> None:
    """Put a link into another file in the place of everything."""
    for key in list(file):
        del file[key]
        file[key] = h5py.ExternalLink(str(secret), "/")


def h5_soft_link(file: Any, _: Path) -> None:
    """Put links that lead round in the place of everything."""
    for key in list(file):
        del file[key]
        file[key] = h5py.SoftLink(f"/{key}")


def h5_external_storage(file: Any, secret: Path) -> None:
    """Put a dataset whose values are another file's bytes."""
    if "a" in file:
        del file["a"]
    file.create_dataset("a", (4,), "u1", external=[(str(secret), 0, 4)])


def h5_virtual(file: Any, secret: Path) -> None:
    """Put a dataset whose values are another file's dataset."""
    if "a" in file:
        del file["a"]
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource(str(secret), "d", (4,))
    file.create_virtual_dataset("a", layout)


def h5_huge(file: Any, _: Path) -> None:
    """Put a dataset that claims a petabyte."""
    if "a" in file:
        del file["a"]
    file.create_dataset("a", (1 << 47,), "f8", chunks=(1 << 17,), compression="gzip")


HDF5 = [h5_external_link, h5_soft_link, h5_external_storage, h5_virtual, h5_huge]


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """Return an HDF5 file that nobody may read, and prove that nobody did."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["d"] = np.frombuffer(b"hush", "u1")
    os.utime(path, (1, 2_000_000_000))
    yield path
    # Times of access are written where they are older than the file's own.
    assert path.stat().st_atime == 1


@pytest.mark.parametrize("forge", HDF5)
def test_what_hdf5_links_to_is_never_followed(
    archive: Archive,
    tmp_path: Path,
    secret: Path,
    replace_payload: Callable[[Any], Path],
    forge: Callable[[Any, Path], None],
) -> None:
    """A payload's HDF5 is for other tools: nothing here reads by its links."""
    archive.save(VALUE, "x", mode="hdf5")
    archive.close()

    def change(raw: bytes) -> bytes:
        return add_to_hdf5(raw, lambda file: forge(file, secret), tmp_path / "f.h5")

    size = replace_payload(change).stat().st_size
    look(tmp_path / "place" / "runs.db", size)


@pytest.mark.parametrize("forge", HDF5)
def test_a_file_that_is_saved_brings_no_other(
    tmp_path: Path, secret: Path, forge: Callable[[Any, Path], None]
) -> None:
    """The command line reads a user's HDF5, but no file that it leads to."""
    path = tmp_path / "given.h5"
    with h5py.File(path, "w") as file:
        file["a"] = [1.0]
        file["z"] = h5py.SoftLink("/a/d")
        forge(file, secret)
    with path.open("rb") as stream, memory_of(path.stat().st_size):
        assert str(_refusal(stream))


def _refusal(stream: Any) -> ArchiveError:
    with pytest.raises(ArchiveError) as caught:
        read_hdf5(stream, "given.h5")
    return caught.value


def test_a_soft_link_through_an_external_one(tmp_path: Path, secret: Path) -> None:
    """It is seen before it is followed, wherever it stands in the order."""
    path = tmp_path / "given.h5"
    with h5py.File(path, "w") as file:
        file["z/out"] = h5py.ExternalLink(str(secret), "/")
        file["a"] = h5py.SoftLink("/z/out/d")
    with path.open("rb") as stream:
        assert "/z/out is a link into another file" in str(_refusal(stream))


def test_what_is_compressed_well_is_read(tmp_path: Path) -> None:
    """Zeros that a file really holds are no bomb."""
    path = tmp_path / "given.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=np.zeros(1 << 20), compression="gzip")
        file.create_dataset("b", (1 << 20,), "f8", fillvalue=2.0)
    with path.open("rb") as stream:
        read = read_hdf5(stream, "given.h5")
    assert read["a"].sum() == 0
    assert read["b"].sum() == 2 << 20


# Numbers that lie ---------------------------------------------------------------------


LIES: list[dict[str, Any]] = [
    {"$array": 0, "dtype": "<f8", "shape": [1 << 50]},
    {"$array": 0, "dtype": "<f8", "shape": [1 << 62, 1 << 62]},
    {"$array": 0, "dtype": "|V1000000000", "shape": [1]},
    {"$array": 0, "dtype": "|V0", "shape": [1 << 60]},
    {"$array": 0, "dtype": "<f8", "shape": [0, 1 << 62]},
    {"$objects": [], "shape": [1 << 40]},
    {"$objects": [], "shape": [0, 1 << 62]},
    {"$range": [0, 1 << 62, 1]},
]


@pytest.mark.parametrize("mode", ["hdf5", "json", "cloudpickle"])
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: json.dumps(lie)[:40])
def test_nothing_is_allocated_by_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, lie: dict[str, Any]
) -> None:
    """A shape that no bytes are there for is a typed error, at once."""
    from archivedb.values import digest
    from archivedb.values.arrays import StoredArray
    from archivedb.values.encode import NO_VALUE, Encoded, encode

    honest = encode({"a": np.arange(40.0)})
    (array,) = honest.arrays
    assert isinstance(array, StoredArray)
    node = lie | ({"digest": array.digest} if "$array" in lie else {})
    text = json.dumps({"n": 1, "a": node}).encode()
    value = Encoded(
        NO_VALUE, text, digest.digest(text), honest.arrays, executable=False
    )
    with monkeypatch.context() as patch, Archive(tmp_path / "runs.db") as archive:
        patch.setattr("archivedb.archive.writing.saving.encode", lambda _: value)
        try:
            archive.save({}, "x", mode=mode)
        except ArchiveError:
            return  # it is refused even by who wants to write it
    with memory_of(1 << 16), Archive(tmp_path / "runs.db") as archive:
        for ask in (
            lambda: archive.load("x"),
            lambda: archive["x/a"],
            lambda: archive.open("x")["a"],
            lambda: repr(archive.open("x")),
            lambda: list(archive.outline("x")),
            archive.verify,
            archive.reindex,
        ):
            try:
                ask()
            except ArchiveError:
                continue
        if mode != "json":  # which has the items themselves, and counts them
            assert archive.load("x", only=["n"]) == {"n": 1}
