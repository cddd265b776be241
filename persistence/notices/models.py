"""The table of messages that go out."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class OutgoingMessageRecord(RecordBase):
    """A message to a person. Recipient and content are sealed."""

    __tablename__ = "outgoing_message"
    __table_args__ = (
        Index(None, "recipient_i", "created_at"),
        Index(None, "created_at"),
        c.ON_A_SERVER,
    )

    message_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    channel: Mapped[str] = mapped_column(c.key(16))
    kind: Mapped[str] = mapped_column(c.key(64))
    recipient: Mapped[bytes] = mapped_column(LargeBinary)
    recipient_i: Mapped[str] = mapped_column(c.key(43))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    """Subject and text, as JSON."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    sent_at: Mapped[int | None] = mapped_column(BigInteger)
