"""Table outgoing_message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "outgoing_message",
        sa.Column("message_id", key(100), nullable=False),
        sa.Column("channel", key(16), nullable=False),
        sa.Column("kind", key(64), nullable=False),
        sa.Column("recipient", sa.LargeBinary(), nullable=False),
        sa.Column("recipient_i", key(43), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("message_id", name="pk_outgoing_message"),
    )
    create_index(
        "ix_outgoing_message_recipient_i_created_at",
        "outgoing_message",
        ["recipient_i", "created_at"],
    )
    create_index("ix_outgoing_message_created_at", "outgoing_message", ["created_at"])


def downgrade() -> None:
    op.drop_table("outgoing_message")
