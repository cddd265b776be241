"""Table directory_change: which providers and clinics were written."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key, serial

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "directory_change",
        sa.Column("change_id", serial(), primary_key=True, autoincrement=True),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("subject", key(100), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
