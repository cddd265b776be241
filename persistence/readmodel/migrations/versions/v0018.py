"""Index ix_provider_word_provider."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_provider_word_provider", "provider_word", ["provider_id"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
