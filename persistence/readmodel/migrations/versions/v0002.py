"""Index ix_appointment_patient."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "ix_appointment_patient",
        "appointment",
        ["patient_id", "start_minute", "booking_id"],
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
