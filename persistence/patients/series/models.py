"""The tables of series of visits."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class SeriesRecord(RecordBase):
    """A series of visits of a patient with a provider."""

    __tablename__ = "visit_series"
    __table_args__ = (
        Index(None, "patient_id", "created_at"),
        Index(None, "provider_id", "created_at"),
        c.ON_A_SERVER,
    )

    series_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    provider_id: Mapped[str] = mapped_column(c.key())
    patient_id: Mapped[str] = mapped_column(c.key())
    visit_type: Mapped[str] = mapped_column(c.key(64))
    rule: Mapped[str] = mapped_column(c.words(500))
    """As JSON; empty without one."""
    state: Mapped[str] = mapped_column(c.key(16))
    created_at: Mapped[int] = mapped_column(BigInteger)
    command_key: Mapped[str] = mapped_column(c.key(64))
    fingerprint: Mapped[int] = mapped_column(BigInteger)
    placed_by: Mapped[str] = mapped_column(c.key(255))
    """Account and grant, as in commands."""
    by_staff: Mapped[bool]
    proxy: Mapped[bool]
    confidential: Mapped[bool]
    moving: Mapped[str | None] = mapped_column(c.prose())
    """The last move of several visits, as JSON: where they go."""


class SeriesVisitRecord(RecordBase):
    """A visit of a series, booked or not."""

    __tablename__ = "visit_series_date"
    __table_args__ = (
        Index(None, "state", "due_at"),
        Index(None, "patient_id"),
        c.ON_A_SERVER,
    )

    series_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    patient_id: Mapped[str] = mapped_column(c.key())
    start_minute: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(c.key(16))
    due_at: Mapped[int] = mapped_column(BigInteger)
    tried_at: Mapped[int | None] = mapped_column(BigInteger)
    code: Mapped[str] = mapped_column(c.key(64))
    reason: Mapped[str] = mapped_column(c.prose())
    """Sealed with the patient's key, until the visit is booked; else empty."""
