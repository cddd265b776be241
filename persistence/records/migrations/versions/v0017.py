"""Table doctor_application."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import blob, create_index, create_table, key

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "doctor_application",
        sa.Column("application_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("status", key(16), nullable=False),
        sa.Column("country", key(2), nullable=False),
        sa.Column("licence_i", key(43), nullable=False),
        sa.Column("content", blob(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", key(100), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("reason", blob()),
        sa.Column("ended_key", key(100), nullable=False),
        sa.PrimaryKeyConstraint("application_id", name="pk_doctor_application"),
        sa.UniqueConstraint(
            "country",
            "licence_i",
            "ended_key",
            name="uq_doctor_application_country_licence_i_ended_key",
        ),
    )
    create_index(
        "ix_doctor_application_clinic_id_status",
        "doctor_application",
        ["clinic_id", "status"],
    )
    create_index(
        "ix_doctor_application_account_id", "doctor_application", ["account_id"]
    )


def downgrade() -> None:
    op.drop_table("doctor_application")
