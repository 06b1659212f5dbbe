"""
Names that records take in one transaction, in whatever order their changes come.

Whoever commits takes names that are free.  Whoever indexes payloads meets a
change long after, or before, the rename or the delete that has freed its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, literal_column, select, update

from archivedb.catalog import hierarchy, tables
from archivedb.catalog.prepared import Prepared
from archivedb.values.paths import prefixes

if TYPE_CHECKING:
    from sqlalchemy import Connection

_record = tables.record.c

# One look tells most names that are free; names with these letters before may
# also be `run-1-b` beside `run-1`, which the other questions tell apart.
_NEAR = Prepared(
    select(_record.id)
    .where(
        _record.name >= bindparam("name"),
        _record.name < bindparam("below"),
        tables.LIVES,
    )
    .limit(literal_column("1"))
)
_SET_NAME = Prepared(
    update(tables.record)
    .where(_record.uuid == bindparam("of"))
    .values(name=bindparam("to_name"))
)


class Claims:
    """
    Who takes which name in a transaction.

    A record whose name still belongs to another gets it in the end: until then
    it has one that nobody can ask for.

    Args:
        connection: An open write transaction.

    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, str] = {}
        self._no_records: set[str] = set()

    def name_for(self, uuid: str, name: str) -> str:
        """Return the name that a record gets for now; it must have no other."""
        if self.conflict(name) is None:
            self._waiting.pop(uuid, None)
            self._no_records.discard(name)
            return name
        self._waiting[uuid] = name
        return f"\x01{uuid}"

    def rename(self, uuid: str, name: str) -> None:
        """Give a record another name."""
        # Its old one must not be in the way: `a` may become `a/b`.
        _SET_NAME.run(self._connection, {"of": uuid, "to_name": f"\x01{uuid}"})
        given = self.name_for(uuid, name)
        if given == name:
            _SET_NAME.run(self._connection, {"of": uuid, "to_name": name})

    def give_up(self, uuid: str) -> None:
        """Say that a record was deleted."""
        self._waiting.pop(uuid, None)

    def settle(self) -> dict[str, str]:
        """
        Give every record its name.

        Returns:
            By uuid, why a record cannot have it.

        """
        left = {}
        for uuid, name in list(self._waiting.items()):
            why = self.conflict(name)
            if why is None:
                self.rename(uuid, name)
            else:
                left[uuid] = why
        self._waiting.clear()
        return left

    def conflict(self, name: str) -> str | None:
        """Return why a name cannot become a record's, or None if it can."""
        above = [each for each in prefixes(name) if each not in self._no_records]
        if above:
            if hierarchy.first_record(self._connection, above) is not None:
                return hierarchy.conflict(self._connection, name)
            # Many records of one folder come together.
            self._no_records.update(above)
        if is_clear(self._connection, name):
            return None
        return hierarchy.conflict(self._connection, name)


def is_clear(connection: Connection, name: str) -> bool:
    """Return whether surely neither record nor folder has a name."""
    near = {"name": name, "below": f"{name}0"}
    return _NEAR.run(connection, near).fetchone() is None
