"""Damage is found, named and never loaded; what is sound stays so."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive, ArchiveError
from archivedb.errors import PayloadCorruptError, PayloadError, PayloadMissingError

if TYPE_CHECKING:
    from collections.abc import Callable

FLIPS = 150


def siblings_load(archive: Archive) -> bool:
    """Return whether the other records are as they were."""
    return (archive.load("sibling/before"), archive.load("sibling/after")) == (
        {"n": 1},
        {"n": 2},
    )


def test_every_flipped_bit_is_found(
    archive: Archive, file: Path, data: dict[str, Any], same: Callable[..., bool]
) -> None:
    """A load is exact or an error, and `verify` finds each flip and its record."""
    raw = file.read_bytes()
    chance = random.Random(file.suffix)  # noqa: S311 - repeatable
    refused = 0
    for place in sorted(chance.sample(range(len(raw) * 8), FLIPS)):
        hurt = bytearray(raw)
        hurt[place // 8] ^= 1 << place % 8
        file.write_bytes(hurt)
        try:
            assert same(archive.load("hurt"), data), place
        except ArchiveError:
            refused += 1
        try:
            found = archive["hurt/outputs/forces"]
            assert same(found, data["outputs"]["forces"]), place
        except ArchiveError:
            pass
        findings = archive.verify(jobs=1).findings
        assert {finding.record for finding in findings} == {"hurt"}, place
        assert {finding.kind for finding in findings} == {"corrupt"}, place
    file.write_bytes(raw)

    assert refused > FLIPS // 10
    assert archive.verify().ok
    assert siblings_load(archive)
    assert same(archive.load("hurt"), data)


def test_a_flipped_bit_does_not_stop_a_rebuild(
    archive: Archive, file: Path, data: dict[str, Any], same: Callable[..., bool]
) -> None:
    """`reindex` names what it cannot read, and indexes everything else."""
    raw = file.read_bytes()
    chance = random.Random(1)  # noqa: S311 - repeatable
    for place in sorted(chance.sample(range(len(raw) * 8), 40)):
        hurt = bytearray(raw)
        hurt[place // 8] ^= 1 << place % 8
        file.write_bytes(hurt)
        done = archive.reindex()
        assert done.records + len(done.findings) == 3, place
        assert siblings_load(archive)
        if done.findings:
            (finding,) = done.findings
            assert finding.file == str(file.relative_to(file.parents[1]))
            assert "hurt" not in archive
        assert not archive.verify().ok
    file.write_bytes(raw)
    assert archive.reindex().findings == ()
    assert same(archive.load("hurt"), data)
    assert archive.verify().ok


def test_a_truncated_file_is_found(
    archive: Archive, file: Path, data: dict[str, Any], same: Callable[..., bool]
) -> None:
    """At any length, quick and full `verify` find it, and nothing wrong loads."""
    raw = file.read_bytes()
    lengths = {0, 1, 100, 511, 512, 513, len(raw) // 2, len(raw) - 1}
    for length in sorted(lengths):
        file.write_bytes(raw[:length])
        try:
            assert same(archive.load("hurt"), data)
        except ArchiveError as error:
            assert isinstance(error, PayloadError)  # noqa: PT017 - or it is exact
        for level in ("quick", "full"):
            (finding,) = archive.verify(level).findings
            assert (finding.kind, finding.record) == ("truncated", "hurt")
            assert (finding.version, finding.file) == (
                1,
                str(file.relative_to(file.parents[1])),
            )
            assert "archivedb repair" in finding.advice
    file.write_bytes(raw + b"x")
    (finding,) = archive.verify("quick").findings
    assert (finding.kind, finding.record) == ("corrupt", "hurt")
    assert siblings_load(archive)


def test_a_missing_file_is_found(archive: Archive, file: Path) -> None:
    """The file's name and the record's are said, and the others load."""
    file.unlink()

    with pytest.raises(PayloadMissingError, match="archivedb verify"):
        archive.load("hurt")
    with pytest.raises(FileNotFoundError):
        archive["hurt/outputs/forces"]
    for level in ("quick", "full"):
        (finding,) = archive.verify(level).findings
        assert (finding.kind, finding.record) == ("missing", "hurt")
    assert archive.record("hurt").metadata == {"m": 1}
    assert siblings_load(archive)
    archive.reindex()
    assert sorted(archive) == ["sibling/after", "sibling/before"]
    assert archive.verify().ok


def test_a_missing_version_leaves_the_others(archive: Archive, tmp_path: Path) -> None:
    """A rebuild keeps every version whose file is there, under its own number."""
    archive.save({"n": 2}, "hurt")
    archive.save({"n": 3}, "hurt")
    (tmp_path / "runs.payloads" / archive.record("hurt", version=2).files[0]).unlink()

    archive.reindex()
    assert [record.version for record in archive.versions("hurt")] == [1, 3]
    assert archive.load("hurt") == {"n": 3}
    assert archive.save({"n": 4}, "hurt").version == 4
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before


def test_a_stranger_in_the_store_is_found(archive: Archive, file: Path) -> None:
    """What is no payload is reported, wherever it lies, and never touched."""
    store = file.parents[1]
    for place in (file.parent / "notes.txt", file.parent / f"{file.name}.bak"):
        place.write_text("mine")
        for level in ("quick", "full"):
            (finding,) = archive.verify(level).findings
            assert finding.kind == "orphaned"
            assert finding.file == str(place.relative_to(store))
        archive.reindex()
        assert place.read_text() == "mine"
        place.unlink()
    assert archive.verify().ok


def test_a_stranger_at_the_root_is_found(archive: Archive, tmp_path: Path) -> None:
    """A file beside the directories of payloads is no payload, either."""
    (tmp_path / "runs.payloads" / "notes.txt").write_text("mine")

    assert [f.file for f in archive.verify().findings] == ["notes.txt"]


def test_a_payload_of_another_archive_is_found(
    archive: Archive, tmp_path: Path, mode: str
) -> None:
    """A file of another archive is reported, and never indexed."""
    with Archive(tmp_path / "other.db", mode=mode) as other:
        record = other.save({"theirs": 1}, "theirs")
    theirs = tmp_path / "runs.payloads" / record.files[0]
    theirs.parent.mkdir(exist_ok=True)
    shutil.copy(tmp_path / "other.payloads" / record.files[0], theirs)

    (finding,) = archive.verify().findings
    assert (finding.kind, finding.file) == ("orphaned", record.files[0])
    assert "another archive" in finding.detail
    archive.reindex()
    archive.close()
    assert "theirs" not in archive
    assert len(archive) == 3


def test_a_symlink_is_never_followed(
    archive: Archive, file: Path, tmp_path: Path
) -> None:
    """A link in place of a payload is refused, even one to the very same bytes."""
    aside = tmp_path / "aside"
    file.rename(aside)
    targets = [aside, Path("/dev/zero"), tmp_path / "nothing"]
    # As long as the payload, so that no size betrays it.
    for target in (*targets, Path("/".join([*["a" * 99] * 39, "a" * 90]))):
        file.unlink(missing_ok=True)
        file.symlink_to(target)
        with pytest.raises(ArchiveError):
            archive.load("hurt")
        with pytest.raises(ArchiveError):
            archive["hurt/outputs/forces"]
        for level in ("quick", "full"):
            assert {f.record for f in archive.verify(level).findings} == {"hurt"}
        archive.reindex()
        file.unlink()
        shutil.copy(aside, file)
        archive.reindex()
    assert archive.verify().ok


@pytest.mark.parametrize("part", ["uuid", "digits", "suffix", "shard"])
def test_a_renamed_payload_is_found(archive: Archive, file: Path, part: str) -> None:
    """A payload under another name is not believed, but for its own."""
    name = file.name
    renamed = {
        "uuid": file.with_name(
            f"{name[:9]}{'0000' if name[9:13] != '0000' else 'ffff'}{name[13:]}"
        ),
        "digits": file.with_name(name[:40] + "0" * 8 + name[48:]),
        "suffix": file.with_suffix(".json" if file.suffix != ".json" else ".h5"),
        "shard": file.parents[1] / ("00" if file.parent.name != "00" else "01") / name,
    }[part]
    renamed.parent.mkdir(exist_ok=True)
    file.rename(renamed)

    with pytest.raises(PayloadMissingError):
        archive.load("hurt")
    kinds = {finding.kind for finding in archive.verify().findings}
    assert "missing" in kinds
    archive.reindex()
    assert siblings_load(archive)
    # With other digits it may be indexed again; then verify says that they differ.
    if "hurt" in archive:
        assert part == "digits"
        assert {f.kind for f in archive.verify().findings} == {"corrupt"}
    renamed.rename(file)
    archive.reindex()
    assert archive.verify().ok


def test_damage_is_located(tmp_path: Path) -> None:
    """A finding names the array that is hurt, and only that."""
    data = {"a": np.arange(5000.0), "b": {"c": np.arange(3000.0) + 0.5}}
    with Archive(tmp_path / "runs.db", mode="hdf5") as archive:
        record = archive.save(data, "x")
        file = tmp_path / "runs.payloads" / record.files[0]
        raw = bytearray(file.read_bytes())
        raw[raw.index(data["b"]["c"].tobytes()) + 12345] ^= 4
        file.write_bytes(raw)

        (finding,) = archive.verify().findings
        assert (finding.record, finding.version, finding.path) == ("x", 1, "b/c")
        assert "b/c" in str(finding)
        with pytest.raises(PayloadCorruptError, match="damaged"):
            archive.load("x")
        assert archive["x/a"].tobytes() == data["a"].tobytes()


def test_a_damaged_catalog_is_found(archive: Archive, tmp_path: Path) -> None:
    """A page of nonsense in the catalog is an error or a finding, never a value."""
    archive.close()
    path = tmp_path / "runs.db"
    raw = path.read_bytes()
    chance = random.Random(2)  # noqa: S311 - repeatable
    for page in range(1, len(raw) // 4096):
        hurt = bytearray(raw)
        hurt[page * 4096 : page * 4096 + 2048] = chance.randbytes(2048)
        path.write_bytes(hurt)
        try:
            with Archive(path) as opened:
                report = opened.verify("quick")
                assert not report.ok, page
                assert {finding.kind for finding in report.findings} & {"misindexed"}
        except ArchiveError as error:
            assert "runs.db" in str(error) or "catalog" in str(error)  # noqa: PT017
    path.write_bytes(raw)
    with Archive(path) as opened:
        assert opened.verify().ok


def test_flipped_bits_of_the_catalog_do_not_make_values(
    archive: Archive, tmp_path: Path, data: dict[str, Any], same: Callable[..., bool]
) -> None:
    """Whatever bit of the catalog is flipped, what loads is what was saved."""
    archive.close()
    path = tmp_path / "runs.db"
    raw = path.read_bytes()
    # Where the record is described, and not in the empty middles of pages.
    starts = [at for at in range(len(raw) - 6) if raw[at : at + 6] == b"blake3"]
    chance = random.Random(3)  # noqa: S311 - repeatable
    for _ in range(60):
        hurt = bytearray(raw)
        place = chance.choice(starts) + chance.randrange(-150, 150)
        hurt[place] ^= 1 << chance.randrange(8)
        path.write_bytes(hurt)
        for read in (
            lambda opened: (opened.load("hurt"), data),
            lambda opened: (
                opened["hurt/outputs/forces"],
                data["outputs"]["forces"],
            ),
        ):
            try:
                with Archive(path) as opened:
                    found, right = read(opened)
            except ArchiveError:
                continue
            assert same(found, right), place


@pytest.mark.parametrize(
    "edit", ["shape = '[3,32]'", "shape = '[96]'", "dtype = '\"<i8\"'", "number = 1"]
)
def test_an_edited_row_does_not_change_an_array(tmp_path: Path, edit: str) -> None:
    """Dtype and shape come from what a digest covers, not from the catalog."""
    array = np.linspace(0, 1, 96).reshape(32, 3)
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"other": np.arange(50), "forces": array}, "x")
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute(f"UPDATE array SET {edit} WHERE path = 'forces'")
        connection.commit()

    with Archive(tmp_path / "runs.db") as archive:
        try:
            found = archive["x/forces"]
        except ArchiveError:
            return
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()


def test_verify_changes_nothing(archive: Archive, file: Path, tmp_path: Path) -> None:
    """Looking at damage leaves every byte, name and time as it was."""
    file.write_bytes(b"hurt")
    archive.close()
    before = {
        path: (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in (tmp_path / "runs.payloads").rglob("*")
        if "locks" not in path.parts
    }
    with Archive(tmp_path / "runs.db") as opened:
        dump = opened.inspect().dump()
        opened.verify("quick")
        opened.verify("full")
        assert opened.inspect().dump() == dump
    assert before == {
        path: (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in (tmp_path / "runs.payloads").rglob("*")
        if "locks" not in path.parts
    }


def test_verify_says_how_far_it_is(archive: Archive) -> None:
    """Progress comes in bytes, ends at all of them, and a level must be known."""
    seen: list[tuple[int, int]] = []
    report = archive.verify(progress=lambda done, total: seen.append((done, total)))

    assert report.ok
    assert report.payloads == len(seen) == 3
    assert seen[-1] == (report.bytes, report.bytes)
    assert sorted(seen) == seen
    assert archive.verify("quick").bytes == 0
    with pytest.raises(ValueError, match="quick, full"):
        archive.verify("thorough")


def test_an_unreadable_file_is_a_finding(archive: Archive, file: Path) -> None:
    """A directory in place of a payload is one finding among others."""
    file.unlink()
    file.mkdir()

    assert {f.record for f in archive.verify().findings} == {"hurt"}
    with pytest.raises(ArchiveError):
        archive.load("hurt")
    file.rmdir()
    os.mkfifo(file)
    # A pipe that nobody writes must not be waited for.
    assert {f.record for f in archive.verify("quick").findings} == {"hurt"}


def test_a_link_in_the_place_of_a_payload_is_called_one(
    archive: Archive, file: Path, tmp_path: Path
) -> None:
    """It is not followed, though the bytes behind it are right."""
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    (found,) = archive.verify().findings
    assert (found.kind, found.record) == ("missing", "hurt")
    assert "a link is there" in found.detail


@pytest.mark.parametrize("mode", ["hdf5"])
def test_salvage_is_proposed_where_something_is_left(
    archive: Archive, file: Path, tmp_path: Path
) -> None:
    """A record of which one array is damaged, and not one that is gone."""
    raw = file.read_bytes()
    place = raw.find(np.linspace(0, 1, 96)[10:20].tobytes())
    file.write_bytes(raw[:place] + b"x" + raw[place + 1 :])
    (found,) = archive.verify().findings
    assert "archivedb salvage hurt" in found.advice
    assert archive.salvage("hurt", tmp_path / "rest").lost == ("outputs/forces",)
    file.unlink()
    (found,) = archive.verify().findings
    assert "salvage" not in found.advice
