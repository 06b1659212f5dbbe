"""What every format offers, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from archivedb.errors import DecodeError, PayloadCorruptError
from archivedb.formats.envelope import Place
from archivedb.values import digest, signing
from archivedb.values.arrays import KeptArray, snapshot
from archivedb.values.encode import NO_VALUE
from archivedb.values.facts import ArrayFacts, array_facts
from archivedb.values.leaves import array_paths
from archivedb.values.skeleton import Skeleton, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archivedb.formats.envelope import Content, Entry, Envelope, Extent
    from archivedb.values.dtypes import Bytes
    from archivedb.values.encode import Encoded
    from archivedb.values.skeleton import Tree


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A change that is still to be written.

    Attributes:
        entry: Its entry, without the content.
        value: The value, if it has one.
        made: What the format has made of the value already; see `frozen`.

    """

    entry: Entry
    value: Encoded | None
    made: Any = None

    def signature(self, pickle: str | None = None) -> dict[str, str] | None:
        """Return this user's signature, if reading the value may run code."""
        if self.value is None or not (self.value.executable or pickle):
            return None
        return signing.sign(self.value.digest, pickle)


@dataclass(frozen=True, slots=True)
class Image:
    """
    A payload file as it shall be.

    Attributes:
        segments: (offset, bytes) in order, without gaps: the whole file.
        envelope: What it says about itself.

    """

    segments: tuple[tuple[int, Any], ...]
    envelope: Envelope

    @property
    def size(self) -> int:
        """The bytes of the file."""
        offset, data = self.segments[-1]
        return int(offset + len(data))


def frozen(form: Format, value: Encoded) -> tuple[Encoded, Any]:
    """
    Return a value that will be written later, whatever becomes of it until then.

    Args:
        form: How it will be written.
        value: The value as it is now.

    Returns:
        The value without what the user holds, and what a draft of it shall have
        as ``made``.

    """
    own = tuple(
        array if isinstance(array, KeptArray) else snapshot(array)
        for array in value.arrays
    )
    if any(mine is not its for mine, its in zip(own, value.arrays, strict=True)):
        value = replace(value, arrays=own)
    # A format that has no need of the value itself has no such method.
    make = getattr(form, "make", None)
    made = None if make is None else make(value)
    return replace(value, value=NO_VALUE), made


class Source(Protocol):
    """A payload file that is open for reading."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def size(self) -> int:
        """Its bytes."""

    def read(self, offset: int, length: int) -> Bytes:
        """
        Return bytes, writable and the caller's own.

        Raises:
            PayloadCorruptError: The file ends before them.

        """


Others = Callable[[str], "Source"]
"""Opens another payload of the same store by its name."""


def alone(file: str) -> Source:
    """Refuse to open another payload, where one stands alone."""
    msg = f"what is read refers to another payload, {file}"
    raise DecodeError(msg)


class Reader(Protocol):
    """The content of one version, every byte checked before it is used."""

    @property
    def content(self) -> Content:
        """Where it lies."""

    @property
    def skeleton(self) -> Skeleton:
        """The checked skeleton."""

    def fetch(self, number: int, node: Tree) -> Bytes:
        """
        Return the bytes of array *number*, whose ``$array`` node this is.

        Raises:
            PayloadCorruptError: They are not those that were saved.

        """

    def pickle(self) -> tuple[Bytes, list[Bytes]] | None:
        """Return the checked pickle and its buffers, where the mode has one."""


class Format(Protocol):
    """
    One mode.

    A format never syncs, renames or names files, and knows no catalog.
    """

    mode: str
    suffix: str

    def build(
        self,
        archive: str | None,
        payload: str,
        drafts: Sequence[Draft],
        scratch: str,
        batch: tuple[str, ...] = (),
    ) -> Image:
        """
        Lay out a payload file.

        Args:
            archive: The archive's uuid.
            payload: The payload's uuid.
            drafts: The changes, in order.
            scratch: A file that may be written while laying out; it will be
                overwritten with the image.
            batch: The payloads that count only together, if it is one of them.

        Raises:
            EncodeError: A value cannot be stored in this mode.

        """

    def head(self, source: Source) -> bytes:
        """Return the head's text."""

    def reader(self, source: Source, content: Content, others: Others = ...) -> Reader:
        """
        Open the content of one version.

        Args:
            source: Its payload.
            content: Where it lies there.
            others: Reads what of it lies in earlier payloads.

        """


