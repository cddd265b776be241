"""Table slot_claim."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "slot_claim",
        sa.Column("provider_id", key(100), primary_key=True),
        sa.Column("cell", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("lane", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("booking_id", key(100), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
