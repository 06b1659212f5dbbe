"""
Reading the zip of an export, which a stranger may have made to do harm.

Nothing is ever written by the name of a member.  What is looked at first is
the table of members, then every byte is compared with the bag's digests; only
what has passed both is read as a payload.
"""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from archivedb.archive.packing.names import spelt_alike
from archivedb.archive.writing.indexing import UNREADABLE, read_envelope, read_skeleton
from archivedb.errors import ArchiveError, BagError, StoreError
from archivedb.store import naming
from archivedb.store.files import PayloadFile
from archivedb.values import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from archivedb.formats.envelope import Entry, Envelope

PIECE = 1 << 20

GROWTH = 100
"""How many times as large as the zip what is in it may be: text packs so well."""

SMALL = 64 << 20
"""Bytes that are never too much."""

LINE = 4096
"""Bytes of a line of a manifest; no name of a file is longer."""

LONGEST_PATH = 4096

BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError)
"""What zipfile raises for bytes that are no zip, or none that it reads."""

ALGORITHMS = ("sha512", "sha256")
"""Those that still prove something, the better first."""

_LINE = re.compile(r"([0-9A-Fa-f]+)[ \t]+\*?(?:\./)?(.+)")
_ESCAPED = {"%0a": "\n", "%0d": "\r", "%25": "%"}
_ODD = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True, slots=True)
class Arrived:
    """
    A payload in a zip.

    Attributes:
        file: What it is called in a store.
        envelope: What it says of itself.
        entry: The version that it holds.

    """

    file: str
    envelope: Envelope
    entry: Entry


