"""
The folder of those whom a user trusts: public keys, and accepted archives.

A key is a file ``*.pub`` with one line: 64 hex digits and, after a space, whose
it is; lines that begin with ``#`` are passed over.  An accepted archive is a
file ``archives/<uuid>.json``.  Whoever can write here can make code run, so
what others may write is not believed.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
import uuid
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from archivedb.errors import ArchiveError, SigningError
from archivedb.values import json
from archivedb.values.skeleton import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY_BYTES = 4096
"""The longest file of a public key: it has one line that counts."""

ACCEPTED_BYTES = 1 << 28
"""The longest file of an accepted archive: over a million contents."""

FINGERPRINT = 16
"""The digits of a key that people compare."""

_KEY = re.compile("[0-9a-f]{64}")
_OTHERS_WRITE = 0o022

T = TypeVar("T")

_cache: dict[Path, tuple[Any, Any]] = {}


def is_key(text: Any) -> bool:
    """Return whether a text is a public key as archivedb writes it."""
    return type(text) is str and _KEY.fullmatch(text) is not None


def fingerprint(key: str) -> str:
    """Return the digits of a key that people compare."""
    return key[:FINGERPRINT]


def _is_uuid(text: Any) -> bool:
    """Return whether a text is a uuid, and so the name of a file here."""
    try:
        return type(text) is str and str(uuid.UUID(text)) == text
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class PublicKey:
    """
    Somebody's public key.

    Attributes:
        key: 64 hex digits.
        comment: Whose it is, as its file says.
        file: Where it lies, or None.

    """

    key: str
    comment: str = ""
    file: str | None = None

    def line(self) -> str:
        """Return the line of its file."""
        return " ".join([self.key, *self.comment.split()]) + "\n"


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    An archive that the user accepted, with what lay in it then.

    Attributes:
        archive: The uuid of the archive, or of the record of a plain directory.
        address: Where it lay.
        accepted_at: When, in ISO 8601.
        keys: The keys that had signed what lay in it.
        contents: What nobody had signed: the digests of skeleton and pickle.

    """

    archive: str
    address: str
    accepted_at: str
    keys: frozenset[str]
    contents: frozenset[tuple[str, str | None]]

    def text(self) -> bytes:
        """Return it as its file has it."""
        contents = sorted(self.contents, key=lambda pair: (pair[0], pair[1] or ""))
        tree = {
            "archive": self.archive,
            "address": self.address,
            "accepted_at": self.accepted_at,
            "keys": sorted(self.keys),
            "contents": [list(pair) for pair in contents],
        }
        return json.dumps_readable(tree) + b"\n"

    @classmethod
    def parse(cls, text: str, archive: str) -> Accepted:
        """Return what the file of an archive says; an error if it is damaged."""
        with well_formed("file"):
            tree = json.loads(text.encode(), "file")
            accepted = cls(
                archive=tree["archive"],
                address=str(tree["address"]),
                accepted_at=str(tree["accepted_at"]),
                keys=frozenset(tree["keys"]),
                contents=frozenset((one, other) for one, other in tree["contents"]),
            )
            if accepted.archive != archive or not all(map(is_key, accepted.keys)):
                raise ValueError(accepted.archive)
        return accepted


def read_public_key(path: str | os.PathLike[str]) -> PublicKey:
    """
    Return the key in a file that a colleague has sent.

    Raises:
        SigningError: It cannot be read, or is no file of a public key.

    """
    return _parse_key(_read(Path(path), KEY_BYTES), Path(path))


def _parse_key(text: str, path: Path) -> PublicKey:
    if "PRIVATE KEY" in text:
        msg = (
            f"{path} is a private key, which is nobody else's business; its owner "
            "makes the public one with `archivedb trust export`"
        )
        raise SigningError(msg)
    lines = [line.strip() for line in text.split("\n")]
    found = [line for line in lines if line and not line.startswith("#")]
    key, *comment = found[0].split(None, 1) if found else [""]
    if len(found) != 1 or not is_key(key.lower()):
        msg = (
            f"{path} is no public key: it must have one line, of 64 hex digits and "
            "a comment, as `archivedb trust export` writes it"
        )
        raise SigningError(msg)
    return PublicKey(key.lower(), " ".join(comment), str(path))


def _read(path: Path, limit: int, *, private: bool = False) -> str:
    """
    Return the text of a file, which may be anything.

    Args:
        path: The file.
        limit: How many bytes it may have.
        private: Whether others must not be able to write it.

    Raises:
        SigningError: It is not such a file.

    """
    try:
        # A pipe would keep us waiting for its writer.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - a descriptor
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                msg = f"{path} is no file"
                raise SigningError(msg)
            if private:
                _require_private(path, found)
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, SigningError):
            raise
        reason = getattr(error, "strerror", None) or error
        msg = f"{path} cannot be read: {reason}"
        raise SigningError(msg) from error
    if len(data) > limit:
        msg = f"{path} has more than {limit:,} bytes: it is something else"
        raise SigningError(msg)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path} is no text"
        raise SigningError(msg) from error


def _require_private(path: Path, found: os.stat_result) -> None:
    if found.st_mode & _OTHERS_WRITE:
        msg = (
            f"others can write {path}, and so whom you trust; if it holds what you "
            f"put there, run `chmod go-w {path}`"
        )
        raise SigningError(msg)


