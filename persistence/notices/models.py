"""The tables of notices, of the messages that carry them, and of what people chose."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, false
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class OutgoingMessageRecord(RecordBase):
    """A message to a person. Recipient and content are sealed."""

    __tablename__ = "outgoing_message"
    __table_args__ = (
        Index(None, "recipient_i", "created_at"),
        Index(None, "created_at"),
        Index(None, "patient_id"),
        Index(None, "booking_id"),
        c.ON_A_SERVER,
    )

    message_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    channel: Mapped[str] = mapped_column(c.key(16))
    kind: Mapped[str] = mapped_column(c.key(64))
    recipient: Mapped[bytes] = mapped_column(LargeBinary)
    recipient_i: Mapped[str] = mapped_column(c.key(43))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    """Subject, text and what else it has, as JSON."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    """Orders those of one instant: each process counts the messages that it writes.

    0 for those of versions that did not count.
    """
    sent_at: Mapped[int | None] = mapped_column(BigInteger)
    notice_id: Mapped[str | None] = mapped_column(c.key())
    """The notice that it carries, with the visit's ids below; None for others."""
    patient_id: Mapped[str | None] = mapped_column(c.key())
    provider_id: Mapped[str | None] = mapped_column(c.key())
    booking_id: Mapped[str | None] = mapped_column(c.key())
    start_minute: Mapped[int | None] = mapped_column(BigInteger)
    is_proxy: Mapped[bool] = mapped_column(server_default=false(), default=False)
    """Whether it goes to a person who acts for the patient."""
    status: Mapped[str] = mapped_column(c.key(16), server_default="", default="")
    status_at: Mapped[int | None] = mapped_column(BigInteger)
    attempted_at: Mapped[int | None] = mapped_column(BigInteger)
    reference: Mapped[str] = mapped_column(c.key(128), server_default="", default="")
    """The id that the service which took it has given it."""


class NoticeRecord(RecordBase):
    """What a patient was told; their inbox. ``content`` is sealed."""

    __tablename__ = "notice"
    __table_args__ = (
        Index(None, "patient_id", "created_at", "notice_id"),
        Index(None, "created_at"),
        c.ON_A_SERVER,
    )

    notice_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    patient_id: Mapped[str] = mapped_column(c.key())
    kind: Mapped[str] = mapped_column(c.key(32))
    booking_id: Mapped[str] = mapped_column(c.key())
    version: Mapped[int] = mapped_column(BigInteger)
    """The calendar's version that it tells of."""
    confidential: Mapped[bool] = mapped_column()
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[int | None] = mapped_column(BigInteger)


class InboxChangeRecord(RecordBase):
    """The log of changed inboxes that gateways follow; only the newest are kept.

    ``subject`` is the patient, ``kind`` the same in every line.
    """

    __tablename__ = "inbox_change"
    __table_args__ = (Index(None, "subject"),)

    change_id: Mapped[int] = mapped_column(
        c.serial(), primary_key=True, autoincrement=True
    )
    kind: Mapped[str] = mapped_column(c.key(16))
    subject: Mapped[str] = mapped_column(c.key())


class PushSubscriptionRecord(RecordBase):
    """A browser that shows notices of an account; ``content`` is sealed.

    It ends with its session.
    """

    __tablename__ = "push_subscription"
    __table_args__ = (Index(None, "account_id", "created_at"), c.ON_A_SERVER)

    subscription_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str] = mapped_column(c.key())
    session_id: Mapped[str] = mapped_column(c.key())
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)


class ToldVisitRecord(RecordBase):
    """What a patient was told of a visit last; see ``care.notices.visits.Told``."""

    __tablename__ = "told_visit"
    __table_args__ = (
        Index(None, "patient_id"),
        Index(None, "end_minute"),
        c.ON_A_SERVER,
    )

    booking_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    patient_id: Mapped[str] = mapped_column(c.key())
    version: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[int] = mapped_column()
    start_minute: Mapped[int] = mapped_column(BigInteger)
    end_minute: Mapped[int] = mapped_column(BigInteger)
    location_id: Mapped[str] = mapped_column(c.key())
    is_told: Mapped[bool] = mapped_column()
    is_over: Mapped[bool] = mapped_column()
    is_stranded: Mapped[bool] = mapped_column()


class NoticePreferenceRecord(RecordBase):
    """What a person chose to hear of; ``person`` is a patient or an account."""

    __tablename__ = "notice_preference"
    __table_args__ = (c.ON_A_SERVER,)

    person: Mapped[str] = mapped_column(c.key(), primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int] = mapped_column()
    changed_at: Mapped[int] = mapped_column(BigInteger)
