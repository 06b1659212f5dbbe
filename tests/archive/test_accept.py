"""A stranger's archive, once accepted, loads; and nothing that is added to it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from archivedb import Acceptance, Archive, load, save
from archivedb.errors import (
    ArchiveNotFoundError,
    RecordNotFoundError,
    SigningError,
    UntrustedPayloadError,
)
from archivedb.values import signing, trusting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Program  # type: ignore[import-not-found]

    Stranger = Callable[..., Path]

MODES = ("hdf5", "json", "cloudpickle")


@pytest.fixture(autouse=True)
def _own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust nobody that another test has trusted."""
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "own" / "key"))


@pytest.fixture
def stranger(tmp_path: Path, program: Program) -> Stranger:
    """Return what lets somebody save, and returns the file that tells of it."""

    def run(who: str, address: str = "strange.db", again: str = "") -> Path:
        mark = tmp_path / f"ran-{who}-{address}{again}"
        key = str(tmp_path / who / "key")
        place = (tmp_path / address, mark, tmp_path / f"plain-{who}")
        program("strangers.py", *place, ARCHIVEDB_KEY=key)
        assert not mark.exists()
        return mark

    return run


def key_of(tmp_path: Path, who: str) -> trusting.PublicKey:
    """Return somebody's public key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHIVEDB_KEY", str(tmp_path / who / "key"))
        return trusting.PublicKey(signing.public_key(), who)


def require_refused(archive: Archive, version: int | None = None) -> None:
    """Require that what strangers.py saved is refused in every mode."""
    for mode in MODES:
        with pytest.raises(UntrustedPayloadError):
            archive.load(f"from/{mode}", version=version)


def require_loads(archive: Archive, mark: Path, version: int | None = None) -> None:
    """Require that what strangers.py saved loads in every mode."""
    for mode in MODES:
        archive.load(f"from/{mode}", version=version)
        assert mark.exists()
        mark.unlink()


def test_a_trusted_key_loads_everywhere(tmp_path: Path, stranger: Stranger) -> None:
    """Once a colleague's key is trusted, their archives load until it is not."""
    mark = stranger("ann")
    with Archive(tmp_path / "strange.db") as archive:
        require_refused(archive)
        ann = key_of(tmp_path, "ann")
        assert signing.others().add(ann)
        require_loads(archive, mark)
        load(tmp_path / "plain-ann" / "json")
        mark.unlink()
        assert signing.others().remove_key(ann.key)
        require_refused(archive)
    assert not mark.exists()


def test_an_accepted_archive_loads(tmp_path: Path, stranger: Stranger) -> None:
    """Accepting tells who signed what, runs nothing, and can be taken back."""
    mark = stranger("ann")
    ann = key_of(tmp_path, "ann").key
    seen: list[tuple[int, int]] = []
    with Archive(tmp_path / "strange.db", readonly=True) as archive:
        found = archive.accept(progress=lambda done, all_: seen.append((done, all_)))
        assert not mark.exists()
        assert (found.keys, found.versions, found.unreadable) == ((ann,), 3, 0)
        assert found.address == str(tmp_path / "strange.db")
        (signer,) = found.signers
        assert signer.versions == 3
        assert not signer.trusted
        assert "__main__:Attack" in signer.classes
        assert seen == [(1, 3), (2, 3), (3, 3)]
        assert ann not in signing.trusted_keys()

        require_loads(archive, mark)
        assert archive.revoke()
        require_refused(archive)
        assert not archive.revoke()
    assert not mark.exists()


def test_the_same_key_may_go_on(tmp_path: Path, stranger: Stranger) -> None:
    """What one of the accepted keys adds later loads as well, here only."""
    first = stranger("ann")
    with Archive(tmp_path / "strange.db") as archive:
        archive.accept()
        require_loads(archive, first)
        require_loads(archive, stranger("ann", again="-again"))
        stranger("ann", "elsewhere.db")
        with Archive(tmp_path / "elsewhere.db") as other:
            require_refused(other)
        with pytest.raises(UntrustedPayloadError):
            load(tmp_path / "plain-ann" / "json")
    assert list(tmp_path.glob("ran-*")) == []


def test_what_another_key_adds_is_refused(tmp_path: Path, stranger: Stranger) -> None:
    """What a third key slips into an accepted archive stays a stranger's."""
    first = stranger("ann")
    with Archive(tmp_path / "strange.db") as archive:
        archive.accept()
        third = stranger("eve")
        require_refused(archive)
        require_loads(archive, first, version=1)
        archive.reindex()
        require_refused(archive)
        assert not third.exists()
        # Their word is what they sign, not whom they name.
        assert {signer.versions for signer in archive.accept().signers} == {3}
        require_loads(archive, third)


def test_a_payload_in_another_archive_is_refused(
    tmp_path: Path, stranger: Stranger
) -> None:
    """A payload that was copied into another archive gains nothing by it."""
    mark = stranger("ann")
    with Archive(tmp_path / "strange.db") as accepted:
        accepted.accept()
    with Archive(tmp_path / "own.db") as own:
        own.save({"x": 1}, "x")
        for file in (tmp_path / "strange.payloads").glob("??/*"):
            place = tmp_path / "own.payloads" / file.parent.name
            place.mkdir(exist_ok=True)
            shutil.copy(file, place)
        own.reindex()
        for mode in MODES:
            with pytest.raises((RecordNotFoundError, UntrustedPayloadError)):
                own.load(f"from/{mode}")
        content = own_content(accepted)
        assert content.is_trusted(own_uuid(accepted))
        assert not content.is_trusted(own_uuid(own))
        assert not content.is_trusted()
    assert not mark.exists()


