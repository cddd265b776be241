"""Index ix_appointment_provider."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "ix_appointment_provider", "appointment", ["provider_id", "start_minute"]
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
