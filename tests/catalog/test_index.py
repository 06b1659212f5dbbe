"""The search index follows every change, and is what a rebuild makes of it."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.formats.envelope import Content
from archivedb.values.encode import encode
from archivedb.values.facts import array_facts
from archivedb.values.leaf import Kind, Leaf
from archivedb.values.leaves import leaves
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterator

MODES = ("hdf5", "json", "cloudpickle")

DATA: dict[Any, Any] = {
    "inputs": {"cutoff": 450, "kpts": (4, 4, 4), "elements": {"Al"}, 7: "seven"},
    "outputs": {
        "energy": -3.7,
        "forces": np.linspace(-1, 1, 96).reshape(32, 3),
        "spins": np.array([1, -1], np.int8),
        "odd": np.array([math.nan, math.inf]),
        "words": np.array(["é", "日本"]),
        "empty": np.zeros((0, 3)),
        "large": np.array([2**64 - 1], np.uint64),
        "steps": [float(n) for n in range(40)],
    },
    "when": dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
    "big": 2**70,
    "log": "x" * 5000,
    "raw": b"x" * 5000,
}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Return each mode in turn."""
    return str(request.param)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive that waits neither for the disk nor for git."""
    with Archive(
        tmp_path / "runs.db", durability="relaxed", provenance=False
    ) as opened:
        yield opened


def rows(archive: Archive, name: str = "run", side: str = "data") -> dict[str, Leaf]:
    """Return the leaves of a record, without the code under test."""
    with closing(sqlite3.connect(archive.address)) as connection:
        found = connection.execute(
            "SELECT path.path, kind, num, txt FROM leaf"
            " JOIN path ON path.id = path_id JOIN record ON record.id = record_id"
            " WHERE name = ? AND side = ?",
            (name, side),
        ).fetchall()
    return {path: Leaf(Kind(kind), num, txt) for path, kind, num, txt in found}


def is_partly(archive: Archive, name: str = "run") -> bool:
    """Return whether the index says that it lacks something of a record."""
    with closing(sqlite3.connect(archive.address)) as connection:
        statement = "SELECT partly_indexed FROM record WHERE name = ?"
        return bool(connection.execute(statement, (name,)).fetchone()[0])


def wanted(data: Any, *, groups: bool = False) -> dict[str, Leaf]:
    """Return the leaves that data should have."""
    encoded = encode(data)
    known = [
        array_facts(array.values) if array.kind in ("array", "list") else None
        for array in encoded.arrays
    ]
    return leaves(Skeleton(encoded.skeleton), known.__getitem__, groups=groups)[0]


def require_rebuilt(archive: Archive) -> None:
    """Require that a rebuild changes nothing."""
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before
    assert archive.verify("quick").ok


def near(found: dict[str, Leaf], expected: dict[str, Leaf]) -> None:
    """Require equal leaves; means may differ in their last bits."""
    assert found.keys() == expected.keys()
    for path, leaf in expected.items():
        if path.endswith("$mean") and leaf.kind is Kind.NUMBER:
            assert math.isclose(found[path].num or 0, leaf.num or 0, abs_tol=1e-12)
        else:
            assert found[path] == leaf, path


# Content ----------------------------------------------------------------------


def test_saves(archive: Archive, mode: str) -> None:
    """A save indexes its data and its metadata; the next one replaces them."""
    facts: dict[str, Any] = {"project": "al", "pair": {"a": (1, None)}}
    archive.save(DATA, "run", mode=mode, metadata=facts, tags=["t"])
    assert rows(archive) == wanted(DATA)
    assert rows(archive, side="metadata") == wanted(facts, groups=True)
    assert not is_partly(archive)
    require_rebuilt(archive)
    archive.save({"other": 1}, "run", mode=mode)
    assert rows(archive) == {"other": Leaf(Kind.NUMBER, 1)}
    assert rows(archive, side="metadata") == {}
    require_rebuilt(archive)


@pytest.mark.parametrize("data", [5, "text", [1, 2], np.arange(3), {}])
def test_data_that_is_no_dict(archive: Archive, data: Any) -> None:
    """What is saved as a whole is a leaf, or a list, with no name."""
    archive.save(data, "run")
    assert rows(archive) == wanted(data)
    require_rebuilt(archive)


def test_edits(archive: Archive, mode: str) -> None:
    """An edit indexes what it changed, and what it left where it lies."""
    archive.save(DATA, "run", mode=mode)
    with archive.open("run") as group:
        group["inputs/cutoff"] = 500
        del group["outputs/odd"]
        group["outputs/spins"] = np.arange(20)
        group["new"] = {"a": [1, 2]}
    outputs = {**DATA["outputs"], "spins": np.arange(20)}
    del outputs["odd"]
    after = {
        **DATA,
        "inputs": {**DATA["inputs"], "cutoff": 500},
        "outputs": outputs,
        "new": {"a": [1, 2]},
    }
    assert rows(archive) == wanted(after)
    require_rebuilt(archive)


def test_shared_values(archive: Archive) -> None:
    """What stands in two places is found in both, and a cycle is flagged."""
    shared = {"n": 1, "array": np.arange(3)}
    archive.save({"a": shared, "b": [shared]}, "run")
    found = rows(archive)
    assert found["a/n"] == found["b/[0]/n"] == Leaf(Kind.NUMBER, 1)
    assert found["a/array/$max"] == found["b/[0]/array/$max"]
    cycle: dict[str, Any] = {"n": 1}
    cycle["self"] = cycle
    archive.save({"a": cycle}, "cycle")
    assert is_partly(archive, "cycle")
    assert not is_partly(archive)
    require_rebuilt(archive)


# Appended rows ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "some"),
    [
        ("f8", [1.5, -2.0, math.nan, 4.0]),
        (">i2", [3, 1, -2, 7]),
        ("u8", [2**64 - 1, 0, 2**63, 5]),
        ("?", [True, False, True, True]),
        ("U1001", ["a", "é", "x" * 1001, "b"]),
        ("U2", ["a", "\ud800", "c", "d"]),
        ("c8", [1j, 2, 3, 4]),
        ("M8[s]", [1, 2, 3, 4]),
        ("g", [1.5, 0.1, 3, 4]),
    ],
)
def test_appended_rows(archive: Archive, mode: str, dtype: str, some: Any) -> None:
    """An array that grows has, after each row, the leaves of the whole."""
    values = np.array(some * 5, dtype)
    archive.save({"rows": values[:0], "n": 1}, "run", mode=mode)
    for start, stop in ((0, 1), (1, 2), (2, 10), (10, 16), (16, 17), (17, 20)):
        archive.open("run").append("rows", values[start:stop])
        near(rows(archive), wanted({"rows": values[:stop], "n": 1}))
    assert not is_partly(archive)
    require_rebuilt(archive)
    archive.compact("run")
    assert rows(archive) == wanted({"rows": values, "n": 1})
    require_rebuilt(archive)


def test_appended_matrices(archive: Archive) -> None:
    """Rows of a matrix count with all their numbers; other arrays stay."""
    data = {"a": {"m": np.arange(6.0).reshape(2, 3)}, "b": np.arange(3)}
    archive.save(data, "run")
    archive.open("run").append("a/m", np.array([[10.0, -1, 0]]))
    archive.open("run").append("a/m", np.zeros((0, 3)))
    whole = np.vstack([data["a"]["m"], [[10, -1, 0]]])  # type: ignore[call-overload, index]
    near(rows(archive), wanted({"a": {"m": whole}, "b": np.arange(3)}))
    require_rebuilt(archive)


def test_edits_of_arrays_in_parts(archive: Archive, mode: str) -> None:
    """A new version takes over arrays whose rows lie in several places."""
    archive.save({"rows": np.arange(2.0), "n": 1}, "run", mode=mode)
    archive.open("run").append("rows", np.arange(2.0, 5.0))
    archive.open("run")["n"] = 2
    near(rows(archive), wanted({"rows": np.arange(5.0), "n": 2}))
    archive.open("run").append("rows", np.arange(5.0, 20.0))
    near(rows(archive), wanted({"rows": np.arange(20.0), "n": 2}))
    require_rebuilt(archive)
    archive.prune("run")
    near(rows(archive), wanted({"rows": np.arange(20.0), "n": 2}))
    require_rebuilt(archive)
    archive.compact("run")
    assert rows(archive) == wanted({"rows": np.arange(20.0), "n": 2})
    require_rebuilt(archive)


# Changes without content ------------------------------------------------------


def test_metadata_changes(archive: Archive) -> None:
    """Annotating replaces the leaves of the metadata, and those alone."""
    archive.save(DATA, "run", metadata={"a": 1, "b": {"c": 2}}, tags=["t"])
    archive.annotate("run", a=2, d=[1, 2], remove=["b"])
    assert rows(archive, side="metadata") == wanted({"a": 2, "d": [1, 2]}, groups=True)
    assert rows(archive) == wanted(DATA)
    archive.tag("run", "u")
    archive.rename("run", "renamed/run")
    assert rows(archive, "renamed/run") == wanted(DATA)
    require_rebuilt(archive)
    archive.save(DATA, "renamed/run", metadata={"e": 1})
    assert rows(archive, "renamed/run", "metadata") == {"e": Leaf(Kind.NUMBER, 1)}
    require_rebuilt(archive)


def test_batches(archive: Archive) -> None:
    """A batch indexes all that it holds."""
    with archive.batch():
        for index, each in enumerate(MODES):
            archive.save({**DATA, "n": index}, each, mode=each)
        archive.annotate("json", project="al")
    for index, each in enumerate(MODES):
        assert rows(archive, each) == wanted({**DATA, "n": index})
    assert rows(archive, "json", "metadata").keys() == {"project"}
    require_rebuilt(archive)


def test_deleted_records_have_no_leaves(archive: Archive) -> None:
    """Nothing of a deleted record stays, nor of a save that failed."""
    archive.save(DATA, "run", metadata={"a": 1}, tags=["t"])
    archive.delete("run")
    assert rows(archive) == rows(archive, side="metadata") == {}
    with closing(sqlite3.connect(archive.address)) as connection:
        for table in ("leaf", "tag"):
            assert not connection.execute(f"SELECT * FROM {table}").fetchall()
    require_rebuilt(archive)


# What is cut ------------------------------------------------------------------


def many(count: int) -> dict[str, int]:
    """Return so many leaves."""
    return {f"k{number}": number for number in range(count)}


@pytest.mark.parametrize(("count", "partly"), [(1000, False), (1001, True)])
def test_the_cut(archive: Archive, count: int, partly: bool) -> None:  # noqa: FBT001
    """A record of over 1,000 leaves is flagged, until a version has fewer."""
    archive.save(many(count), "run")
    assert is_partly(archive) is partly
    assert len(rows(archive)) == 1000
    require_rebuilt(archive)
    archive.save({"n": 1}, "run")
    assert not is_partly(archive)
    archive.save({}, "run", metadata=many(count))
    assert is_partly(archive) is partly
    require_rebuilt(archive)


def test_annotating_beyond_the_cut(archive: Archive) -> None:
    """Metadata of over 1,000 leaves flags its record, too."""
    archive.save({"n": 1}, "run")
    archive.annotate("run", many(1001))
    assert is_partly(archive)
    require_rebuilt(archive)
    archive.annotate("run", remove=many(1001))
    require_rebuilt(archive)
    archive.save({"n": 2}, "run")
    assert not is_partly(archive)


@pytest.mark.parametrize("count", [994, 995, 997, 999, 1000])
def test_arrays_at_the_cut_grow(archive: Archive, count: int) -> None:
    """An array of which the index lacks a part grows, and stays flagged."""
    data = {**many(count), "rows": np.arange(3.0)}
    archive.save(data, "run")
    assert is_partly(archive)
    for row in (3.0, 4.0):
        archive.open("run").append("rows", np.array([row]))
    assert is_partly(archive)
    found = rows(archive).get("rows")
    assert found is None or found.kind is Kind.LONG_ARRAY
    assert [record.name for record in archive.find("rows.max == 4")] == ["run"]
    assert [record.name for record in archive.find("4 in rows")] == ["run"]
    require_rebuilt(archive)


# Payloads of earlier times ----------------------------------------------------


@pytest.fixture
def without_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write payloads as archivedbs did that knew no facts of arrays."""
    real = Content.tree

    def tree(content: Content) -> dict[str, Any]:
        found = real(content)
        found.pop("facts", None)
        return found

    monkeypatch.setattr(Content, "tree", tree)


