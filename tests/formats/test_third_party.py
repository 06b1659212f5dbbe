"""Another package's modes, found by their entry points, do what archivedb's do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive, load, save
from archivedb.errors import ArchiveError, BatchError, ModeError
from archivedb.formats import _FORMATS, get_format, suffix_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

THIRD_PARTY = Path(__file__).parents[1] / "support" / "thirdparty"
RUN = {"energy": -3.7, "forces": np.arange(6.0).reshape(2, 3)}


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the package."""
    monkeypatch.syspath_prepend(THIRD_PARTY)
    monkeypatch.setattr(_FORMATS, "_made", {})
    yield
    for name in ("dirstore", "dirstore.modes"):
        sys.modules.pop(name, None)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive that waits for nothing."""
    place = tmp_path / "runs.db"
    with Archive(place, durability="relaxed", provenance=False) as opened:
        yield opened


def sound(archive: Archive) -> None:
    """Assert that verify finds nothing, and that a rebuilt catalog says the same."""
    before = archive.inspect().dump()
    assert archive.reindex().findings == ()
    assert archive.inspect().dump() == before
    assert archive.verify().findings == ()


@pytest.mark.parametrize("mode", ["notes", "alone"])
def test_a_mode(archive: Archive, tmp_path: Path, mode: str) -> None:
    """Records are saved, edited, tagged, found, exported and rebuilt in it."""
    record = archive.save(RUN, "a", mode=mode)
    archive.open("a")["energy"] = -3.8
    archive.tag("a", "t")
    archive.save({"n": 1}, "b", mode=mode)
    archive.open("b").append("rows", np.arange(3.0))

    assert record.mode == mode
    assert record.files[0].endswith(f".{mode}")
    assert suffix_mode(f".{mode}") == mode
    assert archive.find("energy < -3.7 and 't' in tags").one().name == "a"
    assert archive["a/forces"].tolist() == RUN["forces"].tolist()  # type: ignore[attr-defined]
    assert archive["b/rows"].tolist() == [0, 1, 2]
    archive.find().export(tmp_path / "out")
    assert load(tmp_path / "out" / "a")["energy"] == -3.8
    sound(archive)
    save(RUN, tmp_path / "plain", mode)
    assert load(tmp_path / "plain", mode)["energy"] == -3.7


@pytest.mark.parametrize("mode", ["notes", "alone"])
def test_a_batch_of_one_mode(archive: Archive, mode: str) -> None:
    """It is one payload, tags and deletes included."""
    archive.save({"n": 0}, "before", mode=mode)
    with archive.batch():
        for number in range(3):
            archive.save({"n": number}, f"r/{number}", mode=mode)
        archive.tag("before", "t")
        archive.delete("r/1")

    assert [r.name for r in archive.find("n >= 0").order_by("n", "name")] == [
        *("before", "r/0", "r/2")
    ]
    assert len({*archive.record("r/0").files, *archive.record("r/2").files}) == 1
    assert archive.record("before").tags == ("t",)
    sound(archive)


def test_a_batch_of_several_modes(archive: Archive, tmp_path: Path) -> None:
    """Their payloads count only together, as those of archivedb's own modes."""
    with archive.batch():
        for mode in ("hdf5", "notes", "json"):
            archive.save({"x": mode}, mode, mode=mode)

    files = [archive.record(mode).files[0] for mode in ("hdf5", "notes", "json")]
    assert len(set(files)) == 3
    assert archive.find("exists(x)").count() == 3
    sound(archive)
    (tmp_path / "runs.payloads" / files[1]).unlink()
    assert {each.kind for each in archive.verify().findings} == {"missing"}
    assert len(archive) == 3


def test_a_mode_whose_payloads_stand_alone(archive: Archive, tmp_path: Path) -> None:
    """Such a mode is refused where others are, before anything counts."""

    def together(*modes: str) -> None:
        with archive.batch():
            for mode in modes:
                archive.save({"x": 1}, mode, mode=mode)

    for others in (("hdf5", "alone"), ("alone", "json")):
        with pytest.raises(BatchError, match="'alone' cannot be written together"):
            together(*others)
        assert len(archive) == 0
        store = tmp_path / "runs.payloads"
        assert not [*store.glob("??/*"), *store.glob("tmp/*")]
    archive.save({"x": 1}, "alone", mode="alone")
    sound(archive)


def test_a_mode_that_is_not_installed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records are listed, and cannot be read; nothing of them is lost."""
    archive.save({"n": 1}, "a", mode="notes")
    archive.save({"n": 2}, "b")
    with monkeypatch.context() as without:
        without.setattr(sys, "path", [p for p in sys.path if p != str(THIRD_PARTY)])
        without.setattr(_FORMATS, "_made", {})
        with pytest.raises(ModeError, match="no mode 'notes'"):
            get_format("notes")
        with pytest.raises(ArchiveError):
            archive.load("a")
        assert [record.name for record in archive.find("n > 0")] == ["b", "a"]
        assert archive.load("b") == {"n": 2}
        assert archive.verify().findings == ()
        # Not "orphaned", which somebody might remove.
        for found in (archive.reindex().findings, archive.verify().findings):
            (finding,) = found
            assert finding.kind == "unindexed"
            assert "install the package that adds '.notes'" in finding.detail
        assert [record.name for record in archive.find("n > 0")] == ["b"]

    archive.reindex()
    assert archive.load("a") == {"n": 1}
    sound(archive)
