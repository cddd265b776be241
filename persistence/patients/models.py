"""Which clinics know a patient, and their notes. The patient's row is with accounts."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase

PATIENT = "patient.patient_id"


class PatientClinicRecord(RecordBase):
    """A clinic that knows a patient, and by which number; ``until`` ends it."""

    __tablename__ = "patient_clinic"
    __table_args__ = (
        UniqueConstraint("clinic_id", "number_i"),
        Index(None, "clinic_id", "since"),
        c.ON_A_SERVER,
    )

    patient_id: Mapped[str] = mapped_column(
        c.key(), ForeignKey(PATIENT), primary_key=True
    )
    clinic_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    number: Mapped[bytes | None] = mapped_column(LargeBinary)
    number_i: Mapped[str | None] = mapped_column(c.key(43))
    since: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[int | None] = mapped_column(BigInteger)


class MedicalNoteRecord(RecordBase):
    """A note of a patient's history; never changed, but replaced by a later one."""

    __tablename__ = "medical_note"
    __table_args__ = (
        UniqueConstraint("replaces"),
        Index(None, "patient_id", "at"),
        c.ON_A_SERVER,
    )

    note_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    patient_id: Mapped[str] = mapped_column(c.key(), ForeignKey(PATIENT))
    clinic_id: Mapped[str] = mapped_column(c.key())
    author: Mapped[str] = mapped_column(c.key())
    kind: Mapped[str] = mapped_column(c.key(16))
    body: Mapped[bytes] = mapped_column(c.blob())
    at: Mapped[int] = mapped_column(BigInteger)
    replaces: Mapped[str | None] = mapped_column(c.key())


class CalendarFeedRecord(RecordBase):
    """A calendar that other programs read by a secret address, until it is revoked."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        UniqueConstraint("secret_hash"),
        Index(None, "account_id"),
        c.ON_A_SERVER,
    )

    feed_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str] = mapped_column(c.key(), ForeignKey("account.account_id"))
    of: Mapped[str] = mapped_column(c.key(16))
    subject: Mapped[str] = mapped_column(c.key())
    label: Mapped[str] = mapped_column(c.words(100))
    secret_hash: Mapped[str] = mapped_column(c.key(43))
    created_at: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[int | None] = mapped_column(BigInteger)
