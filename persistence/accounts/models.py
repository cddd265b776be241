"""The tables of accounts.

Sealed columns hold ciphertext (``care.keys.sealing``); a column ending in ``_i`` is the
blind index of the one before. ``ended_key`` is empty while a row is in force and its
own id afterwards: MySQL has no partial unique index.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase

_ACCOUNT = "account.account_id"


class AccountRecord(RecordBase):
    """Someone who can sign in."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("email_i"), c.ON_A_SERVER)

    account_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    status: Mapped[str] = mapped_column(c.key(16))
    email: Mapped[bytes] = mapped_column(LargeBinary)
    email_i: Mapped[str] = mapped_column(c.key(43))
    email_verified_at: Mapped[int | None] = mapped_column(BigInteger)
    language: Mapped[str] = mapped_column(c.key(35))
    created_at: Mapped[int] = mapped_column(BigInteger)
    disabled_at: Mapped[int | None] = mapped_column(BigInteger)
    disabled_by: Mapped[str | None] = mapped_column(c.key())


class PasswordRecord(RecordBase):
    """The hash of an account's password; accounts without one have no row."""

    __tablename__ = "password"

    account_id: Mapped[str] = mapped_column(
        c.key(), ForeignKey(_ACCOUNT), primary_key=True
    )
    hash: Mapped[str] = mapped_column(c.key(200))
    set_at: Mapped[int] = mapped_column(BigInteger)


class SignInAttemptRecord(RecordBase):
    """Attempts at an address since the last success; with and without an account."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index(None, "last_at"), c.ON_A_SERVER)

    email_i: Mapped[str] = mapped_column(c.key(43), primary_key=True)
    is_known_device: Mapped[bool] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column()
    last_at: Mapped[int] = mapped_column(BigInteger)
    not_before: Mapped[int] = mapped_column(BigInteger)


class SessionRecord(RecordBase):
    """One signed-in device; see ``care.accounts.accounts.Session``."""

    __tablename__ = "session"
    __table_args__ = (
        Index(None, "account_id", "ended_at"),
        Index(None, "ends_at"),
        c.ON_A_SERVER,
    )

    session_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str] = mapped_column(c.key(), ForeignKey(_ACCOUNT))
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    generation: Mapped[int] = mapped_column()
    seen_generation: Mapped[int] = mapped_column()
    rotated_at: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)
    authenticated_at: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[int] = mapped_column()
    methods: Mapped[str] = mapped_column(c.key(100), server_default="")
    """How it was proved, words with spaces between."""
    is_remembered: Mapped[bool] = mapped_column(server_default=true())
    active_at: Mapped[int] = mapped_column(BigInteger)
    idle_ms: Mapped[int] = mapped_column(BigInteger)
    ends_at: Mapped[int] = mapped_column(BigInteger)
    delivery: Mapped[str] = mapped_column(c.key(8))
    agent: Mapped[str] = mapped_column(c.words(200))
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    ended_why: Mapped[str | None] = mapped_column(c.key(16))


class AuthFlowRecord(RecordBase):
    """A link or a step that is waited for; found by the hash of its secret."""

    __tablename__ = "auth_flow"
    __table_args__ = (Index(None, "expires_at"), c.ON_A_SERVER)

    flow_hash: Mapped[str] = mapped_column(c.key(43), primary_key=True)
    kind: Mapped[str] = mapped_column(c.key(16))
    account_id: Mapped[str | None] = mapped_column(c.key(), ForeignKey(_ACCOUNT))
    payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What the step remembers, as sealed JSON."""
    attempts: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)


