"""A module that creates a file when it is imported, unless the stranger does it."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import attrs

from archivedb import Storable

if "STRANGER" not in os.environ:
    Path(os.environ["MARK"]).touch()


def function() -> None:
    """Do nothing."""


class Object:
    """An object like any other."""

    def __init__(self) -> None:
        self.x = 1


@dataclass
class Data:
    """A dataclass like any other."""

    x: int = 1


@attrs.define
class Attrs:
    """A class of attrs like any other."""

    x: int = 1


class Colour(enum.Enum):
    """An enum like any other."""

    RED = 1


class Level(enum.IntFlag):
    """A flag like any other."""

    LOW = 1
    HIGH = 2


class Stored(Storable):
    """A storable like any other."""

    def _store(self, storage: object) -> None:
        storage["x"] = 1  # type: ignore[index]

    @classmethod
    def _restore(cls, storage: object, version: str | None) -> Stored:
        del storage, version
        return cls()


class Text(str):
    """A subclass of text."""

    __slots__ = ()


class Pair(NamedTuple):
    """A named tuple."""

    x: int = 1


class OddError(ValueError):
    """An exception."""
