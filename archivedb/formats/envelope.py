"""
The envelope: what a payload says about itself, without any catalog.

It names the archive and, for each change, the record, its place in the
record's history, the user's metadata and tags, provenance, time, and where in
the file the content lies.  Offsets and lengths are in bytes from the file's
beginning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from archivedb.errors import DecodeError, InvalidNameError
from archivedb.values import digest, json, signing
from archivedb.values.decode import decode_inline
from archivedb.values.paths import check_name
from archivedb.values.skeleton import well_formed

FORMAT = 1
"""The version of the on-disk format; readers refuse newer ones."""

HEAD_BYTES = 512

MAKES_VERSION = frozenset({"save", "edit", "adopt"})
WITH_CONTENT = MAKES_VERSION | {"append"}

LAST_MICROSECOND = 253_402_300_799_999_999
"""The end of the year 9999, which is that of Python's calendar."""


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        msg = f"{value!r} is no count"
        raise TypeError(msg)
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        msg = f"{value!r} is no text"
        raise TypeError(msg)
    return value


def _signature(value: Any) -> dict[str, str] | None:
    # One of another form is none: what it should vouch for is not trusted.
    if type(value) is not dict or not all(type(v) is str for v in value.values()):
        return None
    return value


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        msg = f"{value!r} is no object"
        raise TypeError(msg)
    return value