class TrustFolder:
    """
    The folder of those whom a user trusts; it need not be there.

    Args:
        path: Where it is.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archives = path / "archives"

    # Reading ------------------------------------------------------------

    def keys(self) -> tuple[list[PublicKey], list[SigningError]]:
        """Return the trusted keys, and what is wrong with the files of others."""

        def read(path: Path) -> PublicKey:
            return _parse_key(_read(path, KEY_BYTES, private=True), path)

        return _each(self.path, ".pub", read)

    def archives(self) -> tuple[list[Accepted], list[SigningError]]:
        """Return the accepted archives, and what is wrong with other files."""
        return _each(self._archives, ".json", _read_accepted)

    def trusted(self) -> frozenset[str]:
        """Return the trusted keys; what cannot be believed is warned of once."""
        stamp = _stamps(self.path)
        if stamp is None:
            return frozenset()
        known = _cache.get(self.path)
        if known is None or known[0] != stamp:
            keys, problems = self.keys()
            known = (stamp, frozenset(each.key for each in keys))
            _cache[self.path] = known
            _warn(problems)
        trusted: frozenset[str] = known[1]
        return trusted

    def accepted(self, archive: str) -> Accepted | None:
        """Return what was accepted of an archive; a damaged file is warned of."""
        if not _is_uuid(archive):
            return None
        path = self._file_of(archive)
        stamp = (_stamp(path), _stamp(self._archives), _stamp(self.path))
        if stamp[0] is None:
            return None
        known = _cache.get(path)
        if known is None or known[0] != stamp:
            accepted, problems = None, []
            try:
                for folder in (self.path, self._archives):
                    _require_private(folder, folder.stat())
                accepted = _read_accepted(path)
            except SigningError as error:
                problems.append(error)
            known = (stamp, accepted)
            _cache[path] = known
            _warn(problems)
        found: Accepted | None = known[1]
        return found

    def _file_of(self, archive: str) -> Path:
        return self._archives / f"{archive}.json"

    # Writing ------------------------------------------------------------

    def add(self, public: PublicKey) -> bool:
        """Trust a key; return whether it was not trusted before."""
        if any(each.key == public.key for each in self.keys()[0]):
            return False
        self._write(self.path / f"{public.key}.pub", public.line().encode())
        return True

    def accept(self, accepted: Accepted) -> None:
        """
        Accept an archive, in the place of what was accepted of it before.

        Raises:
            SigningError: It is no archive's uuid, or cannot be written.

        """
        if not _is_uuid(accepted.archive):
            msg = f"{accepted.archive!r} is no archive's uuid"
            raise SigningError(msg)
        self._write(self._file_of(accepted.archive), accepted.text())

    def remove_key(self, key: str) -> bool:
        """Trust a key no more, in no archive; return whether it was trusted."""
        files = [each.file for each in self.keys()[0] if each.key == key]
        with _changing(self.path):
            for file in files:
                Path(str(file)).unlink(missing_ok=True)
        holding = [each for each in self.archives()[0] if key in each.keys]
        for each in holding:
            left = replace(each, keys=each.keys - {key})
            if left.keys or left.contents:
                self.accept(left)
            else:
                self.remove_archive(left.archive)
        return bool(files or holding)

    def remove_archive(self, archive: str) -> bool:
        """Accept an archive no more; return whether it was accepted."""
        if not _is_uuid(archive):
            return False
        with _changing(self._archives):
            try:
                self._file_of(archive).unlink()
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def _write(self, path: Path, text: bytes) -> None:
        with _changing(path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.path, path.parent):
                folder.mkdir(exist_ok=True, mode=0o700)
            # Its mode is 0600, and its name no key's and no archive's.
            descriptor, temporary = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            _sync(path.parent)


def _read_accepted(path: Path) -> Accepted:
    text = _read(path, ACCEPTED_BYTES, private=True)
    try:
        return Accepted.parse(text, path.stem)
    except ArchiveError as error:
        msg = (
            f"{path} is damaged: {error}; remove it, and accept the archive once "
            "more with `archivedb trust PATH`"
        )
        raise SigningError(msg) from error


def _each(
    folder: Path, ending: str, read: Callable[[Path], T]
) -> tuple[list[T], list[SigningError]]:
    """Return what the files of a folder hold, and why others cannot be believed."""
    found: list[T] = []
    problems: list[SigningError] = []
    try:
        _require_private(folder, folder.stat())
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are compared
    except FileNotFoundError:
        return [], []
    except SigningError as error:
        return [], [error]
    except OSError as error:
        return [], [SigningError(f"{folder} cannot be read: {error.strerror}")]
    for name in names:
        if name.endswith(ending):
            try:
                found.append(read(folder / name))
            except SigningError as error:
                problems.append(error)
    return found, problems


def _stamp(path: str | os.PathLike[str]) -> tuple[int, ...] | None:
    """Return what changes whenever a file does, or None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - quick: asked at each check
    except OSError:
        return None
    return found.st_ctime_ns, found.st_ino, found.st_size, found.st_mode


def _stamps(folder: Path) -> tuple[Any, ...] | None:
    """Return what changes whenever a key does, or None if there is no folder."""
    # A file that is written in its place leaves no trace in the folder's own.
    own = _stamp(folder)
    if own is None:
        return None
    with suppress(OSError), os.scandir(folder) as entries:
        files = [(e.name, _stamp(e.path)) for e in entries if e.name.endswith(".pub")]
        return own, sorted(files)
    return own, None


def _warn(problems: list[SigningError]) -> None:
    for problem in problems:
        msg = f"{problem}; it is passed over"
        warnings.warn(msg, RuntimeWarning, stacklevel=2)


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Say what could not be written."""
    try:
        yield
    except OSError as error:
        msg = f"cannot change {path}: {error.strerror}"
        raise SigningError(msg) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
