"""What a stranger has sent runs nowhere, by whatever route it was stored."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from archivedb import Archive, Stub
from archivedb.archive.writing import editing
from archivedb.cli._app import app
from archivedb.errors import ArchiveError, DecodeError, UntrustedPayloadError
from archivedb.formats.base import Draft
from archivedb.values import digest, json, pickled, signing
from archivedb.values.arrays import StoredArray
from archivedb.values.encode import NO_VALUE, Encoded, encode
from archivedb.values.skeleton import Skeleton, tag_of
from tests.support.payloads import within

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program  # type: ignore[import-not-found]

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]
MODES = ("hdf5", "json", "cloudpickle")
HOSTILE = ("hostile_calls", "hostile_import")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Path:
    """Return the directory that a stranger has sent, for copies to be made of."""
    place = tmp_path_factory.mktemp("sent")
    key, mark = str(place / "stranger.key"), str(place / "it-ran")
    program("hostile.py", place, ARCHIVEDB_KEY=key, STRANGER="1", **around(mark))
    (place / "stranger.key").unlink()
    assert not Path(mark).exists()
    return place


@pytest.fixture
def mark(sent: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return what exists once anything has run; where it could be imported."""
    monkeypatch.setenv("MARK", str(sent / "it-ran"))
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "own" / "key"))
    monkeypatch.syspath_prepend(str(PROGRAMS))
    (sent / "it-ran").unlink(missing_ok=True)
    return sent / "it-ran"


@pytest.fixture
def place(sent: Path, tmp_path: Path) -> Path:
    """Return a copy of what the stranger has sent."""
    return Path(shutil.copytree(sent, tmp_path / "sent"))


def around(mark: Path | str) -> dict[str, str]:
    """Return what both sides find in their environment."""
    return {"MARK": str(mark), "PYTHONPATH": str(ROOT)}


def require_nothing(mark: Path) -> None:
    """Require that nothing has run, and that nothing was imported for it."""
    assert not mark.exists()
    assert not [name for name in HOSTILE if name in sys.modules]


# Whole archives -------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("how", ["look", "edit"])
def test_nothing_runs(place: Path, mark: Path, program: Program, how: str) -> None:
    """Neither looking at everything runs a stranger's code, nor editing it."""
    said = program("victim.py", place, mark, how, **around(mark))
    assert said == "nothing ran"


CLASSES_TAKEN_ALONG = ("by-value", "by-value-instance")


@pytest.mark.parametrize("way", ["key", "trust"])
def test_everything_runs_once_it_may(
    place: Path, mark: Path, program: Program, way: str
) -> None:
    """Else the tests above would have proved nothing."""
    more = ["trust=True"] if way == "trust" else []
    if way == "key":
        run("trust", "add", str(place / "stranger.pub"))
    said = program("victim.py", place, mark, "trusted", *more, **around(mark))
    # A function does nothing until somebody calls it, and a class that was taken
    # along is made once a process: by the first that needs it.
    silent = {f"{mode}/callback" for mode in MODES}
    made = {f"{mode}/{kind}" for mode in MODES for kind in CLASSES_TAKEN_ALONG}
    quiet = set(said.split())
    assert quiet <= silent | made
    assert silent <= quiet
    assert not made <= quiet


# The command line -----------------------------------------------------------


def run(*arguments: str) -> Any:
    """Run a command in this process."""
    result = CliRunner().invoke(app, list(arguments))
    assert "Traceback" not in result.output
    return result


