"""The audit trail: entries, what is pending, heads, anchors, sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import (
    create_index,
    create_table,
    key,
    prose,
    words,
)

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger()


def upgrade() -> None:
    create_table(
        "audit_entry",
        sa.Column("tenant", key(100), nullable=False),
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=False),
        *_content(),
        sa.Column("hash", key(43), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "seq", name="pk_audit_entry"),
    )
    for column in ("tenant", "person", "actor"):
        create_index(f"ix_audit_entry_{column}_at", "audit_entry", [column, "at"])
    create_table(
        "audit_pending",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("tenant", key(100), nullable=False),
        *_content(),
        sa.PrimaryKeyConstraint("id", name="pk_audit_pending"),
    )
    create_table(
        "audit_head",
        *_head(),
        sa.PrimaryKeyConstraint("tenant", name="pk_audit_head"),
    )
    create_table(
        "audit_anchor",
        *_head(),
        sa.Column("place", words(200), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_audit_anchor"),
    )
    create_table(
        "audit_source",
        sa.Column("source", key(100), nullable=False),
        sa.Column("position", _NUMBER, nullable=False),
        sa.Column("epoch", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_audit_source"),
    )


def _content() -> list[sa.Column[object]]:
    return [
        sa.Column("at", _NUMBER, nullable=False),
        sa.Column("actor", key(100), nullable=False),
        sa.Column("person", key(100), nullable=False),
        sa.Column("action", key(64), nullable=False),
        sa.Column("body", prose(), nullable=False),
    ]


def _head() -> list[sa.Column[object]]:
    return [
        sa.Column("tenant", key(100), nullable=False),
        sa.Column("seq", _NUMBER, nullable=False),
        sa.Column("hash", key(43), nullable=False),
        sa.Column("at", _NUMBER, nullable=False),
    ]


def downgrade() -> None:
    for name in (
        "audit_source",
        "audit_anchor",
        "audit_head",
        "audit_pending",
        "audit_entry",
    ):
        op.drop_table(name)
