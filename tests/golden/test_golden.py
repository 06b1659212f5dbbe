"""Archives of every revision, as they were written then, are read today."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive
from archivedb.catalog import schema
from archivedb.errors import RecordNotFoundError, UntrustedPayloadError
from tests.golden import contents
from tests.support.exact import difference

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
MODES, VERSIONS = contents.MODES, contents.VERSIONS
FIRST = pytest.mark.parametrize("revision", ["0001"])
SECOND = pytest.mark.parametrize("revision", ["0002"])


@pytest.fixture(params=schema.KNOWN)
def revision(request: pytest.FixtureRequest) -> str:
    """Return each revision in turn."""
    return str(request.param)


@pytest.fixture
def archive(
    revision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Archive]:
    """Return a copy of a golden archive, with its throw-away key."""
    shutil.copytree(HERE / revision, tmp_path / "golden")
    key = tmp_path / "signing.key"
    shutil.copy(HERE / "key" / "signing.key", key)
    key.chmod(0o600)
    monkeypatch.setenv("ARCHIVEDB_KEY", str(key))
    with Archive(tmp_path / "golden" / "runs.db", migrate=True) as opened:
        yield opened


def test_it_is_small_and_whole(revision: str) -> None:
    """What is committed is a catalog without a log, and less than 200 kB."""
    files = [path for path in (HERE / revision).rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) < 200_000
    assert not [path for path in files if path.name.endswith(("-wal", "-shm"))]


@FIRST
@pytest.mark.parametrize("mode", MODES)
def test_everything_loads_exactly(archive: Archive, mode: str) -> None:
    """Every version of every mode is what was saved, also part by part."""
    for version, data in enumerate(VERSIONS, 1):
        found = archive.load(f"runs/{mode}", version=version)
        assert difference(found, data) is None
    for path in ("forces", "complex", "words", "empty", "odd"):
        found = archive[f"runs/{mode}/outputs/{path}"]
        assert difference(found, VERSIONS[-1]["outputs"][path]) is None
    record = archive.record(f"runs/{mode}")
    assert (record.version, record.mode, record.tags) == (2, mode, (mode, "t"))
    assert difference(record.metadata, contents.METADATA) is None


@FIRST
def test_edits_and_rows_load_exactly(archive: Archive) -> None:
    """Each version is what it was, with the rows that were appended to it."""
    for version, data in enumerate(contents.EDITED, 1):
        found = archive.load("edited", version=version)
        assert difference(found, data) is None
        rows = archive.open("edited", version=version).open("rows")
        assert difference(rows[-2:], data["rows"][-2:]) is None
    kinds = [change.kind for change in archive.history("edited")]
    assert kinds == ["save", "append", "edit", "append"]
    with archive.open("edited") as group:
        group.append("rows", np.array([[10.0, 11.0]]))
        group["outputs/energy"] = -3.8
    wanted = contents.EDITED[-1]
    rows, outputs = np.arange(12.0).reshape(6, 2), wanted["outputs"] | {"energy": -3.8}
    wanted = wanted | {"rows": rows, "outputs": outputs}
    assert difference(archive.load("edited"), wanted) is None
    assert difference(archive.load("edited", version=2), contents.EDITED[-1]) is None
    assert archive.verify().ok


@FIRST
def test_adapted_values_load_without_a_key(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs nothing needs nobody's word, files included."""
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    assert difference(archive.load("adapted"), contents.ADAPTED) is None
    file = archive["adapted/log"]
    assert (file.name, file.read_bytes()) == ("OUTCAR", b"converged\n\0\xff")


@FIRST
def test_instances_load_with_their_key_only(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every route of objects leads back today."""
    found = archive.load("instances")
    for name, wanted in contents.INSTANCES.items():
        assert type(found[name]) is type(wanted)
        if name != "template":
            assert found[name] == wanted
    assert vars(found["template"]) == vars(contents.INSTANCES["template"])
    assert found["cells"][0] is found["cell"]
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    with pytest.raises(UntrustedPayloadError):
        archive.load("instances")
    stubs = archive.load("instances", objects="stub")
    routes = {
        name: each.route for name, each in stubs.items() if hasattr(each, "route")
    }
    assert routes == {
        "cell": "dataclass",
        "money": "reduce",
        "colour": "enum",
        "template": "state",
        "function": "reference",
    }
    assert stubs["plain"] == 1


@FIRST
@pytest.mark.parametrize("mode", MODES)
def test_objects_load_with_their_key_only(
    archive: Archive, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signatures of then are checked today."""
    assert archive.load(f"objects/{mode}") == contents.OBJECTS
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "another.key"))
    with pytest.raises(UntrustedPayloadError):
        archive.load(f"objects/{mode}")
    assert archive.load(f"objects/{mode}", objects="stub")["plain"] == 1


@FIRST
def test_it_is_searched_listed_and_verified(archive: Archive) -> None:
    """The catalog of then answers, and every byte is still what was saved."""
    assert sorted(archive) == sorted(
        [f"{folder}/{mode}" for folder in ("objects", "runs") for mode in MODES]
        + ["adapted", "edited", "instances"]
    )
    assert archive.find(project="golden").count() == 3
    assert archive.find(big=2**70).count() == 3
    assert archive.find(**{"inputs/structure": "fcc"}).count() == 3
    with pytest.raises(RecordNotFoundError):
        archive.load("deleted")


