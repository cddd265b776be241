"""Index of table imported_visit: a visit by its key."""

from __future__ import annotations

from persistence.sql.migration_steps import create_index

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_imported_visit_key", "imported_visit", ["visit_key"])


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
