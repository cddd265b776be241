"""Index ix_provider_clinic."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_provider_clinic", "provider", ["clinic_id", "provider_id"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
