"""Column imported_visit.visit_key: which visit of the other system it is.

It is the end of the id, behind the provider's.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import add_column, key

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_VISIT = sa.table("imported_visit", sa.column("booking_id"), sa.column("visit_key"))


def upgrade() -> None:
    add_column(
        "imported_visit",
        sa.Column("visit_key", key(64), nullable=False, server_default=""),
    )
    name = _VISIT.c.booking_id
    op.execute(
        sa.update(_VISIT).values(
            visit_key=sa.func.substr(name, sa.func.instr(name, ".") + 1)
        )
    )


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
