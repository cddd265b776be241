"""The table of API clients."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class ApiClientRecord(RecordBase):
    """A program of a clinic; see ``care.accounts.clients.ApiClient``."""

    __tablename__ = "api_client"
    __table_args__ = (Index(None, "clinic_id"), c.ON_A_SERVER)

    client_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    clinic_id: Mapped[str] = mapped_column(c.key())
    name: Mapped[str] = mapped_column(c.words(100))
    secret_hash: Mapped[str] = mapped_column(c.key(43))
    old_hash: Mapped[str | None] = mapped_column(c.key(43))
    old_until: Mapped[int | None] = mapped_column(BigInteger)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(c.key())
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)
