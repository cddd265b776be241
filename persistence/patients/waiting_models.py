"""The tables of the waiting list."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class WaitingEntryRecord(RecordBase):
    """What a patient waits for; see ``care.waiting.entries.WaitingEntry``."""

    __tablename__ = "waiting_entry"
    __table_args__ = (
        Index(None, "scope", "subject"),
        Index(None, "patient_id"),
        c.ON_A_SERVER,
    )

    entry_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    patient_id: Mapped[str] = mapped_column(c.key())
    scope: Mapped[str] = mapped_column(c.key(16))
    subject: Mapped[str] = mapped_column(c.key(200))
    since: Mapped[int] = mapped_column(BigInteger)
    visit_type: Mapped[str] = mapped_column(c.key(128))
    days: Mapped[str] = mapped_column(c.key(7))
    """ISO weekdays as digits; empty: any."""
    opens: Mapped[int] = mapped_column()
    closes: Mapped[int] = mapped_column()
    last_day: Mapped[str] = mapped_column(c.key(10))
    notice: Mapped[int] = mapped_column()
    booking_id: Mapped[str | None] = mapped_column(c.key())
    priority: Mapped[int] = mapped_column()
    paused: Mapped[bool] = mapped_column()
    declines: Mapped[int] = mapped_column()


class WaitingMoveRecord(RecordBase):
    """A change of an entry's priority by staff; ``reason`` is sealed."""

    __tablename__ = "waiting_move"
    __table_args__ = (
        Index(None, "entry_id", "at"),
        Index(None, "patient_id"),
        c.ON_A_SERVER,
    )

    move_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    entry_id: Mapped[str] = mapped_column(c.key())
    patient_id: Mapped[str] = mapped_column(c.key())
    moved_by: Mapped[str] = mapped_column(c.key())
    at: Mapped[int] = mapped_column(BigInteger)
    prior: Mapped[int] = mapped_column()
    priority: Mapped[int] = mapped_column()
    reason: Mapped[bytes] = mapped_column(LargeBinary)


class SlotOfferRecord(RecordBase):
    """An offer of a slot; see ``care.waiting.entries.SlotOffer``.

    ``outstanding`` is the patient while the offer is: one at a time.
    """

    __tablename__ = "slot_offer"
    __table_args__ = (
        UniqueConstraint("outstanding"),
        Index(None, "patient_id"),
        Index(None, "made_at"),
        Index(None, "entry_id"),
        c.ON_A_SERVER,
    )

    hold_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    turn: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    provider_id: Mapped[str] = mapped_column(c.key())
    patient_id: Mapped[str] = mapped_column(c.key())
    entry_id: Mapped[str] = mapped_column(c.key())
    place: Mapped[int] = mapped_column()
    ahead: Mapped[str] = mapped_column(c.document())
    visit_type: Mapped[str] = mapped_column(c.key(128))
    start_minute: Mapped[int] = mapped_column(BigInteger)
    end_minute: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[int] = mapped_column(BigInteger)
    booking_id: Mapped[str | None] = mapped_column(c.key())
    status: Mapped[str] = mapped_column(c.key(16))
    outstanding: Mapped[str | None] = mapped_column(c.key())


class WaitingCalendarRecord(RecordBase):
    """A provider whose calendar was told to reserve."""

    __tablename__ = "waiting_calendar"
    __table_args__ = (c.ON_A_SERVER,)

    provider_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
