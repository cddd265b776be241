"""Table api_client."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key, words

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()


def upgrade() -> None:
    create_table(
        "api_client",
        sa.Column("client_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("name", words(100), nullable=False),
        sa.Column("secret_hash", key(43), nullable=False),
        sa.Column("old_hash", key(43)),
        sa.Column("old_until", _INSTANT),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_by", key(100), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT),
        sa.Column("revoked_at", _INSTANT),
        sa.PrimaryKeyConstraint("client_id", name="pk_api_client"),
    )
    create_index("ix_api_client_clinic_id", "api_client", ["clinic_id"])


def downgrade() -> None:
    op.drop_table("api_client")
