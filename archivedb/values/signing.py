"""
Who may run code here: Ed25519 signatures over what would be unpickled.

The one module that knows cryptography and platformdirs.  The private key is
made on first use in the user's data directory, mode 0600; ``ARCHIVEDB_KEY``
names a file elsewhere.  Whom else this user trusts lies in ``trusted/`` beside
it; see `trusting`.
https://www.rfc-editor.org/rfc/rfc8032
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archivedb.errors import SigningError
from archivedb.values.trusting import TrustFolder, is_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ENVIRONMENT = "ARCHIVEDB_KEY"
_KEY_BYTES = 1 << 16

_keys: dict[Path, Ed25519PrivateKey] = {}


def key_file() -> Path:
    """Return where this user's private key lies, or will."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("archivedb")) / "signing.key"


def _message(skeleton: str, pickle: str | None) -> bytes:
    return f"archivedb signature 1\n{skeleton}\n{pickle or '-'}\n".encode()


def _private_key() -> Ed25519PrivateKey:
    path = key_file()
    if path not in _keys:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519

        try:
            if not os.path.lexists(path):
                _make(path)
        except OSError as error:
            msg = (
                f"cannot make the signing key {path}: {error.strerror}; "
                f"name a file elsewhere with {ENVIRONMENT}"
            )
            raise SigningError(msg) from error
        try:
            key = serialization.load_pem_private_key(_read_private(path), None)
        except (TypeError, ValueError) as error:
            msg = f"{path} is not a signing key: {error}"
            raise SigningError(msg) from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            msg = f"{path} is a key, but not an Ed25519 one"
            raise SigningError(msg)
        _keys[path] = key
    return _keys[path]


def _read_private(path: Path) -> bytes:
    """
    Return the bytes of a file that nobody else can read.

    Raises:
        SigningError: It is a link, or no file, or others own or read it.

    """
    elsewhere = f"move it away for a new key, or name a file with {ENVIRONMENT}"
    if path.is_symlink():
        # Whoever turns the link round would choose who signs.
        msg = f"the signing key {path} is a link; {elsewhere}"
        raise SigningError(msg)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                msg = f"the signing key {path} is no file; {elsewhere}"
                raise SigningError(msg)
            if found.st_uid != os.geteuid():
                msg = (
                    f"the signing key {path} belongs to somebody else, who can read "
                    f"and replace it; {elsewhere}"
                )
                raise SigningError(msg)
            if found.st_mode & 0o077:
                msg = (
                    f"the signing key {path} can be read by others; "
                    f"if nobody has copied it, run `chmod 600 {path}`"
                )
                raise SigningError(msg)
            return os.read(descriptor, _KEY_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        if isinstance(error, SigningError):
            raise
        msg = f"the signing key {path} cannot be read: {error.strerror}"
        raise SigningError(msg) from error


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Whole or not at all, and never over the key of a process that was quicker.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()


def public_key() -> str:
    """Return this user's public key as 64 hex digits, making the pair if need be."""
    from cryptography.hazmat.primitives import serialization

    raw = _private_key().public_key()
    return raw.public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    ).hex()


def sign(skeleton: str, pickle: str | None = None) -> dict[str, str]:
    """
    Sign what a change would run.

    Args:
        skeleton: The digest of its skeleton, which holds those of its objects.
        pickle: The digest of its pickle, in mode cloudpickle.

    """
    signature = _private_key().sign(_message(skeleton, pickle))
    return {"key": public_key(), "ed25519": signature.hex()}


def others() -> TrustFolder:
    """Return the folder of those whom this user trusts beside themselves."""
    return TrustFolder(key_file().parent / "trusted")


def own_key() -> str | None:
    """Return this user's public key, or None if they have made none yet."""
    return public_key() if os.path.lexists(key_file()) else None


def trusted_keys() -> frozenset[str]:
    """Return the public keys whose payloads this user lets run."""
    own = own_key()
    trusted = others().trusted()
    return trusted if own is None else trusted | {own}


def is_trusted(
    signature: Any, skeleton: str, pickle: str | None = None, archive: str | None = None
) -> bool:
    """
    Return whether what has these digests may run.

    It may if a trusted key signed exactly them, or if it lies in an archive
    that the user accepted, and was there then or is signed by a key of then.

    Args:
        signature: What the payload says about who signed it.
        skeleton: The digest of its skeleton.
        pickle: The digest of its pickle, in mode cloudpickle.
        archive: The uuid of the archive that it lies in.

    """
    accepted = None if archive is None else others().accepted(archive)
    if accepted is not None and (skeleton, pickle) in accepted.contents:
        return True
    key = signature.get("key") if isinstance(signature, dict) else None
    if not is_key(key):
        return False
    if (accepted is None or key not in accepted.keys) and key not in trusted_keys():
        return False
    return is_signed(signature, skeleton, pickle)


def is_signed(signature: Any, skeleton: str, pickle: str | None = None) -> bool:
    """Return whether the key that a signature names signed these digests."""
    if not isinstance(signature, dict) or not is_key(signature.get("key")):
        return False
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(
            bytes.fromhex(signature["key"])
        )
        key.verify(bytes.fromhex(signature["ed25519"]), _message(skeleton, pickle))
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return True
