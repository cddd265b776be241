"""Table appointment."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key, prose

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "appointment",
        sa.Column("booking_id", key(100), primary_key=True),
        sa.Column("shard", key(100), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("status", key(16), nullable=False),
        sa.Column("visit_type", key(100), nullable=False),
        sa.Column("start_minute", sa.BigInteger(), nullable=False),
        sa.Column("end_minute", sa.BigInteger(), nullable=False),
        sa.Column("busy_start", sa.BigInteger(), nullable=False),
        sa.Column("busy_end", sa.BigInteger(), nullable=False),
        sa.Column("location_id", key(100), nullable=False),
        sa.Column("booked_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", prose(), nullable=False),
        sa.Column("cancel_reason", prose(), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
