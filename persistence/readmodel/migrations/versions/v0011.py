"""Index ix_outbox_due."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_outbox_due", "outbox", ["due_at", "id"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
