"""Grants: invitations, guardianships, emergency accesses, options of clinics."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import blob, create_index, create_table, key

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()


def upgrade() -> None:
    _guardianship()
    _glass()
    _invitation()
    create_table(
        "clinic_option",
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("name", key(64), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "name", name="pk_clinic_option"),
    )


def downgrade() -> None:
    for name in ("clinic_option", "invitation", "glass", "guardianship"):
        op.drop_table(name)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def _guardianship() -> None:
    create_table(
        "guardianship",
        sa.Column("guardianship_id", key(100), nullable=False),
        sa.Column("guardian", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("scope", key(16), nullable=False),
        sa.Column("basis", key(16), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.Column("ended_why", key(16)),
        sa.Column("ended_key", key(100), nullable=False),
        sa.PrimaryKeyConstraint("guardianship_id", name="pk_guardianship"),
        sa.UniqueConstraint(
            "guardian",
            "patient_id",
            "ended_key",
            name="uq_guardianship_guardian_patient_id_ended_key",
        ),
        _refers("guardianship", "guardian", "account.account_id"),
        _refers("guardianship", "patient_id", "patient.patient_id"),
    )
    create_index("ix_guardianship_patient_id", "guardianship", ["patient_id"])
    create_index("ix_guardianship_expires_at", "guardianship", ["expires_at"])


def _glass() -> None:
    create_table(
        "glass",
        sa.Column("glass_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("role", key(16), nullable=False),
        sa.Column("subject", key(100), nullable=False),
        sa.Column("reason", blob(), nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("until", _INSTANT, nullable=False),
        sa.Column("reviewed_by", key(100)),
        sa.Column("reviewed_at", _INSTANT),
        sa.Column("verdict", key(16)),
        sa.PrimaryKeyConstraint("glass_id", name="pk_glass"),
        _refers("glass", "account_id", "account.account_id"),
        _refers("glass", "patient_id", "patient.patient_id"),
    )
    create_index(
        "ix_glass_clinic_id_reviewed_at", "glass", ["clinic_id", "reviewed_at"]
    )
    create_index("ix_glass_patient_id", "glass", ["patient_id"])
    create_index("ix_glass_account_id_until", "glass", ["account_id", "until"])


def _invitation() -> None:
    create_table(
        "invitation",
        sa.Column("invitation_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("role", key(16), nullable=False),
        sa.Column("provider_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("scope", key(16), nullable=False),
        sa.Column("basis", key(16), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=False),
        sa.Column("email_i", key(43), nullable=False),
        sa.Column("token_hash", key(43), nullable=False),
        sa.Column("invited_by", key(100), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT),
        sa.Column("used_by", key(100)),
        sa.Column("revoked_at", _INSTANT),
        sa.PrimaryKeyConstraint("invitation_id", name="pk_invitation"),
        sa.UniqueConstraint("token_hash", name="uq_invitation_token_hash"),
    )
    create_index(
        "ix_invitation_clinic_id_created_at", "invitation", ["clinic_id", "created_at"]
    )
