"""Storage in one file: durable, checked, whole at any time."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from archivedb.errors import (
    ArchiveError,
    DecodeError,
    KeyNotFoundError,
    ModeError,
    PayloadCorruptError,
    StoreError,
    UntrustedPayloadError,
)
from archivedb.storage.files import HDF5Storage, JSONStorage, PickleStorage
from archivedb.storage.memory import MemoryStorage
from archivedb.values import signing
from archivedb.values.digest import BLOCK
from tests.support import fresh
from tests.support.exact import difference

if TYPE_CHECKING:
    from pathlib import Path

KINDS = [HDF5Storage, JSONStorage, PickleStorage]
VALUE: dict[Any, Any] = {
    "inputs": {"cutoff": 500, "elements": ("Al", "Fe")},
    "forces": np.arange(6.0).reshape(2, 3),
    "odd": {1: [np.nan], "text": "\ud800" * 5000, "long": list(range(100))},
    "objects": np.array([None, {"x": 1}], object),
}


class Thing:
    """An object that runs code when it is restored."""

    def __init__(self, x: Any) -> None:
        self.x = x


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    """Return a class of storage in a file."""
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "run.data"


def test_it_is_there_again(kind: Any, path: Path) -> None:
    """What was set is read again by another, to the bit; nothing else is left."""
    storage = kind(path)
    assert len(storage) == 0
    assert not path.exists()
    storage.update(VALUE)
    assert storage.name == "run.data"
    for again in (storage, kind(path), kind(str(path))):
        assert difference(again.load(), VALUE) is None
        assert again == VALUE
    assert list(path.parent.iterdir()) == [path]
    storage["inputs/cutoff"] = 600
    del storage["odd"]
    assert kind(path)["inputs/cutoff"] == 600
    assert "odd" not in kind(path)


def test_two_see_each_others_changes(kind: Any, path: Path) -> None:
    """Two storages of one file keep each other's keys, also those of a block."""
    one, two = kind(path), kind(path)
    with one:
        one["a"] = 1
        two["b"] = np.arange(3)
    assert list(one) == list(two) == ["b", "a"]
    path.unlink()
    assert list(one) == []


def test_an_exception_leaves_the_file(kind: Any, path: Path) -> None:
    """A block that fails does not touch the file, nor does a read."""
    storage = kind(path)
    storage["x"] = 1
    before = path.stat(), path.read_bytes()
    with suppress(RuntimeError), storage:
        storage["y"] = np.arange(3)
        raise RuntimeError
    with pytest.raises(KeyNotFoundError):
        del storage["y"]
    with storage:
        assert storage.load() == {"x": 1}
    storage.create_group("new")
    changed = path.read_bytes()
    storage.create_group("new")
    assert path.read_bytes() == changed != before[1]


def test_objects_are_signed(kind: Any, path: Path, tmp_path: Path) -> None:
    """One's own objects come back; a stranger's need trust, and get no signature."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(signing.ENVIRONMENT, str(tmp_path / "stranger.key"))
        storage = kind(path)
        storage["plain"] = {"x": np.arange(3)}
        with storage:
            storage["thing"] = Thing(2)
            assert storage["thing"].x == 2
        assert kind(path)["thing"].x == 2
        storage["more"] = 1
    storage = kind(path)
    assert storage["plain/x"].tolist() == [0, 1, 2]
    assert list(storage.open("thing")) == ["x"]
    for change in (
        lambda: storage["thing"],
        storage.load,
        lambda: storage.__setitem__("new", 1),
        lambda: storage.append("plain/x", np.arange(2)),
    ):
        with pytest.raises(UntrustedPayloadError, match="Thing"):
            change()
    with suppress(UntrustedPayloadError), storage:
        storage["mine"] = Thing(3)
        assert storage["mine"].x == 3
    assert "mine" not in storage
    trusting = kind(path, trust=True)
    assert trusting["thing"].x == 2
    del storage["thing"]
    storage["mine"] = Thing(4)
    assert kind(path)["mine"].x == 4


def test_every_flipped_bit_is_found(kind: Any, path: Path) -> None:
    """No bit of what was set can change unseen."""
    storage = kind(path)
    storage.update({"a": np.arange(5), "b": [1.5, "text"], "c": b"x" * 5000})
    good, raw = storage.load(), path.read_bytes()
    rng = np.random.default_rng(1)
    for at in rng.integers(0, len(raw), 60):
        broken = bytearray(raw)
        broken[at] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        try:
            loaded = kind(path).load()
        except ArchiveError:
            continue
        assert difference(loaded, good) is None
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(ArchiveError):
        kind(path).load()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"x" * 1000, b"\0" * 100], ids=["none", "json", "x", "0"]
)
def test_other_files(kind: Any, path: Path, content: bytes) -> None:
    """A file that archivedb has not written is neither read nor replaced."""
    path.write_bytes(content)
    for use in (kind(path).load, lambda: kind(path).update(x=1)):
        with pytest.raises(ArchiveError):
            use()
    assert path.read_bytes() == content


def test_other_modes(path: Path) -> None:
    """A file of another mode is not taken for one's own."""
    for kind in KINDS:
        path.unlink(missing_ok=True)
        kind(path)["x"] = 1
        for other in KINDS:
            if other is not kind:
                with pytest.raises((DecodeError, ModeError, PayloadCorruptError)):
                    other(path).load()


