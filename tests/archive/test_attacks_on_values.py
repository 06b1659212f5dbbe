"""What adversarial tests found in values, groups and the catalog."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive, MemoryStorage, Storable, Stub
from archivedb.errors import CatalogDamagedError, EncodeError, RestoreError
from archivedb.values.encode import encode
from tests.support import fresh

if TYPE_CHECKING:
    from pathlib import Path

MODES = ("hdf5", "json", "cloudpickle")


class Node:
    """A node of a tree that knows its siblings."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kids: tuple[Node, ...] = ()
        self.siblings: tuple[Node, ...] = ()


class Key:
    """A key that is found by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        """Hash the name, which must be there."""
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        """Compare the names."""
        return isinstance(other, Key) and self.name == other.name


@pytest.mark.parametrize("mode", MODES)
def test_a_cycle_through_a_tuple_delays_nothing(tmp_path: Path, mode: str) -> None:
    """What comes after it is whole when others need it to be."""
    parent, kid = Node("p"), Node("a")
    parent.kids = (kid,)
    kid.siblings = parent.kids
    loop: tuple[Any, ...] = ([], [])
    loop[0].append(loop)
    loop[1].append((loop,))
    value = {
        "tree": parent,
        "loop": loop,
        "keys": {Key("x"): 1, Key("y"): 2},
        "set": {Key("z")},
        "frozen": frozenset({Key("w")}),
    }
    archive = Archive(tmp_path / "runs.db", mode=mode)
    archive.save(value, "run")
    back = archive.load("run")
    assert back["tree"].kids[0].siblings is back["tree"].kids
    assert back["loop"][0][0] is back["loop"]
    assert back["loop"][1][0][0] is back["loop"]
    assert back["keys"] == {Key("x"): 1, Key("y"): 2}
    assert back["set"] == {Key("z")}
    assert back["frozen"] == frozenset({Key("w")})


class Multi(dict[str, Any]):
    """A dict that hands out a key twice."""

    def __reduce__(self) -> Any:
        """Say what was added, in order."""
        return type(self), (), None, None, iter([("a", 1), ("a", 2), ("b", 3)])

    def __setitem__(self, key: str, value: Any) -> None:
        """Keep all of a key."""
        super().__setitem__(key, [*self.get(key, []), value])


class Frozen:
    """A class of slots that forbids to set them."""

    __slots__ = ("x",)

    def __init__(self, x: int) -> None:
        object.__setattr__(self, "x", x)

    def __setattr__(self, name: str, value: Any) -> None:
        """Forbid it."""
        raise AttributeError(name)


def test_slots_that_are_frozen(tmp_path: Path) -> None:
    """What was set once can be restored."""
    archive = Archive(tmp_path / "runs.db")
    archive.save({"f": Frozen(3)}, "run")
    assert archive.load("run")["f"].x == 3


def test_pairs_that_repeat(tmp_path: Path) -> None:
    """None of them is lost."""
    multi = Multi()
    for key, value in (("a", 1), ("a", 2), ("b", 3)):
        multi[key] = value
    archive = Archive(tmp_path / "runs.db")
    archive.save({"m": multi}, "run")
    assert dict(archive.load("run")["m"]) == {"a": [1, 2], "b": [3]}


class Log:
    """A class that truncates its file when it is made."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "w"):  # noqa: PTH123 - as somebody wrote it
            pass

    def __reduce__(self) -> Any:
        """Say how it is made."""
        return Log, (self.path,)


def test_saving_calls_no_constructor(tmp_path: Path) -> None:
    """What would make an object again is not tried out on the living."""
    path = tmp_path / "precious.log"
    log = Log(str(path))
    path.write_text("measured")
    Archive(tmp_path / "runs.db").save({"log": log}, "run")
    assert path.read_text() == "measured"


def test_a_refusal_does_not_depend_on_memory() -> None:
    """Tuples that are gone leave nothing behind that another is taken for."""

    class Holder:
        def __init__(self, item: Any) -> None:
            self.item = item

        def __reduce__(self) -> Any:
            return Holder, (self.item,)

    listed: list[Any] = []
    listed.append(Holder(listed))
    encode([*((n,) for n in range(50)), {"y": listed}])


