"""The table of reviews."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class ReviewRecord(RecordBase):
    """A review; see ``care.directory.reviews.reviews.Review``. Its texts are sealed."""

    __tablename__ = "review"
    __table_args__ = (
        UniqueConstraint("booking_id"),
        Index(None, "provider_id", "state", "at"),
        Index(None, "state", "at"),
        Index(None, "patient_id"),
        c.ON_A_SERVER,
    )

    review_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    booking_id: Mapped[str] = mapped_column(c.key())
    provider_id: Mapped[str] = mapped_column(c.key())
    patient_id: Mapped[str] = mapped_column(c.key(), ForeignKey("patient.patient_id"))
    start_minute: Mapped[int] = mapped_column(BigInteger)
    rating: Mapped[int] = mapped_column(Integer)
    body: Mapped[bytes] = mapped_column(c.blob())
    at: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(c.key(16))
    changed_at: Mapped[int] = mapped_column(BigInteger)
    why: Mapped[bytes | None] = mapped_column(c.blob())
    reply: Mapped[bytes | None] = mapped_column(c.blob())
    replied_at: Mapped[int | None] = mapped_column(BigInteger)
