"""Notices: browsers that show them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import blob, create_index, create_table, key

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "push_subscription",
        sa.Column("subscription_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("session_id", key(100), nullable=False),
        sa.Column("content", blob(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", name="pk_push_subscription"),
    )
    create_index(
        "ix_push_subscription_account_id_created_at",
        "push_subscription",
        ["account_id", "created_at"],
    )


def downgrade() -> None:
    op.drop_table("push_subscription")
