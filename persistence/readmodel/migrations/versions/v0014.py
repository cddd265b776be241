"""Table provider."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key, prose, words

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "provider",
        sa.Column("provider_id", key(100), primary_key=True),
        sa.Column("shard", key(100), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("name", words(300), nullable=False),
        sa.Column("sort_name", key(120), nullable=False),
        sa.Column("specialty", words(200), nullable=False),
        sa.Column("specialty_key", key(120), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("about", prose(), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