class BagReader:
    """
    An export, its table of members checked.

    Args:
        path: The zip.

    Raises:
        BagError: It is no export, or one that was made to do harm.
        StoreError: The file system refused.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (*BROKEN, ValueError) as error:
            msg = f"{path} is no zip that can be read: {error}"
            raise BagError(msg) from error
        except OSError as error:
            msg = f"cannot read {path}: {error.strerror or error}"
            raise StoreError(msg) from error
        try:
            self._members = self._checked()
            self._root = self._find_root()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the zip."""
        self.close()

    @property
    def size(self) -> int:
        """The bytes of all that is in it."""
        return sum(info.file_size for info in self._members.values())

    def payloads(self) -> dict[str, zipfile.ZipInfo]:
        """Return the payloads, by what they are called in a store."""
        found: dict[str, zipfile.ZipInfo] = {}
        for name, info in self._members.items():
            if not name.startswith(f"{self._root}data/"):
                continue
            parsed = naming.parse(name.rpartition("/")[2])
            if parsed is None:
                continue
            if parsed.relative in found:
                raise self._bad(f"it holds the payload {parsed} twice")
            found[parsed.relative] = info
        return found

    # The table of members -------------------------------------------------

    def _bad(self, why: str) -> BagError:
        msg = (
            f"{self._path} cannot be imported: {why}; nothing was taken in, so get "
            "it anew from whoever made it"
        )
        return BagError(msg)

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        """Return the files in the zip, by name, if no name and no size is odd."""
        found: dict[str, zipfile.ZipInfo] = {}
        alike: set[str] = set()
        for info in self._zip.infolist():
            self._check_name(info)
            name = info.filename
            if spelt_alike(name.rstrip("/")) in alike:
                why = f"two names in it are one on some file systems: {name!r:.200}"
                raise self._bad(why)
            alike.add(spelt_alike(name.rstrip("/")))
            if not info.is_dir():
                found[name] = info
        for name in found:
            above = name
            while above := above.rpartition("/")[0]:
                if above in found:
                    raise self._bad(f"{above!r:.200} is file and directory at once")
        self._check_sizes(found.values())
        return found

    def _check_name(self, info: zipfile.ZipInfo) -> None:
        name = info.filename
        parts = name.removesuffix("/").split("/")
        if (
            info.orig_filename != name  # it was cut at a NUL
            or not {"", ".", ".."}.isdisjoint(parts)
            or _ODD.search(name)
            or re.match(r"[A-Za-z]:", name)
            or len(name) > LONGEST_PATH
        ):
            why = f"the name {info.orig_filename!r:.200} leads out of it, or nowhere"
            raise self._bad(why)
        kind = stat.S_IFMT(info.external_attr >> 16)
        wanted = stat.S_IFDIR if info.is_dir() else stat.S_IFREG
        if kind not in (0, wanted):
            raise self._bad(f"{name!r:.200} is a link, or no file")
        if info.flag_bits & 0x1:
            raise self._bad(f"{name!r:.200} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._bad(f"{name!r:.200} is packed in a way that is not read here")

    def _check_sizes(self, members: Iterable[zipfile.ZipInfo]) -> None:
        """Raise if what is in the zip is more than bytes of its size can say."""
        packed = whole = 0
        size = self._path.stat().st_size
        for info in members:
            stored = info.compress_type == zipfile.ZIP_STORED
            if stored and info.compress_size != info.file_size:
                raise self._bad(f"{info.filename!r:.200} has two sizes")
            packed += info.compress_size
            whole += info.file_size
        # Members that overlap are how a small zip becomes a huge one.
        if packed > size:
            raise self._bad("its members overlap")
        if whole > max(SMALL, GROWTH * size):
            raise self._bad(f"{whole:,} bytes are packed into {size:,}")

    def _find_root(self) -> str:
        """Return the directory in which the bag lies, with a slash, or nothing."""
        found = [n for n in self._members if n.rpartition("/")[2] == "bagit.txt"]
        roots = {n.removesuffix("bagit.txt") for n in found if n.count("/") <= 1}
        if len(roots) != 1:
            raise self._bad("it is no BagIt bag, as `archivedb export` writes it")
        (root,) = roots
        return root

    # Bytes ----------------------------------------------------------------

    def pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield the bytes of a member, as many as it is said to have."""
        count = 0
        try:
            with self._zip.open(info) as file:
                while piece := file.read(PIECE):
                    count += len(piece)
                    yield piece
        except (*BROKEN, RuntimeError, ValueError) as error:
            raise self._bad(f"{info.filename!r:.200} is damaged: {error}") from error
        except OSError as error:
            msg = f"cannot read {self._path}: {error.strerror or error}"
            raise StoreError(msg) from error
        if count != info.file_size:
            raise self._bad(f"{info.filename!r:.200} is not as long as it says")

    def _text(self, name: str, most: int) -> str:
        info = self._members[f"{self._root}{name}"]
        if info.file_size > most:
            raise self._bad(f"{name} has {info.file_size:,} bytes")
        try:
            return b"".join(self.pieces(info)).decode()
        except UnicodeDecodeError as error:
            raise self._bad(f"{name} is not UTF-8") from error

    def prove(self, progress: Callable[[int, int], None] | None = None) -> None:
        """
        Compare every byte with the digests of the bag.

        Args:
            progress: Called with the bytes done, and how many there are.

        Raises:
            BagError: Some differ, are missing, or are there without a digest.

        """
        done, total = 0, self.size
        for name, (algorithm, hashed) in self._digests().items():
            found, own = hashlib.new(algorithm), digest.NameDigits()
            for piece in self.pieces(self._members[f"{self._root}{name}"]):
                found.update(piece)
                own.update(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, total)
            if found.hexdigest() != hashed:
                raise self._bad(f"{name!r:.200} is not what its digest says")
            parsed = naming.parse(name.rpartition("/")[2])
            if parsed is not None and own.digits() != parsed.digits:
                raise self._bad(f"{name!r:.200} is not what its name says")
        if progress is not None:
            progress(total, total)

    def _digests(self) -> dict[str, tuple[str, str]]:
        """Return algorithm and digest of all that has one, and all data has."""
        said = self._text("bagit.txt", LINE)
        if not re.search(r"^BagIt-Version: *(0\.9\d|1\.\d+)\s*$", said, re.MULTILINE):
            raise self._bad("its bagit.txt names no version that is read here")
        if f"{self._root}fetch.txt" in self._members:
            raise self._bad("parts of it are to be fetched from elsewhere")
        self._check_outside()
        names = {name.removeprefix(self._root) for name in self._members}
        data = {name for name in names if name.startswith("data/")}
        manifest = self._manifest("manifest", names)
        if manifest is None:
            raise self._bad(f"it has no manifest of {' or '.join(ALGORITHMS)}")
        algorithm, expected = manifest
        if expected.keys() != data:
            odd = min(expected.keys() ^ data)
            where = "missing" if odd in expected else "in no manifest"
            raise self._bad(f"{odd!r:.200} is {where}")
        wanted = {name: (algorithm, hashed) for name, hashed in expected.items()}
        tags = self._manifest("tagmanifest", names)
        if tags is not None:
            for name, hashed in tags[1].items():
                if name in data or name not in names:
                    raise self._bad(f"{name!r:.200} is missing, or no tag file")
                wanted[name] = tags[0], hashed
        return wanted

    def _check_outside(self) -> None:
        for name in self._members:
            if not name.startswith(self._root):
                raise self._bad(f"{name!r:.200} is no part of the bag")

    def _manifest(
        self, kind: str, names: set[str]
    ) -> tuple[str, dict[str, str]] | None:
        """Return the best manifest there is: its algorithm, and digests by name."""
        for algorithm in ALGORITHMS:
            name = f"{kind}-{algorithm}.txt"
            if name in names:
                break
        else:
            return None
        length = hashlib.new(algorithm).digest_size * 2
        found: dict[str, str] = {}
        # As many lines as there are members, so it is no longer than they can be.
        for line in self._text(name, LINE * (len(names) + 1)).splitlines():
            match = _LINE.fullmatch(line)
            if match is None or len(match[1]) != length:
                raise self._bad(f"{name} has a line that is none: {line!r:.100}")
            member = match[2]
            if member not in names:
                # The standard escapes these three, and its library two of them.
                member = re.sub(
                    "%(0[aAdD]|25)", lambda found: _ESCAPED[found[0].lower()], member
                )
            if member in found:
                raise self._bad(f"{name} lists {member!r:.200} twice")
            found[member] = match[1].lower()
        return algorithm, found

    # Payloads -------------------------------------------------------------

    @contextmanager
    def extracted(
        self, info: zipfile.ZipInfo, file: str, folder: Path
    ) -> Iterator[Path]:
        """Yield a copy of a payload, which is there meanwhile."""
        path = folder / file.rpartition("/")[2]
        try:
            with path.open("xb") as copy:
                for piece in self.pieces(info):
                    copy.write(piece)
            yield path
        except OSError as error:
            if isinstance(error, ArchiveError):
                raise
            msg = f"cannot write {path}: {error.strerror or error}"
            raise StoreError(msg) from error
        finally:
            path.unlink(missing_ok=True)

    def arrived(self, info: zipfile.ZipInfo, file: str, folder: Path) -> Arrived:
        """
        Return what a payload says of itself, if it is one record that stands alone.

        Args:
            info: The member, proven.
            file: What it is called in a store.
            folder: Where it can be copied to meanwhile.

        Raises:
            BagError: It is not.

        """
        with self.extracted(info, file, folder) as path:
            try:
                with PayloadFile(path, file) as source:
                    envelope = read_envelope(source)
                    entries = envelope.entries
                    if len(entries) != 1 or len(envelope.batch) > 1:
                        raise self._bad(f"{file} does not hold one record")
                    (entry,) = entries
                    content = entry.content
                    if content is None or content.files or entry.adopted is not None:
                        raise self._bad(f"{file} does not stand alone")
                    read_skeleton(source, content)
            except UNREADABLE as error:
                if isinstance(error, (BagError, StoreError)):
                    raise
                why = f"{info.filename!r:.200} is no payload: {error}"
                raise self._bad(why) from error
        return Arrived(file, envelope, entry)
