"""Reviews of visits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import blob, create_index, create_table, key

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "review",
        sa.Column("review_id", key(100), nullable=False),
        sa.Column("booking_id", key(100), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("start_minute", sa.BigInteger(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("body", blob(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("why", blob(), nullable=True),
        sa.Column("reply", blob(), nullable=True),
        sa.Column("replied_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("review_id", name="pk_review"),
        sa.UniqueConstraint("booking_id", name="uq_review_booking_id"),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.patient_id"], name="fk_review_patient_id_patient"
        ),
    )
    create_index(
        "ix_review_provider_id_state_at", "review", ["provider_id", "state", "at"]
    )
    create_index("ix_review_state_at", "review", ["state", "at"])
    create_index("ix_review_patient_id", "review", ["patient_id"])


def downgrade() -> None:
    op.drop_table("review")
