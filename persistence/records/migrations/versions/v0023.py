"""Directory: entries of providers and clinics, ratings, specialties, the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_table, document, key, serial

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "provider_entry",
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", document(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", name="pk_provider_entry"),
    )
    create_table(
        "provider_rating",
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", name="pk_provider_rating"),
    )
    create_table(
        "clinic_entry",
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", document(), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", name="pk_clinic_entry"),
    )
    create_table(
        "specialty",
        sa.Column("specialty_id", key(64), nullable=False),
        sa.Column("content", document(), nullable=False),
        sa.PrimaryKeyConstraint("specialty_id", name="pk_specialty"),
    )
    create_table(
        "directory_change",
        sa.Column("change_id", serial(), nullable=False, autoincrement=True),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("subject", key(100), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_directory_change"),
    )


def downgrade() -> None:
    for name in (
        "directory_change",
        "specialty",
        "clinic_entry",
        "provider_rating",
        "provider_entry",
    ):
        op.drop_table(name)
