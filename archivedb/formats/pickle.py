"""
Mode ``cloudpickle``: a zip whose members are stored, not compressed.

================== ==========================================================
``skeletons``      one line a change, as in the other modes
``<slot>/pickle``  the value, protocol 5
``<slot>/<n>``     buffer *n* that the pickle was given out of band
``<slot>/array-<n>``, ``<slot>/blocks-<n>``
                   array *n* where no buffer is it, and the digests of its blocks
``envelope.json``  the envelope
the zip's comment  the head
================== ==========================================================

A buffer that is an array of the skeleton serves both: it is found by path, and
read and checked without unpickling anything.
https://peps.python.org/pep-0574/
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import EncodeError
from archivedb.formats.base import (
    Draft,
    Image,
    Others,
    PlacedReader,
    Reader,
    Source,
    alone,
    checked,
    corrupt,
    facts_of,
    join_skeletons,
    kept_places,
    with_content,
)
from archivedb.formats.envelope import (
    HEAD_BYTES,
    Content,
    Envelope,
    Extent,
    Pickle,
    Place,
    head_text,
)
from archivedb.values import digest, json, pickled
from archivedb.values.arrays import KeptArray
from archivedb.values.encode import NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pickle import PickleBuffer

    from archivedb.values.dtypes import Bytes
    from archivedb.values.encode import Encoded

LARGE = 1 << 16
"""A buffer of at least so many bytes goes out of band even if it is no array
of the skeleton: it belongs to an object."""


class _Segments:
    """A file that remembers what it is given instead of copying it."""

    def __init__(self) -> None:
        self._pieces: dict[int, Any] = {}
        self._at = 0

    def write(self, data: Any) -> int:
        # zipfile comes back to write a member's header anew, of equal length.
        if len(data):
            self._pieces[self._at] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence:
            msg = "only absolute offsets are remembered"
            raise ValueError(msg)
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Do nothing: there is no file yet."""

    def segments(self) -> tuple[tuple[int, Any], ...]:
        """Return what was written, in order, and prove that it has no gaps."""
        ordered = sorted(self._pieces.items())
        at = 0
        for offset, data in ordered:
            if offset != at:
                msg = f"the zip has a gap at {at}"
                raise AssertionError(msg)
            at += len(data)
        return tuple(ordered)


class PickleFormat:
    """Payloads that hold whatever cloudpickle can."""

    mode = "cloudpickle"
    suffix = ".zip"

    def build(
        self,
        archive: str | None,
        payload: str,
        drafts: Sequence[Draft],
        scratch: str,
        batch: tuple[str, ...] = (),
    ) -> Image:
        """Lay out a payload file; see `Format.build`."""
        del scratch
        out = _Segments()
        text, spans = join_skeletons(drafts)
        target: Any = out  # zipfile asks for less of a file than its stubs do
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
            start = _member(file, out, "skeletons", text)
            entries = []
            for slot, (draft, (at, length)) in enumerate(
                zip(drafts, spans, strict=True)
            ):
                if draft.value is None:
                    entries.append(draft.entry)
                    continue
                where = Extent(start + at, length, draft.value.digest)
                entries.append(self._content(file, out, slot, draft, where))
            envelope = Envelope(archive, payload, self.mode, tuple(entries), batch)
            written = json.dumps_readable(envelope.tree())
            place = _member(file, out, "envelope.json", written)
            head = head_text(
                self.mode,
                Extent(place, len(written), digest.digest(written)),
                Extent(start, len(text), digest.digest(text)),
            )
            file.comment = head.ljust(HEAD_BYTES)
        return Image(out.segments(), envelope)

    def _content(
        self,
        file: zipfile.ZipFile,
        out: _Segments,
        slot: int,
        draft: Draft,
        skeleton: Extent,
    ) -> Any:
        value = draft.value
        assert value is not None  # noqa: S101 - the caller has looked
        dumped = _dump(value) if draft.made is None else draft.made
        extents = []
        for index, (buffer, known) in enumerate(dumped.buffers):
            hashed = known or digest.array_digest(buffer)[0]
            offset = _member(file, out, f"{slot}/{index}", buffer)
            extents.append(Extent(offset, len(buffer), hashed))
        kept, files = kept_places(value)
        places = []
        for number, array in enumerate(value.arrays):
            if isinstance(array, KeptArray):
                places.append(kept[number])
                continue
            shared = dumped.numbers.get(number)
            # What the pickle copied is there by itself, too: so every array
            # is read by its path, and nothing is unpickled for it.
            offset = (
                _member(file, out, f"{slot}/array-{number}", array.raw)
                if shared is None
                else extents[shared].offset
            )
            blocks = (
                None
                if array.blocks is None
                else _member(file, out, f"{slot}/blocks-{number}", array.blocks)
            )
            places.append(Place(offset, len(array.raw), blocks))
        pickle = None
        if dumped.data is not None:
            start = _member(file, out, f"{slot}/pickle", dumped.data)
            whole = Extent(start, len(dumped.data), digest.digest(dumped.data))
            pickle = Pickle(whole, tuple(extents))
        content = Content(
            mode=self.mode,
            digest=value.digest,
            size=value.size,
            skeleton=skeleton,
            arrays=tuple(places),
            pickle=pickle,
            signature=draft.signature(None if pickle is None else pickle.digest),
            files=files,
            facts=facts_of(value),
        )
        return with_content(draft, content)

    def make(self, value: Encoded) -> _Dumped:
        """Return the pickle of a value as it is now, with buffers of its own."""
        dumped = _dump(value)
        own: list[tuple[memoryview, str | None]] = [
            (memoryview(bytes(view)) if known is None else view, known)
            for view, known in dumped.buffers
        ]
        return replace(dumped, buffers=own)

    def head(self, source: Source) -> bytes:
        """Return the zip's comment."""
        length = min(HEAD_BYTES, source.size)
        return source.read(source.size - length, length).tobytes()

    def reader(
        self, source: Source, content: Content, others: Others = alone
    ) -> Reader:
        """Open the content of one version."""
        return _PickleReader(source, content, others)