@dataclass(frozen=True, slots=True)
class Extent:
    """Some bytes of a payload file, and their digest."""

    offset: int
    length: int
    digest: str

    def tree(self) -> list[Any]:
        """Return it as JSON."""
        return [self.offset, self.length, self.digest]

    @classmethod
    def of(cls, tree: Any) -> Extent:
        """Return the extent that a tree describes."""
        offset, length, hashed = tree
        return cls(_count(offset), _count(length), _text(hashed))


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where an array's bytes lie; their digest is in the skeleton.

    Attributes:
        offset: Their beginning, or None where the array has no bytes of its
            own: inline in JSON, or inside a pickle.
        length: How many they are.
        blocks: Where the digests of its blocks lie, or None.
        file: Which of the content's other files it lies in, or None for the
            payload itself.

    """

    offset: int | None
    length: int
    blocks: int | None = None
    file: int | None = None

    def tree(self) -> list[Any]:
        """Return it as JSON; what is not there at the end is left out."""
        tree = [self.offset, self.length, self.blocks, self.file]
        while tree[-1] is None:
            tree.pop()
        return tree

    @classmethod
    def of(cls, tree: Any) -> Place:
        """Return the place that a tree describes."""
        offset, length, blocks, file = (*tree, None, None)[:4]
        return cls(
            None if offset is None else _count(offset),
            _count(length),
            None if blocks is None else _count(blocks),
            None if file is None else _count(file),
        )


@dataclass(frozen=True, slots=True)
class Pickle:
    """A pickle, and the buffers that it was given out of band."""

    extent: Extent
    buffers: tuple[Extent, ...]

    @property
    def digest(self) -> str:
        """The digest over those of the pickle and of its buffers: what is signed."""
        parts = [self.extent.digest, *(extent.digest for extent in self.buffers)]
        return digest.digest("\n".join(parts).encode())


@dataclass(frozen=True, slots=True)
class Content:
    """
    Where the content of a version lies in its payload.

    Attributes:
        mode: The mode of the payload.
        digest: That of the canonical skeleton, and so of all the content.
        size: Bytes of skeleton and arrays.
        skeleton: The stored skeleton.
        arrays: Its arrays, by number.
        pickle: In mode cloudpickle, the whole value.
        signature: Who vouches for it, where reading it may run code.
        files: The earlier payloads of the same store that hold some of its
            arrays: an edit shares what it did not change.

    """

    mode: str
    digest: str
    size: int
    skeleton: Extent
    arrays: tuple[Place, ...] = ()
    pickle: Pickle | None = None
    signature: dict[str, str] | None = None
    files: tuple[str, ...] = ()

    def tree(self) -> dict[str, Any]:
        """Return it as JSON."""
        tree: dict[str, Any] = {
            "mode": self.mode,
            "digest": self.digest,
            "size": self.size,
            "skeleton": self.skeleton.tree(),
            "arrays": [place.tree() for place in self.arrays],
        }
        if self.pickle is not None:
            tree["pickle"] = self.pickle.extent.tree()
            tree["buffers"] = [extent.tree() for extent in self.pickle.buffers]
        if self.signature is not None:
            tree["signature"] = self.signature
        if self.files:
            tree["files"] = list(self.files)
        return tree

    def is_trusted(self, archive: str | None = None) -> bool:
        """
        Return whether this user trusts what reading it would run.

        Args:
            archive: The uuid of the archive that it lies in: the user may have
                accepted it.

        """
        pickle = None if self.pickle is None else self.pickle.digest
        return signing.is_trusted(self.signature, self.digest, pickle, archive)

    def signer(self) -> str | None:
        """Return the public key that signed it, or None if nobody did."""
        pickle = None if self.pickle is None else self.pickle.digest
        if self.signature is None:
            return None
        if not signing.is_signed(self.signature, self.digest, pickle):
            return None
        return self.signature["key"]

    @classmethod
    def of(cls, tree: dict[str, Any]) -> Content:
        """Return the content that a tree describes."""
        pickle = None
        if "pickle" in tree:
            buffers = tuple(map(Extent.of, tree["buffers"]))
            pickle = Pickle(Extent.of(tree["pickle"]), buffers)
        return cls(
            mode=_text(tree["mode"]),
            digest=_text(tree["digest"]),
            size=_count(tree["size"]),
            skeleton=Extent.of(tree["skeleton"]),
            arrays=tuple(map(Place.of, tree["arrays"])),
            pickle=pickle,
            signature=_signature(tree.get("signature")),
            files=tuple(map(_text, tree.get("files", ()))),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A change, as an envelope holds it.

    Attributes:
        kind: ``"save"``, ``"edit"``, ``"append"``, ``"prune"``, ``"delete"`` or
            ``"adopt"``.
        record: The record's uuid.
        name: Its name at that time.
        position: The change's place in the record's history, from 1.
        time: Microseconds since 1970, UTC.
        version: The version that it makes, or appends to, or None.
        metadata: The user's facts, encoded inline.
        tags: The user's words, sorted.
        provenance: The gathered facts, encoded inline.
        content: Where the data lies, or None.
        adopted: For an adopt, the file in the store that holds the content.
        frees: For a delete or a prune, the files that it makes superfluous,
            unless other records need them.
        path: For an append, where the array stands that the content extends.
        drops: For a prune, the versions that it removes.

    """

    kind: str
    record: str
    name: str
    position: int
    time: int
    version: int | None = None
    metadata: Any = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    provenance: Any = field(default_factory=dict)
    content: Content | None = None
    adopted: str | None = None
    frees: tuple[str, ...] = ()
    path: str | None = None
    drops: tuple[int, ...] = ()

    def tree(self) -> dict[str, Any]:
        """Return it as JSON; what is empty is left out."""
        tree: dict[str, Any] = {
            "kind": self.kind,
            "record": self.record,
            "name": self.name,
            "position": self.position,
            "time": self.time,
        }
        if self.version is not None:
            tree["version"] = self.version
        if self.metadata:
            tree["metadata"] = self.metadata
        if self.tags:
            tree["tags"] = list(self.tags)
        if self.provenance:
            tree["provenance"] = self.provenance
        if self.adopted is not None:
            tree["adopted"] = self.adopted
        if self.frees:
            tree["frees"] = list(self.frees)
        if self.path is not None:
            tree["path"] = self.path
        if self.drops:
            tree["drops"] = list(self.drops)
        if self.content is not None:
            tree["content"] = self.content.tree()
        return tree

    @classmethod
    def of(cls, tree: dict[str, Any]) -> Entry:
        """Return the entry that a tree describes."""
        content, adopted = tree.get("content"), tree.get("adopted")
        version, path = tree.get("version"), tree.get("path")
        return cls(
            kind=_text(tree["kind"]),
            record=_text(tree["record"]),
            name=_text(tree["name"]),
            position=_count(tree["position"]),
            time=_count(tree["time"]),
            version=None if version is None else _count(version),
            metadata=_object(tree.get("metadata", {})),
            tags=tuple(map(_text, tree.get("tags", ()))),
            provenance=_object(tree.get("provenance", {})),
            content=None if content is None else Content.of(content),
            adopted=None if adopted is None else _text(adopted),
            frees=tuple(map(_text, tree.get("frees", ()))),
            path=None if path is None else _text(path),
            drops=tuple(map(_count, tree.get("drops", ()))),
        )


