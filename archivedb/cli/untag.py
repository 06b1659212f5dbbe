"""``archivedb untag``."""

from __future__ import annotations

from archivedb.cli import _options as options
from archivedb.cli._changed import change, tags_of


def untag(
    names: options.Names,
    *,
    tags: options.Tags,
    db: options.Db = None,
    null: options.Null = False,
    json: options.Json = False,
) -> None:
    """
    Take tags away from records.

    It makes no version.  Tags of many records are one change, all or nothing.

    Examples:
        archivedb untag al/fcc/run-1 -t converged
        archivedb find --tag draft | archivedb untag - -t draft
    """
    change(
        names,
        lambda archive, name: archive.untag(name, *tags),
        tags_of,
        db=db,
        null=null,
        json=json,
    )
