"""What verify says of payloads that the catalog does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb import Archive

if TYPE_CHECKING:
    from pathlib import Path


def test_a_change_after_a_gap_is_not_called_garbage(tmp_path: Path) -> None:
    """What a history lost in its middle hides nothing that comes after it."""
    files = []
    with Archive(tmp_path / "runs.db", mode="json") as archive:
        for number in range(3):
            archive.save({"n": number}, "run")
            files.append(archive.record("run").files[0])
        middle = tmp_path / "runs.payloads" / files[1]
        kept = middle.read_bytes()
        middle.unlink()
        archive.reindex()
        assert archive.load("run") == {"n": 2}

        middle.write_bytes(kept)

        assert {each.kind for each in archive.verify().findings} == {"unindexed"}
        archive.reindex()
        assert [archive.load("run", version=v + 1)["n"] for v in range(3)] == [0, 1, 2]
        assert archive.verify("deep").ok


def test_what_to_do_with_what_does_not_belong(
    archive: Archive, mode: str, tmp_path: Path
) -> None:
    """A text file is to be moved away; what another archive wrote can be taken in."""
    store = tmp_path / "runs.payloads"
    (store / "notes.txt").write_text("remember the milk")
    with Archive(tmp_path / "other.db", mode=mode) as other:
        (file,) = other.save({"b": 2}, "theirs").files
    (store / file).parent.mkdir(exist_ok=True)
    (store / file).write_bytes((tmp_path / "other.payloads" / file).read_bytes())
    found = {each.file: each for each in archive.verify().findings}
    assert {each.kind for each in found.values()} == {"orphaned"}
    assert "move it away" in found["notes.txt"].advice
    assert "archivedb ingest" in found[file].advice
    archive.ingest()
    assert archive.load("theirs") == {"b": 2}
    assert [each.file for each in archive.verify().findings] == ["notes.txt"]
