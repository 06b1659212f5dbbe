"""``archivedb load``."""

from __future__ import annotations

import json
import pickle
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from archivedb import Archive
from archivedb.cli._writers import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.mark.usefixtures("archive")
def test_load_prints_json(run: Run) -> None:
    """Arrays are nested lists."""
    assert json.loads(run("load", "al/fcc/run-2").stdout) == {
        "inputs": {"structure": "fcc", "cutoff": 350},
        "outputs": {"energy": -3.7, "forces": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]},
    }


@pytest.mark.usefixtures("archive")
def test_load_on_one_line(run: Run) -> None:
    """With --json a record is one line."""
    assert run("load", "cu", "--json").stdout == '{"x": 1}\n'


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("al/fcc/run-2/outputs/energy", -3.7),
        ("al/fcc/run-2/outputs/forces", [[0, 1, 2], [3, 4, 5]]),
        ("al/fcc/run-2/inputs", {"structure": "fcc", "cutoff": 350}),
        ("cu/x", 1),
    ],
)
def test_load_a_path_inside_a_record(run: Run, path: str, expected: Any) -> None:
    """A name may go on into the record."""
    assert json.loads(run("load", path).stdout) == expected


@pytest.mark.usefixtures("archive")
def test_load_a_version(run: Run) -> None:
    """Older versions are there, also below a path."""
    assert "more" in json.loads(run("load", "al/fcc/run-1").stdout)
    first = json.loads(run("load", "al/fcc/run-1", "--version", "1").stdout)
    assert "more" not in first
    text = run("load", "al/fcc/run-1/inputs/cutoff", "--version", "1").stdout
    assert text == "350\n"
    text = run("load", "al/fcc/run-1/outputs", "--version", "1").stdout
    assert json.loads(text)["forces"] == [[0, 1, 2], [3, 4, 5]]
    run("load", "al/fcc/run-1/more", "--version", "1", code=1)
    run("load", "al/fcc/run-1/inputs/cutoff/x", "--version", "1", code=1)
    assert run("load", "al/fcc/run-1/more", "--version", "2").stdout == "1\n"


@pytest.mark.parametrize("mode", ["hdf5", "cloudpickle"])
def test_load_what_json_has_no_word_for(run: Run, archive: str, mode: str) -> None:
    """Every value comes out as valid JSON."""
    with Archive(archive) as opened:
        opened.save(
            {
                "nan": float("nan"),
                "bytes": b"ab",
                "complex": 1j,
                "keys": {1: 2},
                "tuple": (1, 2),
                "set": {1, 2},
                "when": np.datetime64("2024-01-02"),
                "big": 2**100,
                "$money": 1,
            },
            "odd",
            mode=mode,
        )
    tree = json.loads(run("load", "odd").stdout)
    assert tree["nan"] == {"$float": "nan"}
    assert tree["bytes"] == {"$bytes": "YWI="}
    assert tree["complex"] == {"$complex": [0.0, 1.0]}
    assert tree["keys"] == {"$dict": [[1, 2]]}
    assert tree["tuple"] == tree["set"] == [1, 2]
    assert tree["when"] == "2024-01-02"
    assert tree["big"] == 2**100
    assert tree["$$money"] == 1


