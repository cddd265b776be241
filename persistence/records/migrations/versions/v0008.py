"""Second factors: tables factor and recovery_code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key, words

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()


def upgrade() -> None:
    create_table(
        "factor",
        sa.Column("factor_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("label", words(60), nullable=False),
        sa.Column("secret", sa.LargeBinary()),
        sa.Column("last_step", _INSTANT, nullable=False),
        sa.Column("credential_hash", key(43)),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("user_handle", sa.LargeBinary(64), nullable=False),
        sa.Column("sign_count", _INSTANT, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT),
        sa.PrimaryKeyConstraint("factor_id", name="pk_factor"),
        sa.UniqueConstraint("credential_hash", name="uq_factor_credential_hash"),
        _of_account("factor"),
    )
    create_index("ix_factor_account_id", "factor", ["account_id"])
    create_table(
        "recovery_code",
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("code_hash", key(43), nullable=False),
        sa.Column("used_at", _INSTANT),
        sa.PrimaryKeyConstraint("account_id", "code_hash", name="pk_recovery_code"),
        _of_account("recovery_code"),
    )


def downgrade() -> None:
    op.drop_table("recovery_code")
    op.drop_table("factor")


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["account.account_id"], name=f"fk_{table}_account_id"
    )
