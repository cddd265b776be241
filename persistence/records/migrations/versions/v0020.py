"""Privacy requests about an account with all its roles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import add_column, create_index, key

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_INDEX = "ix_privacy_request_account_id_asked_at"


def upgrade() -> None:
    add_column(
        "privacy_request",
        sa.Column("account_id", key(100), nullable=False, server_default=""),
    )
    create_index(_INDEX, "privacy_request", ["account_id", "asked_at"])


def downgrade() -> None:
    op.drop_index(_INDEX, "privacy_request")
    op.drop_column("privacy_request", "account_id")
