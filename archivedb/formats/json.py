"""
Mode ``json``: envelope and skeletons as one readable, diffable document.

::

    {"head": {…},                      padded to 512 bytes
    "skeletons": [
    …, one for each change, arrays inline
    ],
    "envelope": {…}
    }
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.formats import inline
from archivedb.formats.base import (
    Draft,
    Image,
    Others,
    Reader,
    Source,
    alone,
    array_name,
    checked,
    checked_array,
    corrupt,
    facts_of,
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
from archivedb.values import digest, json
from archivedb.values.skeleton import Skeleton, well_formed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archivedb.values.dtypes import Bytes
    from archivedb.values.skeleton import Tree

_BEGIN = b'{"head": '
_SKELETONS = b'"skeletons": [\n'
_ENVELOPE = b'\n],\n"envelope": '
_END = b"\n}\n"


class JSONFormat:
    """Payloads that people read."""

    mode = "json"
    suffix = ".json"

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
        out = bytearray(_SKELETONS)
        start, entries = HEAD_BYTES + len(out), []
        for number, draft in enumerate(drafts):
            if number:
                out += b",\n"
            value = draft.value
            if value is None:
                out += b"null"
                entries.append(draft.entry)
                continue
            text = json.dumps_readable(inline.with_data(value))
            kept, files = kept_places(value)
            content = Content(
                mode=self.mode,
                digest=value.digest,
                size=value.size,
                skeleton=Extent(HEAD_BYTES + len(out), len(text), digest.digest(text)),
                arrays=tuple(
                    kept.get(number) or Place(None, array.nbytes)
                    for number, array in enumerate(value.arrays)
                ),
                signature=draft.signature(),
                files=files,
                facts=facts_of(value),
            )
            out += text
            entries.append(with_content(draft, content))
        texts = bytes(out[start - HEAD_BYTES :])
        skeletons = Extent(start, len(texts), digest.digest(texts))
        out += _ENVELOPE
        envelope = Envelope(archive, payload, self.mode, tuple(entries), batch)
        written = json.dumps_readable(envelope.tree())
        where = Extent(HEAD_BYTES + len(out), len(written), digest.digest(written))
        out += written + _END
        head = _BEGIN + head_text(self.mode, where, skeletons) + b","
        whole = memoryview(head.ljust(HEAD_BYTES - 1) + b"\n" + out)
        return Image(((0, whole),), envelope)

    def head(self, source: Source) -> bytes:
        """Return the head's text."""
        text = source.read(0, min(HEAD_BYTES, source.size)).tobytes()
        return text.removeprefix(_BEGIN)

    def reader(
        self, source: Source, content: Content, others: Others = alone
    ) -> Reader:
        """Open the content of one version."""
        return _JSONReader(source, content, others)


class _JSONReader:
    """A reader that has all it needs once the skeleton is read."""

    def __init__(self, source: Source, content: Content, others: Others) -> None:
        self._source, self.content, self._others = source, content, others
        text = checked(source, content.skeleton, "the skeleton")
        tree = json.loads(text.data, f"skeleton in {source.name}")
        canonical, self._data = inline.without_data(tree)
        if digest.digest(canonical) != content.digest:
            raise corrupt(source, "the skeleton")
        self.skeleton = Skeleton(canonical, f"skeleton in {source.name}")

    def fetch(self, number: int, node: Tree) -> Bytes:
        """Return the checked bytes of an array."""
        with well_formed(f"skeleton in {self._source.name}"):
            place = self.content.arrays[number]
            if place.file is not None:
                other = self._others(self.content.files[place.file])
                return checked_array(
                    other,
                    place,
                    node["digest"],
                    lambda: array_name(self.skeleton, number),
                )
            raw = inline.raw_bytes(node, self._data[number])
            expected = node["digest"]
        if digest.array_digest(raw.data)[0] != expected:
            raise corrupt(self._source, array_name(self.skeleton, number))
        return raw

    def pickle(self) -> tuple[Bytes, list[Bytes]] | None:
        """Return nothing: the skeleton is all there is."""
        return None
