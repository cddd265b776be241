"""Table projection_offset."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "projection_offset",
        sa.Column("shard", key(100), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("outbox_seq", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
