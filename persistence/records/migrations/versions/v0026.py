"""Notices: the log of changed inboxes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_table, key, serial

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "inbox_change",
        sa.Column("change_id", serial(), nullable=False, autoincrement=True),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("subject", key(100), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_inbox_change"),
    )


def downgrade() -> None:
    op.drop_table("inbox_change")
