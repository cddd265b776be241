"""Table factor_reset: second factors that an administrator is to remove."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_table, key

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "factor_reset",
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("asked_by", key(100), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_factor_reset"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name="fk_factor_reset_account_id"
        ),
    )


def downgrade() -> None:
    op.drop_table("factor_reset")
