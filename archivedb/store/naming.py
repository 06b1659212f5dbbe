"""Names of payload files: when each was made, and what its bytes must be."""

from __future__ import annotations

import re
from dataclasses import dataclass

DIGITS = 32
"""Hex digits of its digest in a file's name."""

_PATTERN = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"
    r"-(?P<digits>[0-9a-f]{32})(?P<suffix>\.[a-z0-9]+)"
)


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


def uuid_of(file: str) -> str:
    """Return the uuid in a payload's name, or the name itself if it has none."""
    parsed = parse(file.rpartition("/")[2])
    return file if parsed is None else parsed.uuid


def parse(name: str) -> FileName | None:
    """Return the parts of a file's name, or None if it is no payload's."""
    match = _PATTERN.fullmatch(name)
    return None if match is None else FileName(**match.groupdict())
