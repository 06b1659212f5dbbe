"""
Statements that are built once and then run as they are.

SQLAlchemy takes longer to prepare a small statement than SQLite to run it; a
save runs a dozen of them.  So they are compiled once for a dialect, and then
given to the driver with their parameters in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.errors import CatalogEntryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.sql import ClauseElement

    Parameters = Mapping[str, Any]
    _Compiled = tuple[str, tuple[str, ...] | None, dict[str, Any]]


def _raise_typed(connection: Connection, error: Exception) -> None:
    """Tell what contradicts the catalog from a catalog that cannot be used."""
    dbapi: Any = connection.dialect.loaded_dbapi
    if isinstance(error, (dbapi.IntegrityError, OverflowError)):
        msg = f"the catalog has no place for this: {error}"
        raise CatalogEntryError(msg) from error


def _given(names: tuple[str, ...] | None, parameters: Parameters) -> Any:
    """Return parameters as the driver takes them."""
    return parameters if names is None else [parameters[name] for name in names]


class Prepared:
    """
    A statement of which only the parameters change.

    Args:
        statement: Any Core statement with `bindparam`s.
        columns: For an insert, the columns that it fills.

    """

    def __init__(
        self, statement: ClauseElement, columns: Sequence[str] | None = None
    ) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def _text(self, dialect: Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            named: Any = {} if self._columns is None else {"column_keys": self._columns}
            compiled: Any = self._statement.compile(dialect=dialect, **named)
            # None where the driver's parameters have names.
            names = tuple(compiled.positiontup) if compiled.positional else None
            found = (str(compiled), names, dict(compiled.params))
            self._compiled[dialect.name] = found
        return found

    def run(self, connection: Connection, parameters: Parameters) -> Any:
        """Run it and return the driver's cursor."""
        text, names, constants = self._text(connection.dialect)
        cursor = connection.connection.cursor()
        given = {**constants, **parameters} if constants else parameters
        try:
            cursor.execute(text, _given(names, given))
        except Exception as error:
            _raise_typed(connection, error)
            raise
        return cursor

    def run_many(self, connection: Connection, rows: Iterable[Parameters]) -> None:
        """Run it once for each set of parameters, in one round trip."""
        text, names, _ = self._text(connection.dialect)
        cursor = connection.connection.cursor()
        try:
            cursor.executemany(text, [_given(names, row) for row in rows])
        except Exception as error:
            _raise_typed(connection, error)
            raise
        cursor.close()
