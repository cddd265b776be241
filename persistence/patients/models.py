"""Which clinics know a patient. The patient's own row is with the accounts."""

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