def test_no_command_runs_anything(place: Path, mark: Path, tmp_path: Path) -> None:
    """Each command looks, or refuses with a sentence."""
    db = ("--db", str(place / "strange.db"))
    for arguments in (
        *(("ls",), ("ls", "-l"), ("ls", "-r", "json"), ("ls", "--json")),
        *(("find",), ("find", "n=1"), ("find", "--tag", "bad", "--json")),
        *(("verify",), ("verify", "--level", "quick"), ("reindex",)),
        *(("trust", "list"), ("trust",), ("tree",)),
    ):
        assert run(*arguments, *db).exit_code == 0, arguments
        require_nothing(mark)
    for mode in MODES:
        for what in ("reduce", "frame", "key") if mode == "json" else ("enum",):
            name = f"{mode}/{what}"
            for arguments in (
                *(("show", name), ("history", name), ("tree", name)),
                *(("load", name, "--stub"), ("load", f"{name}/n"), ("show", mode)),
                *(("load", name, "--only", "n"), ("load", name, "--stub", "--json")),
            ):
                run(*arguments, *db)
                require_nothing(mark)
            for arguments in (
                ("load", name),
                ("load", name, "--only", "it"),
                ("load", name, "-o", str(tmp_path / "out.json")),
                ("load", name, "-o", str(tmp_path / "out.h5")),
            ):
                result = run(*arguments, *db)
                assert result.exit_code, arguments
                assert "runs code" in result.output
                require_nothing(mark)
            run("compact", name, *db)
            assert run("prune", name, *db).exit_code == 0
            require_nothing(mark)
    assert run("load", "json/reduce", *db).exit_code
    assert run("rm", "json/reduce", "--yes", *db).exit_code == 0
    require_nothing(mark)


# Payloads made by hand --------------------------------------------------------

_STATES: dict[str, Any] = {
    "reference": ...,
    "enum": {"name": "RED"},
    "storable": {"x": 1},
    "dataclass": {"x": 1},
    "attrs": {"x": 1},
    "state": {"x": 1},
    "reduce": {"args": []},
    "unheard-of": {},
}


def by_hand() -> dict[str, Any]:
    """Return skeletons that would import something, each by another way."""
    made: dict[str, Any] = {}
    for route, state in _STATES.items():
        made[route] = {"$object": "hostile_import:Object", "by": route}
        if state is not ...:
            made[route]["state"] = state
    evil = made["reference"]
    made |= {
        "by a list": {"$object": "hostile_import:Object", "by": ["state"]},
        "no state": {"$object": "hostile_import:Object", "by": "state"},
        "a call": {"$object": "x:y", "by": "reduce", "state": {"call": evil}},
        "a class": {"$object": "x:y", "by": "state", "class": evil, "state": {}},
        "a key": {"$dict": [[{"$key": evil}, 1]]},
        "a written key": {"$dict": [[evil, 1]]},
        "a key below": {"$dict": [[{"$tuple": [evil]}, 1]]},
        "a complex number": {"$complex": [evil, 1]},
        "a set": {"$adapted": "set", "state": [evil]},
        "an adapter": {"$adapted": "hostile_import.Object", "state": {}},
        "another adapter": {"$adapted": evil, "state": {}},
        "a type": {"$adapted": "type", "state": "hostile_import:Object"},
        "a factory": {
            "$adapted": "collections.defaultdict",
            "state": {"items": {}, "factory": evil},
        },
        "objects": {"$objects": [evil], "shape": [1]},
        "a tuple": {"$tuple": [1, {"$tuple": [evil]}]},
        "a reference": [{"$ref": "it/[1]"}, evil],
        "escaped": [{"$ref": "it/[1]"}, evil],
        "itself": {
            "$object": "hostile_import:Object",
            "by": "state",
            "state": {"$ref": "it"},
        },
    }
    return made


def crafted(tree: Any, arrays: tuple[Any, ...] = ()) -> Encoded:
    """Return a skeleton as if it were that of a harmless value."""
    text = json.dumps({"n": 1, "it": tree})
    return Encoded(NO_VALUE, text, digest.digest(text), arrays, executable=False)


