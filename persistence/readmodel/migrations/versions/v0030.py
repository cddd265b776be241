"""Index of table imported_visit: visits of a clinic by their start."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "ix_imported_visit_clinic", "imported_visit", ["clinic_id", "start_minute"]
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
