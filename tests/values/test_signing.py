"""Who may run code: keys are made once, are private, and sign one content."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from archivedb.errors import ArchiveError
from archivedb.values import signing
from tests.support import fresh

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = "blake3:" + "0" * 64, "blake3:" + "1" * 64


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where this test's key will lie."""
    place = tmp_path / "data" / "signing.key"
    monkeypatch.setenv("ARCHIVEDB_KEY", str(place))
    return place


def test_the_key_is_made_once(key: Path) -> None:
    """The first use makes a key that only its user can read; the next keeps it."""
    first = signing.public_key()
    pem = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(first)) == 32
    assert signing.public_key() == first
    assert key.read_bytes() == pem
    assert [path.name for path in key.parent.iterdir()] == ["signing.key"]


def test_looking_makes_no_key(key: Path) -> None:
    """Whoever only reads needs no key."""
    assert signing.trusted_keys() == frozenset()
    assert not signing.is_trusted(None, ONE)
    assert not key.exists()


def test_processes_agree_on_a_key(key: Path) -> None:
    """Processes that race to make the key all get the same one."""
    program = (
        "import sys\n"
        "from archivedb.values import signing\n"
        "from cryptography.hazmat.primitives.asymmetric import ed25519\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(signing.public_key())\n"
    )
    racers = [
        subprocess.Popen(
            [fresh.executable(), "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    found = {racer.communicate(timeout=30)[0] for racer in racers}
    assert [racer.returncode for racer in racers] == [0] * 4
    assert found == {signing.public_key() + "\n"}
    assert [path.name for path in key.parent.iterdir()] == ["signing.key"]


def test_a_key_that_others_can_read_is_refused(key: Path) -> None:
    """A key that others can read signs nothing, and the error says what to run."""
    signing.public_key()
    signing._keys.clear()
    key.chmod(0o644)
    with pytest.raises(ArchiveError, match=r"run `chmod 600 .*signing.key`"):
        signing.sign(ONE)


@pytest.mark.parametrize("text", ["", "not a key", "ssh-ed25519 AAAA"])
def test_what_is_no_key(key: Path, text: str) -> None:
    """A file that is no key is a typed error that names the file."""
    key.parent.mkdir()
    key.touch(mode=0o600)
    key.write_text(text)
    with pytest.raises(ArchiveError, match=r"signing.key is not a signing key"):
        signing.sign(ONE)


@pytest.mark.parametrize("kind", ["rsa", "encrypted"])
def test_keys_of_another_kind(key: Path, kind: str) -> None:
    """An RSA key, or one with a password, is a typed error as well."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    private: Any = ed25519.Ed25519PrivateKey.generate()
    protection: Any = serialization.BestAvailableEncryption(b"secret")
    if kind == "rsa":
        private = rsa.generate_private_key(65537, 2048)
        protection = serialization.NoEncryption()
    key.parent.mkdir()
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        )
    )
    with pytest.raises(ArchiveError):
        signing.sign(ONE)


@pytest.mark.usefixtures("key")
def test_signatures() -> None:
    """A signature is for one skeleton and one pickle, and for nothing else."""
    plain, pickled = signing.sign(ONE), signing.sign(ONE, OTHER)
    assert signing.is_trusted(plain, ONE)
    assert signing.is_trusted(pickled, ONE, OTHER)
    assert not signing.is_trusted(plain, OTHER)
    assert not signing.is_trusted(plain, ONE, OTHER)
    assert not signing.is_trusted(pickled, ONE)
    assert not signing.is_trusted(pickled, OTHER, ONE)
    assert not signing.is_trusted(pickled, ONE, ONE)


@pytest.mark.usefixtures("key")
def test_every_nibble_of_a_signature_counts() -> None:
    """A signature with any digit changed is none."""
    good = signing.sign(ONE)
    for at in range(0, 128, 7):
        digit = "0" if good["ed25519"][at] != "0" else "1"
        bad = good["ed25519"][:at] + digit + good["ed25519"][at + 1 :]
        assert not signing.is_trusted({**good, "ed25519": bad}, ONE)


def test_trusted_keys(key: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """A colleague's payloads run once their public key lies beside one's own."""
    mine = signing.public_key()
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "colleague.key"))
    theirs, signature = signing.public_key(), signing.sign(ONE)
    monkeypatch.setenv("ARCHIVEDB_KEY", str(key))
    assert signing.trusted_keys() == {mine}
    assert not signing.is_trusted(signature, ONE)
    trusted = key.parent / "trusted"
    trusted.mkdir()
    (trusted / "colleague.pub").write_text(theirs + "\n")
    assert signing.trusted_keys() == {mine, theirs}
    assert signing.is_trusted(signature, ONE)
    # Naming a trusted key without its signature is not enough.
    assert not signing.is_trusted({**signature, "key": mine}, ONE)


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"key": "@"},
        {"key": "@", "ed25519": 5},
        {"key": "@", "ed25519": "zz"},
        {"key": "@", "ed25519": ""},
        {"key": "@", "ed25519": ["a"]},
        {"key": ["a"]},
        {"key": {}},
        {"key": None},
        [1],
        ["key", "ed25519"],
        "key",
        5,
    ],
    ids=repr,
)
@pytest.mark.usefixtures("key")
def test_forged_signatures(forged: Any) -> None:
    """A signature of any other form is not trusted, and no error of Python's."""
    if isinstance(forged, dict) and forged.get("key") == "@":
        forged = {**forged, "key": signing.public_key()}
    assert not signing.is_trusted(forged, ONE)


def test_without_the_variable_it_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key lies in the user's data directory unless the variable says where."""
    monkeypatch.setenv("XDG_DATA_HOME", "/nowhere/data")
    monkeypatch.delenv("ARCHIVEDB_KEY")
    assert signing.key_file().name == "signing.key"
    assert signing.key_file().parent.name == "archivedb"
    assert not signing.key_file().exists()
