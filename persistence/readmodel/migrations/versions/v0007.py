"""Index ix_clinic_place."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_clinic_place", "clinic", ["latitude", "longitude"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
