"""
The first schema.

Revision ID: 0001
Revises:
Created: 2026-11-23

A migration is frozen: it imports nothing from archivedb, whose tables go on
changing, and names every constraint itself.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


class Number(UserDefinedType[Any]):
    """A 64-bit integer or a double, whichever was given."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the declared type; ``BLOB`` is SQLite's "no affinity"."""
        return "BLOB"


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "archive",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_archive"),
    )

    op.create_table(
        "payload",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payload"),
        sa.UniqueConstraint("uuid", name="uq_payload_uuid"),
    )

    op.create_table(
        "record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False, server_default=sa.text("0")),
        sa.Column("positions", sa.Integer(), nullable=False),
        sa.Column("newest_id", sa.Integer(), nullable=True),
        sa.Column(
            "partly_indexed", sa.Boolean(), nullable=False, server_default=sa.text("0")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_record"),
        sa.UniqueConstraint("uuid", name="uq_record_uuid"),
    )
    op.create_index(
        "uq_record_name_live",
        "record",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted = 0"),
    )

    op.create_table(
        "change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload_id", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_change"),
        sa.UniqueConstraint("record_id", "position", name="uq_change_record_id"),
        sa.ForeignKeyConstraint(
            ["record_id"], ["record.id"], name="fk_change_record_id"
        ),
        sa.ForeignKeyConstraint(
            ["payload_id"], ["payload.id"], name="fk_change_payload_id"
        ),
    )
    op.create_index("ix_change_payload_id", "change", ["payload_id"])

    op.create_table(
        "provenance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provenance"),
        sa.UniqueConstraint("digest", name="uq_provenance_digest"),
    )

    op.create_table(
        "version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("metadata", sa.LargeBinary(), nullable=False),
        sa.Column("tags", sa.LargeBinary(), nullable=False),
        sa.Column("provenance_id", sa.Integer(), nullable=True),
        sa.Column("payload_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column(
            "appended", sa.Integer(), nullable=False, server_default=sa.text("0")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_version"),
        sa.UniqueConstraint("record_id", "version", name="uq_version_record_id"),
        sa.ForeignKeyConstraint(
            ["record_id"], ["record.id"], name="fk_version_record_id"
        ),
        sa.ForeignKeyConstraint(
            ["provenance_id"], ["provenance.id"], name="fk_version_provenance_id"
        ),
        sa.ForeignKeyConstraint(
            ["payload_id"], ["payload.id"], name="fk_version_payload_id"
        ),
    )
    op.create_index("ix_version_saved_at", "version", ["saved_at"])
    op.create_index("ix_version_payload_id", "version", ["payload_id"])

    op.create_table(
        "array",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("payload_id", sa.Integer(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=True),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("blocks_offset", sa.BigInteger(), nullable=True),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "path", name="pk_array"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name="fk_array_version_id"
        ),
        sqlite_with_rowid=False,
    )

    op.create_table(
        "path",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_path"),
        sa.UniqueConstraint("side", "path", name="uq_path_side"),
    )

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

    op.create_table(
        "tag",
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "tag", name="pk_tag"),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name="fk_tag_record_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tag_tag", "tag", ["tag", "record_id"])

    op.create_table(
        "check",
        sa.Column("payload_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("payload_id", name="pk_check"),
        sa.ForeignKeyConstraint(
            ["payload_id"], ["payload.id"], name="fk_check_payload_id"
        ),
    )


def downgrade() -> None:
    """Drop every table, those that refer to others first."""
    op.drop_table("check")
    op.drop_table("tag")
    op.drop_table("leaf")
    op.drop_table("path")
    op.drop_table("array")
    op.drop_table("version")
    op.drop_table("provenance")
    op.drop_table("change")
    op.drop_table("record")
    op.drop_table("payload")
    op.drop_table("archive")
