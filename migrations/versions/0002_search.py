"""
The search index holds lists, arrays, times and exact numbers.

Revision ID: 0002
Revises: 0001
Created: 2026-11-23

The index is made anew, empty: whoever migrates fills it from the payloads.
A migration is frozen: it imports nothing from archivedb, whose tables go on
changing, and names every constraint itself.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import UserDefinedType

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


class Number(UserDefinedType[Any]):
    """A 64-bit integer or a double, whichever was given."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the declared type; ``BLOB`` is SQLite's "no affinity"."""
        return "BLOB"


def upgrade() -> None:
    """Make the search index anew, and room for renames."""
    op.drop_table("leaf")
    op.create_table(
        "leaf",
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("path_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("num", Number(), nullable=True),
        sa.Column("txt", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("record_id", "path_id", name="pk_leaf"),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name="fk_leaf_record_id"),
        sa.ForeignKeyConstraint(["path_id"], ["path.id"], name="fk_leaf_path_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_leaf_value", "leaf", ["path_id", "kind", "num", "txt", "record_id"]
    )
    op.create_index(
        "ix_record_partly_indexed",
        "record",
        ["id"],
        sqlite_where=sa.text("partly_indexed IS 1"),
    )
    op.add_column("change", sa.Column("name_before", sa.Text(), nullable=True))
    op.add_column("array", sa.Column("facts", sa.LargeBinary(), nullable=True))
    op.create_index("ix_array_payload_id", "array", ["payload_id"])
    _remake_ledger(["payload_id", "level"], "SELECT * FROM ledger")


def _remake_ledger(key: list[str], rows: str) -> None:
    """Make the table of checks anew, with another key."""
    op.rename_table("check", "ledger")
    op.create_table(
        "check",
        sa.Column("payload_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_check"),
        sa.ForeignKeyConstraint(
            ["payload_id"], ["payload.id"], name="fk_check_payload_id"
        ),
        sqlite_with_rowid=len(key) == 1,
    )
    op.execute(f'INSERT INTO "check" {rows}')
    op.drop_table("ledger")


def downgrade() -> None:
    """Make the search index of 0001, empty: a reindex fills it."""
    # A bare column beside max() is that of the row which has it:
    # https://www.sqlite.org/lang_select.html#bareagg
    _remake_ledger(
        ["payload_id"],
        "SELECT payload_id, level, max(checked_at), verdict FROM ledger"
        " GROUP BY payload_id",
    )
    op.drop_index("ix_record_partly_indexed", "record")
    op.drop_index("ix_array_payload_id", "array")
    op.drop_column("array", "facts")
    op.drop_column("change", "name_before")
    op.drop_table("leaf")
    op.create_table(
        "leaf",
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("path_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("num", Number(), nullable=True),
        sa.Column("txt", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("record_id", "path_id", name="pk_leaf"),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name="fk_leaf_record_id"),
        sa.ForeignKeyConstraint(["path_id"], ["path.id"], name="fk_leaf_path_id"),
        sqlite_with_rowid=False,
    )
    for column in ("num", "txt"):
        op.create_index(
            f"ix_leaf_{column}",
            "leaf",
            ["path_id", column, "record_id"],
            sqlite_where=sa.text(f"{column} IS NOT NULL"),
        )
