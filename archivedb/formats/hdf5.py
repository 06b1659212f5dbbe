"""
Mode ``hdf5``: each array a native contiguous dataset at its own path.

The one module that knows h5py.  HDF5 only lays the file out: datasets are
allocated early and never written through it; the bytes go to the offsets that
it names.  Reading never touches HDF5 at all.

The first 512 bytes are HDF5's user block, and hold the head.
https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
from h5py import h5d, h5f, h5p, h5s, h5t

from archivedb.formats.base import (
    Draft,
    Image,
    Others,
    PlacedReader,
    Reader,
    Source,
    alone,
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
    Place,
    head_text,
)
from archivedb.values import digest, json, paths
from archivedb.values.arrays import KeptArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from archivedb.values.arrays import StoredArray

IN_MEMORY = 1 << 20
"""Payloads of up to this many bytes of arrays are laid out in memory."""
MAX_LINK = 255
MAX_GROUPS = 64
MAX_AXES = 32
OWN = paths.RESERVED


@dataclass(frozen=True, slots=True)
class _Settings:
    """HDF5's property lists, made once."""

    create: Any
    links: Any
    contiguous: Any
    memory: Any
    file: Any


@functools.cache
def _settings() -> _Settings:
    create = h5p.create(h5p.FILE_CREATE)
    create.set_userblock(HEAD_BYTES)
    links = h5p.create(h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    links.set_char_encoding(h5t.CSET_UTF8)
    contiguous = h5p.create(h5p.DATASET_CREATE)
    contiguous.set_layout(h5d.CONTIGUOUS)
    # The bytes are written past HDF5, so they must have their place at once.
    contiguous.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    contiguous.set_fill_time(h5d.FILL_TIME_NEVER)
    memory, file = h5p.create(h5p.FILE_ACCESS), h5p.create(h5p.FILE_ACCESS)
    for access in (memory, file):
        access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_LATEST)
        # Otherwise an id that is still alive would keep the file open.
        access.set_fclose_degree(h5f.CLOSE_STRONG)
        # The store has locked the file already, for its own reasons.
        access.set_file_locking(False, True)  # noqa: FBT003 - h5py's signature
    memory.set_fapl_core(1 << 16, False)  # noqa: FBT003 - h5py's signature
    return _Settings(create, links, contiguous, memory, file)


@functools.lru_cache(256)
def _dtype_type(dtype: np.dtype[Any]) -> Any:
    """Return the HDF5 type whose bytes are numpy's own."""
    try:
        made = h5t.py_create(dtype, logical=True)
        if made.get_size() == dtype.itemsize:
            return made
    except (TypeError, ValueError):
        pass
    try:
        # h5py's convention for what HDF5 lacks, so h5py reads it as it was.
        return h5t.py_create(h5py.opaque_dtype(dtype), logical=True)
    except (TypeError, ValueError):
        made = h5t.create(h5t.OPAQUE, dtype.itemsize)
        made.set_tag(str(dtype.str).encode()[:250])
        return made


def _dataset_type(array: StoredArray) -> tuple[Any, tuple[int, ...]]:
    """Return HDF5 type and shape for an array."""
    if array.kind == "str":
        made = h5t.C_S1.copy()
        made.set_size(len(array.raw))
        made.set_cset(h5t.CSET_UTF8)
        made.set_strpad(h5t.STR_NULLPAD)
        return made, ()
    if array.values.ndim > MAX_AXES:
        return h5t.STD_U8LE, (len(array.raw),)
    return _dtype_type(array.values.dtype), array.values.shape


class _Layout:
    """One HDF5 file being laid out."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._groups: set[str] = set()
        self._datasets: set[str] = set()
        self._blocks = self._more = 0
        self.segments: list[tuple[int, Any]] = []

    def dataset(self, link: str, kind: Any, shape: tuple[int, ...], raw: Any) -> int:
        """Allocate a dataset for some bytes and return their offset."""
        space = h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)
        settings = _settings()
        plists = {"dcpl": settings.contiguous, "lcpl": settings.links}
        try:
            made = h5d.create(self._file, link.encode(), kind, space, **plists)
        except ValueError:
            # A dtype that HDF5 cannot describe: its bytes, then.
            space = h5s.create_simple((len(raw),))
            made = h5d.create(self._file, link.encode(), h5t.STD_U8LE, space, **plists)
        if not len(raw):
            return 0
        offset: int = made.get_offset()
        self.segments.append((offset, raw))
        return offset

    def array(self, group: str, array: StoredArray) -> Place:
        """Allocate the dataset of an array, and that of its blocks' digests."""
        link = self._link(group, array.path)
        if array.values.dtype.itemsize == 0:
            return Place(0, 0)
        kind, shape = _dataset_type(array)
        offset = self.dataset(link, kind, shape, array.raw)
        blocks = None
        if array.blocks is not None:
            blocks = self.bytes(f"{OWN}/blocks/{self._blocks}", array.blocks)
            self._blocks += 1
        return Place(offset, len(array.raw), blocks)

    def bytes(self, link: str, raw: bytes) -> int:
        """Allocate a dataset of plain bytes."""
        return self.dataset(link, h5t.STD_U8LE, (len(raw),), raw)

    def _link(self, group: str, path: str) -> str:
        tokens = [*group.split("/"), *path.split("/")] if group else path.split("/")
        tokens = [_short(token) for token in tokens]
        above = ["/".join(tokens[:count]) for count in range(1, len(tokens))]
        link = "/".join(tokens)
        # The root itself, very deep paths, two versions of a record in a
        # batch, and keys that only NaN can make equal have no link of their
        # own.  Nothing is read by its link.
        if (
            not path
            or tokens[0] == OWN
            or len(tokens) > MAX_GROUPS
            or link in self._groups
            or link in self._datasets
            or not self._datasets.isdisjoint(above)
        ):
            self._more += 1
            return f"{OWN}/more/{self._more}"
        self._groups.update(above)
        self._datasets.add(link)
        return link


