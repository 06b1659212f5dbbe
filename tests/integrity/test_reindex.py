"""The payloads are the log, and the catalog is their index."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from archivedb import Archive
from archivedb.formats import uuids

if TYPE_CHECKING:
    from pathlib import Path


def test_a_rebuilt_catalog_says_the_same(archive: Archive, tmp_path: Path) -> None:
    """Versions, names, metadata, tags, arrays and deletes are all in the files."""
    for number in range(3):
        archive.save({"a": np.arange(number + 1)}, "v", tags=["t", str(number)])
    archive.save({"b": 1}, "gone")
    archive.delete("gone")
    archive.save({"b": 2}, "gone")
    archive.delete("sibling", recursive=True)
    archive.save({f"k{n}": n for n in range(1500)}, "many", metadata={"m": {"n": None}})
    before = archive.inspect().dump()
    history = archive.history("v")

    done = archive.reindex()

    assert archive.inspect().dump() == before
    assert archive.history("v") == history
    assert (done.records, done.versions, done.findings) == (4, 6, ())
    assert archive.verify().ok
    archive.close()
    for path in tmp_path.glob("runs.db*"):
        path.unlink()
    with Archive(tmp_path / "runs.db") as again:
        again.reindex()
        assert again.inspect().dump() == before


def test_progress_is_told(archive: Archive) -> None:
    """Each payload counts, up to all of them."""
    seen: list[tuple[int, int]] = []
    archive.reindex(progress=lambda done, total: seen.append((done, total)))

    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_rebuild_that_fails_changes_nothing(archive: Archive) -> None:
    """One transaction: an interrupt leaves the catalog as it was."""
    before = archive.inspect().dump()

    def interrupt(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.reindex(progress=interrupt)
    assert archive.inspect().dump() == before
    archive.save({"new": 1}, "hurt")
    assert archive.find(new=1).one().version == 2
    after = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == after


def test_a_clock_that_went_back_harms_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is that of each history, whatever the files' names say."""
    archive.delete("hurt")
    real = uuids.uuid7
    hour = 3_600_000 << 80
    with monkeypatch.context() as patch:
        import uuid

        patch.setattr(
            uuids, "uuid7", lambda *_: str(uuid.UUID(int=uuid.UUID(real()).int - hour))
        )
        for number in range(4):
            archive.save({"n": number}, "hurt")
    archive.save({"n": 4}, "hurt")
    before = archive.inspect().dump()

    archive.reindex()
    assert archive.inspect().dump() == before
    assert [archive.load(r)["n"] for r in archive.versions("hurt")] == [0, 1, 2, 3, 4]


def test_what_was_indexed_elsewhere_is_found_by_verify(
    archive: Archive, tmp_path: Path
) -> None:
    """A payload that the catalog does not know is `unindexed`, and counts."""
    archive.close()
    raw = (tmp_path / "runs.db").read_bytes()
    with Archive(tmp_path / "runs.db") as other:
        other.save({"n": 3}, "later")
    (tmp_path / "runs.db").write_bytes(raw)

    with Archive(tmp_path / "runs.db") as again:
        if "later" not in again:
            assert [f.kind for f in again.verify().findings] == ["unindexed"]
            again.reindex()
        assert again.load("later") == {"n": 3}
        assert again.verify().ok


def test_what_only_the_old_catalog_knew_is_named(
    archive: Archive, file: Path, tmp_path: Path
) -> None:
    """A version whose payload is gone is not dropped without a word."""
    archive.backup(tmp_path / "copy")
    file.unlink()
    done = archive.reindex()
    assert [(each.kind, each.record, each.version) for each in done.findings] == [
        ("missing", "hurt", 1)
    ]
    assert "hurt" not in archive
    # It is as the payloads say by now, and so said once.
    assert archive.reindex().findings == ()
    assert archive.repair(tmp_path / "copy").indexed == 1
    assert archive.load("hurt")["blob"] == bytes(range(256))


def test_a_row_that_was_altered_is_no_loss(archive: Archive, tmp_path: Path) -> None:
    """What lies there under its right name has not been lost."""
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("UPDATE payload SET uuid = 'f' || substr(uuid, 2)")
        connection.commit()
    assert archive.reindex().findings == ()
    assert archive.verify("deep").ok