def _member(
    file: zipfile.ZipFile, out: _Segments, name: str, data: bytes | memoryview
) -> int:
    """Add a member and return the offset of its bytes."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.file_size = len(data)
    with file.open(info, "w") as member:
        offset = out.tell()
        member.write(data)
    return offset


def _address(view: memoryview) -> tuple[int, int]:
    array = np.frombuffer(view, np.uint8)
    return array.__array_interface__["data"][0], array.nbytes


@dataclass(frozen=True, slots=True)
class _Dumped:
    """
    A value, pickled.

    Attributes:
        data: The pickle; None if the value is nested too deeply for pickle, or
            holds what only the skeleton can.
        buffers: Its out-of-band buffers, each with its digest where it is an
            array of the skeleton.
        numbers: Array number → index of its buffer.

    """

    data: bytes | None
    buffers: list[tuple[memoryview, str | None]]
    numbers: dict[int, int]


def _dump(value: Encoded) -> _Dumped:
    if value.value is NO_VALUE:
        return _Dumped(None, [], {})
    known: dict[tuple[int, int], list[int]] = {}
    for number, array in enumerate(value.arrays):
        if isinstance(array, KeptArray):
            continue
        if array.kind == "array" and len(array.raw):
            where = (array.address, len(array.raw))
            known.setdefault(where, []).append(number)
    buffers: list[tuple[memoryview, str | None]] = []
    numbers: dict[int, int] = {}

    def take(buffer: PickleBuffer) -> bool:
        try:
            view = buffer.raw()
        except BufferError:  # not contiguous: pickle copies it itself
            return True
        same = known.get(_address(view), []) if len(view) else []
        if not same and len(view) < LARGE:
            return True
        numbers.update(dict.fromkeys(same, len(buffers)))
        if same:
            array = value.arrays[same[0]]
            assert not isinstance(array, KeptArray)  # noqa: S101 - it has an address
            buffers.append((array.raw, array.digest))
        else:
            buffers.append((view, None))
        return False

    try:
        return _Dumped(pickled.dumps(value.value, take), buffers, numbers)
    except EncodeError:
        return _Dumped(None, [], {})


class _PickleReader(PlacedReader):
    """A reader that may also have the whole value as a pickle."""

    def pickle(self) -> tuple[Bytes, list[Bytes]] | None:
        """Return the checked pickle and its buffers."""
        if self.content.pickle is None:
            return None
        data = checked(self._source, self.content.pickle.extent, "the pickle")
        buffers = []
        for number, extent in enumerate(self.content.pickle.buffers):
            raw = self._source.read(extent.offset, extent.length)
            if digest.array_digest(raw.data)[0] != extent.digest:
                raise corrupt(self._source, f"buffer {number}")
            buffers.append(raw)
        return data, buffers
