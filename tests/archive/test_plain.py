"""Plain `save` and `load`: a directory that holds one dict, and no catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive, load, save
from archivedb.errors import (
    EncodeError,
    ModeError,
    PayloadCorruptError,
    PayloadMissingError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Program  # type: ignore[import-not-found]

MODES = ("hdf5", "json", "cloudpickle")
DATA: dict[str, Any] = {"a": np.arange(5.0), "b": {"c": (1, None)}, "nan": float("nan")}


@pytest.mark.parametrize("mode", MODES)
def test_what_is_saved_is_loaded(
    tmp_path: Path, same: Callable[..., bool], mode: str
) -> None:
    """A dict comes back exactly, without its mode being named."""
    save(DATA, tmp_path / "run", mode)

    assert same(load(tmp_path / "run"), DATA)
    assert same(load(str(tmp_path / "run"), mode), DATA)
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_another_mode_is_an_error(tmp_path: Path) -> None:
    """Insisting on a mode that it is not, or that there is not, is a `ModeError`."""
    save(DATA, tmp_path, "json")

    with pytest.raises(ModeError, match="'json', not 'hdf5'"):
        load(tmp_path, "hdf5")
    with pytest.raises(ModeError, match="hdf4"):
        load(tmp_path, "hdf4")
    with pytest.raises(ModeError, match="hdf4"):
        save(DATA, tmp_path / "new", "hdf4")
    assert not (tmp_path / "new").exists()


def test_the_default_mode_is_hdf5(tmp_path: Path) -> None:
    """``save(data, path)`` writes HDF5, as the seed does."""
    save(DATA, tmp_path)

    assert [path.suffix for path in tmp_path.iterdir()] == [".h5"]


def test_a_second_save_replaces_the_first(tmp_path: Path) -> None:
    """One payload is left, the newest, whatever the modes."""
    for number, mode in enumerate((*MODES, *reversed(MODES))):
        save({"n": number}, tmp_path, mode)
        assert load(tmp_path) == {"n": number}
    assert len(list(tmp_path.iterdir())) == 1


def test_what_cannot_be_stored_replaces_nothing(tmp_path: Path) -> None:
    """An `EncodeError` leaves what was there."""
    save({"n": 1}, tmp_path)
    with pytest.raises(EncodeError):
        save({"n": (x for x in ())}, tmp_path)
    assert load(tmp_path) == {"n": 1}
    with pytest.raises(EncodeError):
        save({"n": (x for x in ())}, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["nothing", "empty", "file"])
def test_nothing_is_a_typed_error(tmp_path: Path, name: str) -> None:
    """Where nothing was saved, `load` says so."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")

    with pytest.raises(PayloadMissingError, match="nothing that archivedb saved"):
        load(tmp_path / name)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A run's directory may hold anything else beside the payload."""
    (tmp_path / "OUTCAR").write_text("text")
    (tmp_path / "archive.h5").write_text("text")
    save({"n": 1}, tmp_path)
    save({"n": 2}, tmp_path)

    assert load(tmp_path) == {"n": 2}
    assert (tmp_path / "OUTCAR").read_text() == "text"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("mode", MODES)
def test_damage_is_found(tmp_path: Path, mode: str) -> None:
    """A flipped bit in the values is an error of `load`, too."""
    save({"text": "needle in the file", "a": 1}, tmp_path, mode)
    (path,) = tmp_path.iterdir()
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"needle", b"Needle"))

    with pytest.raises(PayloadCorruptError):
        load(tmp_path)


def test_an_archive_indexes_it(tmp_path: Path) -> None:
    """`Archive(path)` indexes what lies there, under the folder's name."""
    place = tmp_path / "run-7"
    save({"n": 1}, place)
    with Archive(place) as archive:
        assert list(archive) == ["run-7"]
        assert archive.load("run-7") == {"n": 1}
    save({"n": 2}, place, "json")
    with Archive(place) as archive:
        assert [record.version for record in archive.versions("run-7")] == [1, 2]
        assert archive.load("run-7", version=1) == {"n": 1}
        assert archive.load("run-7") == {"n": 2}
        before = archive.inspect().dump()
        archive.reindex()
        assert archive.inspect().dump() == before
        assert archive.verify().ok
    assert load(place) == {"n": 2}
    with Archive(place) as archive:
        assert len(archive.versions("run-7")) == 2


def test_what_cannot_be_indexed_does_not_close_the_archive(tmp_path: Path) -> None:
    """A damaged plain payload beside a catalog is no reason not to open it."""
    place = tmp_path / "run"
    place.mkdir()
    with Archive(place) as archive:
        archive.save({"n": 1}, "x")
    save({"n": 2}, place)
    (path,) = place.glob("*.h5")
    path.write_bytes(b"garbage")

    with pytest.warns(RuntimeWarning, match="not indexed"):
        archive = Archive(place)
    with archive:
        assert archive.load("x") == {"n": 1}


def test_a_name_that_is_taken_does_not_close_the_archive(tmp_path: Path) -> None:
    """Where the folder's name is a folder of records, the archive still opens."""
    place = tmp_path / "run"
    place.mkdir()
    with Archive(place) as archive:
        archive.save({"n": 1}, "run/x")
    save({"n": 2}, place)

    with pytest.warns(RuntimeWarning, match="not indexed"):
        archive = Archive(place)
    with archive:
        assert archive.load("run/x") == {"n": 1}


def test_a_crash_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """Where both lie after a crash, the newest counts, and the next save tidies."""
    save({"n": 1}, tmp_path)
    (old,) = tmp_path.iterdir()
    raw = old.read_bytes()
    save({"n": 2}, tmp_path)
    old.write_bytes(raw)
    assert load(tmp_path) == {"n": 2}
    save({"n": 3}, tmp_path)

    assert load(tmp_path) == {"n": 3}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reader_never_finds_nothing(tmp_path: Path, program: Program) -> None:
    """While another process saves, `load` gives the old dict or the new one."""
    assert program("plain_race.py", tmp_path / "run") == "sound\n"
