"""Table provider_word."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "provider_word",
        sa.Column("word", key(40), primary_key=True),
        sa.Column("provider_id", key(100), primary_key=True),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
