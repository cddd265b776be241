"""Index ix_clinic_word_clinic."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_clinic_word_clinic", "clinic_word", ["clinic_id"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
