"""Sessions say how they were proved, and whether a browser keeps them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import add_column, key

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column(
        "session",
        sa.Column("methods", key(100), nullable=False, server_default=""),
    )
    add_column(
        "session",
        sa.Column(
            "is_remembered", sa.Boolean(), nullable=False, server_default=sa.true()
        ),
    )


def downgrade() -> None:
    op.drop_column("session", "is_remembered")
    op.drop_column("session", "methods")
