"""Names of payload files: when each was made, and what its bytes must be."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
import uuid
from dataclasses import dataclass

DIGITS = 32
"""Hex digits of its digest in a file's name."""

_PATTERN = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"
    r"-(?P<digits>[0-9a-f]{32})(?P<suffix>\.[a-z0-9]+)"
)
_lock = threading.Lock()
_last = 0


def _new_lock() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may hold the old one
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_new_lock)


def uuid7(after: int = 0) -> str:
    """
    Return a new version 7 UUID: 48 bits of milliseconds, then chance.

    Those of one process increase.  https://www.rfc-editor.org/rfc/rfc9562

    Args:
        after: A number of milliseconds that it must exceed.

    """
    global _last  # noqa: PLW0603 - the clock may stand still, or go back
    with _lock:
        # 12 bits below the millisecond order what one process makes.
        stamp = max(time.time_ns() * 4096 // 1_000_000, _last + 1, (after + 1) << 12)
        _last = stamp
    milliseconds, fraction = stamp >> 12, stamp & 0xFFF
    number = milliseconds << 80 | 7 << 76 | fraction << 64
    number |= 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))


def uuid7_milliseconds(text: str) -> int:
    """Return when a version 7 UUID was made, in milliseconds since 1970."""
    return uuid.UUID(text).int >> 80


@dataclass(frozen=True, slots=True)
class FileName:
    """The parts of a payload file's name."""

    uuid: str
    digits: str
    suffix: str

    def __str__(self) -> str:
        """Return the name, without the directory."""
        return f"{self.uuid}-{self.digits}{self.suffix}"

    @property
    def relative(self) -> str:
        """The path below the store."""
        # The last digits are chance; the first would put a day into one place.
        return f"{self.uuid[-2:]}/{self}"


def parse(name: str) -> FileName | None:
    """Return the parts of a file's name, or None if it is no payload's."""
    match = _PATTERN.fullmatch(name)
    return None if match is None else FileName(**match.groupdict())
