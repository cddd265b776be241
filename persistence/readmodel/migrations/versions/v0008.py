"""Table clinic_word."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "clinic_word",
        sa.Column("word", key(40), primary_key=True),
        sa.Column("clinic_id", key(100), primary_key=True),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
