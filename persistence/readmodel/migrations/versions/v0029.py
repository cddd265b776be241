"""Table imported_visit: what reports ask of visits of another system."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key, words

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "imported_visit",
        sa.Column("booking_id", key(100), primary_key=True),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("start_minute", sa.BigInteger(), nullable=False),
        sa.Column("provider_name", words(200), nullable=False),
        sa.Column("age", sa.Integer()),
        sa.Column("reminded", sa.Boolean()),
        sa.Column("day_only", sa.Boolean(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger()),
        sa.Column("by_patient", sa.Boolean()),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
