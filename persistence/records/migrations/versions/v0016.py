"""Identities at other providers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_table, key

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "identity",
        sa.Column("identity_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("provider", key(32), nullable=False),
        sa.Column("issuer", key(255), nullable=False),
        sa.Column("identity_i", key(43), nullable=False),
        sa.Column("label", sa.LargeBinary(), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("identity_id", name="pk_identity"),
        sa.UniqueConstraint("identity_i", name="uq_identity_identity_i"),
        sa.UniqueConstraint(
            "account_id", "issuer", name="uq_identity_account_id_issuer"
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name="fk_identity_account_id"
        ),
    )


def downgrade() -> None:
    op.drop_table("identity")
