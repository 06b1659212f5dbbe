"""Plain HDF5 files, in and out."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from archivedb.cli._hdf5 import read_hdf5
from archivedb.cli._writers import write
from archivedb.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable


def _read(path: str = "x.h5") -> Any:
    with Path(path).open("rb") as stream:
        return read_hdf5(stream, str(path))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, np.int64(1)),
        (2.5, np.float64(2.5)),
        (True, np.True_),
        (1j, np.complex128(1j)),
        ("é", "é"),
        ("", ""),
        (b"a\0b", b"a\0b"),
        (None, None),
        ({}, {}),
        ([1, 2], np.array([1, 2])),
        ([[1.0], [2.0]], np.array([[1.0], [2.0]])),
        (["a", "bb"], ["a", "bb"]),
        (np.array(["a", "bb"]), ["a", "bb"]),
        (np.array([b"a", b"bb"]), np.array([b"a", b"bb"])),
        (np.zeros((0, 3), "f4"), np.zeros((0, 3), "f4")),
        (np.float32(1.5), np.float32(1.5)),
        (np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),) * 2,
    ],
)
def test_what_is_written_is_read(value: Any, expected: Any) -> None:
    """Groups and datasets come back as they were written."""
    write("x.h5", {"group": {"value": value}})
    read = _read()["group"]["value"]
    assert type(read) is type(expected)
    np.testing.assert_array_equal(read, expected)
    assert getattr(read, "dtype", None) == getattr(expected, "dtype", None)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        [],
        [1, "a"],
        [[1], [1, 2]],
        2**70,
        [2**70],
        b"",
        "a\0b",
        "\udc80",
        ["a\0b"],
        np.array([None]),
        np.array(["2024-01-02"], "M8[D]"),
        np.ma.array([1, 2], mask=[0, 1]),
        {1: 2},
        {"a/b": 1},
        {"": 1},
        {".": 1},
        {"\udc80": 1},
        {1, 2},
    ],
)
def test_what_hdf5_has_no_form_for_is_refused(value: Any) -> None:
    """The path is named, and a file that was there stays as it was."""
    write("x.h5", {"old": 1})
    with pytest.raises(ArchiveError, match=r"/deep/value") as caught:
        write("x.h5", {"deep": {"value": value}})
    assert ".pkl" in str(caught.value)
    assert _read() == {"old": 1}
    assert [path.name for path in Path().iterdir()] == ["x.h5"]


def test_order_is_kept() -> None:
    """Keys come back in the order in which they were written."""
    write("x.h5", {"b": 1, "a": {"z": 1, "y": 2}})
    read = _read()
    assert list(read) == ["b", "a"]
    assert list(read["a"]) == ["z", "y"]


def test_attributes_are_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Attributes are no data; stderr says which there were."""
    with h5py.File("x.h5", "w") as file:
        file["energy"] = -3.7
        file["energy"].attrs["units"] = "eV"
        for number in range(10):
            file.attrs[f"n{number}"] = number
    assert _read() == {"energy": -3.7}
    said = capsys.readouterr()
    assert said.out == ""
    assert "11 attributes of x.h5" in said.err
    assert "/@n0" in said.err
    assert "and 3 more" in said.err


def test_text_that_is_not_utf8() -> None:
    """Text in another encoding than declared is read without loss."""
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("t", data=[b"ab", b"\xff"], dtype=h5py.string_dtype())
    assert _read() == {"t": ["ab", "\udcff"]}


def test_rows_of_different_lengths() -> None:
    """Rows of variable length are a list of arrays."""
    with h5py.File("x.h5", "w") as file:
        rows = file.create_dataset("v", (2,), dtype=h5py.vlen_dtype("i4"))
        rows[0], rows[1] = [1, 2], [3]
    read = _read()["v"]
    assert [row.tolist() for row in read] == [[1, 2], [3]]


def _soft(file: Any) -> None:
    file["d"] = h5py.SoftLink("/nowhere")


def _external(file: Any) -> None:
    file["d"] = h5py.ExternalLink("other.h5", "/d")


def _cycle(file: Any) -> None:
    file.create_group("d")["up"] = file["/"]


def _reference(file: Any) -> None:
    file.create_dataset("d", data=file.ref, dtype=h5py.ref_dtype)


def _datatype(file: Any) -> None:
    file["d"] = np.dtype("f8")


def _strings_inside(file: Any) -> None:
    file.create_dataset("d", (1,), [("s", h5py.string_dtype())])


@pytest.mark.parametrize(
    "make", [_soft, _external, _cycle, _reference, _datatype, _strings_inside]
)
def test_what_a_dict_cannot_hold_is_refused(make: Callable[[Any], None]) -> None:
    """The path is named."""
    with h5py.File("x.h5", "w") as file:
        make(file)
    with pytest.raises(ArchiveError, match="/d"):
        _read()


def test_links_within_the_file() -> None:
    """A link to another place is read as what stands there."""
    with h5py.File("x.h5", "w") as file:
        file["a"] = 1
        file["g/again"] = file["a"]
        file["soft"] = h5py.SoftLink("/g")
    assert _read() == {"a": 1, "g": {"again": 1}, "soft": {"again": 1}}


def test_no_hdf5_file() -> None:
    """Bytes that are something else are one sentence."""
    with pytest.raises(ArchiveError, match=r"junk is not an HDF5 file"):
        read_hdf5(BytesIO(b"junk" * 100), "junk")


def test_a_flipped_bit_of_the_head_is_an_error_or_nothing(tmp_path: Path) -> None:
    """Sizes and addresses that no file has are told as what they are: damage."""
    path = tmp_path / "it.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(4)
    raw = path.read_bytes()
    refused = 0
    for bit in range(96 * 8):
        broken = bytearray(raw)
        broken[bit // 8] ^= 1 << bit % 8
        try:
            read_hdf5(BytesIO(broken), "it.h5")
        except ArchiveError:
            refused += 1
    assert refused > 96
