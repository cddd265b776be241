"""Table clinic."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import create_table, key, words

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "clinic",
        sa.Column("clinic_id", key(100), primary_key=True),
        sa.Column("name", words(300), nullable=False),
        sa.Column("time_zone", words(64), nullable=False),
        sa.Column("address", words(500), nullable=False),
        sa.Column("city", words(200), nullable=False),
        sa.Column("postcode", words(32), nullable=False),
        sa.Column("country", words(8), nullable=False),
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        sa.Column("phone", words(64), nullable=False),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("registered_by", key(100), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