def own_uuid(archive: Archive) -> str:
    """Return which archive it is."""
    archive.record(next(iter(archive)))
    return archive._core.uuid


def own_content(archive: Archive) -> Any:
    """Return the content of the one record that is signed in every archive here."""
    return archive._row("from/json", None).content


@pytest.mark.parametrize("mode", MODES)
def test_what_nobody_signed(tmp_path: Path, program: Program, mode: str) -> None:
    """What nobody signed is accepted by its digest, and what comes later is not."""
    address, marks = tmp_path / "x.db", [tmp_path / "one", tmp_path / "two"]
    program("unsigned.py", address, "first", marks[0], mode)
    with Archive(address) as archive:
        archive.save({"plain": 1}, "plain", mode="json")
        with pytest.raises(UntrustedPayloadError, match="not signed"):
            archive.load("first")
        (signer,) = archive.accept().signers
        assert (signer.key, signer.versions) == (None, 1)
        archive.load("first")
        assert marks[0].exists()
        program("unsigned.py", address, "second", marks[1], mode)
        with pytest.raises(UntrustedPayloadError):
            archive.load("second")
        archive.reindex()
        archive.load("first")
        with pytest.raises(UntrustedPayloadError):
            archive.load("second")
        assert archive.revoke()
        with pytest.raises(UntrustedPayloadError):
            archive.load("first")
    assert not marks[1].exists()


def test_what_is_declined_is_not_accepted(tmp_path: Path, stranger: Stranger) -> None:
    """What `confirm` raises goes through, and nothing is written down."""
    stranger("ann")

    def decline(found: Acceptance) -> None:
        raise InterruptedError(found.versions)

    with Archive(tmp_path / "strange.db") as archive:
        with pytest.raises(InterruptedError, match="3"):
            archive.accept(confirm=decline)
        require_refused(archive)
    assert not (tmp_path / "own" / "trusted").exists()


def test_damage_is_not_accepted(tmp_path: Path, stranger: Stranger) -> None:
    """What cannot be read is counted, and does not keep the rest from loading."""
    mark = stranger("ann")
    (file,) = (tmp_path / "strange.payloads").glob("??/*.json")
    file.unlink()
    with Archive(tmp_path / "strange.db") as archive:
        found = archive.accept()
        assert (found.versions, found.unreadable) == (2, 1)
        archive.load("from/hdf5")
    assert mark.exists()


def test_a_plain_directory(tmp_path: Path, stranger: Stranger) -> None:
    """A directory that `save` wrote is accepted by its path, and stays as it is."""
    mark = stranger("ann")
    for mode in MODES:
        place = tmp_path / "plain-ann" / mode
        before = sorted(place.iterdir())
        with Archive(place, readonly=True) as archive:
            assert archive.accept().versions == 1
            load(place)
            assert mark.exists()
            mark.unlink()
            assert sorted(place.iterdir()) == before
            assert archive.revoke()
        with pytest.raises(UntrustedPayloadError):
            load(place)


def test_the_directory_and_its_archive(tmp_path: Path, stranger: Stranger) -> None:
    """Where both are, both are accepted, and both are revoked."""
    stranger("ann")
    place = tmp_path / "plain-ann" / "hdf5"
    with Archive(place) as archive:
        archive.accept()
        archive.load("hdf5")
        load(place)
        archive.revoke()
        with pytest.raises(UntrustedPayloadError):
            archive.load("hdf5")
        with pytest.raises(UntrustedPayloadError):
            load(place)


def test_what_runs_nothing(tmp_path: Path) -> None:
    """An archive of plain values needs no trust, and gets none."""
    with Archive(tmp_path / "x.db") as archive:
        archive.save({"x": 1, "$object": ["$array"]}, "x")
        assert archive.accept().signers == ()
    save({"x": 1}, tmp_path / "plain")
    assert Archive(tmp_path / "plain", readonly=True).accept().signers == ()
    assert not (tmp_path / "own" / "trusted").exists()


def test_where_nothing_is(tmp_path: Path) -> None:
    """There is nothing to accept where no archive is, and nothing is made."""
    for place in (tmp_path / "none.db", tmp_path):
        for ask in (Archive(place).accept, Archive(place).revoke):
            with pytest.raises(ArchiveNotFoundError):
                ask()
    assert list(tmp_path.iterdir()) == []


def test_a_uuid_that_is_a_path(
    tmp_path: Path, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive's own word of who it is leads nowhere."""
    stranger("ann")
    with Archive(tmp_path / "strange.db") as archive:
        assert len(archive) == 3
        monkeypatch.setattr(archive._core, "_uuid", "../../own/trusted")
        with pytest.raises(SigningError, match="no archive's uuid"):
            archive.accept()
        require_refused(archive)
        assert not archive.revoke()
