"""Groups of records, and what of a record they show: objects, parts, maps."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
import types
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.errors import (
    EncodeError,
    KeyNotFoundError,
    NotAGroupError,
    PayloadMissingError,
    RestoreError,
    UntrustedPayloadError,
)
from archivedb.values.exact import same

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import (  # type: ignore[import-not-found]
        Program,
        Reads,
    )

MODES = ("hdf5", "json", "cloudpickle")
BIG = np.arange(100_000.0)


# Objects and trust --------------------------------------------------------------


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> type:
    """Return a class of a module that can be taken away."""

    @dataclasses.dataclass
    class Run:
        energy: float
        forces: Any

    module = types.ModuleType("passing")
    Run.__module__, Run.__qualname__ = "passing", "Run"
    module.Run = Run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "passing", module)
    return Run


@pytest.mark.parametrize("mode", MODES)
def test_own_objects_beside_an_edit(fast: Archive, passing: type, mode: str) -> None:
    """An edit signs anew what is there, so that it can be loaded."""
    function = lambda x: x + 1  # noqa: E731 - stored by value
    objects = {"run": passing(1.5, BIG), "function": function, "n": 1}
    fast.save(objects, "r", mode=mode)
    run = fast.open("r")
    run["n"] = 2
    run["more"] = passing(2.5, None)
    run.append("rows", np.arange(2))
    run.append("rows", np.arange(2))
    run["n"] = 3
    with Archive(fast.address) as other:
        found = other.load("r")
        assert found["run"].energy == 1.5
        assert same(found["run"].forces, BIG)
        assert found["more"] == passing(2.5, None)
        assert found["function"](1) == other["r/function"](1) == 2
    assert fast.compact("r").version == 6
    assert fast.load("r")["run"].energy == 1.5


def test_what_an_object_was_stored_as(
    fast: Archive, passing: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`open` gives the group of an object whose class no longer exists."""
    fast.save({"run": passing(1.5, np.arange(6.0))}, "r")
    monkeypatch.delitem(sys.modules, "passing")
    run = fast.open("r")
    with pytest.raises(RestoreError):
        _ = run["run"]
    group = run.open("run")
    assert list(group) == ["energy", "forces"]
    assert group["energy"] == 1.5
    assert same(group.open("forces")[2:4], np.array([2.0, 3.0]))
    assert same(fast["r/run/forces"], np.arange(6.0))
    assert same(fast.load("r", only=["run/energy"]), {"run": {"energy": 1.5}})
    run["n"] = 1
    assert run.open("run")["energy"] == 1.5
    with pytest.raises(NotAGroupError):
        group["energy"] = 2.5


@pytest.mark.parametrize("mode", MODES)
def test_objects_of_strangers_are_not_signed(
    tmp_path: Path, program: Program, mode: str
) -> None:
    """An edit would put this user's name under them: it is refused."""
    mark = tmp_path / "it-ran"
    key = str(tmp_path / "other" / "key")
    address, plain = tmp_path / "strange.db", tmp_path / "plain"
    program("strangers.py", address, mark, plain, ARCHIVEDB_KEY=key)
    name = f"from/{mode}"
    with Archive(address) as archive:
        run = archive.open(name)
        content = archive._row(name, None).content

        def block() -> None:
            with run:
                run["plain/n"] = 2
                run["more"] = 1

        for change in (
            block,
            *(lambda: run["plain"].update(n=2), lambda: run.update(x=1)),
            *(lambda: run.append("rows", np.arange(2)), run["plain"].clear),
            lambda: run.__delitem__("plain"),
        ):
            with pytest.raises(UntrustedPayloadError):
                change()
        assert archive._row(name, None).content == content
        with pytest.raises(UntrustedPayloadError):
            run.load()
        del run["list"]  # the stranger's objects themselves
        assert run.load() == {"plain": {"n": 1}, "array": [1.0, 2.0]}
    assert not mark.exists()


# Views ------------------------------------------------------------------------


