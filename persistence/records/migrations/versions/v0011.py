"""Table medical_note."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import blob, create_index, create_table, key

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "medical_note",
        sa.Column("note_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("author", key(100), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("body", blob(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("replaces", key(100)),
        sa.PrimaryKeyConstraint("note_id", name="pk_medical_note"),
        sa.UniqueConstraint("replaces", name="uq_medical_note_replaces"),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.patient_id"], name="fk_medical_note_patient_id"
        ),
    )
    create_index("ix_medical_note_patient_id_at", "medical_note", ["patient_id", "at"])


def downgrade() -> None:
    op.drop_table("medical_note")
