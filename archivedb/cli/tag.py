"""``archivedb tag``."""

from __future__ import annotations

from archivedb.cli import _options as options
from archivedb.cli._changed import change, tags_of


def tag(
    names: options.Names,
    *,
    tags: options.Tags,
    db: options.Db = None,
    null: options.Null = False,
    json: options.Json = False,
) -> None:
    """
    Add tags to records: words to find them by.

    It makes no version.  Tags of many records are one change, all or nothing.

    Examples:
        archivedb tag al/fcc/run-1 al/fcc/run-2 -t converged
        archivedb find 'outputs.forces.max < 0.01' | archivedb tag - -t converged
    """
    change(
        names,
        lambda archive, name: archive.tag(name, *tags),
        tags_of,
        db=db,
        null=null,
        json=json,
    )