@pytest.fixture
def slip_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what saves a skeleton as it is, signed as is said."""

    def save(name: str, value: Encoded, mode: str, signature: Any) -> None:
        with monkeypatch.context() as patch, Archive(tmp_path / "runs.db") as archive:
            patch.setattr("archivedb.archive.writing.saving.encode", lambda _: value)
            patch.setattr(Draft, "signature", lambda *_: signature)
            archive.save({}, name, mode=mode)

    return save


def signatures(value: Encoded) -> dict[str, Any]:
    """Return signatures of the victim and others, none for what is signed."""
    other = signing.sign(encode({"my": os.getpid}).digest)
    mine = signing.public_key()
    return {
        "none": None,
        "swapped": other,
        "zeros": {"key": mine, "ed25519": "00" * 64},
        "with-a-pickle": signing.sign(value.digest, digest.digest(b"pickle")),
        "no-key": {"key": "", "ed25519": other["ed25519"]},
        "weak-key": {"key": "01" + "00" * 31, "ed25519": "01" + "00" * 63},
        "no-hex": {"key": mine, "ed25519": "what"},
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", [*by_hand(), "a pickle", "whole"])
def test_skeletons_made_by_hand(
    tmp_path: Path, mark: Path, slip_in: Callable[..., None], mode: str, what: str
) -> None:
    """Whatever the envelope says, nothing runs that this user did not sign."""
    if what in ("a pickle", "whole"):
        array, node = a_pickle()
        value = crafted(node if what == "a pickle" else [node, node], (array,))
    else:
        value = crafted(by_hand()[what])
    every = signatures(value)
    if what not in ("reduce", "a pickle", "whole"):
        # A signature is read before what it signs, so that two stand for all.
        every = {name: every[name] for name in ("none", "swapped")}
    for name, signature in every.items():
        slip_in(name, value, mode, signature)
    with Archive(tmp_path / "runs.db") as archive:
        assert len(archive) == len(every)
        for name in archive:
            refuses_to_run(archive, name, mark)
        archive.reindex()
        assert len(archive) == len(every)
        refuses_to_run(archive, "none", mark)
        assert archive.verify("full").ok


def refuses_to_run(archive: Archive, name: str, mark: Path) -> None:
    """Look at a record that may be malformed, too."""
    group = archive.open(name)
    for ask in (
        lambda: archive.load(name),
        lambda: archive[f"{name}/it"],
        lambda: archive.load(name, only=["it"]),
        group.load,
        lambda: group["it"],
        lambda: group.__setitem__("own", Stub("a:B")),
    ):
        try:
            with within(2):
                found = ask()
        except ArchiveError:
            pass
        else:
            # Some stand where nothing is restored.
            assert type(found) is not str, found
        require_nothing(mark)
    assert archive.load(name, only=["n"]) == {"n": 1}
    for look in (
        lambda: archive.load(name, objects="stub"),
        lambda: list(archive.outline(name)),
        lambda: (repr(group), group._repr_html_(), repr(group.open("it"))),
    ):
        try:
            with within(2):
                look()
        except ArchiveError:
            pass
        require_nothing(mark)


def a_pickle() -> tuple[StoredArray, Any]:
    """Return a pickle as an array, and its node."""

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (Path(os.environ["MARK"]),)

    raw = np.frombuffer(bytearray(pickled.dumps(Evil())), np.uint8)
    hashed, blocks = digest.array_digest(raw.data)
    address = raw.__array_interface__["data"][0]
    array = StoredArray("it", raw, "pickle", raw.data, hashed, blocks, address)
    node = {
        "$array": 0,
        "dtype": "|u1",
        "shape": [raw.size],
        "digest": hashed,
        "as": "pickle",
        "class": "<script>alert(1)</script>\x1b[2J",
    }
    return array, node


@pytest.mark.parametrize("mode", MODES)
def test_metadata_restores_nothing(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """An object in the metadata of an envelope keeps its payload out of the index."""
    evil = {"x": {"$object": "hostile_import:Object", "by": "state", "state": {}}}
    with Archive(tmp_path / "runs.db", mode=mode) as archive:
        archive.save({"n": 1}, "good")
        with monkeypatch.context() as patch:
            patch.setattr(
                "archivedb.archive.writing.saving.encode_inline", lambda *_: evil
            )
            with pytest.raises(DecodeError):  # once it is durable
                archive.save({"n": 2}, "bad")
        for ask in (lambda: archive.record("bad"), archive.find().first):
            with pytest.raises(DecodeError):
                ask()
        archive.reindex()
        assert list(archive) == ["good"]
        assert not archive.verify("full").ok
    require_nothing(mark)


def test_rows_are_not_slipped_into_signed_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appended rows are signed by nobody: so no object may be given them."""

    class Holder:
        def __init__(self, array: Any) -> None:
            self.array = array

    shared = np.arange(40.0)
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"it": Holder(np.arange(40.0))}, "inside")
        archive.save({"array": shared, "it": Holder(shared)}, "shared")
        with pytest.raises(ArchiveError, match="is an object"):
            archive.open("inside").append("it/array", np.zeros(2))
        archive.open("shared").append("array", np.zeros(2))
        assert archive.load("shared")["array"].shape == (42,)
        assert archive.load("shared")["it"].array.shape == (40,)
        with monkeypatch.context() as patch:
            # Somebody else's archivedb would not ask.
            patch.setattr(editing, "only_extends", lambda *_: True)
            archive.open("inside").append("it/array", np.zeros(2))
        with pytest.raises(DecodeError, match="part of an object"):
            archive.load("inside")
        archive.reindex()
        with pytest.raises(DecodeError, match="part of an object"):
            archive.load("inside")


