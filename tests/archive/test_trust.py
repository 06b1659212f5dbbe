"""Nothing that a stranger has signed runs here, and no path leads out."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import pickle
import sqlite3
import zipfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive, ArchiveError, Stub, load
from archivedb.errors import CatalogError, UntrustedPayloadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program  # type: ignore[import-not-found]

MODES = ("hdf5", "json", "cloudpickle")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return the file that exists once a stranger's code has run."""
    return tmp_path / "it-ran"


@pytest.fixture
def strange(tmp_path: Path, mark: Path, program: Program) -> Archive:
    """Return an archive that was made with another key."""
    program(
        "strangers.py",
        tmp_path / "strange.db",
        mark,
        tmp_path / "plain",
        ARCHIVEDB_KEY=str(tmp_path / "other" / "key"),
    )
    assert not mark.exists()
    return Archive(tmp_path / "strange.db")


def test_looking_runs_nothing(strange: Archive, mark: Path, tmp_path: Path) -> None:
    """No way of looking at an archive restores what is in it."""
    looks: list[Callable[[str], Any]] = [
        *(strange.outline, strange.record, strange.versions, strange.history),
        lambda name: repr(strange[name]),
        lambda name: strange[name]["plain"]["n"],
        lambda name: strange[f"{name}/plain/n"],
        lambda name: f"{name}/list/[0]/attack" in strange,
        lambda name: strange.load(name, objects="stub"),
    ]
    for mode in MODES:
        for look in looks:
            with suppress(UntrustedPayloadError):
                look(f"from/{mode}")
            assert not mark.exists(), look
    assert repr(strange)
    assert strange._repr_html_()
    assert strange.find(mode="json").count() == 1
    assert strange.find(**{"plain/n": 1}).count() == 3
    assert strange.verify("quick").ok
    assert strange.verify("full").ok
    strange.reindex()
    strange.inspect().dump()
    for path in tmp_path.glob("strange.db*"):
        path.unlink()
    assert len(Archive(tmp_path / "strange.db")) == 3
    assert not mark.exists()


@pytest.mark.parametrize("mode", MODES)
def test_loading_is_refused(
    strange: Archive, mark: Path, tmp_path: Path, mode: str
) -> None:
    """The error says what is inside, who signed it and how to accept it."""
    for ask in (
        functools.partial(strange.load, f"from/{mode}"),
        lambda: strange[f"from/{mode}/list/[0]/attack"],
        lambda: strange[f"from/{mode}/list"],
        strange[f"from/{mode}"].load,
        lambda: strange[f"from/{mode}"]["list"],
        lambda: load(tmp_path / "plain" / mode),
    ):
        with pytest.raises(UntrustedPayloadError) as caught:
            ask()
        assert "trust=True" in str(caught.value)
        assert "unknown key" in str(caught.value)
        assert isinstance(caught.value, PermissionError)
    assert not mark.exists()


@pytest.mark.usefixtures("strange")
@pytest.mark.parametrize("mode", MODES)
def test_plain_data_is_not_unpickled(
    mark: Path, tmp_path: Path, same: Callable[..., bool], mode: str
) -> None:
    """What runs nothing loads from anybody, whatever pickle lies beside it."""
    place = tmp_path / "plain" / f"harmless-{mode}"
    wanted = {
        "plain": {"n": 1},
        "array": np.arange(3.0),
        "when": dt.date(2026, 1, 1),
        "set": {1, 2},
    }
    assert same(load(place), wanted)
    assert same(load(place, trust=True), wanted)
    with Archive(place) as archive:
        (name,) = archive
        assert same(archive.load(name), wanted)
        assert same(archive.load(name, objects="stub"), wanted)
        assert archive[f"{name}/when"] == wanted["when"]
        assert archive.verify().ok
    if mode == "cloudpickle":
        # The pickle is there all the same, and would have run.
        assert not mark.exists()
        (file,) = place.glob("*.zip")
        with zipfile.ZipFile(file) as opened:
            pickle.loads(opened.read("0/pickle"))  # noqa: S301 - that is the point
        assert mark.exists()
    else:
        assert not mark.exists()


@pytest.mark.parametrize("mode", MODES)
def test_a_stub_shows_what_is_inside(strange: Archive, mark: Path, mode: str) -> None:
    """``objects="stub"`` gives everything but the objects, and runs nothing."""
    value = strange.load(f"from/{mode}", objects="stub")

    assert value["plain"] == {"n": 1}
    assert value["array"] == [1.0, 2.0]
    assert isinstance(value["list"][0]["attack"], Stub)
    assert not mark.exists()


@pytest.mark.parametrize("mode", MODES)
def test_trust_is_the_users_word(
    strange: Archive, mark: Path, tmp_path: Path, mode: str
) -> None:
    """``trust=True`` loads, as it does for a plain directory."""
    del strange
    with Archive(tmp_path / "strange.db", trust=True) as trusting:
        trusting.load(f"from/{mode}")
    assert mark.exists()
    mark.unlink()
    load(tmp_path / "plain" / mode, trust=True)
    assert mark.exists()