@pytest.mark.usefixtures("without_facts")
def test_payloads_without_facts(archive: Archive, mode: str) -> None:
    """Arrays of which no payload says anything are read by whoever rebuilds."""
    archive.save(DATA, "run", mode=mode)
    archive.save({"rows": np.arange(3.0), "n": 1}, "grown", mode=mode)
    for row in (3.0, 4.0):
        archive.open("grown").append("rows", np.array([row]))
    archive.save({"rows": np.arange(3.0), "n": 1}, "edited", mode=mode)
    archive.open("edited").append("rows", np.array([3.0]))
    archive.open("edited")["n"] = 2
    require_rebuilt(archive)
    near(rows(archive), wanted(DATA))
    near(rows(archive, "grown"), wanted({"rows": np.arange(5.0), "n": 1}))
    near(rows(archive, "edited"), wanted({"rows": np.arange(4.0), "n": 2}))
    assert not is_partly(archive, "edited")


def test_an_edit_measures_what_it_leaves(
    archive: Archive, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit of an old record says of its arrays what the old payload did not."""
    with monkeypatch.context() as patch:
        without_facts.__wrapped__(patch)  # type: ignore[attr-defined]
        archive.save({"rows": np.arange(3.0), "n": 1}, "run", mode=mode)
    archive.open("run")["n"] = 2
    assert rows(archive) == wanted({"rows": np.arange(3.0), "n": 2})
    assert not is_partly(archive)
    require_rebuilt(archive)


def damage(archive: Archive, needle: bytes) -> None:
    """Change some bytes in the payload that holds them."""
    for path in Path(archive.address).with_suffix(".payloads").glob("??/*"):
        data = path.read_bytes()
        if needle in data:
            path.chmod(0o600)
            path.write_bytes(data.replace(needle, bytes(len(needle))))


@pytest.mark.usefixtures("without_facts")
def test_a_damaged_array_is_flagged(archive: Archive) -> None:
    """An array that must be read and cannot be is not there, and its record flagged."""
    values = np.arange(1.0, 6.0)
    archive.save({"good": np.arange(3.0), "bad": values, "n": 1}, "run", mode="hdf5")
    damage(archive, values.tobytes())
    archive.reindex()
    found = rows(archive)
    assert is_partly(archive)
    assert found["n"] == Leaf(Kind.NUMBER, 1)
    assert found["good/$max"] == Leaf(Kind.NUMBER, 2.0)
    assert found["bad"] == Leaf(Kind.LONG_ARRAY, 1, "float64")
    assert "bad/$max" not in found
    assert archive.find("good.max == 2").count() == 1
