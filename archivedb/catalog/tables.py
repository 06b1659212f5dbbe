"""
The catalog's tables.

Core tables and no ORM classes: nothing here ever holds a session, and a
command line that lists records should not pay for importing one.

The catalog is a function of the payloads: every column can be rebuilt from
the envelopes and skeletons, except the ledger ``check``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    not_,
    text,
    true,
)
from sqlalchemy.types import Numeric, TypeDecorator, UserDefinedType

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine


class _AsItIs(UserDefinedType[Any]):
    """
    SQLite's column without affinity, which turns no number into another.

    SQLite compares integers and doubles exactly, also beyond 2**53.
    """

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the declared type; ``BLOB`` is SQLite's "no affinity"."""
        return "BLOB"


class Number(TypeDecorator[Any]):
    """A number as it is: an integer of 64 bits or a double, compared exactly."""

    impl = _AsItIs
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of a database's column."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_AsItIs())
        return dialect.type_descriptor(Numeric())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Give NUMERIC every digit: drivers round a double to 15 of them."""
        return Decimal(value) if value is not None and _is_exact(dialect) else value

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """Return an int or a double, whichever it was."""
        if not isinstance(value, Decimal):
            return value
        whole = value.is_finite() and value == value.to_integral_value()
        return int(value) if whole and abs(value) < 1 << 63 else float(value)


def _is_exact(dialect: Dialect) -> bool:
    return dialect.name != "sqlite"


# Sorted and compared by code points, as SQLite and Python do.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


# Named constraints, so that later revisions can drop and alter them.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

archive = Table(
    "archive",
    metadata,
    Column("uuid", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)
"""One row: which archive this is."""

payload = Table(
    "payload",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Text, nullable=False, unique=True),
    Column("file", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
)
"""One row a payload file.  ``file`` is relative to the store and ends in the
first 32 hex digits of its bytes' digest."""

record = Table(
    "record",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Text, nullable=False, unique=True),
    Column("name", _TEXT, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("positions", Integer, nullable=False),
    Column("newest_id", Integer),
    Column("partly_indexed", Boolean, nullable=False, server_default=false()),
)
"""One row a record, deleted ones too, so that nothing rises again.
``positions`` is the length of its history; ``newest_id`` the version that
`find` sees; ``partly_indexed`` says that it has more leaves than ``leaf`` holds."""

LIVES = not_(record.c.deleted)
"""The condition for a record that was not deleted, spelt as the indexes spell it."""

Index(
    "uq_record_name_live",
    record.c.name,
    unique=True,
    sqlite_where=LIVES,
    postgresql_where=LIVES,
)
PARTLY = record.c.partly_indexed.is_(true())
"""The condition for a record that the search index holds in part."""

# Most archives have none, and every search asks.
Index(
    "ix_record_partly_indexed",
    record.c.id,
    sqlite_where=PARTLY,
    postgresql_where=PARTLY,
)

change = Table(
    "change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("record_id", ForeignKey("record.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload_id", ForeignKey("payload.id"), nullable=False),
    Column("slot", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("version", Integer),
    Column("name_before", _TEXT),
    UniqueConstraint("record_id", "position"),
)
"""One row an entry of a record's history, addressed as (payload, slot).
``name_before`` is the name that a rename took away."""

Index("ix_change_payload_id", change.c.payload_id)

provenance = Table(
    "provenance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("facts", LargeBinary, nullable=False),
)
"""Facts that hundreds of versions share, once."""

version = Table(
    "version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("record_id", ForeignKey("record.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("mode", Text, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("tags", LargeBinary, nullable=False),
    Column("provenance_id", ForeignKey("provenance.id")),
    Column("payload_id", ForeignKey("payload.id"), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("appended", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("record_id", "version"),
)
"""One row a version.  ``content`` is the envelope's entry of where its bytes
lie, as JSON, so that a load asks the catalog once; ``appended`` counts the
parts that its arrays have got since, which are rows of ``array``."""

Index("ix_version_saved_at", version.c.saved_at)
Index("ix_version_payload_id", version.c.payload_id)

array = Table(
    "array",
    metadata,
    Column("version_id", ForeignKey("version.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("payload_id", Integer, nullable=False),
    Column("dtype", Text, nullable=False),
    Column("shape", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("offset", BigInteger),
    Column("length", BigInteger, nullable=False),
    Column("blocks_offset", BigInteger),
    Column("proof", Text, nullable=False),
    Column("facts", LargeBinary),
    sqlite_with_rowid=False,
)
"""One row an array: all that one verified pread needs.  ``offset`` is null
where the array has no bytes of its own in the file (json).
An array in several parts has a row of kind ``parts``, whose ``number`` counts
them, and one for each; those that were appended have the kind ``appended``.
``facts`` is what the search index holds of appended rows, as JSON.
``proof`` is a digest over dtype, shape, digest and kind, since a row of SQLite
has none of its own, and the array's covers its bytes alone."""

# A payload of many records stays while an array of one of them lies in it.
Index("ix_array_payload_id", array.c.payload_id)

path = Table(
    "path",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("side", Text, nullable=False),
    Column("path", _TEXT, nullable=False),
    UniqueConstraint("side", "path"),
)
"""Interned paths; ``side`` is ``metadata`` or ``data``."""

leaf = Table(
    "leaf",
    metadata,
    Column("record_id", ForeignKey("record.id"), primary_key=True),
    Column("path_id", ForeignKey("path.id"), primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("num", Number),
    Column("txt", _TEXT),
    sqlite_with_rowid=False,
)
"""The search index: one row a leaf of each record's newest version; `Leaf` says
what the columns mean."""

# It alone answers "which records", and in which order: a leaf is found, and
# sorted, by its kind, then by its number, then by its text.
Index(
    "ix_leaf_value",
    *(leaf.c.path_id, leaf.c.kind, leaf.c.num, leaf.c.txt, leaf.c.record_id),
)

tag = Table(
    "tag",
    metadata,
    Column("record_id", ForeignKey("record.id"), primary_key=True),
    Column("tag", _TEXT, primary_key=True),
    sqlite_with_rowid=False,
)
"""The tags of each record's newest version."""

Index("ix_tag_tag", tag.c.tag, tag.c.record_id)

check = Table(
    "check",
    metadata,
    Column("payload_id", ForeignKey("payload.id"), primary_key=True),
    Column("level", Text, primary_key=True),
    Column("checked_at", BigInteger, nullable=False),
    Column("verdict", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""The ledger of verifications: the last one of each payload at each level."""
