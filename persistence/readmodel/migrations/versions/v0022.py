"""Room for every event in projection_conflict: TEXT ends at 64 KiB on the servers."""

from __future__ import annotations

from persistence.sql.migration_steps import widen_text

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    widen_text("projection_conflict", "event")


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
