"""Column provider.retired."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import add_column

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    retired: sa.Column[bool] = sa.Column(
        "retired", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    add_column("provider", retired)


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
