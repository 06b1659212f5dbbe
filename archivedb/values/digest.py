"""
BLAKE3 digests: the one module that knows blake3.

The format is ``"blake3:<64 hex digits>"``.  An array of more than 4 MiB is
hashed in blocks of 1 MiB, and its digest is that of its blocks' digests: so
slices are proven by their blocks alone, damage is located, and every core
helps.  https://github.com/BLAKE3-team/BLAKE3-specs
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Iterable

BLOCK = 1 << 20
BLOCKED_ABOVE = 4 << 20
DIGEST_BYTES = 32
NAME_DIGITS = 32
"""Hex digits of a payload's digest that its file name carries: 128 bits."""

_PREFIX = "blake3:"
_THREADED_ABOVE = 16 << 20

Buffer = Any
"""Whatever has the buffer protocol and one byte an item."""


def digest(data: Buffer) -> str:
    """
    Return the digest of some bytes.

    >>> digest(b"")[:20]
    'blake3:af1349b9f5f9a'
    """
    return _PREFIX + blake3(data).hexdigest()


def name_digits(pieces: Iterable[Buffer]) -> str:
    """Return the part of a file's digest that goes into its name."""
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
    return hasher.hexdigest()[:NAME_DIGITS]


class NameDigits:
    """What `name_digits` returns, of bytes that come piece by piece."""

    def __init__(self) -> None:
        self._hasher = blake3()

    def update(self, piece: Buffer) -> None:
        """Go on with some bytes."""
        self._hasher.update(piece)

    def digits(self) -> str:
        """Return the digits of all bytes until now."""
        return self._hasher.hexdigest()[:NAME_DIGITS]


def blocks(data: memoryview) -> bytes:
    """
    Return the digests of each MiB, 32 bytes each, joined.

    Threads are started here and end here: blake3's own pool of threads would
    not survive a fork, and a forked child would wait for it for ever.
    """
    starts = range(0, len(data), BLOCK)

    def one(start: int) -> bytes:
        return blake3(data[start : start + BLOCK]).digest()

    cores = os.cpu_count() or 1
    if len(data) < _THREADED_ABOVE or cores == 1:
        return b"".join(map(one, starts))
    with ThreadPoolExecutor(cores) as pool:
        return b"".join(pool.map(one, starts))


def array_digest(data: memoryview) -> tuple[str, bytes | None]:
    """Return an array's digest, and its blocks' digests if it has any."""
    if len(data) <= BLOCKED_ABOVE:
        return digest(data), None
    parts = blocks(data)
    return digest(parts), parts


def blocked(nbytes: int) -> bool:
    """Return whether an array of so many bytes is hashed in blocks."""
    return nbytes > BLOCKED_ABOVE


def blocks_bytes(nbytes: int) -> int:
    """Return how many bytes the blocks' digests of an array take."""
    return -(-nbytes // BLOCK) * DIGEST_BYTES if blocked(nbytes) else 0