class PatientRecord(RecordBase):
    """A patient; ``account_id`` is None for those who do not sign in themselves.

    ``profile`` is one JSON document, sealed with the person's key.
    """

    __tablename__ = "patient"
    __table_args__ = (
        UniqueConstraint("account_id"),
        Index(None, "name_birth_i"),
        Index(None, "email_i"),
        Index(None, "phone_i"),
        c.ON_A_SERVER,
    )

    patient_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(c.key(), ForeignKey(_ACCOUNT))
    key_salt: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    """Derives the key of all that is sealed for this person; destroyed to erase."""
    created_by: Mapped[str] = mapped_column(c.key())
    created_at: Mapped[int] = mapped_column(BigInteger)
    profile: Mapped[bytes | None] = mapped_column(c.blob())
    version: Mapped[int] = mapped_column(server_default="0", default=0)
    name_birth_i: Mapped[str | None] = mapped_column(c.key(43))
    email_i: Mapped[str | None] = mapped_column(c.key(43))
    phone_i: Mapped[str | None] = mapped_column(c.key(43))
    restricted_at: Mapped[int | None] = mapped_column(BigInteger)
    """Since when its use is restricted (GDPR, article 18)."""
    hold_until: Mapped[int | None] = mapped_column(BigInteger)
    """Until when the law forbids to erase it."""
    erased_at: Mapped[int | None] = mapped_column(BigInteger)


class MembershipRecord(RecordBase):
    """What an account is at a clinic; ``provider_id`` is a doctor's calendar there."""

    __tablename__ = "membership"
    __table_args__ = (
        UniqueConstraint("account_id", "clinic_id", "role", "ended_key"),
        Index(None, "clinic_id"),
        Index(None, "provider_id"),
        c.ON_A_SERVER,
    )

    membership_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str] = mapped_column(c.key(), ForeignKey(_ACCOUNT))
    clinic_id: Mapped[str] = mapped_column(c.key())
    role: Mapped[str] = mapped_column(c.key(16))
    provider_id: Mapped[str | None] = mapped_column(c.key())
    since: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    ended_key: Mapped[str] = mapped_column(c.key(), default="")


class GuardianshipRecord(RecordBase):
    """An account that acts for a patient."""

    __tablename__ = "guardianship"
    __table_args__ = (
        UniqueConstraint("guardian", "patient_id", "ended_key"),
        Index(None, "patient_id"),
        Index(None, "expires_at"),
        c.ON_A_SERVER,
    )

    guardianship_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    guardian: Mapped[str] = mapped_column(c.key(), ForeignKey(_ACCOUNT))
    patient_id: Mapped[str] = mapped_column(c.key(), ForeignKey("patient.patient_id"))
    scope: Mapped[str] = mapped_column(c.key(16))
    basis: Mapped[str] = mapped_column(c.key(16))
    since: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    ended_why: Mapped[str | None] = mapped_column(c.key(16))
    ended_key: Mapped[str] = mapped_column(c.key(), default="")


class GlassRecord(RecordBase):
    """An emergency access; ``reason`` is sealed."""

    __tablename__ = "glass"
    __table_args__ = (
        Index(None, "clinic_id", "reviewed_at"),
        Index(None, "patient_id"),
        Index(None, "account_id", "until"),
        c.ON_A_SERVER,
    )

    glass_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str] = mapped_column(c.key(), ForeignKey(_ACCOUNT))
    clinic_id: Mapped[str] = mapped_column(c.key())
    patient_id: Mapped[str] = mapped_column(c.key(), ForeignKey("patient.patient_id"))
    role: Mapped[str] = mapped_column(c.key(16))
    subject: Mapped[str] = mapped_column(c.key())
    reason: Mapped[bytes] = mapped_column(c.blob())
    opened_at: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[int] = mapped_column(BigInteger)
    reviewed_by: Mapped[str | None] = mapped_column(c.key())
    reviewed_at: Mapped[int | None] = mapped_column(BigInteger)
    verdict: Mapped[str | None] = mapped_column(c.key(16))


class PlatformRoleRecord(RecordBase):
    """What an account is on the whole platform, or for one tenant."""

    __tablename__ = "platform_role"

    account_id: Mapped[str] = mapped_column(
        c.key(), ForeignKey(_ACCOUNT), primary_key=True
    )
    role: Mapped[str] = mapped_column(c.key(16), primary_key=True)
    tenant: Mapped[str] = mapped_column(c.key(), primary_key=True)
    grant_id: Mapped[str] = mapped_column(c.key())
    since: Mapped[int] = mapped_column(BigInteger)
