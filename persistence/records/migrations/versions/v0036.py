"""Documents of patients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import (
    blob,
    create_index,
    create_table,
    document,
    key,
)

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "document",
        sa.Column("document_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("booking_id", key(100), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("author", key(100), nullable=False),
        sa.Column("by_staff", sa.Boolean(), nullable=False),
        sa.Column("content", blob(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("kind", key(32), nullable=False),
        sa.Column("fault", key(16), nullable=False),
        sa.Column("parts", document(), nullable=False),
        sa.Column("blob", key(32), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.patient_id"], name="fk_document_patient_id"
        ),
        sa.PrimaryKeyConstraint("document_id", name="pk_document"),
    )
    for of in (
        ["booking_id", "made_at"],
        ["patient_id"],
        ["clinic_id"],
        ["state", "changed_at"],
        ["made_at"],
    ):
        create_index(f"ix_document_{'_'.join(of)}", "document", of)


def downgrade() -> None:
    op.drop_table("document")
