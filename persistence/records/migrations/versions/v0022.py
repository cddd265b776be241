"""Table calendar_feed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key, words

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "calendar_feed",
        sa.Column("feed_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("of", key(16), nullable=False),
        sa.Column("subject", key(100), nullable=False),
        sa.Column("label", words(100), nullable=False),
        sa.Column("secret_hash", key(43), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("feed_id", name="pk_calendar_feed"),
        sa.UniqueConstraint("secret_hash", name="uq_calendar_feed_secret_hash"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
            name="fk_calendar_feed_account_id",
        ),
    )
    create_index("ix_calendar_feed_account_id", "calendar_feed", ["account_id"])


def downgrade() -> None:
    op.drop_table("calendar_feed")
