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

from archivedb.errors import DecodeError
from archivedb.values import digest, json

FORMAT = 1
"""The version of the on-disk format; readers refuse newer ones."""

HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class Extent:
    """Some bytes of a payload file, and their digest."""

    offset: int
    length: int
    digest: str

    def tree(self) -> list[Any]:
        """Return it as JSON."""
        return [self.offset, self.length, self.digest]


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where an array's bytes lie; their digest is in the skeleton.

    Attributes:
        offset: Their beginning, or None where the array has no bytes of its
            own: inline in JSON, or inside a pickle.
        length: How many they are.
        blocks: Where the digests of its blocks lie, or None.

    """

    offset: int | None
    length: int
    blocks: int | None = None

    def tree(self) -> list[Any]:
        """Return it as JSON."""
        if self.blocks is None:
            return [self.offset, self.length]
        return [self.offset, self.length, self.blocks]


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

    """

    mode: str
    digest: str
    size: int
    skeleton: Extent
    arrays: tuple[Place, ...] = ()
    pickle: Pickle | None = None
    signature: dict[str, str] | None = None

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
        return tree

    @classmethod
    def of(cls, tree: dict[str, Any]) -> Content:
        """Return the content that a tree describes."""
        pickle = None
        if "pickle" in tree:
            buffers = tuple(Extent(*extent) for extent in tree["buffers"])
            pickle = Pickle(Extent(*tree["pickle"]), buffers)
        return cls(
            mode=tree["mode"],
            digest=tree["digest"],
            size=tree["size"],
            skeleton=Extent(*tree["skeleton"]),
            arrays=tuple(Place(*place) for place in tree["arrays"]),
            pickle=pickle,
            signature=tree.get("signature"),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A change, as an envelope holds it.

    Attributes:
        kind: ``"save"``, ``"delete"`` or ``"adopt"``.
        record: The record's uuid.
        name: Its name at that time.
        position: The change's place in the record's history, from 1.
        time: Microseconds since 1970, UTC.
        version: The version that it makes, or None.
        metadata: The user's facts, encoded inline.
        tags: The user's words, sorted.
        provenance: The gathered facts, encoded inline.
        content: Where the data lies, or None.
        adopted: For an adopt, the file in the store that holds the content.

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
        if self.content is not None:
            tree["content"] = self.content.tree()
        return tree

    @classmethod
    def of(cls, tree: dict[str, Any]) -> Entry:
        """Return the entry that a tree describes."""
        content = tree.get("content")
        return cls(
            kind=tree["kind"],
            record=tree["record"],
            name=tree["name"],
            position=tree["position"],
            time=tree["time"],
            version=tree.get("version"),
            metadata=tree.get("metadata", {}),
            tags=tuple(tree.get("tags", ())),
            provenance=tree.get("provenance", {}),
            content=None if content is None else Content.of(content),
            adopted=tree.get("adopted"),
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
        try:
            if tree["format"] > FORMAT:
                msg = (
                    f"{what} is of format {tree['format']}; "
                    f"this archivedb reads up to {FORMAT}: update it"
                )
                raise DecodeError(msg)
            return cls(
                archive=tree["archive"],
                payload=tree["payload"],
                mode=tree["mode"],
                entries=tuple(map(Entry.of, tree["changes"])),
            )
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"the envelope of {what} is malformed: {error!r}"
            raise DecodeError(msg) from error


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
    try:
        offset, length, hashed = tree["envelope"]
        extent = Extent(int(offset), int(length), str(hashed))
    except (KeyError, TypeError, ValueError) as error:
        msg = f"the head of {what} is malformed: {error!r}"
        raise DecodeError(msg) from error
    if extent.offset < 0 or extent.length < 0:
        msg = f"the head of {what} points outside of it"
        raise DecodeError(msg)
    return extent
