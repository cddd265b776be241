"""Column appointment.stranded: why a visit has no ground any more."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import add_column, key

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column(
        "appointment",
        sa.Column("stranded", key(16), nullable=False, server_default=""),
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
