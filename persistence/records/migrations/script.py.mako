"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key, words

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One change only, which keeps the data and may be run again."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
