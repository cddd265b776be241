"""Table appointment_history."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key, prose

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "appointment_history",
        sa.Column("shard", key(100), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", key(100), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("start_minute", sa.BigInteger()),
        sa.Column("end_minute", sa.BigInteger()),
        sa.Column("by_patient", sa.Boolean()),
        sa.Column("reason", prose(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
