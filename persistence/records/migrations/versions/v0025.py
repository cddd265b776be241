"""Table suspension: why providers are suspended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import blob, create_table, key

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "suspension",
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("reason", blob(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("suspended_by", key(100), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", name="pk_suspension"),
    )


def downgrade() -> None:
    op.drop_table("suspension")