def test_hidden_tags_share_like_others() -> None:
    """A reference that is escaped without need still leads round and round once."""
    source = Skeleton(b'{"a":[{"\\u0024ref":"a"}]}')
    assert source.shares
    assert tag_of(source.root["a"][0]) == "$ref"
    assert not Skeleton(json.dumps({"a": "\x01\n"})).shares


# What is shown ------------------------------------------------------------------


def test_names_are_text_for_terminals_and_notebooks(
    tmp_path: Path, mark: Path, slip_in: Callable[..., None]
) -> None:
    """No name that a stranger chose is taken for markup, or for a command."""
    odd = "<script>alert(1)</script>"
    array, node = a_pickle()
    folder = tmp_path / "<b>"
    folder.mkdir()
    slip_in(
        odd,
        crafted({odd: node, "o": {"$object": f"a:{odd}\x1b[2J", "by": odd}}, (array,)),
        "json",
        None,
    )
    (tmp_path / "runs.db").rename(folder / "runs.db")
    (tmp_path / "runs.payloads").rename(folder / "runs.payloads")
    with Archive(folder / "runs.db") as archive:
        archive.save({odd: odd}, "b", metadata={odd: odd}, tags=[odd])
        group = archive.open(odd)
        shown = [
            *(archive, archive.find(), archive.record("b"), archive.record(odd)),
            *(group, group["it"], archive.open("b"), archive.verify()),
        ]
        for each in shown:
            html = each._repr_html_()
            assert "<script" not in html, type(each)
            assert "<b>/runs" not in html, type(each)
        with pytest.raises(UntrustedPayloadError):
            archive.load(odd)
    for command in ("ls", "tree", "show", "load", "history"):
        name = [] if command == "ls" else [odd]
        result = run(command, *name, "--db", str(folder / "runs.db"))
        assert "\x1b[2J" not in result.output, command
    require_nothing(mark)


# Adapters, and libraries that are not there ---------------------------------------


@pytest.mark.long
def test_states_made_by_hand(mark: Path, program: Program) -> None:
    """No adapter runs, imports or parses as code what a state says."""
    assert program("hostile_states.py", **around(mark)) == "nothing ran"
    require_nothing(mark)


def test_libraries_that_are_not_there_cost_nothing(
    tmp_path: Path, program: Program
) -> None:
    """They are asked for only where a value of theirs is restored."""
    import pandas as pd
    import pint
    import scipy.sparse
    import xarray as xr
    from ase import Atoms

    with Archive(tmp_path / "adapted.db") as archive:
        for mode in MODES:
            for name, value in {
                "ase": Atoms("H"),
                "pandas": pd.DataFrame({"a": [1]}),
                "pint": pint.Quantity(1.5, "meter"),
                "scipy": scipy.sparse.eye_array(2),
                "xarray": xr.DataArray([1, 2]),
            }.items():
                archive.save({"n": 1, "it": value}, f"{mode}/{name}", mode=mode)
    # That for xarray asks for pandas first.
    asked = program("without_libraries.py", tmp_path, cold=True, **around(tmp_path))
    assert asked.split() == ["ase", "pandas", "pint", "scipy"]
