"""Completion of names on the command line, one folder at a time."""

from __future__ import annotations

from contextlib import suppress

import typer


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the folders and records that a name could go on with."""
    return _complete(ctx, incomplete, records=True)


def complete_folder(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the folders that a name could go on with."""
    return _complete(ctx, incomplete, records=False)


def _complete(ctx: typer.Context, incomplete: str, *, records: bool) -> list[str]:
    found: list[str] = []
    # A shell that completes must never be answered with an error.
    with suppress(Exception):
        from archivedb.cli._names import listing
        from archivedb.cli._where import reading

        with reading(ctx.params.get("db")) as archive:
            folders, here = listing(archive, incomplete.rpartition("/")[0])
        found = [f"{name}/" for name, _ in folders]
        if records:
            found += [record.name for record in here]
    return [name for name in found if name.startswith(incomplete)]
