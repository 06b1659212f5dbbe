"""`load`, `[]`, `in` and all that looks without loading."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rich.pretty

from archivedb import Archive, ArchiveError, Folder, Group
from archivedb.errors import (
    ArchiveNotFoundError,
    KeyNotFoundError,
    NotAGroupError,
    RecordNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODES = ("hdf5", "json", "cloudpickle")

RUN: dict[Any, Any] = {
    "inputs": {"structure": "fcc", "k-points": (4, 4, 4), "odd/key": {"": 1}},
    "outputs": {"forces": np.arange(6.0).reshape(2, 3), "energy": -3.7, "list": [1, 2]},
    "steps": [{"e": 1.0}, {"e": 2.0, "array": np.arange(3)}],
    7: {"seven": True},
    "empty": {},
    "none": None,
}


@pytest.fixture(params=MODES)
def run(archive: Archive, request: pytest.FixtureRequest) -> Archive:
    """Return an archive with two versions of a run and a neighbour."""
    archive.save({"outputs": {"forces": np.zeros(1)}}, "al/fcc/run-1")
    archive.save(RUN, "al/fcc/run-1", mode=request.param, metadata={"m": 1})
    archive.save({"x": 1}, "al/bcc", mode=request.param)
    return archive


FOUND: list[tuple[str | tuple[Any, ...], Any]] = [
    ("outputs/forces", RUN["outputs"]["forces"]),
    (("outputs", "forces"), RUN["outputs"]["forces"]),
    ("outputs/energy", -3.7),
    ("outputs/list", [1, 2]),
    ("inputs/k-points", (4, 4, 4)),
    ("inputs/odd%2Fkey/%", 1),
    (("inputs", "odd/key", ""), 1),
    ("steps/[1]/e", 2.0),
    ("steps/[1]/array", np.arange(3)),
    (("steps", 1, "array"), np.arange(3)),
    ((7, "seven"), True),
    ("none", None),
    ("steps", RUN["steps"]),
]


@pytest.mark.parametrize(("path", "value"), FOUND)
def test_a_path_leads_to_its_value(
    run: Archive, same: Callable[..., bool], path: Any, value: Any
) -> None:
    """``[]`` reads one part, named by text or by a tuple of keys."""
    if isinstance(path, tuple):
        whole: Any = ("al", "fcc", "run-1", *path)
    else:
        whole = f"al/fcc/run-1/{path}"

    assert same(run[whole], value)
    assert whole in run


def test_a_dict_is_a_group(run: Archive, same: Callable[..., bool]) -> None:
    """A dict is shown as a group, which goes on and gives the dict."""
    outputs = run["al/fcc/run-1/outputs"]

    assert isinstance(outputs, Group)
    assert list(outputs) == ["forces", "energy", "list"]
    assert outputs["energy"] == -3.7
    assert same(outputs.load(), RUN["outputs"])
    assert same(run["al/fcc/run-1"].load(), RUN)
    assert "energy" in repr(outputs)


def test_a_folder_is_an_archive_of_its_own(run: Archive) -> None:
    """A folder lists, finds, saves and goes on below itself."""
    folder = run["al"]
    assert isinstance(folder, Folder)
    assert (folder.name, folder.path, len(folder)) == ("al", "al", 2)
    assert list(folder) == ["bcc", "fcc/run-1"]
    assert folder["bcc/x"] == 1
    assert folder[("fcc", "run-1", "outputs", "energy")] == -3.7
    assert isinstance(folder["fcc"], Folder)
    assert "bcc" in folder
    assert "run-1" not in folder
    assert [record.name for record in folder.find(m=1)] == ["al/fcc/run-1"]
    assert folder.save({}, "new").name == "al/new"
    assert "1 record>" in repr(run["al/fcc"])
    assert run[("al/fcc",)].path == "al/fcc"
    assert run["al/fcc/run-1", "outputs", "energy"] == -3.7


MISSING: list[Any] = [
    *("nothing", "al/nothing", "al/fcc/run-1/nothing", "a", "al/f"),
    *("", "/", "al/", "al//fcc", "/al", "al/fcc/run-1/", "al/fcc/run-1/steps/[2]"),
    *("al/fcc/run-1/steps/0", "AL", "al/fcc/run-1/[0]"),
    *((), ("al", "nothing"), ("al/nothing",), (7,)),
    *(("al", "fcc", "run-1", 8), ("al", "fcc", "run-1", "steps", 9)),
    ("al", "fcc", "run-1", "outputs/energy"),
]


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there_is_a_key_error(run: Archive, path: Any) -> None:
    """A missing path is a `KeyError` in a sentence, and not ``in`` the archive."""
    with pytest.raises(KeyError) as caught:
        run[path]

    assert isinstance(caught.value, ArchiveError)
    assert " " in str(caught.value)
    assert not str(caught.value).startswith("'no")
    assert path not in run


@pytest.mark.parametrize("path", ["al/bcc/x/on", "al/fcc/run-1/outputs/forces/0"])
def test_nothing_lies_below_a_leaf(run: Archive, path: str) -> None:
    """A path that goes on below a leaf says where it had to stop."""
    with pytest.raises(NotAGroupError, match="leaf"):
        run[path]
    assert path not in run


def test_a_missing_key_says_what_to_run(run: Archive) -> None:
    """The sentence names the record and the command that shows its keys."""
    with pytest.raises(KeyNotFoundError, match=r"archivedb tree al/fcc/run-1"):
        run["al/fcc/run-1/outputs/energie"]
    with pytest.raises(KeyNotFoundError, match=r"archivedb ls"):
        run["al/fcc/run-2"]


def test_a_missing_record_is_a_key_error(run: Archive) -> None:
    """`load` and its like name what is missing, and why."""
    for ask in (run.load, run.record, run.versions, run.history, run.outline):
        with pytest.raises(RecordNotFoundError, match="archivedb ls"):
            ask("al/hcp")
        with pytest.raises(RecordNotFoundError, match="is a folder"):
            ask("al/fcc")
    with pytest.raises(RecordNotFoundError, match="newest is version 2"):
        run.load("al/fcc/run-1", version=3)
    with pytest.raises(RecordNotFoundError):
        run.load("al/fcc/run-1", version=0)
    with pytest.raises(KeyError):
        run.load("al/hcp")


def test_in_takes_anything(run: Archive) -> None:
    """``in`` never raises for what can be no path."""
    assert 3 not in run
    assert None not in run
    assert "\ud800" not in run


def test_a_record_pins_its_version(archive: Archive) -> None:
    """Where a name is taken, a `Record` means the version that it is."""
    first = archive.save({"n": 1}, "x")
    archive.save({"n": 2, "more": {}}, "x")

    assert archive.load(first) == {"n": 1}
    assert archive.load(first, version=2) == {"n": 2, "more": {}}
    assert archive.record(first) == first
    assert [node.path for node in archive.outline(first)] == ["n"]
    assert [r.version for r in archive.versions(first)] == [1, 2]
    assert len(archive.history(first)) == 2


def test_a_record_does_not_mean_its_successor(archive: Archive) -> None:
    """After a delete, a kept `Record` never loads what was saved under its name."""
    first = archive.save({"n": 1}, "x")
    archive.delete("x")
    archive.save({"n": 2}, "x")

    for ask in (archive.load, archive.record, archive.outline):
        with pytest.raises(RecordNotFoundError):
            ask(first)


def test_a_record_cannot_be_changed(archive: Archive) -> None:
    """A `Record` is a frozen value, equal to itself and usable as a key."""
    record = archive.save({"n": 1}, "x", metadata={"a": [1]}, tags=["t"])

    with pytest.raises(dataclasses.FrozenInstanceError):
        record.name = "y"  # type: ignore[misc]
    assert record == archive.record("x")
    assert {record: 1}[archive.record("x")] == 1
    assert record != archive.save({"n": 2}, "x")
    assert record != "x"


def test_what_is_loaded_belongs_to_the_caller(archive: Archive) -> None:
    """Changing a loaded value changes neither the archive nor the next load."""
    archive.save({"a": np.zeros(3), "d": {"x": [1]}}, "x", metadata={"m": [1]})
    value = archive.load("x")
    value["a"][0] = 1
    value["d"]["x"].append(2)
    archive["x/a"][1] = 5
    archive.record("x").metadata["m"].append(2)

    again = archive.load("x")
    assert again["a"].tolist() == [0, 0, 0]
    assert again["d"] == {"x": [1]}
    assert archive.record("x").metadata == {"m": [1]}


def test_the_outline_reads_no_array(run: Archive) -> None:
    """Groups, dtypes, shapes and small values are shown line by line."""
    nodes = {node.path: node for node in run.outline("al/fcc/run-1")}

    assert nodes["outputs"].kind == "group"
    assert nodes["outputs/forces"].kind == "array"
    assert "2" in nodes["outputs/forces"].text
    assert "3" in nodes["outputs/forces"].text
    assert nodes["outputs/energy"].text == "-3.7"
    assert nodes["inputs/odd%2Fkey"].depth == 1
    for path in nodes:
        assert f"al/fcc/run-1/{path}" in run


def test_the_listing_is_one_level(run: Archive) -> None:
    """A listing gives subfolders with counts, and the records in between."""
    folders, records = run.listing()
    assert (folders, records) == ([("al", 2)], [])
    folders, records = run.listing("al")
    assert folders == [("fcc", 1)]
    assert [record.name for record in records] == ["al/bcc"]
    folders, records = run.listing("al/fcc")
    assert [(record.name, record.version) for record in records] == [
        ("al/fcc/run-1", 2)
    ]
    for name in ("al/bcc", "nothing", "al/"):
        with pytest.raises(RecordNotFoundError, match="no record or folder"):
            run.listing(name)


def test_names_are_in_order(archive: Archive) -> None:
    """Iterating gives every name, those of a folder only its own."""
    names = ["b/a", "a/z", "a/é", "a/b/c", "a0", "ab", "a-/x"]
    for name in names:
        archive.save({}, name)

    assert list(archive) == sorted(names)
    assert list(archive.names("a")) == ["a/b/c", "a/z", "a/é"]
    assert (len(archive), archive.count("a"), archive.count("a/b")) == (7, 3, 1)
    assert list(archive.names("nothing")) == []


def test_everything_has_a_repr(run: Archive) -> None:
    """What a shell or a notebook shows is short, and says what it is."""
    record = run.record("al/fcc/run-1")
    assert repr(record).startswith("Record('al/fcc/run-1', version=2")
    assert "metadata.m" in record._repr_html_()
    assert "al/fcc/run-1" in rich.pretty.pretty_repr(record)
    assert "2 records" in repr(run)
    assert "al/bcc" in run._repr_html_()
    assert "al/bcc" in repr(run.find())
    assert "<table>" in run.find()._repr_html_()
    assert run._ipython_key_completions_() == ["al/bcc", "al/fcc/run-1"]
    assert run["al"]._ipython_key_completions_() == ["bcc", "fcc/run-1"]
    assert "sound" in run.verify()._repr_html_()


def test_html_is_escaped(archive: Archive) -> None:
    """No name, tag or metadata puts markup into a notebook."""
    bad = "<script>alert(1)<x>"
    archive.save({bad: {bad: bad}}, bad, metadata={bad: bad}, tags=[bad])

    shown = [
        archive.record(bad)._repr_html_(),
        archive._repr_html_(),
        archive.find()._repr_html_(),
    ]
    shown += [
        part._repr_html_()
        for part in (archive[bad], archive[f"{bad}/{bad}"])
        if hasattr(part, "_repr_html_")
    ]
    assert not any("<script" in html for html in shown)


def test_nothing_is_there_before_the_first_save(archive: Archive) -> None:
    """An archive that is not created yet is empty, and says so when it must."""
    assert not archive.exists
    assert list(archive) == []
    assert len(archive) == 0
    assert bool(archive)
    assert "x" not in archive
    assert list(archive.find(a=1)) == []
    assert "not created yet" in repr(archive)
    asks: list[Any] = [
        *(archive.load, archive.record, archive.versions, archive.history),
        *(archive.outline, archive.delete, archive.listing, archive.__getitem__),
    ]
    for ask in asks:
        with pytest.raises(ArchiveNotFoundError, match="first save"):
            ask("x")
    with pytest.raises(ArchiveNotFoundError):
        archive.verify()


def test_an_array_is_read_alone(archive: Archive, tmp_path: Path) -> None:
    """`[]` of one array neither needs nor touches its damaged neighbours."""
    data = {"a": np.arange(1000.0), "b": np.arange(2000.0)}
    record = archive.save(data, "x")
    file = tmp_path / "runs.payloads" / record.files[0]
    raw = file.read_bytes()
    start = raw.index(data["b"].tobytes())
    file.chmod(0o644)
    file.write_bytes(raw[:start] + bytes(100) + b"?" + raw[start + 101 :])

    assert archive["x/a"].tobytes() == data["a"].tobytes()
    with pytest.raises(ArchiveError, match="damaged"):
        archive["x/b"]
