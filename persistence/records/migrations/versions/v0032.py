"""The waiting list: entries, changes of order, offers, calendars that were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import (
    blob,
    create_index,
    create_table,
    document,
    key,
)

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _entries()
    _moves()
    _offers()
    create_table(
        "waiting_calendar",
        sa.Column("provider_id", key(100), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", name="pk_waiting_calendar"),
    )


def _entries() -> None:
    create_table(
        "waiting_entry",
        sa.Column("entry_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("scope", key(16), nullable=False),
        sa.Column("subject", key(200), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("visit_type", key(128), nullable=False),
        sa.Column("days", key(7), nullable=False),
        sa.Column("opens", sa.Integer(), nullable=False),
        sa.Column("closes", sa.Integer(), nullable=False),
        sa.Column("last_day", key(10), nullable=False),
        sa.Column("notice", sa.Integer(), nullable=False),
        sa.Column("booking_id", key(100), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("declines", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_waiting_entry"),
    )
    create_index(
        "ix_waiting_entry_scope_subject", "waiting_entry", ["scope", "subject"]
    )
    create_index("ix_waiting_entry_patient_id", "waiting_entry", ["patient_id"])


def _moves() -> None:
    create_table(
        "waiting_move",
        sa.Column("move_id", key(100), nullable=False),
        sa.Column("entry_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("moved_by", key(100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("prior", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reason", blob(), nullable=False),
        sa.PrimaryKeyConstraint("move_id", name="pk_waiting_move"),
    )
    create_index("ix_waiting_move_entry_id_at", "waiting_move", ["entry_id", "at"])
    create_index("ix_waiting_move_patient_id", "waiting_move", ["patient_id"])


def _offers() -> None:
    create_table(
        "slot_offer",
        sa.Column("hold_id", key(100), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("entry_id", key(100), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("ahead", document(), nullable=False),
        sa.Column("visit_type", key(128), nullable=False),
        sa.Column("start_minute", sa.BigInteger(), nullable=False),
        sa.Column("end_minute", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", key(100), nullable=True),
        sa.Column("status", key(16), nullable=False),
        sa.Column("outstanding", key(100), nullable=True),
        sa.PrimaryKeyConstraint("hold_id", "turn", name="pk_slot_offer"),
        sa.UniqueConstraint("outstanding", name="uq_slot_offer_outstanding"),
    )
    create_index("ix_slot_offer_patient_id", "slot_offer", ["patient_id"])
    create_index("ix_slot_offer_made_at", "slot_offer", ["made_at"])
    create_index("ix_slot_offer_entry_id", "slot_offer", ["entry_id"])


def downgrade() -> None:
    op.drop_table("waiting_calendar")
    op.drop_table("slot_offer")
    op.drop_table("waiting_move")
    op.drop_table("waiting_entry")
