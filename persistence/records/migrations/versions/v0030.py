"""Notices: messages in order and hidden from proxies; what was told has an end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import add_column, create_index

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column(
        "outgoing_message",
        sa.Column("is_proxy", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    create_index("ix_outgoing_message_booking_id", "outgoing_message", ["booking_id"])
    create_index("ix_inbox_change_subject", "inbox_change", ["subject"])
    create_index("ix_told_visit_end_minute", "told_visit", ["end_minute"])


def downgrade() -> None:
    op.drop_index("ix_told_visit_end_minute", "told_visit")
    op.drop_index("ix_inbox_change_subject", "inbox_change")
    op.drop_index("ix_outgoing_message_booking_id", "outgoing_message")
    op.drop_column("outgoing_message", "is_proxy")
