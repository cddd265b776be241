"""Column audit_source.marks: by which replaced records of a journal are noticed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import add_column, key

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column(
        "audit_source",
        sa.Column("marks", key(1_000), nullable=False, server_default=""),
    )


def downgrade() -> None:
    op.drop_column("audit_source", "marks")
