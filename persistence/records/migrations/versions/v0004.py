"""Accounts: who signs in, with what, from where, and as what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key, words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()


def upgrade() -> None:
    _account()
    _signing_in()
    _roles()


def downgrade() -> None:
    for name in (
        "platform_role",
        "membership",
        "patient",
        "auth_flow",
        "session",
        "sign_in_attempt",
        "password",
        "account",
    ):
        op.drop_table(name)


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["account.account_id"], name=f"fk_{table}_account_id"
    )


def _account() -> None:
    create_table(
        "account",
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("status", key(16), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=False),
        sa.Column("email_i", key(43), nullable=False),
        sa.Column("email_verified_at", _INSTANT),
        sa.Column("language", key(35), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("disabled_at", _INSTANT),
        sa.Column("disabled_by", key(100)),
        sa.PrimaryKeyConstraint("account_id", name="pk_account"),
        sa.UniqueConstraint("email_i", name="uq_account_email_i"),
    )
    create_table(
        "password",
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("hash", key(200), nullable=False),
        sa.Column("set_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_password"),
        _of_account("password"),
    )
    create_table(
        "sign_in_attempt",
        sa.Column("email_i", key(43), nullable=False),
        sa.Column("is_known_device", sa.Boolean(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.Column("not_before", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint(
            "email_i", "is_known_device", name="pk_sign_in_attempt"
        ),
    )
    create_index("ix_sign_in_attempt_last_at", "sign_in_attempt", ["last_at"])


def _signing_in() -> None:
    create_table(
        "session",
        sa.Column("session_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("salt", sa.LargeBinary(16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("seen_generation", sa.Integer(), nullable=False),
        sa.Column("rotated_at", _INSTANT, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("authenticated_at", _INSTANT, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("active_at", _INSTANT, nullable=False),
        sa.Column("idle_ms", _INSTANT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=False),
        sa.Column("delivery", key(8), nullable=False),
        sa.Column("agent", words(200), nullable=False),
        sa.Column("ended_at", _INSTANT),
        sa.Column("ended_why", key(16)),
        sa.PrimaryKeyConstraint("session_id", name="pk_session"),
        _of_account("session"),
    )
    create_index(
        "ix_session_account_id_ended_at", "session", ["account_id", "ended_at"]
    )
    create_index("ix_session_ends_at", "session", ["ends_at"])
    create_table(
        "auth_flow",
        sa.Column("flow_hash", key(43), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT),
        sa.PrimaryKeyConstraint("flow_hash", name="pk_auth_flow"),
        _of_account("auth_flow"),
    )
    create_index("ix_auth_flow_expires_at", "auth_flow", ["expires_at"])


def _roles() -> None:
    create_table(
        "patient",
        sa.Column("patient_id", key(100), nullable=False),
        sa.Column("account_id", key(100)),
        sa.Column("key_salt", sa.LargeBinary(16)),
        sa.Column("created_by", key(100), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("patient_id", name="pk_patient"),
        sa.UniqueConstraint("account_id", name="uq_patient_account_id"),
        _of_account("patient"),
    )
    create_table(
        "membership",
        sa.Column("membership_id", key(100), nullable=False),
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("clinic_id", key(100), nullable=False),
        sa.Column("role", key(16), nullable=False),
        sa.Column("provider_id", key(100)),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT),
        sa.Column("ended_key", key(100), nullable=False),
        sa.PrimaryKeyConstraint("membership_id", name="pk_membership"),
        sa.UniqueConstraint(
            "account_id",
            "clinic_id",
            "role",
            "ended_key",
            name="uq_membership_account_id_clinic_id_role_ended_key",
        ),
        _of_account("membership"),
    )
    create_index("ix_membership_clinic_id", "membership", ["clinic_id"])
    create_index("ix_membership_provider_id", "membership", ["provider_id"])
    create_table(
        "platform_role",
        sa.Column("account_id", key(100), nullable=False),
        sa.Column("role", key(16), nullable=False),
        sa.Column("tenant", key(100), nullable=False),
        sa.Column("grant_id", key(100), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint(
            "account_id", "role", "tenant", name="pk_platform_role"
        ),
        _of_account("platform_role"),
    )