class Lying:
    """An object that says that it is something else, or raises."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        """Lie."""
        if self.cls is None:
            msg = "no class"
            raise RuntimeError(msg)
        return self.cls


@pytest.mark.parametrize("cls", [np.float64, None])
def test_a_class_that_lies(cls: Any) -> None:
    """It is stored as what it is, or refused with the path."""
    try:
        encode({"a": {"b": Lying(cls)}})
    except EncodeError as error:
        assert str(error).startswith("a/b")  # noqa: PT017 - either is right


class Lost(Storable):
    """A class that asks for a key which it has never stored."""

    def _store(self, storage: Any) -> None:
        storage["a"] = 1

    @classmethod
    def _restore(cls, storage: Any, version: str | None) -> Lost:
        del version
        return storage["b"]


def test_an_object_that_fails_is_not_a_missing_key() -> None:
    """Neither `get` nor `setdefault` takes it for one, and it stays."""
    storage = MemoryStorage()
    storage["h"] = Lost()
    for access in (
        lambda: storage.get("h", 0),
        lambda: storage.setdefault("h", "gone"),
        lambda: storage.pop("h", None),
    ):
        with pytest.raises(RestoreError, match=r"Lost.*'b'"):
            access()
    assert "h" in storage


RERUN = """
import dataclasses, enum
from archivedb import Archive
@dataclasses.dataclass
class Run:
    a: int
    def more(self):
        return self.a + 1
class Color(enum.Enum):
    R = 1
class Base: pass
class Derived(Base): pass
with Archive("runs.db", mode=MODE) as archive:
    record = archive.save({"r": Run(1), "c": Color.R, "d": Derived(), "t": Run}, "x")
    back = archive.load("x")
    assert type(back["r"]) is Run and back["r"] == Run(1) and back["t"] is Run
    assert back["c"] is Color.R and type(back["d"]) is Derived
    assert archive.save(back, "x").version == record.version
    print(record.version)
"""


@pytest.mark.parametrize("mode", MODES)
def test_a_script_that_is_run_again(tmp_path: Path, mode: str) -> None:
    """Its objects are of its classes, and saving them once more adds no version."""
    (tmp_path / "run.py").write_text(RERUN.replace("MODE", repr(mode)))
    # Hashes of text are others in a new interpreter, and so is the order of sets.
    for run in (fresh.run, fresh.run_cold, fresh.run):
        done = run("-W", "error", "run.py", directory=tmp_path)
        assert (done.stdout, done.stderr) == ("1\n", "")


def test_metadata_whose_library_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One record's metadata does not keep the others from being listed."""
    pandas = pytest.importorskip("pandas")
    archive = Archive(tmp_path / "runs.db")
    archive.save({"a": 1}, "good")
    archive.save({"a": 1}, "odd", metadata={"t": pandas.Timestamp("2020")})
    from archivedb.values import adapters

    whole = adapters._library

    def without(package: str) -> Any:
        if package == "pandas":
            raise ImportError(package)
        return whole(package)

    monkeypatch.setattr(adapters, "_library", without)
    assert {record.name for record in archive.find(a=1)} == {"good", "odd"}
    stub = archive.record("odd").metadata["t"]
    assert isinstance(stub, Stub)
    assert stub.class_name == "pandas.Timestamp"
    assert archive.reindex().records == 2


@pytest.mark.parametrize(
    "statement",
    [
        "update array set number = 1 - number where kind = 'appended'",
        "delete from array where kind = 'appended' and number = 0",
        "update version set appended = 0",
        "update version set appended = 1",
        "update array set path = 'a/$part#7' where path = 'a/$part#1'",
    ],
)
def test_appended_rows_that_were_altered(tmp_path: Path, statement: str) -> None:
    """They are not taken for others, nor written into a payload by an edit."""
    with Archive(tmp_path / "runs.db") as archive:
        group = archive.create_group("r")
        for number in range(3):
            group.append("a", np.full((2, 2), float(number)))
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute(statement)
    connection.close()
    with Archive(tmp_path / "runs.db") as archive:
        with pytest.raises(CatalogDamagedError, match="reindex"):
            archive.load("r")
        with pytest.raises(CatalogDamagedError, match="reindex"):
            archive.open("r")["x"] = 1
        archive.reindex()
        assert archive["r/a"][:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_array_rows_that_were_swapped(tmp_path: Path) -> None:
    """A row proves its own path, so none stands in for another."""
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"a": np.zeros(3), "b": np.ones(3)}, "r")
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("update array set path = 'c' where path = 'a'")
        connection.execute("update array set path = 'a' where path = 'b'")
    connection.close()
    with Archive(tmp_path / "runs.db") as archive, pytest.raises(CatalogDamagedError):
        _ = archive["r/a"]


def test_operators_of_groups() -> None:
    """A group joins others as a dict does."""
    storage = MemoryStorage()
    storage["a"] = 1
    storage["b"] = [1]
    assert storage | {"a": 2} == {"a": 2, "b": [1]}
    assert {"a": 2, "c": 3} | storage == {"a": 1, "c": 3, "b": [1]}
    assert list(reversed(storage)) == ["b", "a"]
    storage |= {"c": 3}
    assert storage == {"a": 1, "b": [1], "c": 3}


def test_a_group_is_saved_as_its_dict(tmp_path: Path) -> None:
    """A group may be what a record is saved from."""
    archive = Archive(tmp_path / "runs.db")
    archive.save({"a": {"x": np.arange(3)}}, "one")
    archive.save(archive["one/a"], "two")
    assert archive.load("two")["x"].tolist() == [0, 1, 2]
