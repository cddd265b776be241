"""Leave: the queue of visits that it affects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "provider_leave",
        sa.Column("time_off_id", key(100), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("start_minute", sa.BigInteger(), nullable=False),
        sa.Column("end_minute", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("time_off_id", name="pk_provider_leave"),
    )
    create_index(
        "ix_provider_leave_provider_id_added_at",
        "provider_leave",
        ["provider_id", "added_at"],
    )
    create_table(
        "leave_visit",
        sa.Column("time_off_id", key(100), nullable=False),
        sa.Column("booking_id", key(100), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("visit_type", key(100), nullable=False),
        sa.Column("start_minute", sa.BigInteger(), nullable=False),
        sa.Column("end_minute", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("answer_by", sa.BigInteger(), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("proposed", sa.JSON(), nullable=False),
        sa.Column("choice", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("outcome", key(16), nullable=True),
        sa.Column("chooser", key(16), nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("moved_to", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("time_off_id", "booking_id", name="pk_leave_visit"),
    )
    create_index("ix_leave_visit_booking_id", "leave_visit", ["booking_id"])
    create_index("ix_leave_visit_patient_id", "leave_visit", ["patient_id"])
    create_index(
        "ix_leave_visit_state_changed_at", "leave_visit", ["state", "changed_at"]
    )
    create_index("ix_leave_visit_end_minute", "leave_visit", ["end_minute"])


def downgrade() -> None:
    op.drop_table("leave_visit")
    op.drop_table("provider_leave")
