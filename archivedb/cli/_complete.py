"""Completion on the command line: names a folder at a time, paths, and tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from archivedb import Archive

MOST = 200
"""Proposals; more than that nobody reads."""

# The path that is being typed at the end of an expression: keys, and brackets
# with items or quoted keys, the last of which may be open.
_TYPED = re.compile(r"""(?:[^\W\d]\w*(?:\.\w*|\[(?:\d+\]?|"[^"]*"?\]?)?)*)?$""")
_SLASHED = re.compile(r"""[^\s=<>!~()'"`+*,]*/[^\s=<>!~()'"`+*,]*""")
_SIDES = ("metadata", "data")
_FACTS = ("name", "version", "saved_at", "tags", "record.mode", "record.size")


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the folders and records that a name could go on with."""
    return _asked(ctx, lambda archive: _names(archive, incomplete, records=True))


def complete_folder(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the folders that a name could go on with."""
    return _asked(ctx, lambda archive: _names(archive, incomplete, records=False))


def complete_tag(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the tags that a word could become."""
    return _asked(ctx, lambda archive: _tags(archive, incomplete))


def complete_key(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the keys of metadata that a word could become."""
    return _asked(ctx, lambda archive: _keys(archive, incomplete))


def complete_path(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the paths of data that a path with slashes could become."""
    return _asked(ctx, lambda archive: _slashed(archive, incomplete, ("data",)))


def complete_condition(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what an expression, or a KEY=VALUE, could go on with."""
    if _SLASHED.fullmatch(incomplete):
        return _asked(ctx, lambda archive: _slashed(archive, incomplete))
    return complete_list(ctx, incomplete)


def complete_list(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what an expression, the last of several, could go on with."""
    found = _TYPED.search(incomplete)
    typed = found.group() if found else ""
    start = incomplete.removesuffix(typed)
    if start.count('"') % 2 or start.count("'") % 2 or not incomplete.isprintable():
        return []  # inside of a text, or no text at all
    return [start + path for path in _asked(ctx, lambda each: _paths(each, typed))]


def _asked(
    ctx: typer.Context, proposals: Callable[[Archive], Iterable[str]]
) -> list[str]:
    # A shell that completes must never be answered with an error.
    with suppress(Exception):
        from archivedb import Archive
        from archivedb.cli._where import address

        # Read only: who looks for a word has not asked for anything to be written.
        with Archive(address(ctx.params.get("db")), readonly=True) as archive:
            return list(proposals(archive)) if archive.exists else []
    return []


def _names(archive: Archive, incomplete: str, *, records: bool) -> Iterator[str]:
    from archivedb.cli._names import listing

    folders, here = listing(archive, incomplete.rpartition("/")[0])
    found = [f"{name}/" for name, _ in folders]
    if records:
        found += [record.name for record in here]
    return (name for name in found if name.startswith(incomplete))


def _tags(archive: Archive, incomplete: str) -> Iterator[str]:
    from archivedb.archive.finding.proposing import known_tags

    return known_tags(archive, incomplete, MOST)


def _keys(archive: Archive, incomplete: str) -> Iterator[str]:
    from archivedb.archive.finding.proposing import known_paths
    from archivedb.values.paths import token_key

    for path in known_paths(archive, "metadata", incomplete, MOST):
        if "/" not in path:
            yield token_key(path)


def _slashed(
    archive: Archive, incomplete: str, sides: Iterable[str] = _SIDES
) -> Iterator[str]:
    """Return the paths as they are typed with slashes, in KEY=VALUE."""
    from archivedb.archive.finding.proposing import known_paths

    for side in sides:
        for path in known_paths(archive, side, incomplete, MOST):
            if "/$" not in path and ("/[" not in path or "/[" in incomplete):
                yield path


def _paths(archive: Archive, typed: str) -> list[str]:
    """Return the spellings of paths that begin with what was typed."""
    from archivedb.archive.finding.proposing import known_paths

    side, dot, rest = typed.partition(".")
    if not (dot and side in _SIDES):
        side, rest = "", typed
    start = re.split(r"\[", rest, maxsplit=1)[0].replace(".", "/")
    above, dot, _ = start.rpartition("/")
    found = [] if side else [*_FACTS, *_SIDES]
    for each in [side] if side else _SIDES:
        paths = list(known_paths(archive, each, start, 10 * MOST))
        if dot:  # what is known of arrays lies in the index beside their items
            paths += known_paths(archive, each, f"{above}/$", MOST)
        found += [_spelt(path, side, each, typed) for path in paths]
    return sorted({each for each in found if each and each.startswith(typed)})[:MOST]


def _spelt(path: str, asked: str, side: str, typed: str) -> str:
    """
    Return how a path is written, or nothing while it is not asked for.

    Items of lists, and what is known of arrays, are many; they are proposed to
    whoever has typed the path above and goes on.
    """
    from archivedb.query.attributes import NAMES
    from archivedb.values.paths import token_item

    steps = path.split("/")
    for place, step in enumerate(steps):
        fact = step[1:] if step[:1] == "$" and step[1:] in NAMES else ""
        if fact or token_item(step) is not None:
            above = _spelling(steps[:place], asked, side)
            if not typed.startswith(above) or typed == above:
                return ""
            if fact:
                return f"{above}.{fact}" if step == steps[-1] else ""
    return _spelling(steps, asked, side)


def _spelling(steps: list[str], asked: str, side: str) -> str:
    from archivedb.query.parse import spelling

    found = spelling(steps, asked)
    # An odd key needs a side in front, which is not always the data's.
    of_data = found.startswith("data") and not asked and steps[0] != "data"
    return spelling(steps, side) if of_data and side == "metadata" else found
