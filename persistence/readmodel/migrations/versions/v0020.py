"""Index ix_claim_booking."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_claim_booking", "slot_claim", ["booking_id"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
