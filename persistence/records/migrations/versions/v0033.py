"""Series of visits, and the dates that wait to be booked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import (
    create_index,
    create_table,
    key,
    prose,
    words,
)

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "visit_series",
        sa.Column("series_id", key(100), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("visit_type", key(64), nullable=False),
        sa.Column("rule", words(500), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("command_key", key(64), nullable=False),
        sa.Column("fingerprint", sa.BigInteger(), nullable=False),
        sa.Column("placed_by", key(255), nullable=False),
        sa.Column("by_staff", sa.Boolean(), nullable=False),
        sa.Column("proxy", sa.Boolean(), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", name="pk_visit_series"),
    )
    create_index(
        "ix_visit_series_patient_id_created_at",
        "visit_series",
        ["patient_id", "created_at"],
    )
    create_index(
        "ix_visit_series_provider_id_created_at",
        "visit_series",
        ["provider_id", "created_at"],
    )
    create_table(
        "visit_series_date",
        sa.Column("series_id", key(100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("start_minute", sa.BigInteger(), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("code", key(64), nullable=False),
        sa.Column("reason", prose(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "number", name="pk_visit_series_date"),
    )
    create_index(
        "ix_visit_series_date_state_due_at", "visit_series_date", ["state", "due_at"]
    )
    create_index("ix_visit_series_date_patient_id", "visit_series_date", ["patient_id"])


def downgrade() -> None:
    op.drop_table("visit_series_date")
    op.drop_table("visit_series")
