"""``archivedb init`` and ``archivedb save``."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from archivedb import Archive
from tests.support import fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]
    Shell = Callable[..., subprocess.CompletedProcess[str]]


def _load(name: str, db: str = "runs.db") -> Any:
    with Archive(db) as archive:
        return archive.load(name)


def test_init_says_where(run: Run) -> None:
    """An archive is created where it was asked for, and empty."""
    assert "runs.db" in run("init", "runs.db").stdout
    assert run("ls").stdout == ""
    assert run("ls", "--db", "runs.db").stdout == ""


def test_init_here(run: Run) -> None:
    """Without an address it is the archive.db of this directory."""
    run("init")
    assert Path("archive.db").is_file()


def test_init_of_what_exists(run: Run, archive: str) -> None:
    """An archive that is there stays as it is."""
    result = run("init", archive, code=1)
    assert result.stderr.count("\n") == 1
    assert run("ls").stdout == "al/\ncu\n"


def test_init_as_json(run: Run) -> None:
    """With --json the address is the answer."""
    assert json.loads(run("init", "runs.db", "--json").stdout)["archive"].endswith(
        "runs.db"
    )


@pytest.mark.usefixtures("archive")
def test_save_a_json_file(run: Run) -> None:
    """Metadata and tags are kept with the record that is printed."""
    Path("run.json").write_text('{"a": [1, 2.5, null], "b": {"c": "é"}}')
    result = run(
        *("save", "run.json", "new/run", "-m", "project=al", "-m", "n=3"),
        *(
            "-m",
            'word="3"',
            "-m",
            "list=[1, 2]",
            "-m",
            "eq=a=b",
            "--tag",
            "b",
            "-t",
            "a",
        ),
    )
    assert "new/run" in result.stdout
    assert _load("new/run") == {"a": [1, 2.5, None], "b": {"c": "é"}}
    record = json.loads(run("show", "new/run", "--json").stdout)
    assert record["metadata"] == {
        "project": "al",
        "n": 3,
        "word": "3",
        "list": [1, 2],
        "eq": "a=b",
    }
    assert record["tags"] == ["a", "b"]
    assert record["version"] == 1


@pytest.mark.usefixtures("archive")
def test_save_json_exactly(run: Run) -> None:
    """Integers of any size come through, and so does NaN."""
    big = "1" + 5000 * "0"
    text = f'{{"big": {big}, "nan": NaN, "inf": -Infinity, "z": -0.0}}'
    run("save", "-", "x", "--mode", "json", stdin=text)
    data = _load("x")
    assert data["big"] == 10**5000
    assert np.isnan(data["nan"])
    assert data["inf"] == -np.inf
    assert np.signbit(data["z"])


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("mode", ["hdf5", "json", "cloudpickle"])
def test_save_in_each_mode(run: Run, mode: str) -> None:
    """The mode is the one that was asked for."""
    saved = run("save", "-", "x", "--mode", mode, "--json", stdin='{"a": 1}').stdout
    assert json.loads(saved)["mode"] == mode
    assert _load("x") == {"a": 1}


@pytest.mark.usefixtures("archive")
def test_save_from_a_pipe(shell: Shell) -> None:
    """Standard input is JSON unless it is said to be something else."""
    assert shell("save", "-", "x", stdin='{"a": 1}').returncode == 0
    with h5py.File("in.h5", "w") as file:
        file["g/a"] = np.arange(3)
    with Path("in.h5").open("rb") as stream:
        subprocess.run(
            [fresh.executable("archivedb"), "save", "-", "y", "--from", "hdf5"],
            stdin=stream,
            check=True,
            capture_output=True,
        )
    assert _load("x") == {"a": 1}
    assert _load("y")["g"]["a"].tolist() == [0, 1, 2]


@pytest.mark.usefixtures("archive")
def test_save_hdf5_from_a_real_pipe(run: Run) -> None:
    """A pipe cannot be sought in, and is read all the same."""
    with h5py.File("in.h5", "w") as file:
        file["a"] = 1
    run("save", "-", "x", "--from", "hdf5", stdin=Path("in.h5").read_bytes())
    assert _load("x") == {"a": 1}


@pytest.mark.usefixtures("archive")
def test_save_an_hdf5_file(run: Run) -> None:
    """Groups become dicts and datasets arrays; attributes are named on stderr."""
    with h5py.File("in.h5", "w") as file:
        file["g/forces"] = np.ones((2, 3))
        file["g/energy"] = -3.7
        file["g/energy"].attrs["units"] = "eV"
    result = run("save", "in.h5", "x", "--json")
    assert "/g/energy@units" in result.stderr
    assert json.loads(result.stdout)["name"] == "x"
    data = _load("x")
    assert data["g"]["forces"].shape == (2, 3)
    assert type(data["g"]["energy"]) is np.float64


class _Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("evil",)


@pytest.mark.usefixtures("archive")
def test_a_pickle_needs_permission(run: Run) -> None:
    """A pickle runs no code before the user said that it may."""
    Path("in.pkl").write_bytes(pickle.dumps({"a": _Evil()}))
    result = run("save", "in.pkl", "x", code=1)
    assert "--allow-pickle" in result.stderr
    assert not Path("evil").exists()
    Path("in.pkl").write_bytes(pickle.dumps({"a": (1, 2)}))
    run("save", "in.pkl", "x", "--allow-pickle")
    assert _load("x") == {"a": (1, 2)}


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", b'{"a": 1, "a": 2}', "'a' twice"),
        ("x.json", b'{"a":', "not JSON"),
        ("x.json", b"", "not JSON"),
        ("x.json", b'{"a": "\xff"}', "not Unicode"),
        ("x.json", b"[1]", "a record is a dict"),
        ("x.json", b"[" * 100_000, "too deeply"),
        ("x.h5", b"junk", "not an HDF5 file"),
        ("x.pkl", b"junk", "cannot be unpickled"),
    ],
)
def test_files_that_cannot_be_read(
    run: Run, name: str, content: bytes, said: str
) -> None:
    """What is wrong with a file is one sentence, and nothing is saved."""
    Path(name).write_bytes(content)
    result = run("save", name, "new", "--allow-pickle", code=1)
    assert said in result.stderr
    assert name in result.stderr
    assert run("ls").stdout == "al/\ncu\n"


@pytest.mark.usefixtures("archive")
def test_on_exists(run: Run) -> None:
    """A name that is taken gets a version, an error, or nothing."""
    run("save", "-", "cu", stdin='{"x": 2}')
    assert _load("cu") == {"x": 2}
    run("save", "-", "cu", "--on-exists", "error", code=1, stdin='{"x": 3}')
    run("save", "-", "cu", "--on-exists", "skip", stdin='{"x": 3}')
    assert _load("cu") == {"x": 2}
    assert len(run("history", "cu").stdout.splitlines()) == 2


def test_save_creates_what_was_named(run: Run) -> None:
    """The first save creates the archive, if it is said where."""
    run("save", "-", "x", code=3, stdin="{}")
    run("save", "-", "x", "--db", "new.db", stdin="{}")
    assert run("ls").stdout == "x\n"


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("name", ["", "a//b", "/a", "..", "a/../b", "a\nb", "x" * 2000])
def test_names_that_cannot_be(run: Run, name: str) -> None:
    """A name that cannot be is one sentence."""
    result = run("save", "-", name, code=1, stdin="{}")
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("archive")
def test_name_conflicts(run: Run) -> None:
    """A folder's name cannot be a record's."""
    run("save", "-", "al/fcc", code=1, stdin="{}")
    run("save", "-", "cu/below", code=1, stdin="{}")


@pytest.mark.usefixtures("archive")
def test_name_that_begins_with_a_dash(run: Run) -> None:
    """After ``--`` nothing is an option."""
    run("save", "-", "--", "-x", stdin="{}")
    assert run("load", "--", "-x").stdout == "{}\n"
