"""Index ix_provider_name."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_provider_name", "provider", ["sort_name", "provider_id"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
