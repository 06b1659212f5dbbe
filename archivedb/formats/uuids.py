"""UUIDs of payloads and records: when each was made, then chance."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
import uuid

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
    """
    Return when a version 7 UUID was made, in milliseconds since 1970.

    Of what is none, as an altered row may say, that was never: 0.
    """
    return uuid.UUID(text).int >> 80 if is_uuid7(text) else 0


_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_uuid7(text: str) -> bool:
    """Return whether a text is a version 7 UUID as `uuid7` writes it."""
    return _UUID7.fullmatch(text) is not None
