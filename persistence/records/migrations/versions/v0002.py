"""Table data_key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_table, key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "data_key",
        sa.Column("tenant", key(100), nullable=False),
        sa.Column("purpose", key(16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(255), nullable=False),
        sa.Column("kek_id", key(64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "purpose", "number", name="pk_data_key"),
    )


def downgrade() -> None:
    op.drop_table("data_key")
