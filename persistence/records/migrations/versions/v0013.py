"""The ledger of consents, and requests of people about their data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import (
    create_index,
    create_table,
    document,
    key,
)

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()


def upgrade() -> None:
    create_table(
        "consent",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("purpose", key(40), nullable=False),
        sa.Column("channel", key(16), nullable=False),
        sa.Column("version", key(40), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("source", key(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    create_index(
        "ix_consent_patient_id_purpose_at", "consent", ["patient_id", "purpose", "at"]
    )
    create_table(
        "privacy_request",
        sa.Column("request_id", key(100), nullable=False),
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("asked_by", key(100), nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("done_at", _INSTANT),
        sa.Column("report", document()),
        sa.PrimaryKeyConstraint("request_id", name="pk_privacy_request"),
    )
    create_index(
        "ix_privacy_request_done_at_due_at", "privacy_request", ["done_at", "due_at"]
    )
    create_index(
        "ix_privacy_request_patient_id_asked_at",
        "privacy_request",
        ["patient_id", "asked_at"],
    )


def downgrade() -> None:
    op.drop_table("privacy_request")
    op.drop_table("consent")
