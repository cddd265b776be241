"""Column appointment.confidential: hidden from people who act for the patient."""

from __future__ import annotations

import sqlalchemy as sa

from persistence.sql.migration_steps import add_column

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    confidential: sa.Column[bool] = sa.Column(
        "confidential", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    add_column("appointment", confidential)


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
