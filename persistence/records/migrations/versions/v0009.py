"""Flows remember what they need, and may begin without an account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import add_column, key

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("auth_flow", sa.Column("payload", sa.LargeBinary()))
    with op.batch_alter_table("auth_flow") as table:
        table.alter_column("account_id", existing_type=key(100), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM auth_flow WHERE account_id IS NULL")
    with op.batch_alter_table("auth_flow") as table:
        table.alter_column("account_id", existing_type=key(100), nullable=False)
        table.drop_column("payload")
