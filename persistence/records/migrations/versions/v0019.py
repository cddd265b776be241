"""Table key_rotation: one rotation of keys at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_table, key

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "key_rotation",
        sa.Column("tenant", key(100), nullable=False),
        sa.Column("holder", key(100), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_key_rotation"),
    )


def downgrade() -> None:
    op.drop_table("key_rotation")