@pytest.mark.usefixtures("archive")
def test_load_into_files(run: Run) -> None:
    """The suffix says what is written, and nothing is printed."""
    for name in ("out.json", "out.h5", "out.hdf5", "out.pkl"):
        assert run("load", "al/fcc/run-2", "-o", name).output == ""
    assert json.loads(Path("out.json").read_text())["outputs"]["energy"] == -3.7
    with h5py.File("out.h5") as file:
        assert file["outputs/forces"].shape == (2, 3)
    data = pickle.loads(Path("out.pkl").read_bytes())  # noqa: S301 - made above
    assert data["outputs"]["forces"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not [path for path in Path().iterdir() if ".tmp" in path.name]


@pytest.mark.usefixtures("archive")
def test_load_one_array_into_a_file(run: Run) -> None:
    """An array alone is the dataset ``data`` of an HDF5 file."""
    run("load", "al/fcc/run-2/outputs/forces", "-o", "out.h5")
    with h5py.File("out.h5") as file:
        assert file["data"].shape == (2, 3)


def test_a_file_is_whole_or_as_it_was(run: Run, archive: str) -> None:
    """What HDF5 has no form for leaves the old file as it was."""
    Path("out.h5").write_text("old")
    with Archive(archive) as opened:
        opened.save({"deep": {"keys": {1: 2}}}, "odd")
    result = run("load", "odd", "-o", "out.h5", code=1)
    assert "/deep/keys" in result.stderr
    assert Path("out.h5").read_text() == "old"
    assert not [path for path in Path().iterdir() if ".tmp" in path.name]


@pytest.mark.usefixtures("archive")
def test_load_into_a_directory_that_is_not_there(run: Run) -> None:
    """The file that cannot be written is named."""
    result = run("load", "cu", "-o", "none/out.json", code=1)
    assert "none" in result.stderr


def test_what_a_stranger_signed_does_not_run(
    run: Run, archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code in a record runs if its signer is trusted, or with --trust."""
    with Archive(archive) as opened:
        opened.save({"thing": HTTPStatus.OK}, "strange", mode="cloudpickle")
        opened.save({"thing": {1, 2}}, "harmless", mode="cloudpickle")
    assert json.loads(run("load", "strange").stdout) == {"thing": 200}
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "other" / "signing.key"))
    result = run("load", "strange", code=1)
    assert "trust" in result.stderr
    assert result.stdout == ""
    assert json.loads(run("load", "strange", "--trust").stdout) == {"thing": 200}
    # What runs nothing is anybody's.
    assert json.loads(run("load", "harmless").stdout) == {"thing": [1, 2]}


@pytest.mark.usefixtures("archive")
def test_damage_is_a_sentence(run: Run) -> None:
    """A flipped bit is never printed as data."""
    record = json.loads(run("show", "cu", "--json").stdout)
    (path,) = Path("runs.payloads").rglob(Path(record["files"][0]).name)
    path.chmod(0o644)
    raw = bytearray(path.read_bytes())
    where = raw.index(b'"x"')
    raw[where + 1] ^= 1
    path.write_bytes(raw)
    result = run("load", "cu", code=1)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


def test_load_what_is_deep(run: Run, archive: str) -> None:
    """Depth is no limit on the way out, either."""
    value: dict[str, Any] = {"end": 1}
    for _ in range(3000):
        value = {"k": value}
    with Archive(archive) as opened:
        opened.save(value, "deep", mode="json")
    assert run("load", "deep").stdout.count('"k"') == 3000
    run("load", "deep", "-o", "deep.json")
    assert Path("deep.json").read_text().count('"k"') == 3000


@pytest.mark.parametrize("name", ["out.json", "out.h5", "out.pkl"])
def test_load_over_a_directory(run: Run, archive: str, name: str) -> None:
    """What cannot be replaced is named, and nothing is left behind."""
    Path("sub").mkdir()
    Path("sub", name).mkdir()
    result = run("load", "cu", "--db", archive, "-o", f"sub/{name}", code=1)
    assert name in result.stderr
    assert [path.name for path in Path("sub").iterdir()] == [name]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The sentence names the file that the user named, and no temporary one."""
    (tmp_path / "some.json").mkdir()
    with pytest.raises(OSError, match="some") as caught:
        write(str(tmp_path / "some.json"), {"a": 1})
    assert caught.value.filename == str(tmp_path / "some.json")
    with pytest.raises(OSError, match="missing") as caught:
        write(str(tmp_path / "missing" / "out.json"), {"a": 1})
    assert caught.value.filename == str(tmp_path / "missing" / "out.json")
