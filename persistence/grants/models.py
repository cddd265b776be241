"""Tables of grants, but for those that signing in reads: they are with the accounts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class InvitationRecord(RecordBase):
    """A role that is offered to an address; columns that do not apply are empty."""

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index(None, "clinic_id", "created_at"),
        c.ON_A_SERVER,
    )

    invitation_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    clinic_id: Mapped[str] = mapped_column(c.key())
    role: Mapped[str] = mapped_column(c.key(16))
    provider_id: Mapped[str] = mapped_column(c.key())
    patient_id: Mapped[str] = mapped_column(c.key())
    scope: Mapped[str] = mapped_column(c.key(16))
    basis: Mapped[str] = mapped_column(c.key(16))
    email: Mapped[bytes] = mapped_column(LargeBinary)
    email_i: Mapped[str] = mapped_column(c.key(43))
    token_hash: Mapped[str] = mapped_column(c.key(43))
    invited_by: Mapped[str] = mapped_column(c.key())
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)
    used_by: Mapped[str | None] = mapped_column(c.key())
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class DoctorApplicationRecord(RecordBase):
    """An application of a doctor; ``content`` is sealed: name, licence, documents."""

    __tablename__ = "doctor_application"
    __table_args__ = (
        UniqueConstraint("country", "licence_i", "ended_key"),
        Index(None, "clinic_id", "status"),
        Index(None, "account_id"),
        c.ON_A_SERVER,
    )

    application_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str] = mapped_column(c.key())
    clinic_id: Mapped[str] = mapped_column(c.key())
    provider_id: Mapped[str] = mapped_column(c.key())
    status: Mapped[str] = mapped_column(c.key(16))
    country: Mapped[str] = mapped_column(c.key(2))
    licence_i: Mapped[str] = mapped_column(c.key(43))
    content: Mapped[bytes] = mapped_column(c.blob())
    submitted_at: Mapped[int] = mapped_column(BigInteger)
    decided_by: Mapped[str] = mapped_column(c.key())
    decided_at: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[bytes | None] = mapped_column(c.blob())
    ended_key: Mapped[str] = mapped_column(c.key())


class SuspensionRecord(RecordBase):
    """Why a provider is suspended; removed when the suspension ends."""

    __tablename__ = "suspension"

    provider_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    clinic_id: Mapped[str] = mapped_column(c.key())
    reason: Mapped[bytes] = mapped_column(c.blob())
    since: Mapped[int] = mapped_column(BigInteger)
    suspended_by: Mapped[str] = mapped_column(c.key())


class ClinicOptionRecord(RecordBase):
    """An option that a clinic has set; without a row it has the default."""

    __tablename__ = "clinic_option"

    clinic_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    name: Mapped[str] = mapped_column(c.key(64), primary_key=True)
    is_on: Mapped[bool] = mapped_column()
