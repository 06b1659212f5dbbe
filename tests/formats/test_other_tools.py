"""Payloads are read by tools that have never heard of archivedb."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from tests.support.payloads import PAYLOAD, build

if TYPE_CHECKING:
    from pathlib import Path

VALUE: dict[str, Any] = {
    "energy": -3.7,
    "outputs": {
        "forces": np.arange(6.0).reshape(2, 3),
        "big endian": np.arange(3, dtype=">i2"),
        "half": np.array(1.5, "f2"),
        "flags": np.array([True, False]),
        "complex": np.array([1 + 2j]),
        "words": np.array([b"ab", b"c"]),
        "table": np.array([(1, 2.0)], [("x", "i4"), ("y", "f8")]),
        "empty": np.zeros((0, 3)),
        "a/b": np.arange(4, dtype="u1"),
    },
    "steps": list(range(20)),
    "frames": [np.arange(2), {"x": np.arange(3)}],
    "when": np.array(["2026-01-01"], "M8[D]"),
    "names": np.array(["é", "b"]),
    "log": "line é\n" * 1000,
}


def h5_file(tmp_path: Path, *values: Any, names: Any = ()) -> h5py.File:
    """Return an HDF5 payload, opened by h5py."""
    place = tmp_path / "payload.h5"
    place.write_bytes(build("hdf5", *values, names=names))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return h5py.File(place)


def test_h5py_reads_each_array_at_its_path(tmp_path: Path) -> None:
    """h5py finds each array where the value has it, with its dtype and values."""
    with h5_file(tmp_path, VALUE) as file:
        for key, array in VALUE["outputs"].items():
            found = file[f"outputs/{key.replace('a/b', 'a%2Fb')}"]
            assert found.dtype == array.dtype
            assert found.shape == array.shape
            assert found[()].tobytes() == array.tobytes()
            assert found.chunks is None
        assert file["steps"][()].tolist() == VALUE["steps"]
        assert file["frames/[0]"][()].tolist() == [0, 1]
        assert file["frames/[1]/x"][()].tolist() == [0, 1, 2]
        assert file["log"][()].decode() == VALUE["log"]


def test_h5py_reads_what_hdf5_lacks(tmp_path: Path) -> None:
    """Datetimes and text arrays are opaque, tagged as h5py itself would."""
    with h5_file(tmp_path, VALUE) as file:
        assert file["when"].dtype == VALUE["when"].dtype
        assert file["when"][()].tolist() == VALUE["when"].tolist()
        assert file["names"][()].tobytes() == VALUE["names"].tobytes()


def test_h5py_reads_envelope_and_skeleton(tmp_path: Path) -> None:
    """Envelope and skeleton are datasets of JSON."""
    with h5_file(tmp_path, VALUE) as file:
        envelope = json.loads(file[".archivedb/envelope"][()].tobytes())
        skeleton = json.loads(file[".archivedb/skeleton"][()].tobytes())
        assert file.userblock_size == 512
    assert envelope["payload"] == PAYLOAD
    assert skeleton["energy"] == -3.7
    assert skeleton["outputs"]["forces"]["shape"] == [2, 3]


def test_h5py_visits_everything(tmp_path: Path) -> None:
    """Every object in the file can be opened, and there are no others."""
    kinds: dict[str, type] = {}
    with h5_file(tmp_path, VALUE) as file:
        file.visititems(lambda name, item: kinds.setdefault(name, type(item)) and None)
        for name, kind in kinds.items():
            if kind is h5py.Dataset:
                file[name][()]
    datasets = {name for name, kind in kinds.items() if kind is h5py.Dataset}
    # energy is a scalar, which is in the skeleton alone.
    assert len(datasets) == 9 + 1 + 2 + 3 + 2


def test_a_batch_has_a_group_a_record(tmp_path: Path) -> None:
    """Several records in a payload lie below their names."""
    values = {"x": np.arange(3)}, {"x": np.arange(4)}
    with h5_file(tmp_path, *values, names=["al/fcc", "al/bcc"]) as file:
        assert file["al/fcc/x"].shape == (3,)
        assert file["al/bcc/x"].shape == (4,)


def test_large_payloads_are_hdf5(tmp_path: Path) -> None:
    """A payload that was laid out on the disk is as good as one in memory."""
    big = np.random.default_rng(0).random(3 << 18)
    with h5_file(tmp_path, {"big": big, "small": np.arange(3)}) as file:
        assert (file["big"][()] == big).all()
        assert file["small"][()].tolist() == [0, 1, 2]


def test_the_head_says_where_things_are() -> None:
    """The first 512 bytes are text and lead to the envelope."""
    data = build("hdf5", VALUE)
    head = json.loads(data[:512])
    assert head["archivedb"] == 1
    offset, length, _ = head["envelope"]
    assert json.loads(data[offset : offset + length])["mode"] == "hdf5"
    assert data[512:520] == b"\x89HDF\r\n\x1a\n"


def test_json_is_json() -> None:
    """Any JSON parser reads the document, and people do, too."""
    value = {**VALUE, "odd": np.array([np.nan, -np.inf, 1.5]), "é": 0.1}
    data = build("json", value, {"second": 2})
    tree = json.loads(data, parse_constant=pytest.fail)
    assert list(tree) == ["head", "skeletons", "envelope"]
    first, second = tree["skeletons"]
    assert second == {"second": 2}
    assert first["energy"] == -3.7
    assert first["outputs"]["forces"]["data"] == [[0, 1, 2], [3, 4, 5]]
    assert first["outputs"]["complex"]["data"] == [[1, 2]]
    assert first["odd"]["data"] == ["nan", "-inf", 1.5]
    assert first["names"]["data"] == ["é", "b"]
    assert first["log"]["data"] == VALUE["log"]
    assert '"é": 0.1' in data.decode()
    assert tree["envelope"]["changes"][0]["name"] == "al/run-0"
    assert json.loads(data[:512].split(b'{"head": ')[1].rstrip(b" \n,"))


def test_json_is_diffable() -> None:
    """Equal values give equal lines, and a changed number changes few."""
    one = build("json", VALUE).splitlines()
    two = build("json", {**VALUE, "energy": -3.8}).splitlines()
    assert build("json", VALUE).splitlines() == one
    assert len(one) == len(two)
    assert sum(a != b for a, b in zip(one, two, strict=True)) < 8


def test_zip_is_a_zip() -> None:
    """Zipfile reads every member, and finds each checksum right."""
    data = build("cloudpickle", VALUE, {"second": np.arange(9.0)})
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        names = file.namelist()
        assert {"skeletons", "0/pickle", "1/pickle", "envelope.json"} <= set(names)
        assert len(set(names)) == len(names)
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
        lines = file.read("skeletons").splitlines()
        assert [json.loads(line)["second"]["shape"] for line in lines[1:]] == [[9]]
        assert json.loads(lines[0])["energy"] == -3.7
        assert json.loads(file.read("envelope.json"))["mode"] == "cloudpickle"
        assert json.loads(file.comment)["mode"] == "cloudpickle"
        assert np.arange(9.0).tobytes() in {file.read(name) for name in names}
