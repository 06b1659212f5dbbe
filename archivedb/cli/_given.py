"""Names that a command was given: as words, or on standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import typer

from archivedb.cli._options import folder_of
from archivedb.errors import ArchiveError

STDIN = "-"
_BLOCK = 1 << 16
_VERSION = re.compile("[1-9][0-9]{0,17}")


class Given(NamedTuple):
    """A record that was named, and its version if that was, too."""

    name: str
    version: int | None = None


def given(names: Sequence[str], *, null: bool = False) -> Iterator[Given]:
    """
    Yield the names, and in the place of a ``-`` those on standard input.

    They are read as they are wanted, so that the next program in a pipe begins
    before this one is done.

    Args:
        names: What was typed.
        null: Whether a zero byte ends each name, and not the end of a line.

    Raises:
        ArchiveError: A line is no text, or names what is no version.
        BadParameter: Standard input is to be read twice.

    """
    if names.count(STDIN) > 1:
        raise typer.BadParameter("- can be given once", param_hint="'NAME'")
    if null and STDIN not in names:
        raise typer.BadParameter(
            "is about names on standard input, which - stands for", param_hint="'-0'"
        )
    return _given(names, null=null)


def _given(names: Sequence[str], *, null: bool) -> Iterator[Given]:
    for name in names:
        if name != STDIN:
            yield Given(name)
            continue
        for number, line in enumerate(_lines(sys.stdin.buffer, null=null), 1):
            yield from _read(number, line)


def newest(names: Sequence[str], *, null: bool = False) -> list[str]:
    """
    Return the names for a command that means the newest version of each.

    Each comes once, and a folder without the slash that people end it with.

    Raises:
        ArchiveError: A line names a version, or is no text.

    """
    found = []
    for each in given(names, null=null):
        if each.version is not None:
            raise ArchiveError(
                f"{each.name!r} comes with version {each.version}, and versions stay "
                "what they are; give names alone"
            )
        found.append(folder_of(each.name))
    return list(dict.fromkeys(found))


def _lines(stream: BinaryIO, *, null: bool) -> Iterator[bytes]:
    if not null:
        yield from stream
        return
    rest = b""
    while block := stream.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _read(number: int, line: bytes) -> Iterator[Given]:
    """Yield what a line names: a name, or a name, a tab and a version."""
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ArchiveError(
            f"line {number} of standard input is not valid UTF-8"
        ) from None
    if number == 1 and text in {"[", "[]"}:
        raise ArchiveError(
            "standard input is JSON, and names are wanted, one a line: leave --json out"
        )
    # No name has a tab in it.
    name, tab, version = text.partition("\t")
    if not name:
        return
    if tab and not _VERSION.fullmatch(version):
        raise ArchiveError(
            f"line {number} of standard input goes on behind the name with "
            f"{version[:40]!r}, which is no version; give names alone, one a line"
        )
    yield Given(name, int(version) if tab else None)