def test_places_that_are_no_files(kind: Any, tmp_path: Path) -> None:
    """A directory, a missing folder, bytes: each gets a sentence."""
    with pytest.raises(StoreError):
        kind(tmp_path).load()
    with pytest.raises(StoreError):
        kind(tmp_path / "missing" / "x")["x"] = 1
    with pytest.raises(StoreError):
        kind(b"bytes")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_one(kind: Any, path: Path) -> None:
    """Through a link the file is replaced; its permissions stay."""
    kind(path)["x"] = 1
    path.chmod(0o640)
    link = path.with_name("link")
    link.symlink_to(path)
    kind(link)["y"] = 2
    assert link.is_symlink()
    assert kind(path)["y"] == 2
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("call", ["fsync", "preadv"])
def test_a_failing_disk(
    kind: Any, path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """What the system refuses is one typed error, and the old file stays."""
    storage = kind(path)
    storage["x"] = np.arange(3)
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StoreError, match="No space left"):
            kind(path)["y"] = 1
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_array_that_changes_meanwhile(
    kind: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array that another thread changes while it is written is not kept."""
    array = np.zeros(BLOCK)
    sync = os.fsync

    def change(descriptor: int) -> None:
        array[5] += 1
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", change)
    with pytest.raises(ArchiveError, match="changed while"):
        kind(path)["x"] = array
    assert not path.exists()


def test_only_what_is_sliced_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large array the blocks that overlap are read, and each is checked."""
    storage = HDF5Storage(path)
    array = np.arange(BLOCK).reshape(-1, 16)
    storage["x"] = array
    lazy = HDF5Storage(path).open("x")
    read: list[int] = []
    preadv = os.preadv

    def counting(descriptor: int, buffers: Any, offset: int) -> int:
        read.append(sum(len(buffer) for buffer in buffers))
        return preadv(descriptor, buffers, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", counting)
        for index in (5, slice(8000, 9000), slice(None, -3, -1), (-1, 3), slice(0, 0)):
            read.clear()
            assert difference(lazy[index], array[index]) is None
            assert sum(read) < 3 * BLOCK
    assert difference(lazy[:], array) is None
    raw = path.read_bytes()
    at = raw.index(array[-1].tobytes())
    path.write_bytes(raw[:at] + b"x" + raw[at + 1 :])
    lazy = HDF5Storage(path).open("x")
    assert difference(lazy[5], array[5]) is None
    with pytest.raises(PayloadCorruptError):
        lazy[-1]


def test_appending(kind: Any, path: Path) -> None:
    """Rows are appended, and read again by another."""
    rows = np.arange(6, dtype=">i2").reshape(2, 3)
    for _ in range(3):
        kind(path).append("x/y", rows)
    assert (
        difference(kind(path)["x/y"], np.concatenate([rows] * 3).astype(">i2")) is None
    )
    assert kind(path).open("x/y")[1:5].tolist() == [[3, 4, 5], [0, 1, 2]] * 2


def test_other_tools(path: Path) -> None:
    """An HDF5 storage is an HDF5 file: its arrays stand where they were set."""
    storage = HDF5Storage(path)
    storage["outputs/forces"] = np.arange(6.0)
    storage.append("outputs/rows", np.arange(2))
    storage.append("outputs/rows", np.arange(3))
    with h5py.File(path) as file:
        arrays: Any = file["outputs"]
        assert arrays["forces"][:].tolist() == list(range(6))
        assert arrays["rows"][:].tolist() == [0, 1, 0, 1, 2]


def test_kinds_are_equal(path: Path) -> None:
    """Storages of all kinds with the same in them are equal."""
    storages = [kind(path.with_name(kind.__name__)) for kind in KINDS]
    for storage in [*storages, MemoryStorage()]:
        storage.update(VALUE)
        assert all(storage == other for other in storages if len(other))
    storages[0]["inputs/cutoff"] = 500.0
    assert storages[0] != storages[1]


def test_processes_keep_each_others_keys(kind: Any, path: Path) -> None:
    """Of many processes that write at once, none loses what another wrote."""
    program = (
        "import sys\n"
        f"from archivedb.storage.files import {kind.__name__} as Kind\n"
        "for number in range(10):\n"
        "    Kind(sys.argv[1])[f'{sys.argv[2]}/{number}'] = number\n"
    )
    running = [
        subprocess.Popen([fresh.executable(), "-c", program, str(path), str(number)])
        for number in range(3)
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    whole = {str(number): number for number in range(10)}
    assert kind(path).load() == {str(number): whole for number in range(3)}