def test_reindexing_does_not_sign(strange: Archive, tmp_path: Path) -> None:
    """A catalog rebuilt here does not make a stranger's payloads one's own."""
    strange.close()
    for path in tmp_path.glob("strange.db*"):
        path.unlink()
    with Archive(tmp_path / "strange.db") as archive:
        archive.reindex()
        for mode in MODES:
            with pytest.raises(UntrustedPayloadError):
                archive.load(f"from/{mode}")
            # Saving beside it does not vouch for it, either.
            archive.save({"own": 1}, f"own/{mode}", mode=mode)
            assert archive.load(f"own/{mode}") == {"own": 1}
            with pytest.raises(UntrustedPayloadError):
                archive.load(f"from/{mode}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("forgery", ["key", "none", "swapped", "digest"])
def test_a_forged_catalog_is_not_believed(
    strange: Archive, mark: Path, tmp_path: Path, mode: str, forgery: str
) -> None:
    """A signature edited in the catalog opens nothing; the bytes decide."""
    own = Archive(tmp_path / "own.db")
    own.save({"list": [{"attack": os.getpid}]}, "x", mode=mode)

    def content(path: Path, name: str) -> dict[str, Any]:
        with closing(sqlite3.connect(path)) as connection:
            (text,) = connection.execute(
                "SELECT content FROM version JOIN record "
                "ON record.newest_id = version.id WHERE name = ?",
                (name,),
            ).fetchone()
        return dict(json.loads(text))

    strange.close()
    own.close()
    mine = content(tmp_path / "own.db", "x")
    tree = content(tmp_path / "strange.db", f"from/{mode}")
    if forgery == "none":
        del tree["signature"]
    elif forgery == "key":
        tree["signature"]["key"] = mine["signature"]["key"]
    elif forgery == "swapped":
        tree["signature"] = mine["signature"]
    else:
        tree |= {"signature": mine["signature"], "digest": mine["digest"]}
    with closing(sqlite3.connect(tmp_path / "strange.db")) as connection:
        connection.execute(
            "UPDATE version SET content = ? WHERE mode = ?",
            (json.dumps(tree).encode(), mode),
        )
        connection.commit()

    with Archive(tmp_path / "strange.db") as archive, pytest.raises(ArchiveError):
        archive.load(f"from/{mode}")
    assert not mark.exists()


OUTSIDE = [
    *("../../secret.json", "/etc/passwd", "..", "", "xx/../../secret.json"),
    *("secret.json", "../secret-01a20888-913a-70dc-8c31-de17c5ebe091.json"),
]


def point_elsewhere(tmp_path: Path, file: str) -> None:
    """Make an archive of ``x`` and ``y``, and edit the catalog's row of ``x``."""
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    with Archive(tmp_path / "runs.db") as archive:
        archive.save({"a": [1.0] * 20}, "x")
        archive.save({"a": 1}, "y")
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("UPDATE payload SET file = ? WHERE id = 1", (file,))
        connection.commit()


@pytest.mark.parametrize("file", OUTSIDE)
def test_no_row_leads_out_of_the_store(tmp_path: Path, file: str) -> None:
    """An edited row is refused with a sentence, and reindexing heals it."""
    point_elsewhere(tmp_path, file)

    with Archive(tmp_path / "runs.db") as archive:
        for ask in (lambda: archive.load("x"), lambda: archive["x/a"]):
            with pytest.raises(CatalogError, match="archivedb reindex"):
                ask()
        assert archive.load("y") == {"a": 1}
        archive.reindex()
        assert archive.load("x") == {"a": [1.0] * 20}
        assert archive.verify().ok


@pytest.mark.parametrize("level", ["quick", "full"])
def test_a_row_that_leads_out_is_a_finding(tmp_path: Path, level: str) -> None:
    """`verify` reports an edited row like any other disagreement."""
    point_elsewhere(tmp_path, "../../secret.json")

    with Archive(tmp_path / "runs.db") as archive:
        kinds = {finding.kind for finding in archive.verify(level).findings}
    assert "misindexed" in kinds


def test_a_key_that_others_can_read_signs_nothing(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private key that is not private is refused with the command to run."""
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "key"))
    archive.save({"f": len}, "x")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").write_bytes((tmp_path / "key").read_bytes())
    (tmp_path / "other").chmod(0o644)
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "other"))

    with pytest.raises(ArchiveError, match="chmod 600"):
        archive.save({"f": len}, "y")
    assert list(archive) == ["x"]


def test_ones_own_just_loads(archive: Archive) -> None:
    """What this key signed is restored without a word."""
    for mode in MODES:
        archive.save({"f": len, "p": Path("x")}, mode, mode=mode)
        assert archive.load(mode) == {"f": len, "p": Path("x")}
        assert archive[f"{mode}/f"] is len
