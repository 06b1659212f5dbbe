"""A canonical dump: what the catalog says, not how it came to say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from archivedb.catalog import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

# Numbers that SQLite gives out say nothing: each stands for this key.
_KEYS = {
    "record": ("uuid",),
    "payload": ("uuid",),
    "path": ("side", "path"),
    "provenance": ("digest",),
    "version": ("record_id", "version"),
}
_REFERENCES = {
    "newest_id": "version",
    "path_id": "path",
    "payload_id": "payload",
    "provenance_id": "provenance",
    "record_id": "record",
    "version_id": "version",
}
# Interned texts stay when the last that used them is gone.
_LEFT_OUT = frozenset({"archive", "check", "path", "provenance"})


def dump(connection: Connection) -> list[tuple[Any, ...]]:
    """
    Return every row of every table that can be rebuilt, sorted.

    Two catalogs of equal payloads give equal dumps, however they grew.
    """
    keys: dict[str, dict[int, Any]] = {}

    def key_of(table: str, number: int | None) -> Any:
        if number is None:
            return None
        if table not in keys:
            columns = tables.metadata.tables[table].c
            chosen = [columns[name] for name in _KEYS[table]]
            keys[table] = {}
            for row in connection.execute(select(columns.id, *chosen)):
                keys[table][row[0]] = cells(chosen, row[1:])
        return keys[table][number]

    def cells(columns: Sequence[Any], row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            key_of(_REFERENCES[column.name], value)
            if column.name in _REFERENCES
            else value
            for column, value in zip(columns, row, strict=True)
        )

    rows: list[tuple[Any, ...]] = []
    for name, table in tables.metadata.tables.items():
        if name in _LEFT_OUT:
            continue
        columns = [column for column in table.c if column.name != "id"]
        found = connection.execute(select(*columns)).all()
        rows += [(name, *cells(columns, row)) for row in found]
    return sorted(rows, key=repr)
