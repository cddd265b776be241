"""The table of idempotency keys and of the answers stored under them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class IdempotencyRecord(RecordBase):
    """A key. ``status`` is None while its request runs."""

    __tablename__ = "idempotency"
    __table_args__ = (Index(None, "expires_at"), c.ON_A_SERVER)

    key: Mapped[str] = mapped_column(c.key(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(c.key(64))
    expires_at: Mapped[int] = mapped_column(BigInteger)
    """When the key is free again; while the request runs, when its claim ends."""
    status: Mapped[int | None]
    headers: Mapped[list[Any] | None] = mapped_column(JSON)
    body: Mapped[bytes | None] = mapped_column(c.blob())
    """Sealed with the site's key: an answer may hold a person's data."""
