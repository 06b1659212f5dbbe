"""The folder of those whom a user trusts: whatever lies in it, nothing breaks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from archivedb.errors import ArchiveError, SigningError
from archivedb.values import signing, trusting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ONE, OTHER = "blake3:" + "0" * 64, "blake3:" + "1" * 64
ARCHIVE = "7f42156b-266c-4c80-bb9a-29704ce9567c"
ANN, EVE = "a" * 64, "e" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trusting.TrustFolder:
    """Return the folder of a user who has made no key."""
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "data" / "signing.key"))
    return signing.others()


def accepted(*keys: str, contents: tuple[str, ...] = ()) -> trusting.Accepted:
    """Return an archive that was accepted."""
    pairs = frozenset((digest, None) for digest in contents)
    return trusting.Accepted(ARCHIVE, "/x.db", "2026-01-01", frozenset(keys), pairs)


def test_keys_come_and_go(folder: trusting.TrustFolder) -> None:
    """A key is added once, keeps its comment, and is private to its user."""
    assert folder.keys() == ([], [])
    assert not folder.remove_key(ANN)
    assert folder.add(trusting.PublicKey(ANN, "ann\n@host"))
    assert not folder.add(trusting.PublicKey(ANN, "other"))
    ((found,), problems) = folder.keys()
    assert (found.key, found.comment, problems) == (ANN, "ann @host", [])
    assert folder.trusted() == {ANN}
    assert folder.path.stat().st_mode & 0o777 == 0o700
    (file,) = folder.path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == f"{ANN} ann @host\n"
    assert folder.remove_key(ANN)
    assert folder.trusted() == frozenset()
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        f"{ANN}",
        f"{ANN}\n",
        f"{ANN.upper()}\r\n",
        f"# Ann's\n\n  {ANN}\tann\n#\n",
        f"\ufeff{ANN} ann\n",
    ],
    ids=repr,
)
def test_a_key_by_hand(folder: trusting.TrustFolder, text: str) -> None:
    """A file that a person wrote is read as it is meant."""
    folder.path.mkdir(parents=True)
    (folder.path / "ann.pub").write_text(text, newline="")
    assert folder.trusted() == {ANN}
    assert not folder.add(trusting.PublicKey(ANN))
    assert folder.remove_key(ANN)
    assert folder.trusted() == frozenset()


def _huge(path: Path) -> None:
    path.write_text(f"{ANN}\n" + "#" * 5000)


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _two(path: Path) -> None:
    path.write_text(f"{ANN}\n{EVE}\n")


def _short(path: Path) -> None:
    path.write_text(ANN[1:])


def _digits(path: Path) -> None:
    path.write_text("\u0661" * 64)


def _empty(path: Path) -> None:
    path.touch()


def _private(path: Path) -> None:
    path.write_text("-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----\n")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _gone(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


HOSTILE = [
    *(_huge, _binary, _loop, _two, _short, _digits, _empty, _private, _device, _gone),
    *(os.mkdir, os.mkfifo),
]


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_hostile_key_file(
    folder: trusting.TrustFolder, make: Callable[[Path], None]
) -> None:
    """A file that is no key is named when listed, and warned of when checked."""
    folder.add(trusting.PublicKey(EVE, "eve"))
    bad = folder.path / "bad.pub"
    make(bad)
    found, (problem,) = folder.keys()
    assert [each.key for each in found] == [EVE]
    assert str(bad) in str(problem)
    with pytest.warns(RuntimeWarning, match="bad.pub"):
        assert folder.trusted() == {EVE}
    # Once said is enough.
    assert folder.trusted() == {EVE}
    with pytest.raises(SigningError, match=r"bad\.pub"):
        trusting.read_public_key(bad)
    assert folder.add(trusting.PublicKey(ANN))
    assert folder.remove_key(ANN)
    assert folder.remove_key(EVE)


def test_a_private_key_is_no_present(folder: trusting.TrustFolder) -> None:
    """Whoever sends a private key is told what to send."""
    signing.public_key()
    with pytest.raises(SigningError, match="archivedb trust export"):
        trusting.read_public_key(signing.key_file())
    assert folder.keys() == ([], [])


@pytest.mark.parametrize(
    "what", ["", "ann.pub", "archives", f"archives/{ARCHIVE}.json"]
)
def test_what_others_can_write_is_not_believed(
    folder: trusting.TrustFolder, what: str
) -> None:
    """Whoever may write the file of a key may put another into it."""
    folder.path.mkdir(parents=True)
    (folder.path / "ann.pub").write_text(ANN)
    folder.accept(accepted(EVE))
    assert folder.trusted() == {ANN}
    assert folder.accepted(ARCHIVE) == accepted(EVE)
    (folder.path / what).chmod(0o777)
    problems = folder.keys()[1] + folder.archives()[1]
    assert "chmod go-w" in str(problems[0])
    with pytest.warns(RuntimeWarning, match="chmod go-w"):
        assert not folder.trusted() or folder.accepted(ARCHIVE) is None
    (folder.path / what).chmod(0o700)
    assert folder.trusted() == {ANN}
    assert folder.accepted(ARCHIVE) == accepted(EVE)


def test_the_folder_is_a_file(folder: trusting.TrustFolder) -> None:
    """A folder that is something else trusts nobody, and cannot be written."""
    folder.path.parent.mkdir()
    folder.path.write_text(ANN)
    assert folder.keys()[0] == []
    with pytest.warns(RuntimeWarning, match="trusted"):
        assert folder.trusted() == frozenset()
    assert folder.accepted(ARCHIVE) is None
    with pytest.raises(SigningError, match="cannot change"):
        folder.add(trusting.PublicKey(ANN))
    with pytest.raises(SigningError, match="cannot change"):
        folder.accept(accepted(ANN))
    assert not folder.remove_key(ANN)
    assert not folder.remove_archive(ARCHIVE)


def test_archives_come_and_go(folder: trusting.TrustFolder) -> None:
    """An accepted archive is kept whole, replaced whole, and removed."""
    assert folder.accepted(ARCHIVE) is None
    folder.accept(accepted(ANN, contents=(ONE,)))
    assert folder.accepted(ARCHIVE) == accepted(ANN, contents=(ONE,))
    folder.accept(accepted(ANN, EVE))
    assert folder.archives() == ([accepted(ANN, EVE)], [])
    (file,) = (folder.path / "archives").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert folder.trusted() == frozenset()
    assert folder.remove_archive(ARCHIVE)
    assert not folder.remove_archive(ARCHIVE)
    assert folder.accepted(ARCHIVE) is None


def test_a_revoked_key_is_revoked_in_every_archive(
    folder: trusting.TrustFolder,
) -> None:
    """A key that is removed is struck from the archives that had it, too."""
    folder.accept(accepted(ANN, EVE))
    assert folder.remove_key(ANN)
    assert folder.accepted(ARCHIVE) == accepted(EVE)
    assert folder.remove_key(EVE)
    assert folder.accepted(ARCHIVE) is None
    folder.accept(accepted(ANN, contents=(ONE,)))
    assert folder.remove_key(ANN)
    assert folder.accepted(ARCHIVE) == accepted(contents=(ONE,))


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "null", "\xff", "[" * 100_000),
        '{"archive": "7f42156b-266c-4c80-bb9a-29704ce9567c"}',
        '{"archive": "@", "keys": ["no"], "contents": [], REST}',
        '{"archive": "@", "keys": [], "contents": [1], REST}',
        '{"archive": "x", "keys": [], "contents": [], REST}',
    ],
    ids=range(11),
)
def test_a_damaged_archive_file(folder: trusting.TrustFolder, text: str) -> None:
    """A damaged file is named when listed, and warned of when checked."""
    folder.accept(accepted(ANN))
    (file,) = (folder.path / "archives").iterdir()
    text = text.replace("@", ARCHIVE).replace(
        "REST", '"address": "", "accepted_at": ""'
    )
    file.write_bytes(text.encode("latin-1"))
    found, (problem,) = folder.archives()
    assert found == []
    assert str(file) in str(problem)
    with pytest.warns(RuntimeWarning, match=ARCHIVE):
        assert folder.accepted(ARCHIVE) is None
    folder.accept(accepted(ANN))
    assert folder.accepted(ARCHIVE) == accepted(ANN)


@pytest.mark.parametrize(
    "name", ["", ".", "../x", ARCHIVE.upper(), ARCHIVE + "\n", ARCHIVE[:-1], "{}", "\0"]
)
def test_what_is_no_uuid_is_no_file(folder: trusting.TrustFolder, name: str) -> None:
    """Only a uuid names a file here, as archives say what they like."""
    folder.accept(accepted(ANN))
    assert folder.accepted(name) is None
    assert not folder.remove_archive(name)
    evil = trusting.Accepted(name, "", "", frozenset(), frozenset())
    with pytest.raises(SigningError):
        folder.accept(evil)
    assert folder.archives() == ([accepted(ANN)], [])


def test_checking(folder: trusting.TrustFolder) -> None:
    """What an archive may run is a matter of its uuid, its keys and its contents."""
    mine = signing.sign(ONE)
    stranger = signing.public_key()
    signing.key_file().unlink()
    signing._keys.clear()
    assert not signing.is_trusted(mine, ONE, archive=ARCHIVE)
    folder.accept(accepted(stranger, contents=(OTHER,)))
    assert signing.is_trusted(mine, ONE, archive=ARCHIVE)
    assert not signing.is_trusted(mine, ONE)
    assert not signing.is_trusted(mine, ONE, archive=ARCHIVE.replace("7", "8"))
    assert not signing.is_trusted(mine, ONE, OTHER, archive=ARCHIVE)
    assert not signing.is_trusted({**mine, "ed25519": "00" * 64}, ONE, archive=ARCHIVE)
    assert signing.is_trusted(None, OTHER, archive=ARCHIVE)
    assert not signing.is_trusted(None, OTHER)
    assert not signing.is_trusted(None, OTHER, ONE, archive=ARCHIVE)
    # Whatever spells the key otherwise is another key.
    loud = {**mine, "key": stranger.upper()}
    assert not signing.is_trusted(loud, ONE, archive=ARCHIVE)
    assert signing.others().remove_key(stranger)
    assert not signing.is_trusted(mine, ONE, archive=ARCHIVE)


def test_a_readable_private_key_is_an_error(folder: trusting.TrustFolder) -> None:
    """Checking does not go on with a private key that others may have read."""
    mine = signing.sign(ONE)
    signing._keys.clear()
    signing.key_file().chmod(0o644)
    with pytest.raises(ArchiveError, match="chmod 600"):
        signing.is_trusted(mine, ONE)
    with pytest.raises(ArchiveError, match="chmod 600"):
        signing.own_key()
    assert folder.trusted() == frozenset()
