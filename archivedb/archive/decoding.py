"""Decode whole payloads, only to learn whether they can be."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archivedb.archive.loading import read_value
from archivedb.archive.writing.indexing import read_envelope
from archivedb.errors import ArchiveError, PayloadCorruptError, PayloadMissingError
from archivedb.formats import get_format

if TYPE_CHECKING:
    from archivedb.archive.core import Core
    from archivedb.formats.base import Source
    from archivedb.formats.envelope import Content
    from archivedb.store.files import PayloadFile


@dataclass(frozen=True, slots=True)
class Hurt:
    """
    What of a version is damaged.

    Attributes:
        path: Of the array that is, or None: of all of it.
        detail: What is wrong with it.
        kind: ``"undecodable"`` where the bytes are right, else ``"corrupt"``.

    """

    path: str | None
    detail: str
    kind: str = "corrupt"


def undecodable(core: Core, file: str) -> list[tuple[str, int | None, Hurt]]:
    """
    Decode all that a payload holds, and return what cannot be.

    Args:
        core: The open archive.
        file: A payload file whose bytes are right.

    Returns:
        Name and version of each, and what is wrong with it.

    """
    found: list[tuple[str, int | None, Hurt]] = []
    with core.store.open(file) as source:
        for entry in read_envelope(source).entries:
            if entry.content is None or entry.adopted is not None:
                continue
            hurt = _hurt(core, source, entry.content, entry.name)
            if hurt is not None:
                found.append((entry.name, entry.version, hurt))
    return found


def _hurt(core: Core, source: PayloadFile, content: Content, name: str) -> Hurt | None:
    with ExitStack() as opened:

        def other(shared: str) -> Source:
            return opened.enter_context(core.store.open(shared))

        try:
            reader = get_format(content.mode).reader(source, content, other)
            root = reader.skeleton.root
            read_value(
                reader,
                content,
                root,
                name=name,
                trusts=lambda _content: False,
                objects="stub",
            )
            reader.pickle()
        except (PayloadMissingError, PayloadCorruptError) as error:
            # Of another payload, which is judged itself; or a digest of this one
            # is not that of its bytes, although all of them are as they were.
            if source.name in str(error):
                return Hurt(None, str(error), "undecodable")
        except ArchiveError as error:
            return Hurt(None, str(error), "undecodable")
        except Exception as error:  # noqa: BLE001 - one payload keeps no other from it
            return Hurt(None, f"{type(error).__name__}: {error}", "undecodable")
    return None
