"""When a data key was retired."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import add_column

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("data_key", sa.Column("retired_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("data_key", "retired_at")
