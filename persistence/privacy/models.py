"""The tables of privacy: the ledger of consents, and requests of people."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class ConsentRecord(RecordBase):
    """A line of the ledger of consents. Lines are only ever added."""

    __tablename__ = "consent"
    __table_args__ = (Index(None, "patient_id", "purpose", "at"), c.ON_A_SERVER)

    id: Mapped[int] = mapped_column(c.serial(), primary_key=True)
    patient_id: Mapped[str] = mapped_column(c.key())
    purpose: Mapped[str] = mapped_column(c.key(40))
    channel: Mapped[str] = mapped_column(c.key(16))
    version: Mapped[str] = mapped_column(c.key(40))
    given: Mapped[bool] = mapped_column()
    at: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str] = mapped_column(c.key())


class PrivacyRequestRecord(RecordBase):
    """A request of a person about their data: as a patient, or as an account."""

    __tablename__ = "privacy_request"
    __table_args__ = (
        Index(None, "done_at", "due_at"),
        Index(None, "patient_id", "asked_at"),
        Index(None, "account_id", "asked_at"),
        c.ON_A_SERVER,
    )

    request_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    patient_id: Mapped[str] = mapped_column(c.key())
    """Empty if it is about an account with all its roles."""
    account_id: Mapped[str] = mapped_column(c.key(), default="", server_default="")
    kind: Mapped[str] = mapped_column(c.key(16))
    asked_by: Mapped[str] = mapped_column(c.key())
    asked_at: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[int] = mapped_column(BigInteger)
    done_at: Mapped[int | None] = mapped_column(BigInteger)
    report: Mapped[str | None] = mapped_column(c.document())
