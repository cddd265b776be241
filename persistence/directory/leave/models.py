"""The tables of leaves with affected visits, and of these visits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class LeaveRecord(RecordBase):
    """A leave with affected visits."""

    __tablename__ = "provider_leave"
    __table_args__ = (Index(None, "provider_id", "added_at"), c.ON_A_SERVER)

    time_off_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    provider_id: Mapped[str] = mapped_column(c.key())
    start_minute: Mapped[int] = mapped_column(BigInteger)
    end_minute: Mapped[int] = mapped_column(BigInteger)
    added_at: Mapped[int] = mapped_column(BigInteger)
    withdrawn_at: Mapped[int | None] = mapped_column(BigInteger)


class LeaveVisitRecord(RecordBase):
    """A visit that a leave affects; see ``care.leave.visits.LeaveVisit``."""

    __tablename__ = "leave_visit"
    __table_args__ = (
        Index(None, "booking_id"),
        Index(None, "patient_id"),
        Index(None, "state", "changed_at"),
        Index(None, "end_minute"),
        c.ON_A_SERVER,
    )

    time_off_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    booking_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    provider_id: Mapped[str] = mapped_column(c.key())
    patient_id: Mapped[str] = mapped_column(c.key())
    visit_type: Mapped[str] = mapped_column(c.key())
    start_minute: Mapped[int] = mapped_column(BigInteger)
    end_minute: Mapped[int] = mapped_column(BigInteger)
    opened_at: Mapped[int] = mapped_column(BigInteger)
    answer_by: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(c.key(16))
    proposed: Mapped[list[Any]] = mapped_column(JSON)
    choice: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What was chosen, until it is carried out; it names who asked."""
    outcome: Mapped[str | None] = mapped_column(c.key(16))
    chooser: Mapped[str | None] = mapped_column(c.key(16))
    resolved_at: Mapped[int | None] = mapped_column(BigInteger)
    moved_to: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    changed_at: Mapped[int] = mapped_column(BigInteger)
    """When it was changed, or its calendar was asked, last."""
