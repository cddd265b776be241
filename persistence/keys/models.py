"""The table of wrapped data keys."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class KeyRotationRecord(RecordBase):
    """Which run rotates the keys, and until when, if it does not say so again."""

    __tablename__ = "key_rotation"

    tenant: Mapped[str] = mapped_column(c.key(), primary_key=True)
    holder: Mapped[str] = mapped_column(c.key())
    until: Mapped[int] = mapped_column(BigInteger)


class DataKeyRecord(RecordBase):
    """A data key of a tenant, wrapped with the key encryption key ``kek_id``."""

    __tablename__ = "data_key"

    tenant: Mapped[str] = mapped_column(c.key(), primary_key=True)
    purpose: Mapped[str] = mapped_column(c.key(16), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary(255))
    kek_id: Mapped[str] = mapped_column(c.key(64))
    created_at: Mapped[int] = mapped_column(BigInteger)
    retired_at: Mapped[int | None] = mapped_column(BigInteger)
    """When no row was sealed with it any more; the journal may still hold what was."""