def checked(source: Source, extent: Extent, what: str) -> Bytes:
    """
    Return the bytes of an extent after comparing them with their digest.

    Raises:
        PayloadCorruptError: They differ; says in which file and what of it.

    """
    data = source.read(extent.offset, extent.length)
    if digest.digest(data) != extent.digest:
        raise corrupt(source, what)
    return data


def corrupt(source: Source, what: str, where: str = "") -> PayloadCorruptError:
    """Return the error for bytes that differ from their digest."""
    msg = (
        f"{what} in {source.name} is damaged{where}: its bytes are not those that "
        "were saved; run `archivedb verify`, and restore the file from a backup"
    )
    return PayloadCorruptError(msg)


class PlacedReader:
    """
    A reader of modes whose arrays lie in the file as bytes of their own.

    Args:
        source: The payload file.
        content: The version's content.
        others: Opens the earlier payloads that it shares.

    """

    def __init__(
        self, source: Source, content: Content, others: Others = alone
    ) -> None:
        self._source = source
        self.content = content
        self._others = others
        # By the content's own digest, which is what a signature vouches for.
        where = replace(content.skeleton, digest=content.digest)
        text = checked(source, where, "the skeleton")
        self.skeleton = Skeleton(text.data, f"skeleton in {source.name}")

    def fetch(self, number: int, node: Tree) -> Bytes:
        """Return the checked bytes of an array."""
        with well_formed(f"skeleton in {self._source.name}"):
            place = self.content.arrays[number]
            expected = node["digest"]
        if place.offset is None:
            msg = f"array {number} of {self._source.name} has no place in it"
            raise DecodeError(msg)
        source = self._source
        if place.file is not None:
            source = self._others(self.content.files[place.file])
        return checked_array(
            source, place, expected, lambda: array_name(self.skeleton, number)
        )

    def pickle(self) -> tuple[Bytes, list[Bytes]] | None:
        """Return nothing: the arrays are all there is."""
        return None


def checked_array(
    source: Source, place: Place, expected: str, name: Callable[[], str]
) -> Bytes:
    """
    Return the bytes of an array after comparing them with their digest.

    Raises:
        PayloadCorruptError: They differ; says in which MiB of it.

    """
    raw = source.read(place.offset or 0, place.length)
    if digest.array_digest(raw.data)[0] != expected:
        raise corrupt(source, name(), damaged_blocks(source, raw, place.blocks))
    return raw


def array_name(source: Skeleton, number: int) -> str:
    """Return what to call an array in messages: by its path, not its number."""
    for path, node in array_paths(source):
        if node["$array"] == number:
            return f"the array at {path!r}"
    return f"array {number}"


def damaged_blocks(source: Source, raw: Bytes, blocks: int | None) -> str:
    """Return which blocks of an array differ, as words, or nothing."""
    if blocks is None:
        return ""
    step = digest.DIGEST_BYTES
    stored = source.read(blocks, digest.blocks_bytes(raw.nbytes)).tobytes()
    found = digest.blocks(raw.data)
    bad = [
        str(start // step)
        for start in range(0, len(found), step)
        if found[start : start + step] != stored[start : start + step]
    ]
    return f" in its MiB {', '.join(bad[:10])}" if bad else ""


def kept_places(value: Encoded) -> tuple[dict[int, Place], tuple[str, ...]]:
    """
    Return the places of the arrays that earlier payloads hold, and those files.

    Args:
        value: The value; a kept array has no bytes to be written.

    """
    files: dict[str, int] = {}
    places = {}
    for number, array in enumerate(value.arrays):
        if isinstance(array, KeptArray):
            index = files.setdefault(array.file, len(files))
            places[number] = Place(array.offset, array.nbytes, array.blocks, index)
    return places, tuple(files)


def facts_of(value: Encoded) -> tuple[ArrayFacts | None, ...]:
    """Return what the search index shall hold of each array of a value."""
    return tuple(
        array.facts
        if isinstance(array, KeptArray)
        else array_facts(array.values)
        if array.kind in _OF_NUMBERS
        else ArrayFacts()
        for array in value.arrays
    )


_OF_NUMBERS = frozenset({"array", "list"})


def join_skeletons(drafts: Iterable[Draft]) -> tuple[bytes, list[tuple[int, int]]]:
    """Return all skeletons, a line each, and where each begins and how long it is."""
    pieces, spans, at = [], [], 0
    for draft in drafts:
        text = b"" if draft.value is None else draft.value.skeleton
        spans.append((at, len(text)))
        pieces.append(text)
        at += len(text) + 1
    return b"\n".join(pieces), spans


def with_content(draft: Draft, content: Content) -> Entry:
    """Return a draft's entry with its content."""
    return replace(draft.entry, content=content)
