"""Column provider.resource_kind: a room or equipment, which no search finds."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import add_column, key

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column(
        "provider",
        sa.Column("resource_kind", key(16), nullable=False, server_default=""),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
