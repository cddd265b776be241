"""Table projection_conflict."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key, prose, words

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "projection_conflict",
        sa.Column("shard", key(100), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("reason", words(500), nullable=False),
        sa.Column("booking_id", key(100), nullable=False),
        sa.Column("other_booking_id", key(100), nullable=False),
        sa.Column("event", prose(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
