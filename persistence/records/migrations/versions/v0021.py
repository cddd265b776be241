"""Notices: notice, told_visit, notice_preference; messages say what they are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import (
    add_column,
    create_index,
    create_table,
    key,
)

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("notice_id", "patient_id", "provider_id", "booking_id"):
        add_column("outgoing_message", sa.Column(name, key(100)))
    for name in ("start_minute", "status_at", "attempted_at"):
        add_column("outgoing_message", sa.Column(name, sa.BigInteger()))
    for name, length in (("status", 16), ("reference", 128)):
        add_column(
            "outgoing_message",
            sa.Column(name, key(length), nullable=False, server_default=""),
        )
    create_index("ix_outgoing_message_patient_id", "outgoing_message", ["patient_id"])
    create_table(
        "notice",
        sa.Column("notice_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("kind", key(32), nullable=False),
        sa.Column("booking_id", key(100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notice"),
    )
    create_index(
        "ix_notice_patient_id_created_at_notice_id",
        "notice",
        ["patient_id", "created_at", "notice_id"],
    )
    create_index("ix_notice_created_at", "notice", ["created_at"])
    create_table(
        "told_visit",
        sa.Column("booking_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("start_minute", sa.BigInteger(), nullable=False),
        sa.Column("end_minute", sa.BigInteger(), nullable=False),
        sa.Column("location_id", key(100), nullable=False),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.Column("is_over", sa.Boolean(), nullable=False),
        sa.Column("is_stranded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("booking_id", name="pk_told_visit"),
    )
    create_index("ix_told_visit_patient_id", "told_visit", ["patient_id"])
    create_table(
        "notice_preference",
        sa.Column("person", key(100), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person", name="pk_notice_preference"),
    )


def downgrade() -> None:
    for table in ("notice_preference", "told_visit", "notice"):
        op.drop_table(table)