@dataclass(frozen=True, slots=True)
class Envelope:
    """
    Everything that a payload says about itself.

    Attributes:
        archive: The archive's uuid, or None for a plain `archivedb.save`.
        payload: The payload's uuid, a version 7 one.
        mode: How its content is encoded.
        entries: Its changes; an entry's index is its *slot*.

    """

    archive: str | None
    payload: str
    mode: str
    entries: tuple[Entry, ...]

    def tree(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "format": FORMAT,
            "archive": self.archive,
            "payload": self.payload,
            "mode": self.mode,
            "changes": [entry.tree() for entry in self.entries],
        }

    @classmethod
    def parse(cls, text: bytes | memoryview, what: str) -> Envelope:
        """
        Return the envelope that checked bytes describe.

        Raises:
            DecodeError: They describe none, or one of a newer format.

        """
        tree = json.loads(text, f"envelope of {what}")
        with well_formed(f"envelope of {what}"):
            if tree["format"] > FORMAT:
                msg = (
                    f"{what} is of format {tree['format']}; "
                    f"this archivedb reads up to {FORMAT}: update it"
                )
                raise DecodeError(msg)
            archive = tree["archive"]
            entries = tuple(map(Entry.of, tree["changes"]))
            if archive is not None:
                for entry in entries:
                    _require_sound(entry)
            return cls(
                archive=None if archive is None else _text(archive),
                payload=_text(tree["payload"]),
                mode=_text(tree["mode"]),
                entries=entries,
            )


def _require_sound(entry: Entry) -> None:
    """Raise unless a catalog can hold a change: one must not shut out the rest."""
    try:
        check_name(entry.name)
    except InvalidNameError as error:
        raise ValueError(error) from error
    if not entry.position or entry.time > LAST_MICROSECOND:
        msg = f"position {entry.position} at time {entry.time}"
        raise ValueError(msg)
    if len(set(entry.tags)) != len(entry.tags):
        msg = f"tags {entry.tags}"
        raise ValueError(msg)
    if entry.kind in WITH_CONTENT and (entry.content is None or not entry.version):
        msg = f"a {entry.kind} without content, or without a version"
        raise ValueError(msg)
    if entry.kind == "append" and entry.path is None:
        msg = "an append that says not to what"
        raise ValueError(msg)
    for facts in (entry.metadata, entry.provenance):
        decode_inline(facts)


def head_text(mode: str, envelope: Extent, skeleton: Extent) -> bytes:
    """Return the head: where envelope and skeletons lie, in JSON."""
    tree = {
        "archivedb": FORMAT,
        "mode": mode,
        "envelope": envelope.tree(),
        "skeleton": skeleton.tree(),
    }
    return json.dumps(tree)


def read_head(text: bytes, what: str) -> Extent:
    """
    Return where a head says that the envelope lies.

    Raises:
        DecodeError: The bytes are no head.

    """
    tree = json.loads(text.strip(b" \0\n,"), f"head of {what}")
    with well_formed(f"head of {what}"):
        return Extent.of(tree["envelope"])
