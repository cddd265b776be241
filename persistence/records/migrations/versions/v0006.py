"""Patients: their profiles, and which clinics know them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import (
    add_column,
    blob,
    create_index,
    create_table,
    key,
)

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FOUND_BY = ("name_birth_i", "email_i", "phone_i")


def upgrade() -> None:
    add_column("patient", sa.Column("profile", blob()))
    add_column(
        "patient",
        sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
    )
    for name in _FOUND_BY:
        add_column("patient", sa.Column(name, key(43)))
    for name in ("restricted_at", "hold_until", "erased_at"):
        add_column("patient", sa.Column(name, sa.BigInteger()))
    for name in _FOUND_BY:
        create_index(f"ix_patient_{name}", "patient", [name])
    create_table(
        "patient_clinic",
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("number", sa.LargeBinary()),
        sa.Column("number_i", key(43)),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("patient_id", "clinic_id", name="pk_patient_clinic"),
        sa.UniqueConstraint(
            "clinic_id", "number_i", name="uq_patient_clinic_clinic_id_number_i"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.patient_id"], name="fk_patient_clinic_patient_id"
        ),
    )
    create_index(
        "ix_patient_clinic_clinic_id_since", "patient_clinic", ["clinic_id", "since"]
    )


def downgrade() -> None:
    op.drop_table("patient_clinic")
    for name in _FOUND_BY:
        op.drop_index(f"ix_patient_{name}", "patient")
    for name in (
        "profile",
        "version",
        *_FOUND_BY,
        "restricted_at",
        "hold_until",
        "erased_at",
    ):
        op.drop_column("patient", name)
