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
from archivedb.formats import uuids
from archivedb.values import digest, json, signing
from archivedb.values.decode import decode_inline
from archivedb.values.facts import ArrayFacts
from archivedb.values.paths import check_name
from archivedb.values.skeleton import well_formed

FORMAT = 1
"""The version of the on-disk format; readers refuse newer ones."""

HEAD_BYTES = 512

MAKES_VERSION = frozenset({"save", "edit", "adopt"})
WITH_CONTENT = MAKES_VERSION | {"append"}
OF_NEWEST = frozenset({"append", "tag", "annotate"})
"""Changes of the version that is the newest at that time, which they name."""

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
        facts: What the search index holds of each array, by number; empty in
            payloads of earlier times, whose arrays must be read to know.

    """

    mode: str
    digest: str
    size: int
    skeleton: Extent
    arrays: tuple[Place, ...] = ()
    pickle: Pickle | None = None
    signature: dict[str, str] | None = None
    files: tuple[str, ...] = ()
    facts: tuple[ArrayFacts | None, ...] = ()

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
        if self.facts:
            tree["facts"] = [None if f is None else f.tree() for f in self.facts]
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
        arrays = tuple(map(Place.of, tree["arrays"]))
        facts = tree.get("facts", ())
        if len(facts) not in (0, len(arrays)):
            msg = f"facts of {len(facts)} arrays, of {len(arrays)}"
            raise ValueError(msg)
        return cls(
            mode=_text(tree["mode"]),
            digest=_text(tree["digest"]),
            size=_count(tree["size"]),
            skeleton=Extent.of(tree["skeleton"]),
            arrays=arrays,
            pickle=pickle,
            signature=_signature(tree.get("signature")),
            files=tuple(map(_text, tree.get("files", ()))),
            facts=tuple(
                None if each is None else ArrayFacts.of(each) for each in facts
            ),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A change, as an envelope holds it.

    Attributes:
        kind: ``"save"``, ``"edit"``, ``"append"``, ``"tag"``, ``"annotate"``,
            ``"rename"``, ``"prune"``, ``"delete"`` or ``"adopt"``.
        record: The record's uuid.
        name: Its name at that time; for a rename, the new one.
        position: The change's place in the record's history, from 1.
        time: Microseconds since 1970, UTC.
        version: The version that it makes, or else changes, or None.
        metadata: The user's facts, encoded inline; for an annotate, all of them.
        tags: The user's words, sorted; for a tag, all of them.
        provenance: The gathered facts, encoded inline.
        content: Where the data lies, or None.
        adopted: For an adopt, the file in the store that holds the content.
        own: Those of the payloads it adopts that hold changes of this very
            archive, too.  Others do not count by themselves, even if they say
            that they are of this archive: a copy of it has written them.
        frees: For a delete or a prune, the files that it makes superfluous,
            unless other records need them.
        path: For an append, where the array stands that the content extends.
        drops: For a prune, the versions that it removes.
        name_before: For a rename, the name until then.
        origins: For a delete or a prune, what it removed that other archives or
            a spool may hold, too, so that it is not adopted again.

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
    own: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()
    path: str | None = None
    drops: tuple[int, ...] = ()
    name_before: str | None = None
    origins: tuple[str, ...] = ()

    def tree(self) -> dict[str, Any]:
        """Return it as JSON; what is empty is left out."""
        tree: dict[str, Any] = {
            "kind": self.kind,
            "record": self.record,
            "name": self.name,
            "position": self.position,
            "time": self.time,
        }
        more: dict[str, Any] = {
            "version": self.version,
            "metadata": self.metadata,
            "tags": list(self.tags),
            "provenance": self.provenance,
            "adopted": self.adopted,
            "own": list(self.own),
            "frees": list(self.frees),
            "path": self.path,
            "drops": list(self.drops),
            "name_before": self.name_before,
            "origins": list(self.origins),
            "content": None if self.content is None else self.content.tree(),
        }
        tree.update((key, value) for key, value in more.items() if value or value == "")
        return tree

    @classmethod
    def of(cls, tree: dict[str, Any]) -> Entry:
        """Return the entry that a tree describes."""
        content, adopted = tree.get("content"), tree.get("adopted")
        version, path = tree.get("version"), tree.get("path")
        before = tree.get("name_before")
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
            own=tuple(map(_text, tree.get("own", ()))),
            frees=tuple(map(_text, tree.get("frees", ()))),
            path=None if path is None else _text(path),
            drops=tuple(map(_count, tree.get("drops", ()))),
            name_before=None if before is None else _text(before),
            origins=tuple(map(_text, tree.get("origins", ()))),
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
        batch: The uuids of the payloads, this one included, that count only
            together; empty for one that counts alone.

    """

    archive: str | None
    payload: str
    mode: str
    entries: tuple[Entry, ...]
    batch: tuple[str, ...] = ()

    def tree(self) -> dict[str, Any]:
        """Return it as JSON; provenance that several changes share is in it once."""
        tree: dict[str, Any] = {
            "format": FORMAT,
            "archive": self.archive,
            "payload": self.payload,
            "mode": self.mode,
        }
        if self.batch:
            tree["batch"] = list(self.batch)
        changes = [entry.tree() for entry in self.entries]
        if len(changes) > 1:
            shared = _share_provenance(changes)
            if shared:
                tree["provenance"] = shared
        tree["changes"] = changes
        return tree

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
            batch = _parts(tree)
            shared = [_object(facts) for facts in tree.get("provenance", ())]
            for facts in shared:
                decode_inline(facts)
            changes = [_with_provenance(each, shared) for each in tree["changes"]]
            entries = tuple(map(Entry.of, changes))
            if not entries:
                msg = f"the envelope of {what} holds no change"
                raise DecodeError(msg)
            if archive is not None:
                for entry in entries:
                    require_sound(entry)
            return cls(
                archive=None if archive is None else _text(archive),
                payload=_text(tree["payload"]),
                mode=_text(tree["mode"]),
                entries=entries,
                batch=batch,
            )


def _parts(tree: dict[str, Any]) -> tuple[str, ...]:
    """Return the payloads of a batch, of which this is one, or nothing."""
    found = tuple(map(_text, tree.get("batch", ())))
    named = all(uuids.is_uuid7(each) for each in found)
    own = not found or tree["payload"] in found
    if not named or not own or len(set(found)) != len(found):
        msg = f"{found!r:.60} are not the parts of a batch"
        raise ValueError(msg)
    return found


def _share_provenance(changes: list[dict[str, Any]]) -> list[Any]:
    """Put numbers in the place of provenance, and return what they stand for."""
    shared: list[Any] = []
    numbers: dict[int, int] = {}
    for change in changes:
        facts = change.get("provenance")
        if facts is not None:
            number = numbers.get(id(facts))
            if number is None:
                if facts not in shared:
                    shared.append(facts)
                number = numbers[id(facts)] = shared.index(facts)
            change["provenance"] = number
    return shared


def _with_provenance(change: dict[str, Any], shared: list[Any]) -> dict[str, Any]:
    number = change.get("provenance")
    if type(number) is not int:
        return change
    return {**change, "provenance": shared[_count(number)]}


def require_sound(entry: Entry) -> None:
    """
    Raise unless a catalog can hold a change: one must not shut out the rest.

    Raises:
        ValueError: It cannot.

    """
    try:
        check_name(entry.name)
        if entry.kind == "rename":
            check_name(entry.name_before or "")
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
    if entry.kind in OF_NEWEST and not entry.version:
        msg = f"a {entry.kind} that says not of which version"
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
