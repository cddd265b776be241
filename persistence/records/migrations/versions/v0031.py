"""Busy times: addresses of doctors' own calendars."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import (
    blob,
    create_index,
    create_table,
    key,
    words,
)

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "busy_calendar",
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("calendar_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("grant_id", key(100), nullable=False),
        sa.Column("address", blob(), nullable=True),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("etag", words(200), nullable=False),
        sa.Column("modified", words(200), nullable=False),
        sa.Column("digest", key(100), nullable=False),
        sa.Column("failure", key(32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("spans", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("cut_from", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("provider_id", name="pk_busy_calendar"),
    )
    create_index("ix_busy_calendar_next_at", "busy_calendar", ["next_at"])
    create_index("ix_busy_calendar_account_id", "busy_calendar", ["account_id"])


def downgrade() -> None:
    op.drop_table("busy_calendar")
