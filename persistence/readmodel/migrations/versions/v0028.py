"""Column provider.resource_tags: what a room or equipment is fit for."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import add_column

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("provider", sa.Column("resource_tags", sa.JSON()))


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
