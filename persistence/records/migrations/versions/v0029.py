"""Table directory_photo: which photo a provider or a clinic has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "directory_photo",
        sa.Column("subject", key(100), nullable=False),
        sa.Column("photo", key(64), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_directory_photo"),
    )
    create_index("ix_directory_photo_photo", "directory_photo", ["photo"])


def downgrade() -> None:
    op.drop_table("directory_photo")