def test_a_group_is_no_value(fast: Archive) -> None:
    """It is neither pickled nor saved inside of something; `load` is named."""
    fast.save({"g": {"x": np.arange(3)}}, "r")
    group = fast.open("r")["g"]
    for use in (pickle.dumps, copy.deepcopy, lambda g: fast.save({"a": [g]}, "s")):
        with pytest.raises(EncodeError, match=r"'r/g', by \.load\(\)"):
            use(group)
        with pytest.raises(EncodeError, match=r"by \[:\]"):
            use(group.open("x"))
    with pytest.raises(EncodeError, match=r"a/\[0\]"):
        fast.open("r")["new"] = {"a": [group]}
    fast.open("r")["new"] = group
    assert same(fast.load("r")["new"], {"x": np.arange(3)})
    assert list(fast) == ["r"]


@pytest.mark.parametrize("mode", MODES)
def test_loading_only_some(fast: Archive, reads: Reads, mode: str) -> None:
    """What several paths lead to, nested as it is; no other array is read."""
    odd: dict[Any, Any] = {1: [10, {"x": 11}], (1, 2): 12, "a/b": 13, None: 14, "": 15}
    big = {"one": BIG, "two": BIG + 1, "text": "abc"}
    fast.save({"big": big, "odd": odd, "list": [1, BIG, {"x": 2}]}, "r", mode=mode)
    load = fast.load
    reads.clear()
    assert same(load("r", only=["big/two"]), {"big": {"two": BIG + 1}})
    if mode != "json":
        assert BIG.nbytes <= reads.bytes < 1.2 * BIG.nbytes
    assert same(load("r", only=[]), {})
    found = load("r", only=["big/text", ("odd", "a/b"), ("odd", (1, 2)), ("odd", 1)])
    kept = {key: odd[key] for key in ("a/b", (1, 2), 1)}
    assert same(found, {"big": {"text": "abc"}, "odd": kept})
    assert same(load("r", only=["big", "big/text"]), {"big": big})
    assert same(load("r", only=[("list", 2, "x")]), {"list": {"[2]": {"x": 2}}})
    assert same(load("r", only=[("odd", ""), ("odd", None)])["odd"], {"": 15, None: 14})
    for missing in ("big/none", "none", ("odd", 2), ("list", 7), "list/x"):
        with pytest.raises(KeyNotFoundError):
            load("r", only=["big/text", missing])
    with pytest.raises(NotAGroupError):
        load("r", only=["big/text/deeper"])
    with pytest.raises(EncodeError):
        load("r", only="big")


@pytest.mark.parametrize("mode", MODES)
def test_memory_maps(fast: Archive, mode: str) -> None:
    """Arrays that lie in a file as they are, are mapped; others are read."""
    arrays = {
        "f": BIG.reshape(-1, 10),
        "big": BIG.astype(">i4"),
        "b": BIG > 5,
        "zero": np.array(1.5),
        "none": np.zeros((0, 3)),
        "text": np.array(["ä"]),
        "when": np.array(["2020"], "M8[Y]"),
        "s": np.zeros(3, [("a", "i4")]),
        "fortran": np.asfortranarray(BIG.reshape(-1, 10)),
    }
    fast.save(
        {**arrays, "list": [1.0, 2.0] * 50, "objects": np.array([1, "a"], object)},
        "r",
        mode=mode,
    )
    run = fast.open("r", mmap=True)
    for key, array in arrays.items():
        found = run[key]
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert np.asarray(found).tobytes() == array.tobytes()
        if mode != "json" and array.size:
            assert type(found) is np.memmap
            assert not found.flags.writeable
    assert run["list"] == [1.0, 2.0] * 50
    assert run["objects"].tolist() == [1, "a"]
    other = fast.open("r")
    for _ in range(3):
        other.append("rows", BIG)
    assert same(np.asarray(run["rows"][150_000:150_010]), BIG[50_000:50_010])
    assert same(np.asarray(run.open("rows")[150_000:150_010]), BIG[50_000:50_010])


def test_a_map_of_a_missing_file(fast: Archive, payloads: Any) -> None:
    """It is the typed error that reading gives."""
    fast.save({"x": BIG}, "r")
    run = fast.open("r", mmap=True)
    assert len(run["x"]) == len(BIG)
    payloads()[0].unlink()
    with pytest.raises(PayloadMissingError):
        _ = run["x"]
