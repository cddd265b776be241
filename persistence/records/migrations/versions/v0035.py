"""Where visits of a series go that move together, until all have moved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import prose

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("visit_series", sa.Column("moving", prose(), nullable=True))


def downgrade() -> None:
    op.drop_column("visit_series", "moving")
