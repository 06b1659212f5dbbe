"""What a shell may propose while somebody types: paths and tags, by how they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from archivedb.catalog import tables
from archivedb.values.paths import is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Select

    from archivedb.archive.archive import Archive

_LAST = "\U0010ffff"


def known_paths(archive: Archive, side: str, start: str, most: int) -> Iterator[str]:
    """
    Yield paths that records have or had, as the catalog spells them.

    Args:
        archive: The archive.
        side: ``"metadata"`` or ``"data"``.
        start: How they begin.
        most: How many at most.

    """
    path = tables.path.c
    statement = select(path.path).where(path.side == side, _begins(path.path, start))
    yield from _texts(archive, statement.order_by(path.path), start, most)


def known_tags(archive: Archive, start: str, most: int) -> Iterator[str]:
    """Yield the tags that records have, by how they begin."""
    tag = tables.tag.c.tag
    statement = select(tag).where(_begins(tag, start)).distinct().order_by(tag)
    yield from _texts(archive, statement, start, most)


def _begins(column: Any, start: str) -> ColumnElement[bool]:
    # A range, which an index answers, whatever LIKE is told about cases.
    return and_(column >= start, column < start + _LAST)


def _texts(
    archive: Archive, statement: Select[Any], start: str, most: int
) -> list[str]:
    core = archive._core  # noqa: SLF001 - of the same package
    if not is_utf8(start) or not archive.exists:
        return []
    with core.reading() as connection:
        return [row[0] for row in connection.execute(statement.limit(most))]
