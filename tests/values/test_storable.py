"""Classes that store themselves, that have moved, and that have changed."""

from __future__ import annotations

import dataclasses
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

import archivedb
from archivedb import Archive, Storable, Stub
from archivedb.errors import RestoreError
from archivedb.values import classes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODES = ("hdf5", "json", "cloudpickle")


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """Return a module of somebody's, with a version."""
    module = types.ModuleType("somebodys_code")
    module.__dict__["__version__"] = "1.5"
    monkeypatch.setitem(sys.modules, "somebodys_code", module)
    monkeypatch.setattr(classes, "_RENAMED", {})
    monkeypatch.setattr(classes, "_UPGRADES", {})
    classes._version.cache_clear()
    yield module
    classes._version.cache_clear()


def publish(module: types.ModuleType, cls: Any, name: str = "") -> Any:
    """Put a class into a module, as if it had been written there."""
    cls.__module__ = module.__name__
    cls.__name__ = cls.__qualname__ = name or cls.__name__
    setattr(module, cls.__name__, cls)
    return cls


class Cell(Storable):
    """A class that chooses what is kept, and under which names."""

    def __init__(self, a: float, parts: Any = ()) -> None:
        """Make it."""
        self.a, self.parts = a, parts
        self.version: str | None = None

    def _store(self, storage: Any) -> None:
        storage["lattice/a"] = self.a
        storage.create_group("empty")
        storage["parts"] = self.parts

    @classmethod
    def _restore(cls, storage: Any, version: str | None) -> Cell:
        assert list(storage) == ["lattice", "empty", "parts"]
        assert len(storage["empty"]) == 0
        made = cls(storage["lattice"]["a"], storage["parts"])
        made.version = version
        return made


@pytest.mark.parametrize("mode", MODES)
def test_a_class_stores_itself(
    tmp_path: Path, code: types.ModuleType, mode: str
) -> None:
    """`_restore` gets what `_store` put, and the version of its package."""
    cls = publish(code, type("Cell", (Cell,), {}))
    archive = Archive(tmp_path / "runs.db", mode=mode)
    shared = [1, 2]
    archive.save({"cell": cls(4.05, shared), "shared": shared}, "run")
    back = archive.load("run")
    assert type(back["cell"]) is cls
    assert (back["cell"].a, back["cell"].version) == (4.05, "1.5")
    assert back["cell"].parts is back["shared"]
    assert archive["run/cell/lattice/a"] == 4.05
    lines = [f"{node.path} {node.text}" for node in archive.outline("run")]
    assert "cell somebodys_code:Cell (storable)" in lines


@pytest.mark.parametrize("mode", MODES)
def test_a_class_that_has_moved(
    tmp_path: Path, code: types.ModuleType, mode: str
) -> None:
    """Old records are readable once somebody says where the class is now."""

    @dataclasses.dataclass
    class Old:
        x: int

    publish(code, Old)
    archive = Archive(tmp_path / "runs.db", mode=mode)
    archive.save({"old": Old(3)}, "run")
    del code.Old
    with pytest.raises(RestoreError, match=r"somebodys_code:Old.*renamed"):
        archive.load("run")
    stub = archive.load("run", objects="stub")["old"]
    assert isinstance(stub, Stub)
    assert (stub.class_name, stub.route) == ("somebodys_code:Old", "dataclass")
    assert stub.state == {"x": 3}

    @dataclasses.dataclass
    class New:
        x: int

    archivedb.renamed("somebodys_code:Old", New)
    assert archive.load("run")["old"] == New(3)


@pytest.mark.parametrize("mode", MODES)
def test_a_class_that_has_changed(
    tmp_path: Path, code: types.ModuleType, mode: str
) -> None:
    """Upgrades run from the oldest on, and only on what is older than they are."""

    class Run:
        pass

    publish(code, Run)
    archive = Archive(tmp_path / "runs.db", mode=mode)
    run = Run()
    run.e = 1.0  # type: ignore[attr-defined]
    archive.save({"run": run}, "run")
    ran = []

    @archivedb.upgrade(Run, before="3.0")
    def _(state: dict[str, Any]) -> dict[str, Any]:
        ran.append("3.0")
        return {**state, "unit": "eV"}

    @archivedb.upgrade(Run, before="2.0")
    def _(state: dict[str, Any]) -> dict[str, Any]:
        ran.append("2.0")
        return {"energy": state.pop("e"), **state}

    @archivedb.upgrade(Run, before="1.2")
    def _(state: dict[str, Any]) -> dict[str, Any]:
        ran.append("1.2")
        return state

    back = archive.load("run")["run"]
    assert vars(back) == {"energy": 1.0, "unit": "eV"}
    assert ran == ["2.0", "3.0"]


def test_fields_that_a_dataclass_has_grown(
    tmp_path: Path, code: types.ModuleType
) -> None:
    """A field that old records lack gets its default."""

    @dataclasses.dataclass(frozen=True)
    class Point:
        x: int

    publish(code, Point)
    archive = Archive(tmp_path / "runs.db")
    archive.save({"p": Point(1)}, "run")

    @dataclasses.dataclass(frozen=True)
    class Grown:
        x: int
        y: int = 2
        z: list[int] = dataclasses.field(default_factory=lambda: [3])

    publish(code, Grown, "Point")
    assert archive.load("run")["p"] == Grown(1, 2, [3])


def test_a_class_that_refuses_its_state(tmp_path: Path, code: types.ModuleType) -> None:
    """What a class raises is an error that names it."""

    class Strict:
        def __setstate__(self, state: Any) -> None:
            msg = "no"
            raise ValueError(msg)

    publish(code, Strict)
    strict = Strict()
    strict.x = 1  # type: ignore[attr-defined]
    archive = Archive(tmp_path / "runs.db")
    archive.save({"s": strict}, "run")
    with pytest.raises(RestoreError, match=r"somebodys_code:Strict refuses"):
        archive.load("run")


def test_names_and_versions_that_are_none() -> None:
    """Nonsense is refused when it is said, not when something old is loaded."""
    with pytest.raises(ValueError, match="module:Class"):
        archivedb.renamed("nonsense", Cell)
    with pytest.raises(ValueError, match="Invalid version"):
        archivedb.upgrade(Cell, before="not a version")