def _short(token: str) -> str:
    if len(token.encode()) <= MAX_LINK:
        return token
    return f"{token[:40]}~{digest.digest(token.encode())[7:23]}"


def _groups(drafts: Sequence[Draft]) -> list[str]:
    """Return below which group the arrays of each change lie."""
    if len(drafts) == 1:
        return [""]
    groups: dict[str, None] = {}
    found = []
    for draft in drafts:
        entry = draft.entry
        again = entry.name in groups
        group = f"{entry.name}@{entry.version}" if again else entry.name
        if draft.value is not None:
            groups[group] = None
        found.append(group)
    return found


class HDF5Format:
    """Payloads that any HDF5 tool reads."""

    mode = "hdf5"
    suffix = ".h5"

    def build(
        self,
        archive: str | None,
        payload: str,
        drafts: Sequence[Draft],
        scratch: str,
        batch: tuple[str, ...] = (),
    ) -> Image:
        """Lay out a payload file; see `Format.build`."""
        new = sum(
            array.nbytes
            for draft in drafts
            if draft.value
            for array in draft.value.arrays
            if not isinstance(array, KeptArray)
        )
        in_memory = new <= IN_MEMORY
        settings = _settings()
        file = h5f.create(
            os.fsencode(scratch),
            h5f.ACC_TRUNC,
            fcpl=settings.create,
            fapl=settings.memory if in_memory else settings.file,
        )
        try:
            layout = _Layout(file)
            envelope, head = self._fill(layout, archive, payload, drafts, batch)
            h5f.flush(file)
            image = file.get_file_image() if in_memory else None
        finally:
            file.close()
        block = head.ljust(HEAD_BYTES)
        if image is None:
            layout.segments.append((0, block))
            return Image(_with_gaps(layout.segments, scratch), envelope)
        whole = bytearray(block)
        whole += image
        for offset, raw in layout.segments:
            whole[offset : offset + len(raw)] = raw
        return Image(((0, memoryview(whole)),), envelope)

    def _fill(
        self,
        layout: _Layout,
        archive: str | None,
        payload: str,
        drafts: Sequence[Draft],
        batch: tuple[str, ...],
    ) -> tuple[Envelope, bytes]:
        places, files = [], []
        for draft, group in zip(drafts, _groups(drafts), strict=True):
            kept, shared = kept_places(draft.value) if draft.value else ({}, ())
            stored = draft.value.arrays if draft.value else ()
            places.append(
                tuple(
                    kept[number]
                    if isinstance(array, KeptArray)
                    else layout.array(group, array)
                    for number, array in enumerate(stored)
                )
            )
            files.append(shared)
        text, spans = join_skeletons(drafts)
        start = layout.bytes(f"{OWN}/skeleton", text)
        entries = []
        for draft, arrays, shared, (at, length) in zip(
            drafts, places, files, spans, strict=True
        ):
            value = draft.value
            if value is None:
                entries.append(draft.entry)
                continue
            content = Content(
                mode=self.mode,
                digest=value.digest,
                size=value.size,
                skeleton=Extent(start + at, length, value.digest),
                arrays=arrays,
                signature=draft.signature(),
                files=shared,
                facts=facts_of(value),
            )
            entries.append(with_content(draft, content))
        envelope = Envelope(archive, payload, self.mode, tuple(entries), batch)
        written = json.dumps(envelope.tree())
        where = Extent(
            layout.bytes(f"{OWN}/envelope", written),
            len(written),
            digest.digest(written),
        )
        skeleton = Extent(start, len(text), digest.digest(text))
        return envelope, head_text(self.mode, where, skeleton)

    def head(self, source: Source) -> bytes:
        """Return the user block."""
        return source.read(0, min(HEAD_BYTES, source.size)).tobytes()

    def reader(
        self, source: Source, content: Content, others: Others = alone
    ) -> Reader:
        """Open the content of one version."""
        return PlacedReader(source, content, others)


def _with_gaps(
    segments: list[tuple[int, Any]], scratch: str
) -> tuple[tuple[int, Any], ...]:
    """Return the segments and, between them, what HDF5 itself has written."""
    whole: list[tuple[int, Any]] = []
    at = 0
    with open(scratch, "rb") as file:  # noqa: PTH123 - a path of os, as h5py has it
        for offset, raw in sorted(segments, key=lambda segment: segment[0]):
            if offset > at:
                file.seek(at)
                whole.append((at, file.read(offset - at)))
            whole.append((offset, raw))
            at = offset + len(raw)
        file.seek(at)
        rest = file.read()
    if rest:
        whole.append((at, rest))
    return tuple(whole)
