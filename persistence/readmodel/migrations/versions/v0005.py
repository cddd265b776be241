"""Index ix_history_booking."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_history_booking", "appointment_history", ["booking_id", "seq"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
