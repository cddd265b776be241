"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One change only, and one that may be run again."""
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    """Not offered: the read model is thrown away and rebuilt from the journal."""
    raise NotImplementedError