def test_every_byte_is_what_was_saved(archive: Archive) -> None:
    """The catalog of then, and the payloads, are sound."""
    assert archive.verify("quick").ok
    assert archive.verify("full").ok


def test_a_rebuilt_catalog_says_the_same(archive: Archive) -> None:
    """Today's code indexes the payloads of then as it was done then."""
    before = archive.inspect().dump()

    archive.reindex()
    assert archive.inspect().dump() == before
    assert archive.verify().ok


@FIRST
def test_it_goes_on(archive: Archive) -> None:
    """What is saved today stands beside what was saved then."""
    assert archive.save({"n": 3}, "runs/hdf5").version == 3
    assert archive.save({"new": 1}, "deleted").version == 1
    archive.reindex()
    assert archive.load("deleted") == {"new": 1}
    found = archive.load("runs/hdf5", version=2)
    assert difference(found, VERSIONS[-1]) is None


@FIRST
def test_equal_data_still_has_an_equal_digest(archive: Archive) -> None:
    """Saving the same again writes nothing: digests do not drift."""
    for mode in MODES:
        record = archive.save(
            VERSIONS[-1],
            f"runs/{mode}",
            metadata=contents.METADATA,
            tags=["t", mode],
        )
        assert record.version == 2
    for name in ("adapted", "instances"):
        again = archive.save(getattr(contents, name.upper()), name, mode="json")
        assert again.version == 1


# Since revision 0002 ------------------------------------------------------------


@SECOND
@pytest.mark.parametrize("mode", MODES)
def test_what_is_searched_loads_exactly(archive: Archive, mode: str) -> None:
    """What questions are asked of is what was saved, with the rows appended."""
    found = archive.load(f"searched/{mode}")
    assert difference(found, contents.GROWN) is None
    assert archive.record(f"searched/{mode}").mode == mode


@SECOND
def test_changes_without_content(archive: Archive) -> None:
    """Tags, metadata and names are what they were changed to, in their order."""
    record = archive.record("searched/json")
    assert record.tags == ("checked", "good")
    assert record.metadata == {"n": 2, "quality": "good"}
    assert archive.record("searched/hdf5").metadata == {"draft": True, "n": 1}
    kinds = [change.kind for change in archive.history("searched/json")]
    assert kinds == ["save", "append", "tag", "tag", "annotate"]
    assert [
        (change.kind, change.name, change.name_before)
        for change in archive.history("after/that")
    ] == [
        ("save", "before", None),
        ("rename", "after/that", "before"),
        ("save", "after/that", None),
    ]
    assert archive.load("after/that", version=1) == {"n": 1}
    assert archive.load("after/that") == {"n": 2}


@SECOND
def test_batches(archive: Archive) -> None:
    """What came in one batch is there, however it was changed since."""
    for mode in MODES:
        found = archive.load(f"batch/{mode}", version=1)
        assert difference(found, contents.BATCHED) is None
    assert archive.load("batch/json")["n"] == 2
    assert archive.load("batch/renamed") == {"n": 3}
    assert "before" not in archive
    first = archive.versions("batch/json")[0]
    assert first.metadata == {"kept": True}
    archive.delete("batch", recursive=True)
    assert archive.verify().ok


@SECOND
def test_runs(archive: Archive) -> None:
    """A run of then is found by what it was, and loads."""
    (record,) = archive.find(status="finished")
    assert record.name == "ran"
    assert archive.load("ran") == contents.RAN


@SECOND
@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("'Al' in inputs.elements", 3),
        ("inputs.kpts == [4, 4, 4]", 3),
        ("inputs.cutoff > 450 and outputs.forces.max == 2", 3),
        ("outputs.forces.shape[0] == 2", 3),
        ("outputs.spins.min < 0 and 3 in outputs.spins", 3),
        ("outputs.residuals.max < 0.02", 3),
        ("rows.max == 5 and rows[5] == 5", 3),
        ("begun > '2024-02-29T11:59'", 3),
        ("day == '2024-03-01'", 3),
        ("numpys < '2024-03-01'", 3),
        ("exact > 18446744073709551616", 3),
        ("file == 'a/INCAR'", 3),
        ("quality == 'good' and n == 2", 1),
        ("not exists(draft) and exists(outputs.forces)", 1),
        ("'checked' in tags", 1),
        ("'日本' in words", 1),
        ("like(text, 'xxx*')", 1),
        ("mixed[4][0] < 0.2", 1),
        ("n == 1 and exists(array)", 2),
    ],
)
def test_questions(archive: Archive, question: str, count: int) -> None:
    """The index of then answers, before and after a rebuild."""
    assert archive.find(question).count() == count
    archive.reindex()
    assert len([*archive.find(question)]) == count


@SECOND
def test_it_goes_on_since(archive: Archive) -> None:
    """Equal data is equal still, and old records go on changing."""
    for mode in MODES:
        record = archive.save(contents.BATCHED, f"batch/{mode}", mode=mode)
        assert record.version == (3 if mode == "json" else 1)
        archive.open(f"searched/{mode}").append("rows", np.array([6.0]))
        archive.tag(f"searched/{mode}", "today")
        archive.annotate(f"searched/{mode}", today=True)
    archive.rename("after/that", "elsewhere")
    assert archive.find("rows.max == 6 and today and 'today' in tags").count() == 3
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before
    assert archive.verify().ok
