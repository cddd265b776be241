"""The table of addresses that busy times are read from."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class BusyCalendarRecord(RecordBase):
    """A provider's own calendar elsewhere; ``address`` is sealed.

    Without one it is to end: the row stays until its time was given back.
    """

    __tablename__ = "busy_calendar"
    __table_args__ = (Index(None, "next_at"), Index(None, "account_id"), c.ON_A_SERVER)

    provider_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    calendar_id: Mapped[str] = mapped_column(c.key())
    """Another one with each address."""
    account_id: Mapped[str] = mapped_column(c.key())
    grant_id: Mapped[str] = mapped_column(c.key())
    """The membership as which it was set; the import ends with it."""
    address: Mapped[bytes | None] = mapped_column(c.blob())
    set_at: Mapped[int] = mapped_column(BigInteger)
    next_at: Mapped[int] = mapped_column(BigInteger)
    claimed_until: Mapped[int | None] = mapped_column(BigInteger)
    tried_at: Mapped[int | None] = mapped_column(BigInteger)
    read_at: Mapped[int | None] = mapped_column(BigInteger)
    etag: Mapped[str] = mapped_column(c.words(200), default="")
    modified: Mapped[str] = mapped_column(c.words(200), default="")
    digest: Mapped[str] = mapped_column(c.key(100), default="")
    failure: Mapped[str] = mapped_column(c.key(32), default="")
    failures: Mapped[int] = mapped_column(default=0)
    spans: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    cut_from: Mapped[int | None] = mapped_column(BigInteger)
    """The minute from which on busy times are left out."""
